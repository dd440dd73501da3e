/* filter: lets through what its condition holds for; the rest is dropped, and counted as filtered. */
#include "config.h"
#include "transformers/transformers.h"

struct filter {
	struct expression *when;
};

static const struct option options[] = {
	{.name = "when",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct filter, when),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "jq; what it is false or null for goes no further"},
	OPTION_END,
};

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct filter *filter = settings;

	return expression_check(filter->when, findings);
}

static void *open_filter(const void *settings, const struct transformer_context *context, struct error *error)
{
	return (void *)(uintptr_t)settings;
}

static void close_filter(void *self)
{
	struct filter *filter = self;

	expression_drop(filter->when);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct filter *filter = self;
	struct expression_input input = out_input(out, item);
	bool is;

	if (expression_true(filter->when, &input, &is, error))
		return -1;
	return is ? out_emit(out, item, error) : out_drop(out, item, "its condition is false", error);
}

const struct transformer_ops filter_transformer = {
	.name = "filter", .help = "Lets through the messages that a condition holds for",
	.options = options, .settings_size = sizeof(struct filter),
	.takes = FORM_TREE, .gives = FORM_TREE,
	.check = check, .open = open_filter, .close = close_filter, .run = run,
};
