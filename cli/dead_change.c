/* ferrule dead replay, discard, edit: what changes dead letters. */
#include "config.h"
#include "cli/dead.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/topology.h"
#include "base/wire.h"
#include "cli/letter.h"

#define ALL 1000000000
#define PAGE 1000
#define EDIT_MAX MESSAGE_INLINE_MAX

/* What is selected, by filters or by numbers, before the first is touched: what dies again meanwhile is not met twice.
 */
struct selection {
	const struct arguments *arguments;
	struct session *session;
	char **which;
	size_t count, capacity;
	size_t done, failed;
};

struct action {
	const char *name, *past;                              /* "replay", "replayed" */
	int (*run)(struct selection *, const json_t *letter); /* an exit code; what went wrong was said */
};

static void select_one(struct selection *selection, const char *which)
{
	selection->which =
		mem_grow(selection->which, &selection->capacity, selection->count + 1, sizeof *selection->which);
	selection->which[selection->count++] = mem_strdup(which);
}

static void select_page(struct selection *selection, const json_t *letters, int64_t first)
{
	const json_t *letter;
	char number[24];
	size_t i;

	json_array_foreach(letters, i, letter) {
		if ((int64_t)selection->count >= first)
			return;
		snprintf(number, sizeof number, "%lld", (long long)json_number(letter, "number"));
		select_one(selection, number);
	}
}

static int select_filtered(struct selection *selection, int64_t first)
{
	int64_t after = 0;
	int code = EXIT_DONE;

	do {
		json_t *filter = dead_filter(selection->arguments, PAGE, &code), *answer;

		if (code) {
			json_decref(filter);
			return code;
		}
		json_object_set_new(filter, "after", json_integer(after));
		answer = site_ask(selection->arguments, selection->session, "dead.list", filter, &code);
		select_page(selection, json_object_get(answer, "letters"), first);
		after = json_number(answer, "next");
		json_decref(answer);
	} while (!code && after && (int64_t)selection->count < first);
	return code;
}

static int select_all(struct selection *selection)
{
	const struct arguments *arguments = selection->arguments;
	bool filtered = argument_given(arguments, "cause") || argument_given(arguments, "flow") ||
			argument_given(arguments, "key") || argument_given(arguments, "since");
	int64_t first;

	if (verb_count(arguments, "first", ALL, &first))
		return EXIT_USAGE;
	if (arguments->count < 2 && !filtered)
		return verb_usage(arguments, "which? Give numbers, or --cause, --flow, --key, --since");
	if (arguments->count >= 2 && filtered)
		return verb_usage(arguments, "numbers or --cause, --flow, --key, --since, not both");
	if (filtered)
		return select_filtered(selection, first);
	for (size_t i = 1; i < arguments->count && (int64_t)selection->count < first; i++)
		select_one(selection, arguments->words[i]);
	return EXIT_DONE;
}

static void free_selection(struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++)
		free(selection->which[i]);
	free(selection->which);
}

/* ---- each, one unit: interrupted at any point, what was done is done and the rest is as it was ------------------- */

static void say_done(struct selection *selection, const json_t *letter, const struct action *action)
{
	bool dry = argument_given(selection->arguments, "dry-run");
	const char *name = dead_name(SHOWN_HERE, letter);
	char result[40];
	json_t *line;

	snprintf(result, sizeof result, "%s%s", dry ? "would-" : "", dry ? action->name : action->past);
	if (!selection->arguments->json) {
		printf("%s%s %lld%s%s%s%s\n", dry ? "would " : "", dry ? action->name : action->past,
		       (long long)json_number(letter, "number"), *action->name == 'r' ? " into " : "",
		       *action->name == 'r' ? json_text(letter, "queue") : "", *name ? ": " : "", name);
		fflush(stdout);
		return;
	}
	line = json_pack("{s:s s:I s:s s:s s:s}", "result", result, "number", (json_int_t)json_number(letter, "number"),
			 "flow", json_text(letter, "flow"), "queue", json_text(letter, "queue"), "document",
			 json_text(json_object_get(letter, "origin"), "name"));
	json_object_set(line, "keys", json_object_get(letter, "keys"));
	verb_print_line_take(line);
}

