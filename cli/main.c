/* The `ferrule` program: finds the verb, reads its options, runs it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/finding.h"
#include "cli/verb.h"

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (!strcmp(verbs[i]->name, name) || (verbs[i]->alias && !strcmp(verbs[i]->alias, name)))
			return verbs[i];
	return NULL;
}

static void print_overview(FILE *to)
{
	fputs("Ferrule joins ERP, CRM, support systems and trading partners through durable queues.\n\n", to);
	for (size_t i = 0; verbs[i]; i++)
		fprintf(to, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\nMore about one: ferrule help VERB. About what programs read: ferrule help json\n"
	      "Exit codes: 0 done, 1 findings or failures, 2 the command line is wrong, 3 the site cannot be reached\n",
	      to);
}

static void print_help(const struct verb *verb)
{
	printf("ferrule %s %s\n\n%s.\n", verb->name, verb->words, verb->summary);
	if (verb->alias)
		printf("Also called %s.\n", verb->alias);
	if (verb->options && verb->options[0].name)
		puts("");
	for (const struct verb_option *option = verb->options; option && option->name; option++) {
		char left[64];

		snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
			 option->value ? option->value : "");
		printf("  %-24s %s\n", left, option->help);
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

static int unknown_verb(const char *word)
{
	const char *names[64], *near;
	size_t n = 0;

	for (; verbs[n] && n < 63; n++)
		names[n] = verbs[n]->name;
	names[n++] = "help";
	near = nearest_name(span_of(word), names, n);
	fprintf(stderr, "ferrule: there is no verb `%s`%s%s%s\nAll of them: ferrule help\n", word,
		near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
	return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	const struct verb *verb = argc > 2 ? verb_find(argv[2]) : NULL;

	if (argc > 2 && !strcmp(argv[2], "json"))
		print_json_help();
	else if (argc > 2 && !verb)
		return unknown_verb(argv[2]);
	else if (verb)
		print_help(verb);
	else
		print_overview(stdout);
	return EXIT_DONE;
}

static const struct verb_option *option_find(const struct verb *verb, const char *name, size_t length)
{
	for (const struct verb_option *option = verb->options; option && option->name; option++)
		if (strlen(option->name) == length && !memcmp(option->name, name, length))
			return option;
	return NULL;
}

static const char *nearest_option(const struct verb *verb, struct span word)
{
	const char *names[ARGUMENTS_MAX];
	size_t n = 0;

	for (const struct verb_option *option = verb->options; option && option->name && n < ARGUMENTS_MAX; option++)
		names[n++] = option->name;
	return nearest_name(word, names, n);
}

/* One option at argv[*at]; its value may be the next word. */
static int take_option(struct arguments *arguments, int argc, char **argv, int *at)
{
	const char *name = argv[*at] + 2, *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const struct verb_option *option = option_find(arguments->verb, name, length);
	const char *value = equals ? equals + 1 : "";

	if (!option) {
		const char *near = nearest_option(arguments->verb, span_make(name, length));

		return verb_usage(arguments, "there is no option --%.*s%s%s%s", (int)length, name,
				  near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
	}
	if (!option->value && equals)
		return verb_usage(arguments, "--%s takes no value", option->name);
	if (option->value && !equals) {
		if (*at + 1 >= argc)
			return verb_usage(arguments, "--%s wants a value: --%s %s", option->name, option->name,
					  option->value);
		value = argv[++*at];
	}
	if (arguments->options_count == ARGUMENTS_MAX)
		return verb_usage(arguments, "too many options");
	arguments->options[arguments->options_count].name = option->name;
	arguments->options[arguments->options_count++].value = value;
	return EXIT_DONE;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
	bool options = true;

	for (int i = 2; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
		} else if (options && !strncmp(argv[i], "--", 2)) {
			int code = take_option(arguments, argc, argv, &i);

			if (code)
				return code;
		} else if (arguments->count == ARGUMENTS_MAX) {
			return verb_usage(arguments, "too many words");
		} else {
			arguments->words[arguments->count++] = argv[i];
		}
	}
	if (arguments->count < arguments->verb->words_min)
		return verb_usage(arguments, "something is missing");
	if (arguments->count > arguments->verb->words_max)
		return verb_usage(arguments, "`%s` is one word too many", arguments->words[arguments->verb->words_max]);
	return EXIT_DONE;
}

/* Known before anything is said: also mistakes are told as JSON then. */
static bool wants_json(const struct verb *verb, int argc, char **argv)
{
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--json"))
			return option_find(verb, "json", 4) != NULL;
	return false;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	int code;

	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argc, argv);
	arguments.verb = verb_find(strcmp(argv[1], "--version") ? argv[1] : "version");
	if (!arguments.verb)
		return unknown_verb(argv[1]);
	arguments.program = argv[0];
	arguments.json = wants_json(arguments.verb, argc, argv);
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(arguments.verb);
			return EXIT_DONE;
		}
	code = parse(&arguments, argc, argv);
	if (!code)
		code = arguments.verb->run(&arguments);
	/* what could not be said was not done, to whoever reads it */
	return (fflush(stdout) || ferror(stdout)) && code == EXIT_DONE ? EXIT_FINDINGS : code;
}
