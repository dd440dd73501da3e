/* ferrule doubt: effects of which nobody can know whether they happened. A person looks at the target and says so. */
#include "config.h"

#include <string.h>

#include "cli/letter.h"
#include "cli/parts.h"
#include "cli/site.h"

#define PAGE 200        /* for people to read */
#define PAGE_JSON 50000 /* for programs: all that one answer may hold */

static const struct verb_option options[] = {
	{"endpoint", "NAME", "only those of this endpoint", "list"},
	{"note", "TEXT", "what you saw at the target", "confirm resend"},
	SITE_OPTIONS,
	{.name = NULL},
};

static void print_list(const struct arguments *arguments, const json_t *answer)
{
	static const char *const titles[] = {"effect", "endpoint", "first tried", ">tries", "keys", "why", NULL};
	const json_t *doubts = json_object_get(answer, "doubts"), *doubt;
	const char *first, *site = show_site(SHOWN_HERE, arguments);
	struct table *table;
	size_t i;

	if (!json_array_size(doubts)) {
		puts("No doubts.");
		return;
	}
	table = table_new(titles);
	json_array_foreach(doubts, i, doubt) {
		table_add(table, show_id(SHOWN_HERE, json_text(doubt, "key")));
		table_add(table, json_text(doubt, "endpoint"));
		table_add(table, show_age(SHOWN_HERE, json_number(doubt, "first_ms")));
		table_number(table, json_number(doubt, "attempts"));
		table_add(table, show_keys(SHOWN_HERE, json_object_get(doubt, "keys")));
		table_add(table, json_text(doubt, "reason"));
	}
	table_print_take(table, "");
	if (json_is_true(json_object_get(answer, "more")))
		puts("… and more: --json shows all of them");
	first = show_id(SHOWN_HERE, json_text(json_array_get(doubts, 0), "key"));
	printf("\nLook at the target.\n  It is there:     ferrule doubt confirm %s --note WHERE%s\n"
	       "  It is not there: ferrule doubt resend %s%s\n",
	       first, site, first, site);
}

static int list(const struct arguments *arguments, struct session *session)
{
	json_t *request = json_pack("{s:i}", "limit", arguments->json ? PAGE_JSON : PAGE), *answer;
	int code = EXIT_DONE;

	if (argument_given(arguments, "endpoint"))
		json_object_set_new(request, "endpoint", json_string(argument(arguments, "endpoint")));
	answer = site_ask(arguments, session, "doubt.list", request, &code);
	if (answer && arguments->json)
		verb_print_json(answer);
	else if (answer)
		print_list(arguments, answer);
	json_decref(answer);
	return code;
}

static json_t *get(const struct arguments *arguments, struct session *session, int *code)
{
	return site_ask(arguments, session, "doubt.get", json_pack("{s:s}", "key", arguments->words[1]), code);
}

static void print_doubt(struct session *session, const json_t *doubt)
{
	struct error error = {0};
	struct buf body;

	printf("effect   %s at %s\n", json_text(doubt, "key"), json_text(doubt, "endpoint"));
	printf("message  %s\n", json_text(doubt, "message"));
	printf("tried    first %s, %lld times\n", show_time(SHOWN_HERE, json_number(doubt, "first_ms")),
	       (long long)json_number(doubt, "attempts"));
	if (*json_text(doubt, "reason"))
		printf("reason   %s\n", json_text(doubt, "reason"));
	if (json_array_size(json_object_get(doubt, "keys")))
		printf("keys     %s\n", show_keys(SHOWN_HERE, json_object_get(doubt, "keys")));
	buf_init(&body, 16u << 20);
	if (!letter_body(session, doubt, &body, &error))
		letter_print("what was sent", buf_view(&body));
	buf_free(&body);
}

static int show(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *doubt = get(arguments, session, &code);

	if (doubt && arguments->json) {
		verb_print_json(doubt);
	} else if (doubt) {
		site_tidy(arguments, doubt);
		print_doubt(session, doubt);
	}
	json_decref(doubt);
	return code;
}