static int one(struct selection *selection, const char *which, const struct action *action)
{
	const struct arguments *arguments = selection->arguments;
	int code = EXIT_DONE;
	json_t *letter = dead_get(arguments, selection->session, which, &code);

	if (letter && strcmp(json_text(letter, "state"), "open") != 0)
		code = verb_refused(arguments, EXIT_FINDINGS, "dead.closed", "dead letter %lld was %s already",
				    (long long)json_number(letter, "number"), json_text(letter, "state"));
	else if (letter && !argument_given(arguments, "dry-run"))
		code = action->run(selection, letter);
	if (letter && !code)
		say_done(selection, letter, action);
	if (code)
		selection->failed++;
	else
		selection->done++;
	json_decref(letter);
	return code;
}

static void say_before(struct selection *selection, const struct action *action)
{
	const struct arguments *arguments = selection->arguments;
	bool dry = argument_given(arguments, "dry-run");

	if (arguments->json || dry)
		return;
	printf("%s: %s %s%s. Ctrl-C ends it after the one in hand.\n",
	       show_count(SHOWN_HERE, (int64_t)selection->count, "dead letter"),
	       *action->name == 'r' ? "each goes into its queue again, under the configuration of now, revision"
				    : "each is closed for good:",
	       *action->name == 'r' ? show_id(SHOWN_HERE, session_site(selection->session)->revision)
				    : argument(arguments, "reason"),
	       argument_given(arguments, "again") ? "; what was delivered before is delivered anew" : "");
	fflush(stdout);
}

static void say_after(struct selection *selection, const struct action *action, bool interrupted)
{
	size_t left = selection->count - selection->done - selection->failed;

	if (selection->arguments->json)
		verb_print_line_take(json_pack("{s:s s:I s:I s:I}", "result", "end", "done",
					       (json_int_t)selection->done, "failed", (json_int_t)selection->failed,
					       "left", (json_int_t)left));
	else if (!selection->count)
		printf("No dead letters match; all that there are: ferrule dead list%s\n",
		       show_site(SHOWN_HERE, selection->arguments));
	else if (interrupted || selection->failed || selection->count > 1)
		printf("%s%zu %s%s, %zu failed, %zu left%s\n", interrupted ? "interrupted: " : "", selection->done,
		       argument_given(selection->arguments, "dry-run") ? "would be " : "", action->past,
		       selection->failed, left, left ? "; the same command again does the rest" : "");
}

static int for_each(struct selection *selection, const struct action *action)
{
	struct timespec pause, none = {0, 0};
	bool interrupted = false;
	int code, worst = EXIT_DONE;

	if (site_rate(selection->arguments, &pause))
		return EXIT_USAGE;
	code = select_all(selection);
	if (code)
		return code;
	if (selection->count)
		say_before(selection, action);
	site_hold_signals();
	for (size_t i = 0; i < selection->count && worst != EXIT_UNREACHABLE && !interrupted; i++) {
		bool last = i + 1 == selection->count;

		code = one(selection, selection->which[i], action);
		worst = code > worst ? code : worst;
		interrupted = site_interrupted(last ? &none : &pause) && !last;
	}
	say_after(selection, action, interrupted);
	return interrupted && !worst ? EXIT_FINDINGS : worst;
}

static int act(const struct arguments *arguments, struct session *session, const struct action *action)
{
	struct selection selection = {.arguments = arguments, .session = session};
	int code = for_each(&selection, action);

	free_selection(&selection);
	return code;
}

static int replay_one(struct selection *selection, const json_t *letter)
{
	const struct topology *topology = session_generation(selection->session)->topology;
	const char *queue = json_text(letter, "queue");
	struct error error = {0};

	/* parked for a queue that nobody serves it would wait for ever */
	if (!span_starts(span_of(queue), WIRE_TOPIC_PREFIX) && !topology_find(topology, span_of(queue)))
		return verb_refused(
			selection->arguments, EXIT_FINDINGS, "dead.queue",
			"dead letter %lld: no flow of this site has the queue %s any more; bring the flow back, or "
			"discard the letter",
			(long long)json_number(letter, "number"), queue);
	if (letter_replay(selection->session, letter, argument_given(selection->arguments, "again"), &error))
		return verb_failed(selection->arguments, &error);
	return EXIT_DONE;
}

