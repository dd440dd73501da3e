/* use: the steps of a snippet stand in its place. Config puts them there when it reads a flow, so this has nothing to
 * run. */
#include "config.h"
#include "transformers/transformers.h"

static const struct option options[] = {
	{.name = "snippet",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct use_settings, snippet),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the name of a file in snippets/, without .yaml"},
	{.name = "with",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct use_settings, with),
	 .range = "<text>",
	 .flags = OPTION_NAMED,
	 .help = "values of its parameters, a map of NAME: value"},
	OPTION_END,
};

const struct transformer_ops use_transformer = {
	.name = "use",
	.help = "Puts the steps of a snippet here",
	.options = options,
	.settings_size = sizeof(struct use_settings),
	.takes = FORM_EITHER,
	.gives = FORM_EITHER,
	.uses_snippet = true,
};
