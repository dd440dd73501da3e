/* dedupe: of messages with the same key, within a time, only the first goes on. Which one that is the store decides, in
 * the transaction of its unit; the steward role sends it on. */
#include "config.h"
#include "transformers/transformers.h"

#include "transformers/steps/hold_key.h"

struct dedupe {
	struct expression_list by;
	int64_t within_ms;
	int scope, conflict;
};

static const struct option options[] = {
	{.name = "by",
	 .type = OPTION_EXPRESSIONS,
	 .offset = offsetof(struct dedupe, by),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "jq, a list: messages with the same values are the same"},
	{.name = "within",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct dedupe, within_ms),
	 .range = "1s..3650d",
	 .fallback = "30d",
	 .help = "how long the first is remembered"},
	{.name = "scope",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct dedupe, scope),
	 .range = "flow|site",
	 .fallback = "flow",
	 .help = "whether the key is known to this step only, or to every dedupe of the site with this scope"},
	{.name = "conflict",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct dedupe, conflict),
	 .range = "reject|drop",
	 .fallback = "reject",
	 .help = "what becomes of a later one with other content: a dead letter, or dropped like the others"},
	OPTION_END,
};

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	return hold_key_check(&((const struct dedupe *)settings)->by, "dedupe", place, findings);
}

static void *open_dedupe(const void *settings, const struct transformer_context *context, struct error *error)
{
	return (void *)(uintptr_t)settings;
}

static void close_dedupe(void *self)
{
	struct dedupe *dedupe = self;

	hold_key_drop(&dedupe->by);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct dedupe *dedupe = self;
	struct hold hold = {
		.kind = HOLD_FIRST,
		.policy = dedupe->conflict ? HOLD_PASS : HOLD_REJECT,
		.within_ms = dedupe->within_ms,
		.at_minute = -1,
		.everywhere = dedupe->scope == 1,
	};

	if (hold_key(&dedupe->by, "dedupe.key", item, out, &hold, error))
		return -1;
	return out_hold(out, item, &hold, error);
}

const struct transformer_ops dedupe_transformer = {
	.name = "dedupe",
	.help = "Lets the first message of each key through",
	.options = options,
	.settings_size = sizeof(struct dedupe),
	.takes = FORM_TREE,
	.gives = FORM_TREE,
	.durable = true,
	.check = check,
	.open = open_dedupe,
	.close = close_dedupe,
	.run = run,
};
