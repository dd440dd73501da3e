/* resequence: puts messages that carry a number back into their order, by key. What is not next waits in the store;
 * the steward role releases what is. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

#include "transformers/steps/hold_key.h"

struct resequence {
	struct expression_list by;
	struct expression *number;
	int64_t start, within_ms;
	int gap;
};

static const struct option options[] = {
	{.name = "by",
	 .type = OPTION_EXPRESSIONS,
	 .offset = offsetof(struct resequence, by),
	 .help = "jq, a list: each set of values has a sequence of its own; without it there is one"},
	{.name = "number",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct resequence, number),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "jq that gives the message's number: a whole number, or digits"},
	{.name = "start",
	 .type = OPTION_INT,
	 .offset = offsetof(struct resequence, start),
	 .range = "0..1000000000000000",
	 .fallback = "1",
	 .help = "the first number of a sequence"},
	{.name = "within",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct resequence, within_ms),
	 .range = "10ms..3650d",
	 .help = "how long what waits behind a missing number does so, before `gap` says what happens"},
	{.name = "gap",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct resequence, gap),
	 .range = "reject|pass|hold",
	 .fallback = "hold",
	 .help = "what waits behind a missing number is then rejected, goes on without it, or waits for a person"},
	OPTION_END,
};

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct resequence *resequence = settings;
	size_t errors = findings->errors;

	hold_key_check(&resequence->by, "resequence", place, findings);
	expression_check(resequence->number, findings);
	if (resequence->gap != HOLD_WAIT && !resequence->within_ms)
		finding_add(findings, place, SEVERITY_ERROR, "resequence.within",
			    "say with `within` how long a gap may last before `gap` is looked at");
	return findings->errors == errors ? 0 : -1;
}

static void *open_resequence(const void *settings, const struct transformer_context *context, struct error *error)
{
	return (void *)(uintptr_t)settings;
}

static void close_resequence(void *self)
{
	struct resequence *resequence = self;

	hold_key_drop(&resequence->by);
	expression_drop(resequence->number);
}

static int number_of(struct expression *expression, struct item *item, struct out *out, int64_t *number,
		     struct error *error)
{
	struct expression_input input = out_input(out, item);
	struct buf text;
	int result = -1;

	buf_init(&text, 64);
	if (!expression_text(expression, &input, &text, error)) {
		buf_char(&text, '\0');
		*number = -1;
		if (!text.full && text.len > 1 && strspn(text.data, "0123456789") == text.len - 1 && text.len <= 17)
			*number = strtoll(text.data, NULL, 10);
		if (*number >= 0 && *number <= HOLD_NUMBER_MAX)
			result = 0;
		else
			error_set(error, ERROR_REJECT, "resequence.number",
				  "%.*s gives \"%.*s\", which is no number from 0 to %lld",
				  SPAN_ARGS(expression_source(expression)), (int)(text.len ? text.len - 1 : 0),
				  text.data ? text.data : "", (long long)HOLD_NUMBER_MAX);
	}
	buf_free(&text);
	return result;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	static const enum hold_policy policies[] = {HOLD_REJECT, HOLD_PASS, HOLD_WAIT};
	const struct resequence *resequence = self;
	struct hold hold = {
		.kind = HOLD_SEQUENCE,
		.policy = policies[resequence->gap],
		.within_ms = resequence->within_ms,
		.at_minute = -1,
		.start = resequence->start,
	};

	if (hold_key(&resequence->by, "resequence.key", item, out, &hold, error) ||
	    number_of(resequence->number, item, out, &hold.number, error))
		return -1;
	return out_hold(out, item, &hold, error);
}

const struct transformer_ops resequence_transformer = {
	.name = "resequence",
	.help = "Puts numbered messages back into their order",
	.options = options,
	.settings_size = sizeof(struct resequence),
	.takes = FORM_TREE,
	.gives = FORM_TREE,
	.durable = true,
	.check = check,
	.open = open_resequence,
	.close = close_resequence,
	.run = run,
};
