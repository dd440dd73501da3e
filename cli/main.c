/* The `ferrule` program: finds the verb, reads its options, runs it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/finding.h"
#include "cli/help.h"

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

		return verb_usage(arguments, "there is no option --%.*s" NEAR, (int)length, name,
				  NEAR_OR_ARGS(near, "--", "", "", ""));
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
		help_overview(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argc, argv);
	arguments.verb = verb_find(strcmp(argv[1], "--version") ? argv[1] : "version");
	if (!arguments.verb)
		return help_unknown(argv[1]);
	arguments.program = argv[0];
	arguments.json = wants_json(arguments.verb, argc, argv);
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help_verb(arguments.verb);
			return EXIT_DONE;
		}
	code = parse(&arguments, argc, argv);
	if (!code)
		code = arguments.verb->run(&arguments);
	/* what could not be said was not done, to whoever reads it */
	return (fflush(stdout) || ferror(stdout)) && code == EXIT_DONE ? EXIT_FINDINGS : code;
}
