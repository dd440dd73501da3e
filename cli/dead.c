/* ferrule dead: what could not go on, grouped by cause; shown, replayed, edited, discarded. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/letter.h"
#include "cli/site.h"

#define PAGE 200
#define EDIT_MAX (4u << 20)

static const struct verb_option options[] = {
	{"cause", "CODE", "only those of this cause: x12.count, jq.error …"},
	{"flow", "NAME", "only those of this flow"},
	{"key", "KEY", "only those with this business key"},
	{"since", "TIME", "only those since then: 2026-01-31T12:00:00Z, or so long ago: 2h"},
	{"first", "N", "at most so many"},
	{"rate", "N/s", "replay at most so many a second"},
	{"again", NULL, "replay: deliver anew what was delivered before"},
	{"dry-run", NULL, "replay, discard: say what would be done"},
	{"reason", "TEXT", "discard: why"},
	{"file", "FILE", "edit: take the new body from a file instead of an editor"},
	SITE_OPTIONS,
	{NULL, NULL, NULL},
};

/* What is selected, by filters or by numbers. */
struct selection {
	const struct arguments *arguments;
	struct session *session;
	int64_t first; /* how many are still wanted */
};

static json_t *filter_of(const struct arguments *arguments, int64_t limit, int *code)
{
	json_t *filter = json_pack("{s:I}", "limit", (json_int_t)limit);
	static const char *const names[] = {"cause", "flow", "key"};
	int64_t since;

	for (size_t i = 0; i < 3; i++)
		if (argument_given(arguments, names[i]))
			json_object_set_new(filter, names[i], json_string(argument(arguments, names[i])));
	*code = site_time(arguments, "since", 0, &since);
	if (since)
		json_object_set_new(filter, "since", json_integer(since));
	return filter;
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

static void print_list(const json_t *answer, const char *site)
{
	const json_t *groups = json_object_get(answer, "groups"), *letters = json_object_get(answer, "letters"), *entry;
	size_t i;

	if (!json_array_size(letters)) {
		puts("No dead letters.");
		return;
	}
	puts("by cause:");
	json_array_foreach(groups, i, entry)
		printf("  %6lld  %-24s %-20s in %-20s last %s\n", (long long)json_number(entry, "count"),
		       json_text(entry, "cause"), json_text(entry, "step"), json_text(entry, "flow"),
		       show_age(SHOWN_HERE, json_number(entry, "last_ms")));
	puts("\nnumber  when       cause                    flow                 keys / position");
	json_array_foreach(letters, i, entry) {
		const char *keys = show_keys(SHOWN_HERE, json_object_get(entry, "keys"));

		printf("%6lld  %-10.10s %-24s %-20s %s%s%s\n", (long long)json_number(entry, "number"),
		       show_age(SHOWN_HERE, json_number(entry, "at_ms")), json_text(entry, "cause"),
		       json_text(entry, "flow"), keys, *keys && *json_text(entry, "position") ? " · " : "",
		       json_text(entry, "position"));
	}
	entry = json_array_get(letters, 0);
	printf("\nOne in full:          ferrule dead show %lld%s\nOne of a cause again: ferrule dead replay --cause %s "
	       "--first 1%s\n",
	       (long long)json_number(entry, "number"), site, json_text(entry, "cause"), site);
}

static int list(struct selection *selection)
{
	int code;
	json_t *filter = filter_of(
		selection->arguments,
		argument_given(selection->arguments, "first") ? atoll(argument(selection->arguments, "first")) : PAGE,
		&code);
	json_t *answer;

	if (code) {
		json_decref(filter);
		return code;
	}
	answer = site_ask(selection->arguments, selection->session, "dead.list", filter, &code);
	if (answer && argument_given(selection->arguments, "json"))
		verb_print_json(answer);
	else if (answer)
		print_list(answer, show_site(SHOWN_HERE, selection->arguments));
	json_decref(answer);
	return code;
}

/* ---- one of them ------------------------------------------------------------------------------------------------- */

static json_t *get(struct selection *selection, const char *which, int *code)
{
	char *end;
	long long number = strtoll(which, &end, 10);
	json_t *request = *end ? json_pack("{s:s}", "id", which) : json_pack("{s:I}", "number", (json_int_t)number);

	return site_ask(selection->arguments, selection->session, "dead.get", request, code);
}

static void print_body(const char *title, const json_t *letter, const char *key)
{
	struct buf bytes;
	bool printable = true;

	buf_init(&bytes, EDIT_MAX);
	if (!base64_decode(&bytes, span_of(json_text(letter, key))) && bytes.len) {
		for (size_t i = 0; i < bytes.len && i < 2000; i++)
			printable =
				printable &&
				(unsigned char)bytes.data[i] >=
					(bytes.data[i] == '\n' || bytes.data[i] == '\r' || bytes.data[i] == '\t' ? 0
														 : 32);
		printf("\n%s (%zu bytes):\n", title, bytes.len);
		if (printable)
			printf("%.*s%s\n", bytes.len > 2000 ? 2000 : (int)bytes.len, bytes.data,
			       bytes.len > 2000 ? " …" : "");
		else
			puts("  (binary)");
	}
	buf_free(&bytes);
}

static void print_letter(const json_t *letter, const char *site)
{
	long long number = (long long)json_number(letter, "number");
	const json_t *origin = json_object_get(letter, "origin");

	printf("dead letter %lld, %s\n", number, json_text(letter, "state"));
	printf("  when      %s (%s)\n", show_time(SHOWN_HERE, json_number(letter, "at_ms")),
	       show_age(SHOWN_HERE, json_number(letter, "at_ms")));
	printf("  flow      %s, step %s\n", json_text(letter, "flow"), json_text(letter, "step"));
	printf("  cause     %s\n  reason    %s\n", json_text(letter, "cause"), json_text(letter, "reason"));
	if (*json_text(letter, "position"))
		printf("  position  %s\n", json_text(letter, "position"));
	printf("  message   %s\n", json_text(letter, "id"));
	if (json_array_size(json_object_get(letter, "keys")))
		printf("  keys      %s\n", show_keys(SHOWN_HERE, json_object_get(letter, "keys")));
	if (*json_text(origin, "name"))
		printf("  document  %s\n", json_text(origin, "name"));
	print_body("what the step had in hand", letter, "content");
	printf("\nAgain:   ferrule dead replay %lld%s\nChanged: ferrule dead edit %lld%s\nNever:   ferrule dead discard "
	       "%lld --reason '…'%s\n",
	       number, site, number, site, number, site);
}

static int show(struct selection *selection)
{
	int code = EXIT_DONE;
	json_t *letter;

	if (selection->arguments->count < 2)
		return verb_usage(selection->arguments, "which? ferrule dead show NUMBER");
	letter = get(selection, selection->arguments->words[1], &code);
	if (letter && argument_given(selection->arguments, "json"))
		verb_print_json(letter);
	else if (letter)
		print_letter(letter, show_site(SHOWN_HERE, selection->arguments));
	json_decref(letter);
	return code;
}

/* ---- replay and discard: for each that is selected --------------------------------------------------------------- */

typedef int each_fn(struct selection *, const json_t *letter);

/* One unit each: interrupted at any point, what was done is done and the rest is as it was. */
static int one(struct selection *selection, const char *which, each_fn *each)
{
	int code = EXIT_DONE;
	json_t *letter = get(selection, which, &code);

	if (letter)
		code = each(selection, letter);
	json_decref(letter);
	return code;
}

static int each_listed(struct selection *selection, each_fn *each, const struct timespec *pause)
{
	int code = EXIT_DONE;
	int64_t done = 0;
	json_t *answer, *letter;
	size_t i;

	answer = site_ask(selection->arguments, selection->session, "dead.list",
			  filter_of(selection->arguments, selection->first, &code), &code);
	json_array_foreach(json_object_get(answer, "letters"), i, letter) {
		char number[24];

		if (code || done == selection->first)
			break;
		snprintf(number, sizeof number, "%lld", (long long)json_number(letter, "number"));
		code = one(selection, number, each);
		done++;
		nanosleep(pause, NULL);
	}
	if (answer && !done)
		puts("No dead letters match.");
	json_decref(answer);
	return code;
}

static int for_selected(struct selection *selection, each_fn *each)
{
	const struct arguments *arguments = selection->arguments;
	bool filtered = argument_given(arguments, "cause") || argument_given(arguments, "flow") ||
			argument_given(arguments, "key") || argument_given(arguments, "since");
	struct timespec pause;
	int code = EXIT_DONE;

	if (site_rate(arguments, &pause))
		return EXIT_USAGE;
	selection->first = argument_given(arguments, "first") ? atoll(argument(arguments, "first")) : 1000000;
	if (arguments->count < 2 && !filtered)
		return verb_usage(arguments, "which? Give numbers, or --cause, --flow, --key, --since");
	if (arguments->count < 2)
		return each_listed(selection, each, &pause);
	for (size_t i = 1; i < arguments->count && !code; i++) {
		code = one(selection, arguments->words[i], each);
		nanosleep(&pause, NULL);
	}
	return code;
}

static int replay_one(struct selection *selection, const json_t *letter)
{
	long long number = (long long)json_number(letter, "number");
	const char *keys = show_keys(SHOWN_HERE, json_object_get(letter, "keys"));
	struct error error = {0};
	bool again = argument_given(selection->arguments, "again");

	if (argument_given(selection->arguments, "dry-run")) {
		printf("would replay %lld into %s%s%s\n", number, json_text(letter, "queue"), *keys ? ": " : "", keys);
		return EXIT_DONE;
	}
	if (letter_replay(selection->session, letter, again, &error))
		return verb_failed(selection->arguments, &error);
	printf("replayed %lld into %s%s%s\n", number, json_text(letter, "queue"), *keys ? ": " : "", keys);
	return EXIT_DONE;
}

static int discard_one(struct selection *selection, const json_t *letter)
{
	long long number = (long long)json_number(letter, "number");
	int code;

	if (argument_given(selection->arguments, "dry-run")) {
		printf("would discard %lld: %s\n", number, json_text(letter, "reason"));
		return EXIT_DONE;
	}
	code = site_change(selection->arguments, selection->session, "dead.discarded",
			   json_pack("{s:I s:s}", "number", (json_int_t)number, "reason",
				     argument(selection->arguments, "reason")));
	if (code == EXIT_DONE)
		printf("discarded %lld; its original stays in the vault until retention ends\n", number);
	return code;
}

/* ---- edit -------------------------------------------------------------------------------------------------------- */

static int run_editor(const char *path)
{
	const char *editor = getenv("VISUAL") ? getenv("VISUAL") : getenv("EDITOR") ? getenv("EDITOR") : "vi";
	char *command = mem_printf("%s '%s'", editor, path);
	int status = system(command);

	free(command);
	return status;
}

static int read_file(const char *path, struct buf *into)
{
	FILE *file = fopen(path, "rb");
	char chunk[65536];
	size_t n;

	if (!file)
		return -1;
	while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
		if (buf_append(into, chunk, n))
			break;
	n = (size_t)ferror(file);
	fclose(file);
	return n || into->full ? -1 : 0;
}

static int edited(struct selection *selection, const json_t *letter, const struct buf *body)
{
	long long number = (long long)json_number(letter, "number");
	struct buf text;
	int code;

	buf_init(&text, 2 * EDIT_MAX);
	base64_encode(&text, buf_view(body));
	code = site_change(selection->arguments, selection->session, "dead.edited",
			   json_pack("{s:I s:s}", "number", (json_int_t)number, "body", text.data ? text.data : ""));
	buf_free(&text);
	if (code == EXIT_DONE)
		printf("edited %lld; the original stays in the vault. Now: ferrule dead replay %lld%s\n", number,
		       number, show_site(SHOWN_HERE, selection->arguments));
	return code;
}

static int edit_in_editor(struct selection *selection, const json_t *letter, struct buf *body)
{
	char path[] = "/tmp/ferrule-edit-XXXXXX";
	struct error error = {0};
	int fd = mkstemp(path), code = EXIT_FINDINGS;

	if (fd < 0)
		return verb_usage(selection->arguments, "no temporary file can be made in /tmp");
	if (letter_body(selection->session, letter, body, &error)) {
		verb_failed(selection->arguments, &error);
	} else if (write(fd, body->data ? body->data : "", body->len) != (ssize_t)body->len || run_editor(path)) {
		fprintf(stderr, "ferrule dead: not edited\n");
	} else {
		buf_reset(body);
		code = read_file(path, body) ? verb_usage(selection->arguments, "the edited file cannot be read")
					     : edited(selection, letter, body);
	}
	close(fd);
	unlink(path);
	return code;
}

static int edit(struct selection *selection)
{
	const char *file = argument(selection->arguments, "file");
	struct buf body;
	int code = EXIT_DONE;
	json_t *letter;

	if (selection->arguments->count != 2)
		return verb_usage(selection->arguments, "which? ferrule dead edit NUMBER [--file FILE]");
	letter = get(selection, selection->arguments->words[1], &code);
	if (!letter)
		return code;
	buf_init(&body, EDIT_MAX);
	if (!file)
		code = edit_in_editor(selection, letter, &body);
	else if (read_file(file, &body))
		code = verb_usage(selection->arguments, "%s cannot be read, or has more than 4 MiB", file);
	else
		code = edited(selection, letter, &body);
	buf_free(&body);
	json_decref(letter);
	return code;
}

/* ---- the verb ---------------------------------------------------------------------------------------------------- */

static int dead(const struct arguments *arguments)
{
	const char *what = argument_word(arguments, 0, "list");
	struct selection selection = {.arguments = arguments};
	int code;

	if (!strcmp(what, "discard") && !argument_given(arguments, "reason"))
		return verb_usage(arguments, "--reason is missing: whoever asks later wants to know why");
	selection.session = site_reach(arguments, NULL, NULL, &code);
	if (!selection.session)
		return code;
	if (!strcmp(what, "list"))
		code = list(&selection);
	else if (!strcmp(what, "show"))
		code = show(&selection);
	else if (!strcmp(what, "replay"))
		code = for_selected(&selection, replay_one);
	else if (!strcmp(what, "discard"))
		code = for_selected(&selection, discard_one);
	else if (!strcmp(what, "edit"))
		code = edit(&selection);
	else
		code = verb_usage(arguments, "`%s`: it is list, show, replay, edit or discard", what);
	session_close(selection.session);
	return code;
}

const struct verb verb_dead = {
	.name = "dead",
	.words = "list|show|replay|edit|discard [NUMBER…]",
	.words_max = ARGUMENTS_MAX,
	.summary = "Dead letters: what could not go on, by cause",
	.text = "  ferrule dead list\n  ferrule dead show 7\n  ferrule dead replay --cause jq.error --first 1\n  "
		"ferrule dead replay --cause jq.error --rate 10/s\n"
		"A replay runs under today's configuration. It can be interrupted at any point: each letter is "
		"replayed whole or not at all.\n",
	.options = options,
	.run = dead,
};
