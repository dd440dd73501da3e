/* ferrule help: the overview, a verb's help, what programs read; the same as man pages and as Markdown. */
#include "config.h"
#include "cli/help.h"
#include "cli/parts.h"

#include <ctype.h>
#include <string.h>

#include "base/finding.h"
#include "config/error_codes.h"
#include "config/site.h"
#include "transformers/edi/edi_finding.h"

#define HELP_MAX (4u << 20)
#define CODES_MAX 1000

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (!strcmp(verbs[i]->name, name) || (verbs[i]->alias && !strcmp(verbs[i]->alias, name)))
			return verbs[i];
	return NULL;
}

/* The overview in parts: each begins with a verb. */
static const struct {
	const char *first, *title;
} groups[] = {
	{"init", "Write a site"},         {"run", "Run it"},
	{"status", "Ask it, and mend"},   {"decode", "One step by hand"},
	{"completion", "Ferrule itself"},
};

void help_overview(FILE *to)
{
	fputs("Ferrule joins ERP, CRM, support systems and trading partners through durable queues.\n\n", to);
	for (size_t i = 0; verbs[i]; i++) {
		for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
			if (!strcmp(groups[g].first, verbs[i]->name))
				fprintf(to, "%s%s\n", g ? "\n" : "", groups[g].title);
		fprintf(to, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	}
	fputs("\nMore about one: ferrule help VERB. About what programs read: ferrule help json\n"
	      "About the code of an error: ferrule help CODE\n"
	      "Exit codes: 0 done, 1 findings or failures, 2 the command line is wrong, 3 the site cannot be reached\n",
	      to);
}

void help_verb(const struct verb *verb)
{
	printf("ferrule %s %s\n\n%s.\n", verb->name, verb->words, verb->summary);
	if (verb->alias)
		printf("Also called %s.\n", verb->alias);
	if (verb->options && verb->options[0].name)
		puts("");
	for (const struct verb_option *option = verb->options; option && option->name; option++) {
		char left[64], *text;
		int more = 0; /* bytes than columns */

		snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
			 option->value ? option->value : "");
		for (const char *at = left; *at; at++)
			more += (*at & 0xC0) == 0x80;
		text = part_help_new(option);
		printf("  %-*s %s\n", 24 + more, left, text);
		free(text);
	}
	if (verb->text)
		printf("\n%s", verb->text);
	if (verb->json)
		printf("\nWith --json: %s\n", verb->json);
}

/* What holds for every verb with --json. */
static void print_json_help(void)
{
	puts("Every verb that reports takes --json.\n\n"
	     "Standard output holds one JSON document; verbs that do something to one item after the other (dead\n"
	     "replay, dead discard, replay) write a line for each as soon as it is done, and a last one with\n"
	     "\"result\": \"end\" and the sums. Names of fields stay; new ones may come. Times (since, next, and what\n"
	     "ends in _ms) are milliseconds since 1970; 0 is not known. Keys of a message are [{name, value}].\n\n"
	     "What went wrong is the last line of standard error: {\"verb\", \"code\", \"text\", \"exit\", "
	     "\"findings\"?}.\n"
	     "The code is stable, the text is for people, exit is the exit code:\n"
	     "  0 done\n"
	     "  1 findings or failures: problems, nothing known of the key, a document that is not valid, something "
	     "refused\n"
	     "  2 the command line is wrong: an unknown verb, option, flow or endpoint\n"
	     "  3 the site cannot be reached: no such directory, a configuration that is not valid, no answer\n");
	for (size_t i = 0; verbs[i]; i++)
		if (verbs[i]->json)
			printf("%s\n  %s\n", verbs[i]->name, verbs[i]->json);
}

/* `ferrule help http.timeout`; false: it is no code. */
static bool print_code(const char *word)
{
	const struct error_code *error = error_code_find(word);
	const struct finding_code *finding = finding_code_find(word);
	const char *dot = strchr(word, '.');
	char becomes[120];

	if (error) {
		error_code_becomes(error, becomes, sizeof becomes);
		printf("%s: %s.\nWhat becomes of it: %s.\n", word, error->help, becomes);
	}
	if (finding)
		printf("%s: %s.\nTold by ferrule check, as %s.\n", word, finding->help,
		       severity_name(finding->severity));
	for (int i = 0; !error && dot && i < EDI_KINDS; i++) {
		if (!edi_kinds[i].code || strcmp(edi_kinds[i].code, dot + 1) != 0 ||
		    !memmem("x12.edifact.tradacoms.", 22, word, (size_t)(dot - word + 1)))
			continue;
		printf("%s: %s.\nWhat becomes of it: dead letter.\n", word, edi_kinds[i].help);
		return true;
	}
	return error || finding;
}

