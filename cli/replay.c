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
#define SETTLE_MS 2000

static const struct verb_option options[] = {
	{"since", "TIME", "documents received since then: 2026-01-31T12:00:00Z, or so long ago: 2h", NULL},
	{"until", "TIME", "… and until then", NULL},
	{"name", "NAME", "only documents of this name", NULL},
	{"first", "N", "at most so many", NULL},
	{"rate", "N/s", "at most so many a second", NULL},
	{"again", NULL, "deliver anew what was delivered before", NULL},
	{"over-newer", NULL, "also where something newer of the same business key was delivered since", NULL},
	{"dry-run", NULL, "say what would be done", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

struct replay {
	const struct arguments *arguments;
	struct session *session;
	struct lineage *lineage;
	const struct flow *flow;
	struct timespec pause;
	int64_t first;
	size_t selected;
	unsigned done, refused, gone;
};

/* The message that the document became when it was received. */
static struct message *message_of(struct replay *replay, const json_t *original)
{
	struct message *message = message_new();

	id_parse(&message->id, span_of(json_text(original, "id")));
	id_parse(&message->origin.digest, span_of(json_text(original, "digest")));
	message_set(message, &message->correlationid, span_of(json_text(original, "correlation")));
	message_set(message, &message->type, SPAN_LITERAL("ferrule.document.v1"));
	message_set(message, &message->subject, span_of(json_text(original, "name")));
	message_set(message, &message->flow, span_of(replay->flow->name));
	message_set(message, &message->origin.name, span_of(json_text(original, "name")));
	message_set(message, &message->origin.ref, span_of(json_text(original, "ref")));
	message_set(message, &message->body_ref, span_of(json_text(original, "ref")));
	message->origin.length = message->body_size = (uint64_t)json_number(original, "length");
	message->body_digest = message->origin.digest;
	message->time_ms = message->accepted_ms = json_number(original, "at_ms");
	letter_refresh(replay->session, message, argument_given(replay->arguments, "again"));
	return message;
}

static void say(struct replay *replay, const json_t *original, const char *result, const char *why)
{
	if (replay->arguments->json) {
		json_t *line =
			json_pack("{s:s s:s s:s s:I}", "result", result, "document", json_text(original, "name"), "id",
				  json_text(original, "id"), "received_ms", (json_int_t)json_number(original, "at_ms"));

		if (*why)
			json_object_set_new(line, "why", json_string(why));
		verb_print_line_take(line);
		return;
	}
	if (!strcmp(result, "would-replay"))
		result = "would replay";
	printf("%s %s, received %s%s%s\n", result, json_text(original, "name"),
	       show_time(SHOWN_HERE, json_number(original, "at_ms")), *why ? ": " : "", why);
	fflush(stdout);
}

/* Is there a reason not to? 1: yes, and it was said. */
static int refuse(struct replay *replay, const json_t *original, struct error *error)
{
	struct buf key;
	char why[400];
	struct id id;
	int result;

	if (!*json_text(original, "ref")) {
		say(replay, original, "gone", "it is not in the vault any more");
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
		snprintf(why, sizeof why,
			 "something newer of %.*s was delivered since; to do it all the same: --over-newer",
			 SPAN_ARGS(buf_view(&key)));
		say(replay, original, "refused", why);
		replay->refused++;
		result = 1;
	}
	buf_free(&key);
	return result;
}

static int publish(struct replay *replay, const json_t *original, struct error *error)
{
	struct message *message = message_of(replay, original);
	int result = letter_publish(replay->session, message, replay->flow->queue, error);

	message_free(message);
	return result;
}

static int one(struct replay *replay, const json_t *original, struct error *error)
{
	bool dry = argument_given(replay->arguments, "dry-run");
	int result = refuse(replay, original, error);

	if (result)
		return result < 0 ? -1 : 0;
	if (!dry && publish(replay, original, error))
		return -1;
	say(replay, original, dry ? "would-replay" : "replayed", "");
	replay->done++;
	return 0;
}

static bool is_selected(const struct replay *replay, const json_t *original)
{
	const char *name = argument(replay->arguments, "name");

	return !name || !strcmp(json_text(original, "name"), name);
}

static size_t count_selected(const struct replay *replay, const json_t *originals)
{
	const json_t *original;
	size_t n = 0, i;

	json_array_foreach(originals, i, original)
		n += is_selected(replay, original);
	return n < (size_t)replay->first ? n : (size_t)replay->first;
}

static void say_before(const struct replay *replay)
{
	if (replay->arguments->json || argument_given(replay->arguments, "dry-run") || !replay->selected)
		return;
	printf("%s into %s again, under the configuration of now, revision %s. %s Ctrl-C ends it after the one in "
	       "hand.\n",
	       show_count(SHOWN_HERE, (int64_t)replay->selected, "document"), replay->flow->queue,
	       show_id(SHOWN_HERE, session_site(replay->session)->revision),
	       argument_given(replay->arguments, "again") ? "Everything is delivered anew."
							  : "What was delivered before is not delivered again.");
	fflush(stdout);
}

static void say_after(const struct replay *replay, bool interrupted)
{
	unsigned left = (unsigned)replay->selected - replay->done - replay->refused - replay->gone;

	if (replay->arguments->json)
		verb_print_line_take(json_pack("{s:s s:i s:i s:i s:i}", "result", "end", "done", (int)replay->done,
					       "refused", (int)replay->refused, "gone", (int)replay->gone, "left",
					       (int)left));
	else if (!replay->selected)
		puts("No documents match.");
	else
		printf("%s%u documents %s, %u refused, %u no longer kept, %u left\n",
		       interrupted ? "interrupted: " : "", replay->done,
		       argument_given(replay->arguments, "dry-run") ? "would be replayed" : "replayed", replay->refused,
		       replay->gone, left);
}

static int all(struct replay *replay, const json_t *originals)
{
	struct timespec none = {0, 0};
	struct error error = {0};
	bool interrupted = false;
	const json_t *original;
	int code = EXIT_DONE;
	size_t i, met = 0;

	replay->selected = count_selected(replay, originals);
	say_before(replay);
	site_hold_signals();
	json_array_foreach(originals, i, original) {
		if (code || interrupted || met == replay->selected)
			break;
		if (!is_selected(replay, original))
			continue;
		met++;
		if (one(replay, original, &error))
			code = verb_failed(replay->arguments, &error);
		interrupted =
			site_interrupted(met == replay->selected ? &none : &replay->pause) && met < replay->selected;
	}
	say_after(replay, interrupted);
	return code ? code : replay->refused || replay->gone || interrupted ? EXIT_FINDINGS : EXIT_DONE;
}

/* Documents that came just now are known a moment later. */
static json_t *originals_of(struct replay *replay, int64_t since, int64_t until, int *code)
{
	struct error error = {0};
	json_t *originals = NULL;

	session_settle(replay->session, SETTLE_MS);
	replay->lineage = site_lineage_reader(session_site(replay->session), &error);
	if (replay->lineage)
		originals = lineage_originals(replay->lineage, replay->flow->name, since, until, FIRST_MAX, &error);
	if (!originals)
		*code = verb_failed(replay->arguments, &error);
	return originals;
}

static int replay_flow(struct replay *replay)
{
	const struct arguments *arguments = replay->arguments;
	int64_t since, until;
	json_t *originals;
	int code = EXIT_DONE;

	if (site_time(arguments, "since", 0, &since) || site_time(arguments, "until", INT64_MAX, &until) ||
	    site_rate(arguments, &replay->pause) || verb_count(arguments, "first", FIRST_MAX, &replay->first))
		return EXIT_USAGE;
	replay->flow = site_flow_named(arguments, replay->session, arguments->words[0]);
	if (!replay->flow)
		return EXIT_USAGE;
	if (!replay->flow->sources_count)
		return verb_usage(arguments,
				  "%s receives no documents, it subscribes to a topic: replay the flow that publishes "
				  "it",
				  replay->flow->name);
	originals = originals_of(replay, since, until, &code);
	if (originals)
		code = all(replay, originals);
	json_decref(originals);
	return code;
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
	.text = "  ferrule replay acme-orders --since 2h --dry-run\n"
		"  ferrule replay acme-orders --name 20260302-acme-0001.edi\n"
		"\nWhat was delivered before is recognised and not delivered again, unless --again says so. A document "
		"is\n"
		"refused (exit code 1) when something newer of the same business key was delivered since.\n",
	.json = "a line each {result: replayed | would-replay | refused | gone, document, id, received_ms, why?}, at "
		"last\n"
		"  {result: end, done, refused, gone, left}",
	.options = options,
	.run = replay_verb,
};
