/* The words and options of a command line. See verb.h. */
#include "config.h"
#include "cli/verb.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/site.h"

#define REPORT_MAX (16u << 20)

const char *argument_nth(const struct arguments *arguments, const char *option, size_t nth)
{
	for (size_t i = 0; i < arguments->options_count; i++)
		if (!strcmp(arguments->options[i].name, option) && nth-- == 0)
			return arguments->options[i].value;
	return NULL;
}

const char *argument(const struct arguments *arguments, const char *option)
{
	return argument_nth(arguments, option, 0);
}

bool argument_given(const struct arguments *arguments, const char *option)
{
	return argument(arguments, option) != NULL;
}

const char *argument_word(const struct arguments *arguments, size_t i, const char *fallback)
{
	return i < arguments->count ? arguments->words[i] : fallback;
}

static void tell(const struct arguments *arguments, const char *code, const char *text, const struct findings *findings,
		 int exit)
{
	json_t *answer;
	char *line;

	if (!arguments->json) {
		fflush(stdout);
		if (findings)
			verb_print_findings(findings, stderr);
		fprintf(stderr, "ferrule %s: %s\n", arguments->verb->name, text);
		return;
	}
	answer =
		json_pack("{s:s s:s s:s s:i}", "verb", arguments->verb->name, "code", code, "text", text, "exit", exit);
	if (findings && findings->count)
		json_object_set_new(answer, "findings", report_json_new(findings));
	line = json_dumps(answer, JSON_COMPACT);
	fprintf(stderr, "%s\n", line ? line : "{}");
	free(line);
	json_decref(answer);
}

/* "dead.get: `number`: there is …": which question it was and which field says nothing to who typed a verb. */
static const char *plain(const struct error *error)
{
	const char *text = error->text, *colon = strstr(text, ": ");

	if (strcmp(error->code, "ask.request") != 0 || !colon)
		return text;
	text = colon + 2;
	colon = strstr(text, "`: ");
	return *text == '`' && colon && strcspn(text, " ") >= (size_t)(colon - text) ? colon + 3 : text;
}

static bool is_about(const struct error *error, const char *area)
{
	return !strncmp(error->code, area, strlen(area));
}

/* A site that is not valid is reached: its errors are findings. Verbs that need a valid one say themselves that there
 * is none. */
static int exit_of(const struct error *error)
{
	if (!strcmp(error->code, "site.invalid"))
		return EXIT_FINDINGS;
	return is_about(error, "queue.") || is_about(error, "site.") || is_about(error, "session.") ? EXIT_UNREACHABLE
												    : EXIT_FINDINGS;
}

int verb_failed(const struct arguments *arguments, const struct error *error)
{
	return verb_failed_with(arguments, error, NULL, exit_of(error));
}

int verb_failed_with(const struct arguments *arguments, const struct error *error, const struct findings *findings,
		     int exit)
{
	if (!strcmp(error->code, "queue.gone"))
		tell(arguments, error->code,
		     "the site's queue process went away meanwhile: look what was done (ferrule status), then try "
		     "again",
		     findings, exit);
	else
		tell(arguments, error->code, plain(error), findings, exit);
	return exit;
}

int verb_refused(const struct arguments *arguments, int exit, const char *code, const char *format, ...)
{
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	tell(arguments, code, text, NULL, exit);
	return exit;
}

int verb_usage(const struct arguments *arguments, const char *format, ...)
{
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	tell(arguments, "usage", text, NULL, EXIT_USAGE);
	if (!arguments->json)
		fprintf(stderr, "usage: ferrule %s %s\nMore: ferrule help %s\n", arguments->verb->name,
			arguments->verb->words, arguments->verb->name);
	return EXIT_USAGE;
}

int verb_unknown(const struct arguments *arguments, const char *what, const char *word, const char *const *names,
		 size_t n, const char *more)
{
	const char *near = nearest_name(span_of(word), names, n);

	return verb_usage(arguments, "there is no %s `%s`: %s" NEAR, what, word, more, NEAR_ARGS(near));
}

int verb_count(const struct arguments *arguments, const char *name, int64_t fallback, int64_t *number)
{
	const char *text = argument(arguments, name);
	char *end;

	*number = fallback;
	if (!text)
		return 0;
	*number = strtoll(text, &end, 10);
	return *text && !*end && *number > 0 ? 0 : verb_usage(arguments, "--%s %s: it is a number from 1", name, text);
}

void verb_print_findings(const struct findings *findings, FILE *to)
{
	struct buf text;

	buf_init(&text, REPORT_MAX);
	report_text(findings, "", &text);
	fwrite(text.data ? text.data : "", 1, text.len, to);
	buf_free(&text);
}

void verb_print_json(const json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);

	puts(text ? text : "null");
	free(text);
}

void verb_print_line_take(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	puts(text ? text : "{}");
	fflush(stdout);
	free(text);
	json_decref(json);
}
