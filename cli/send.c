/* ferrule send: hands a document to a flow, as if its source had brought it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/site.h"
#include "services/receive.h"

static const struct verb_option options[] = {
	{"name", "NAME", "what the document is called; the file's name if not given", NULL},
	{"type", "MEDIA-TYPE", "such as application/json", NULL},
	{"again", NULL, "accept it although the same came before", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

static int store(const struct site *site, int fd, struct document *document, struct error *error)
{
	struct vault *vault = vault_open(site->vault_path, error);
	int result = -1;

	if (vault && !vault_put_fd(vault, fd, site->limits.document_max, &document->stored, error))
		result = vault_sync(vault, error);
	vault_close(vault);
	return result;
}

static int commit(struct session *session, const struct flow *flow, struct reception *reception, struct error *error)
{
	struct unit *unit = unit_new(session_queue(session));
	int64_t began = clock_tick_ms();
	int result;

	while ((result = receive_add(unit, flow, reception, error)) == 1)
		if (site_wait(session, began, error))
			break;
	if (result) {
		unit_free(unit);
		return -1;
	}
	return site_commit(session, unit, error);
}

static void say_accepted(const struct arguments *arguments, const struct reception *reception,
			 const struct document *document)
{
	bool fresh = reception->seen == SEEN_NEW;
	char id[ID_TEXT];
	json_t *answer;

	id_hex(fresh ? &reception->message->id : &reception->first, id);
	if (!arguments->json && fresh)
		printf("accepted as %.12s; where it is: ferrule trace %.12s%s\n", id, id,
		       show_site(SHOWN_HERE, arguments));
	else if (!arguments->json)
		printf("recognised: the same came before, as %.12s. To accept it anew: --again\n", id);
	if (!arguments->json)
		return;
	answer = json_pack("{s:s s:s s:s s:o}", "result", fresh ? "accepted" : "recognised", "id", id, "flow",
			   arguments->words[0], "document", json_stringn(document->name.data, document->name.len));
	verb_print_json(answer);
	json_decref(answer);
}

static int accept_document(const struct arguments *arguments, struct session *session, const struct flow *flow, int fd,
			   struct document *document)
{
	const struct site *site = session_site(session);
	struct endpoint by_hand = {.name = flow->name, .flow = flow->name};
	const struct endpoint *endpoint = flow->sources_count ? &flow->sources[0].endpoint : &by_hand;
	struct error error = {0};
	struct reception reception = {0};

	if (argument_given(arguments, "again")) /* an identity of its own: by the time */
		document->identity_text = SPAN_NONE;
	if (store(site, fd, document, &error) || receive_prepare(&reception, site, flow, endpoint, document, &error))
		return verb_failed(arguments, &error);
	if (argument_given(arguments, "again"))
		receive_renew(&reception, clock_now_ms());
	if (receive_recognise(session_queue(session), &reception, 1, &error) ||
	    commit(session, flow, &reception, &error)) {
		receive_free(&reception);
		return verb_failed(arguments, &error);
	}
	say_accepted(arguments, &reception, document);
	receive_free(&reception);
	return EXIT_DONE;
}

static struct span base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_of(slash ? slash + 1 : path);
}

static int send_document(const struct arguments *arguments, struct session *session, const struct flow *flow)
{
	const char *path = argument_word(arguments, 1, "-");
	bool standard = !strcmp(path, "-");
	struct document document = {.time_ms = clock_now_ms()};
	struct stat status;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), code;

	if (fd < 0)
		return verb_refused(arguments, EXIT_FINDINGS, "input.open", "%s: %s", path, strerror(errno));
	if (!standard && !fstat(fd, &status))
		document.time_ms = (int64_t)status.st_mtim.tv_sec * 1000;
	document.name = argument_given(arguments, "name") ? span_of(argument(arguments, "name"))
			: standard                        ? span_of("standard-input")
							  : base_name(path);
	document.media_type = argument_given(arguments, "type") ? span_of(argument(arguments, "type")) : SPAN_NONE;
	code = accept_document(arguments, session, flow, fd, &document);
	if (!standard)
		close(fd);
	return code;
}

static int send_verb(const struct arguments *arguments)
{
	int code;
	struct session *session = site_reach(arguments, NULL, NULL, &code);
	const struct flow *flow;

	if (!session)
		return code;
	flow = site_flow_named(arguments, session, arguments->words[0]);
	code = flow ? send_document(arguments, session, flow) : EXIT_USAGE;
	session_close(session);
	return code;
}

const struct verb verb_send = {
	.name = "send",
	.words = "FLOW [FILE]",
	.words_min = 1,
	.words_max = 2,
	.summary = "Hand a document to a flow",
	.text = "  ferrule send acme-orders input/acme/20260302-acme-0001.edi\n"
		"  ferrule send acme-orders - --name typed.edi < input/acme/20260302-acme-0002.edi\n"
		"\nIt is durable when the command ends; it goes on its way when the site runs.\n",
	.json = "{result: accepted | recognised, id, flow, document}",
	.options = options,
	.run = send_verb,
};
