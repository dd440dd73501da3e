/* ferrule replay: originals once more, under today's configuration. What was delivered is recognised and not done
 * again. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/letter.h"
#include "cli/site.h"
#include "services/site_store.h"

#define FIRST_MAX 100000

static const struct verb_option options[] = {
	{"since", "TIME", "documents received since then: 2026-01-31T12:00:00Z, or so long ago: 2h"},
	{"until", "TIME", "… and until then"},
	{"name", "NAME", "only documents of this name"},
	{"first", "N", "at most so many"},
	{"rate", "N/s", "at most so many a second"},
	{"again", NULL, "deliver anew what was delivered before"},
	{"over-newer", NULL, "also where something newer of the same business key was delivered since"},
	{"dry-run", NULL, "say what would be done"},
	SITE_OPTIONS,
	{NULL, NULL, NULL},
};

struct replay {
	const struct arguments *arguments;
	struct session *session;
	struct lineage *lineage;
	struct timespec pause;
	unsigned done, refused, gone;
};

/* The message that the document became when it was received. */
static struct message *message_of(struct replay *replay, const json_t *original)
{
	struct message *message = message_new();
	const char *flow = replay->arguments->words[0];

	id_parse(&message->id, span_of(json_text(original, "id")));
	id_parse(&message->origin.digest, span_of(json_text(original, "digest")));
	message_set(message, &message->correlationid, span_of(json_text(original, "correlation")));
	message_set(message, &message->type, SPAN_LITERAL("ferrule.document.v1"));
	message_set(message, &message->subject, span_of(json_text(original, "name")));
	message_set(message, &message->flow, span_of(flow));
	message_set(message, &message->origin.name, span_of(json_text(original, "name")));
	message_set(message, &message->origin.ref, span_of(json_text(original, "ref")));
	message_set(message, &message->body_ref, span_of(json_text(original, "ref")));
	message->origin.length = message->body_size = (uint64_t)json_number(original, "length");
	message->body_digest = message->origin.digest;
	message->time_ms = message->accepted_ms = json_number(original, "at_ms");
	letter_refresh(replay->session, message, argument_given(replay->arguments, "again"));
	return message;
}

/* Is there a reason not to? 1: yes, and it was said. */
static int refuse(struct replay *replay, const json_t *original, struct error *error)
{
	struct buf key;
	struct id id;
	int result;

	if (!*json_text(original, "ref")) {
		printf("gone: %s is not in the vault any more\n", json_text(original, "name"));
		replay->gone++;
		return 1;
	}
	if (argument_given(replay->arguments, "over-newer"))
		return 0;
	buf_init(&key, 512);
	id_parse(&id, span_of(json_text(original, "id")));
	result = lineage_newer(replay->lineage, &id, json_text(original, "correlation"), json_number(original, "at_ms"),
			       &key, error);
	if (!result && key.len) {
		printf("refused: %s, since something newer of %.*s was delivered; to do it all the same: "
		       "--over-newer\n",
		       json_text(original, "name"), SPAN_ARGS(buf_view(&key)));
		replay->refused++;
		result = 1;
	}
	buf_free(&key);
	return result;
}

static int publish(struct replay *replay, const json_t *original, struct error *error)
{
	struct message *message = message_of(replay, original);
	const char *queue = site_flow(session_site(replay->session), span_of(replay->arguments->words[0]))->queue;
	int result = letter_publish(replay->session, message, queue, error);

	message_free(message);
	return result;
}

static int one(struct replay *replay, const json_t *original, struct error *error)
{
	int result = refuse(replay, original, error);

	if (result)
		return result < 0 ? -1 : 0;
	printf("%s %s, received %s\n", argument_given(replay->arguments, "dry-run") ? "would replay" : "replaying",
	       json_text(original, "name"), show_time(SHOWN_HERE, json_number(original, "at_ms")));
	if (!argument_given(replay->arguments, "dry-run") && publish(replay, original, error))
		return -1;
	replay->done++;
	nanosleep(&replay->pause, NULL);
	return 0;
}

static int all(struct replay *replay, int64_t since, int64_t until)
{
	const struct arguments *arguments = replay->arguments;
	int64_t first = argument_given(arguments, "first") ? atoll(argument(arguments, "first")) : FIRST_MAX;
	struct error error = {0};
	json_t *originals = lineage_originals(replay->lineage, arguments->words[0], since, until, FIRST_MAX, &error),
	       *original;
	int code = originals ? EXIT_DONE : verb_failed(arguments, &error);
	size_t i;

	json_array_foreach(originals, i, original) {
		if (code || (int64_t)replay->done >= first)
			break;
		if (argument_given(arguments, "name") &&
		    strcmp(json_text(original, "name"), argument(arguments, "name")) != 0)
			continue;
		if (one(replay, original, &error))
			code = verb_failed(arguments, &error);
	}
	json_decref(originals);
	if (!code)
		printf("%u documents %s, %u refused, %u no longer kept\n", replay->done,
		       argument_given(arguments, "dry-run") ? "would be replayed" : "replayed", replay->refused,
		       replay->gone);
	return code ? code : replay->refused || replay->gone ? EXIT_FINDINGS : EXIT_DONE;
}

static int replay_flow(struct replay *replay)
{
	const struct arguments *arguments = replay->arguments;
	struct error error = {0};
	int64_t since, until;

	if (site_time(arguments, "since", 0, &since) || site_time(arguments, "until", INT64_MAX, &until) ||
	    site_rate(arguments, &replay->pause))
		return EXIT_USAGE;
	if (!site_flow(session_site(replay->session), span_of(arguments->words[0])))
		return verb_usage(arguments, "there is no flow `%s`: ferrule status shows them", arguments->words[0]);
	replay->lineage = site_lineage_reader(session_site(replay->session), &error);
	return replay->lineage ? all(replay, since, until) : verb_failed(arguments, &error);
}

static int replay_verb(const struct arguments *arguments)
{
	struct replay replay = {.arguments = arguments};
	int code;

	replay.session = site_reach(arguments, NULL, NULL, &code);
	if (!replay.session)
		return code;
	code = replay_flow(&replay);
	lineage_close(replay.lineage);
	session_close(replay.session);
	return code;
}

const struct verb verb_replay = {
	.name = "replay",
	.words = "FLOW",
	.words_min = 1,
	.words_max = 1,
	.summary = "Run a flow's originals again, under today's configuration",
	.text = "  ferrule replay acme-orders --since 2h --dry-run\n  ferrule replay acme-orders --name "
		"20260302-acme-0001.edi\n"
		"What was delivered before is recognised and not delivered again, unless --again says so.\n",
	.options = options,
	.run = replay_verb,
};