static const char *note_of(const struct arguments *arguments)
{
	return argument_given(arguments, "note") ? argument(arguments, "note") : "";
}

/* Both words of a person fit a doubt only; said again, the same one changes nothing. */
static json_t *get_doubt(const struct arguments *arguments, struct session *session, int *code)
{
	json_t *doubt = get(arguments, session, code);

	if (!doubt || !strcmp(json_text(doubt, "state"), "doubt"))
		return doubt;
	*code = verb_refused(arguments, EXIT_FINDINGS, "doubt.none", "%.12s at %s is not in doubt, it is %s",
			     json_text(doubt, "key"), json_text(doubt, "endpoint"), json_text(doubt, "state"));
	json_decref(doubt);
	return NULL;
}

static void say_done(const struct arguments *arguments, const json_t *doubt, const char *result, const char *words)
{
	const char *keys = show_keys(SHOWN_HERE, json_object_get(doubt, "keys"));
	json_t *answer;

	if (!arguments->json) {
		printf("%s %s: %s\n", *keys ? keys : show_id(SHOWN_HERE, json_text(doubt, "key")), words,
		       json_text(doubt, "endpoint"));
		return;
	}
	answer = json_pack("{s:s s:s s:s s:s}", "result", result, "key", json_text(doubt, "key"), "endpoint",
			   json_text(doubt, "endpoint"), "message", json_text(doubt, "message"));
	json_object_set(answer, "keys", json_object_get(doubt, "keys"));
	verb_print_json(answer);
	json_decref(answer);
}

static int confirm(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *doubt = get_doubt(arguments, session, &code);

	if (doubt)
		code = site_change(arguments, session, "doubt.confirmed",
				   json_pack("{s:s s:s s:s}", "key", json_text(doubt, "key"), "note",
					     note_of(arguments), "by", site_person()));
	if (doubt && code == EXIT_DONE)
		say_done(arguments, doubt, "confirmed", "counts as delivered, to");
	json_decref(doubt);
	return code;
}

/* The intent goes and the message is parked for its endpoint again, in one unit. */
static int resend(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *doubt = get_doubt(arguments, session, &code);
	struct error error = {0};

	if (doubt && letter_resend(session, doubt, note_of(arguments), &error))
		code = verb_failed(arguments, &error);
	else if (doubt)
		say_done(arguments, doubt, "resent", "is sent again, to");
	json_decref(doubt);
	return code;
}

#define WHICH(part) "which? ferrule doubt " part " EFFECT (ferrule doubt list shows them)"

static const struct part parts[] = {
	{"list", 0, 0, NULL, list, NULL},
	{"show", 1, 1, WHICH("show"), show, NULL},
	{"confirm", 1, 1, WHICH("confirm"), confirm, NULL},
	{"resend", 1, 1, WHICH("resend"), resend, NULL},
	{.name = NULL},
};

static int doubt_verb(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	return part ? part_run(arguments, part) : EXIT_USAGE;
}

const struct verb verb_doubt = {
	.name = "doubt",
	.words = "list|show|confirm|resend [EFFECT]",
	.words_max = 2,
	.summary = "Deliveries of which nobody knows whether they happened",
	.text = "  ferrule doubt list\n"
		"  ferrule doubt show 3fa9c1d2e4b5\n"
		"  ferrule doubt confirm 3fa9c1d2e4b5 --note 'seen in the ERP'\n"
		"  ferrule doubt resend 3fa9c1d2e4b5\n"
		"\nFerrule never tries such a delivery again by itself, and never drops it. EFFECT is what the list "
		"shows, or\n"
		"at least its first eight digits.\n",
	.json = "list: {doubts: [{key, endpoint, message, keys, first_ms, last_ms, attempts, generation, reason}], "
		"more?}\n"
		"  show: {the same of one; state, envelope and body in base64, receipt, history}\n"
		"  confirm, resend: {result: confirmed | resent, key, endpoint, message, keys}",
	.options = options,
	.run = doubt_verb,
};