static int unknown_code(const char *word)
{
	const char *names[CODES_MAX], *near;
	size_t n = 0;

	for (const struct error_code *c = error_codes; c->code && n < CODES_MAX; c++)
		names[n++] = c->code;
	for (const struct finding_code *c = finding_codes; c->code && n < CODES_MAX; c++)
		names[n++] = c->code;
	near = nearest_name(span_of(word), names, n);
	fprintf(stderr,
		"ferrule: there is no code `%s`" NEAR "\nAll of them: docs/reference/errors.md and findings.md\n", word,
		NEAR_ARGS(near));
	return EXIT_USAGE;
}

int help_unknown(const char *word)
{
	const char *names[64], *near;
	size_t n = 0;

	for (; verbs[n] && n < 63; n++)
		names[n] = verbs[n]->name;
	names[n++] = "help";
	near = nearest_name(span_of(word), names, n);
	fprintf(stderr, "ferrule: there is no verb `%s`" NEAR "\nAll of them: ferrule help\n", word, NEAR_ARGS(near));
	return EXIT_USAGE;
}

/* ---- for the reference and the manual -------------------------------------------------------------------- */
static bool is_example(struct span line)
{
	return line.len > 2 && line.data[0] == ' ' && line.data[1] == ' ';
}

static struct span take_line(const char **text)
{
	size_t n = strcspn(*text, "\n");
	struct span line = span_make(*text, n);

	*text += n + ((*text)[n] == '\n');
	return line;
}

void help_paragraphs(const char *text, void (*each)(void *arg, bool example, struct span), void *arg)
{
	struct buf all;
	bool example = false;

	buf_init(&all, HELP_MAX);
	while (text && *text) {
		struct span line = take_line(&text);
		bool is = is_example(line);

		if (all.len && (!line.len || is != example)) {
			each(arg, example, buf_view(&all));
			buf_reset(&all);
		}
		if (!line.len)
			continue;
		example = is;
		if (all.len)
			buf_char(&all, is ? '\n' : ' ');
		buf_append(&all, line.data + (is ? 2 : 0), line.len - (is ? 2 : 0));
	}
	if (all.len)
		each(arg, example, buf_view(&all));
	buf_free(&all);
}

char help_first(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz-");
	bool name = strchr("./:*=", text[n]) && text[n] && text[n + 1] != ' ';

	if (name || !strncmp(text, "jq", n) || (text[n] == ':' && n <= 4))
		return *text;
	return (char)toupper((unsigned char)*text);
}

static int print_made(const char *form, const char *name)
{
	bool man = !strcmp(form, "--man");
	const char *const *names = man ? manual_names : reference_names;
	struct buf text;
	int result;

	if (!name) {
		for (; *names; names++)
			puts(*names);
		for (size_t i = 0; man && verbs[i]; i++)
			puts(verbs[i]->name);
		return EXIT_DONE;
	}
	buf_init(&text, HELP_MAX);
	result = man ? manual_print(name, &text) : reference_print(name, &text);
	if (!result)
		fwrite(text.data, 1, text.len, stdout);
	else
		fprintf(stderr, "ferrule help: there is no page `%s`; all of them: ferrule help %s\n", name, form);
	buf_free(&text);
	return result ? EXIT_USAGE : EXIT_DONE;
}

int help(int argc, char **argv)
{
	const struct verb *verb = argc > 2 ? verb_find(argv[2]) : NULL;

	if (argc > 2 && (!strcmp(argv[2], "--man") || !strcmp(argv[2], "--markdown")))
		return print_made(argv[2], argc > 3 ? argv[3] : NULL);
	if (argc > 2 && !strcmp(argv[2], "json"))
		print_json_help();
	else if (argc > 2 && !verb && strcmp(argv[2], "help") != 0)
		return print_code(argv[2])    ? EXIT_DONE
		       : strchr(argv[2], '.') ? unknown_code(argv[2])
					      : help_unknown(argv[2]);
	else if (verb)
		help_verb(verb);
	else
		help_overview(stdout);
	return EXIT_DONE;
}
