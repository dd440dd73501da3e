/* ferrule doubt: effects of which nobody can know whether they happened. A person looks at the target and says so. */
#include "config.h"

#include <string.h>

#include "cli/letter.h"
#include "cli/site.h"

#define PAGE 200        /* for people to read */
#define PAGE_JSON 50000 /* for programs: all that one answer may hold */

static const struct verb_option options[] = {
	{"endpoint", "NAME", "list: only those of this endpoint"},
	{"note", "TEXT", "confirm: what you saw"},
	SITE_OPTIONS,
	{NULL, NULL, NULL},
};

static void print_list(const json_t *answer, const char *site)
{
	const json_t *doubts = json_object_get(answer, "doubts"), *doubt;
	const char *first;
	size_t i;

	if (!json_array_size(doubts)) {
		puts("No doubts.");
		return;
	}
	puts("effect        endpoint                  first tried  tries  keys");
	json_array_foreach(doubts, i, doubt)
		printf("%-12s  %-24s  %-11s  %5lld  %s\n", show_id(SHOWN_HERE, json_text(doubt, "key")),
		       json_text(doubt, "endpoint"), show_age(SHOWN_HERE, json_number(doubt, "first_ms")),
		       (long long)json_number(doubt, "attempts"),
		       show_keys(SHOWN_HERE, json_object_get(doubt, "keys")));
	first = show_id(SHOWN_HERE, json_text(json_array_get(doubts, 0), "key"));
	printf("\nLook at the target. It is there:     ferrule doubt confirm %s%s\n                    It is not there: "
	       "ferrule doubt resend %s%s\n",
	       first, site, first, site);
}

static int list(const struct arguments *arguments, struct session *session)
{
	json_t *request = json_pack("{s:i}", "limit", argument_given(arguments, "json") ? PAGE_JSON : PAGE), *answer;
	int code = EXIT_DONE;

	if (argument_given(arguments, "endpoint"))
		json_object_set_new(request, "endpoint", json_string(argument(arguments, "endpoint")));
	answer = site_ask(arguments, session, "doubt.list", request, &code);
	if (answer && argument_given(arguments, "json"))
		verb_print_json(answer);
	else if (answer)
		print_list(answer, show_site(SHOWN_HERE, arguments));
	json_decref(answer);
	return code;
}

static json_t *get(const struct arguments *arguments, struct session *session, int *code)
{
	if (arguments->count < 2) {
		*code = verb_usage(arguments, "which? Give the effect that `ferrule doubt list` shows");
		return NULL;
	}
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
		printf("\nwhat was sent (%zu bytes):\n%.*s\n", body.len, body.len > 2000 ? 2000 : (int)body.len,
		       body.data ? body.data : "");
	buf_free(&body);
}

static int show(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *doubt = get(arguments, session, &code);

	if (doubt && argument_given(arguments, "json"))
		verb_print_json(doubt);
	else if (doubt)
		print_doubt(session, doubt);
	json_decref(doubt);
	return code;
}

static int confirm(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *doubt = get(arguments, session, &code);

	if (doubt)
		code = site_change(arguments, session, "doubt.confirmed",
				   json_pack("{s:s s:s}", "key", json_text(doubt, "key"), "note",
					     argument_given(arguments, "note") ? argument(arguments, "note") : ""));
	if (doubt && code == EXIT_DONE)
		printf("confirmed: %s took effect at %s\n", show_keys(SHOWN_HERE, json_object_get(doubt, "keys")),
		       json_text(doubt, "endpoint"));
	json_decref(doubt);
	return code;
}

/* The intent goes and the message is published to its endpoint's queue again, in one unit. */
static int resend(const struct arguments *arguments, struct session *session)
{
	int code = EXIT_DONE;
	json_t *doubt = get(arguments, session, &code);
	struct error error = {0};

	if (doubt && strcmp(json_text(doubt, "state"), "doubt")) {
		error_set(&error, ERROR_REJECT, "doubt.none", "%.12s at %s is not in doubt, it is %s",
			  json_text(doubt, "key"), json_text(doubt, "endpoint"), json_text(doubt, "state"));
		code = verb_failed(arguments, &error);
	} else if (doubt && letter_resend(session, doubt, &error))
		code = verb_failed(arguments, &error);
	else if (doubt)
		printf("sent again: %s to %s\n", show_keys(SHOWN_HERE, json_object_get(doubt, "keys")),
		       json_text(doubt, "endpoint"));
	json_decref(doubt);
	return code;
}

static int doubt_verb(const struct arguments *arguments)
{
	const char *what = argument_word(arguments, 0, "list");
	int code;
	struct session *session = site_reach(arguments, NULL, NULL, &code);

	if (!session)
		return code;
	if (!strcmp(what, "list"))
		code = list(arguments, session);
	else if (!strcmp(what, "show"))
		code = show(arguments, session);
	else if (!strcmp(what, "confirm"))
		code = confirm(arguments, session);
	else if (!strcmp(what, "resend"))
		code = resend(arguments, session);
	else
		code = verb_usage(arguments, "`%s`: it is list, show, confirm or resend", what);
	session_close(session);
	return code;
}

const struct verb verb_doubt = {
	.name = "doubt",
	.words = "list|show|confirm|resend [EFFECT]",
	.words_max = 2,
	.summary = "Deliveries of which nobody knows whether they happened",
	.text = "  ferrule doubt list\n  ferrule doubt confirm 3fa9c1d2e4b5 --note 'seen in the ERP'\n  ferrule doubt "
		"resend 3fa9c1d2e4b5\n"
		"Ferrule never tries such a delivery again by itself, and never drops it.\n",
	.options = options,
	.run = doubt_verb,
};
