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

int verb_failed(const struct arguments *arguments, const struct error *error)
{
	fprintf(stderr, "ferrule %s: %s\n", arguments->verb->name, error->text);
	return !strncmp(error->code, "queue.", 6) || !strcmp(error->code, "site.running") ? EXIT_UNREACHABLE
											  : EXIT_FINDINGS;
}

int verb_usage(const struct arguments *arguments, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "ferrule %s: ", arguments->verb->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nusage: ferrule %s %s\nMore: ferrule help %s\n", arguments->verb->name,
		arguments->verb->words, arguments->verb->name);
	return EXIT_USAGE;
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