int dead_replay(const struct arguments *arguments, struct session *session)
{
	static const struct action replay = {"replay", "replayed", replay_one};

	return act(arguments, session, &replay);
}

static int discard_one(struct selection *selection, const json_t *letter)
{
	return site_change(selection->arguments, selection->session, "dead.discarded",
			   json_pack("{s:I s:s s:s}", "number", (json_int_t)json_number(letter, "number"), "reason",
				     argument(selection->arguments, "reason"), "by", site_person()));
}

int dead_discard(const struct arguments *arguments, struct session *session)
{
	static const struct action discard = {"discard", "discarded", discard_one};

	return act(arguments, session, &discard);
}

/* ---- edit -------------------------------------------------------------------------------------------------------- */

/* The editor's file lies where only this person can read it. */
static int run_editor(const char *path)
{
	const char *visual = getenv("VISUAL"), *editor = visual && *visual ? visual : getenv("EDITOR");
	char *command = mem_printf("%s '%s'", editor && *editor ? editor : "vi", path);
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

static int not_readable(const struct arguments *arguments, const char *path, const struct buf *body)
{
	return verb_refused(
		arguments, EXIT_FINDINGS, "dead.edit",
		body->full ? "%s has more than 64 KiB: mend the document itself, and hand it in with ferrule send"
			   : "%s cannot be read",
		path);
}

static int edited(const struct arguments *arguments, struct session *session, const json_t *letter,
		  const struct buf *body)
{
	long long number = (long long)json_number(letter, "number");
	struct buf text;
	int code;

	buf_init(&text, 2 * EDIT_MAX);
	base64_encode(&text, buf_view(body));
	code = site_change(arguments, session, "dead.edited",
			   json_pack("{s:I s:s s:s}", "number", (json_int_t)number, "body", text.data ? text.data : "",
				     "by", site_person()));
	buf_free(&text);
	if (!code && arguments->json)
		verb_print_line_take(json_pack("{s:s s:I s:I}", "result", "edited", "number", (json_int_t)number,
					       "size", (json_int_t)body->len));
	else if (!code)
		printf("edited %lld; the original stays in the vault. Now: ferrule dead replay %lld%s\n", number,
		       number, show_site(SHOWN_HERE, arguments));
	return code;
}

static int edit_in_editor(const struct arguments *arguments, struct session *session, const json_t *letter,
			  struct buf *body)
{
	char path[] = "/tmp/ferrule-edit-XXXXXX";
	struct error error = {0};
	struct buf before;
	int fd = mkstemp(path), code;

	if (fd < 0)
		return verb_refused(arguments, EXIT_FINDINGS, "dead.edit", "no temporary file can be made in /tmp");
	buf_init(&before, EDIT_MAX);
	if (letter_body(session, letter, &before, &error))
		code = before.full ? not_readable(arguments, "the message", &before) : verb_failed(arguments, &error);
	else if (write(fd, before.data ? before.data : "", before.len) != (ssize_t)before.len || run_editor(path))
		code = verb_refused(arguments, EXIT_FINDINGS, "dead.edit", "the editor failed: nothing was changed");
	else if (read_file(path, body))
		code = not_readable(arguments, "the edited file", body);
	else if (span_equal(buf_view(body), buf_view(&before)))
		code = verb_refused(arguments, EXIT_FINDINGS, "dead.edit", "nothing was changed");
	else
		code = edited(arguments, session, letter, body);
	close(fd);
	unlink(path);
	buf_free(&before);
	return code;
}

int dead_edit(const struct arguments *arguments, struct session *session)
{
	const char *file = argument(arguments, "file");
	int code = EXIT_DONE;
	json_t *letter = dead_get(arguments, session, arguments->words[1], &code);
	struct buf body;

	if (!letter)
		return code;
	buf_init(&body, EDIT_MAX);
	if (strcmp(json_text(letter, "state"), "open") != 0)
		code = verb_refused(arguments, EXIT_FINDINGS, "dead.closed", "dead letter %s was %s already",
				    arguments->words[1], json_text(letter, "state"));
	else if (!file)
		code = edit_in_editor(arguments, session, letter, &body);
	else if (read_file(file, &body))
		code = not_readable(arguments, file, &body);
	else
		code = edited(arguments, session, letter, &body);
	buf_free(&body);
	json_decref(letter);
	return code;
}
