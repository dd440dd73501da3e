/* ferrule step: one step over a whole document by hand, as a flow would run it: gunzip, unzip, decrypt … */
#include "config.h"

#include <stdio.h>

#include "cli/hand.h"
#include "services/registry.h"

static const struct verb_option options[] = {
	{"set", "KEY=VALUE", "a key of the step, as in a flow; may be given several times", NULL},
	{"to", "DIRECTORY", "write each document that comes out into a file there, under its own name", NULL},
	{"json", NULL, "tell what is refused as JSON, a line each, on standard error", NULL},
	{.name = NULL},
};

/* What takes data has verbs of its own, or needs a site. */
static const struct transformer_ops *find(const char *name)
{
	for (const struct transformer_ops *const *ops = registry_get()->transformers; *ops; ops++)
		if (!strcmp((*ops)->name, name) && (*ops)->takes == FORM_BYTES && (*ops)->gives == FORM_BYTES)
			return *ops;
	return NULL;
}

static int run(const struct arguments *arguments)
{
	const struct transformer_ops *ops = find(arguments->words[0]);
	struct hand hand;

	if (!ops) {
		fprintf(stderr, "ferrule step: there is no step over whole documents named `%s`; these are:",
			arguments->words[0]);
		for (const struct transformer_ops *const *each = registry_get()->transformers; *each; each++)
			if ((*each)->takes == FORM_BYTES && (*each)->gives == FORM_BYTES)
				fprintf(stderr, " %s", (*each)->name);
		fputc('\n', stderr);
		return EXIT_USAGE;
	}
	hand_begin(&hand, arguments);
	hand.into = argument_nth(arguments, "to", 0);
	return hand_end(&hand, hand_run(&hand, ops, NULL, argument_word(arguments, 1, NULL)));
}

const struct verb verb_step = {
	.name = "step",
	.words = "STEP [FILE]",
	.words_min = 1,
	.words_max = 2,
	.summary = "Run a step over a whole document by hand: unzip, gunzip, decrypt …",
	.text = "  ferrule step unzip orders.zip --set 'only=*.csv' --to out\n\nThe keys that --set gives are those "
		"of the step (docs/reference/steps.md). Without FILE it reads standard input; without --to everything "
		"that comes out is written to standard output, one behind the other. Keys and secrets are those of "
		"the site in whose directory it is run. What is refused is told on standard error, and the exit code "
		"is 1.\n",
	.json = "on standard error a line for what is refused: {verb, step, code, text, position}",
	.options = options,
	.run = run,
};
