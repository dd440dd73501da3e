/* collect: many messages become one. What reaches it waits in the store, by key, until there are enough of them, until
 * a time, or until the group that a split made is complete; then the steward role makes one message of them, and the
 * steps behind it run on that. Here is only what the step says of each item; operations/held.h has the rules. */
#include "config.h"
#include "transformers/transformers.h"

#include <ctype.h>
#include <stdlib.h>

#include "transformers/steps/hold_key.h"

struct collect_settings {
	const struct node *by;
	int64_t count, within_ms;
	uint64_t size;
	const char *at;
	bool change;
	int into, partial;
};

static const struct option options[] = {
	{.name = "by",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct collect_settings, by),
	 .flags = OPTION_MAIN,
	 .range = "group|<expressions>",
	 .help = "`group`: what a split took apart; or jq, a list: messages with these values together"},
	{.name = "count",
	 .type = OPTION_INT,
	 .offset = offsetof(struct collect_settings, count),
	 .range = "1..1000000",
	 .help = "closes with so many messages"},
	{.name = "size",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct collect_settings, size),
	 .help = "closes before it has more bytes than this; never more than the site's limits: tree"},
	{.name = "within",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct collect_settings, within_ms),
	 .range = "10ms..3650d",
	 .help = "closes so long after its first message"},
	{.name = "at",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct collect_settings, at),
	 .help = "closes at this local time of day, '18:00'"},
	{.name = "change",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct collect_settings, change),
	 .help = "closes when a message with another key comes"},
	{.name = "into",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct collect_settings, into),
	 .range = "array",
	 .fallback = "array",
	 .help = "what they become: array, a JSON array of the messages in order"},
	{.name = "partial",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct collect_settings, partial),
	 .range = "reject|pass",
	 .fallback = "reject",
	 .help = "what becomes of a group of which something is dead or missing: a dead letter, or it goes on"},
	OPTION_END,
};

struct collect {
	const struct collect_settings *settings;
	struct arena *arena;
	struct expression_list by;
};

static bool by_group(const struct collect_settings *settings)
{
	return settings->by && settings->by->type == NODE_SCALAR && span_is(settings->by->text, "group");
}

static struct collect *collect_new(const struct collect_settings *settings, struct findings *findings)
{
	static const struct option by_options[] = {
		{.name = "by", .type = OPTION_EXPRESSIONS, .flags = OPTION_MAIN, .help = "jq, a list"}, OPTION_END};
	struct collect *collect = mem_alloc(sizeof *collect);
	struct option_context context = {.findings = findings};

	collect->settings = settings;
	collect->arena = context.arena = arena_new();
	if (settings->by && !by_group(settings))
		option_fill(&context, settings->by, by_options, NULL, &collect->by);
	return collect;
}

static void close_collect(void *self)
{
	struct collect *collect = self;

	hold_key_drop(&collect->by);
	arena_free(collect->arena);
	free(collect);
}

static bool gathers(const void *settings)
{
	return by_group(settings);
}

/* "18:00" as minutes since midnight; -1 when it is none. */
static int minute_of(const char *text)
{
	int hour, minute;

	if (strlen(text) != 5 || text[2] != ':' || !isdigit((unsigned char)text[0]) ||
	    !isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]))
		return -1;
	hour = (text[0] - '0') * 10 + text[1] - '0';
	minute = (text[3] - '0') * 10 + text[4] - '0';
	return hour < 24 && minute < 60 ? hour * 60 + minute : -1;
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct collect_settings *collect = settings;
	bool group = by_group(collect);
	size_t errors = findings->errors;
	struct collect *made = collect_new(collect, findings);

	hold_key_check(&made->by, "collect", place, findings);
	close_collect(made);
	if (collect->at && minute_of(collect->at) < 0)
		finding_add(findings, place, SEVERITY_ERROR, "collect.at", "`at` is a time of day such as '18:00': %s",
			    collect->at);
	if (!group && !collect->count && !collect->size && !collect->within_ms && !collect->at && !collect->change)
		finding_add(findings, place, SEVERITY_ERROR, "collect.never",
			    "this collection never closes: say `count`, `size`, `within`, `at` or `change`, or `by: "
			    "group`");
	if (group && (collect->count || collect->size || collect->change))
		finding_add(findings, place, SEVERITY_ERROR, "collect.group",
			    "a group closes when it is complete: only `within` and `at` go with `by: group`");
	return findings->errors == errors ? 0 : -1;
}

static void *open_collect(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct findings findings;
	struct collect *collect;

	findings_init(&findings);
	collect = collect_new(settings, &findings);
	if (findings.errors) {
		error_set(error, ERROR_REJECT, "collect.by", "%s", findings.list[0].text);
		close_collect(collect);
		collect = NULL;
	}
	findings_free(&findings);
	return collect;
}

static int group_key(const struct item *item, struct out *out, struct hold *hold, struct error *error)
{
	if (!item->group.len || !item->group_index)
		return error_set(error, ERROR_REJECT, "collect.group",
				 "this message is no part of a group: `by: group` needs a `split` before it");
	hold->group = true;
	hold->key = id_of(&item->group, 1);
	hold->label = item->group.len > HOLD_LABEL_MAX ? span_make(item->group.data, HOLD_LABEL_MAX) : item->group;
	hold->place = item->group_index;
	hold->group_size = item->group_size;
	return 0;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct collect *made = self;
	const struct collect_settings *collect = made->settings;
	struct hold hold = {
		.kind = HOLD_COLLECT,
		.policy = collect->partial ? HOLD_PASS : HOLD_REJECT,
		.count = (uint64_t)collect->count,
		.bytes = collect->size,
		.bytes_most = out_tree_max(out),
		.change = collect->change,
		.within_ms = collect->within_ms,
		.at_minute = collect->at ? minute_of(collect->at) : -1,
	};

	if (by_group(collect) ? group_key(item, out, &hold, error)
			      : hold_key(&made->by, "collect.key", item, out, &hold, error))
		return -1;
	return out_hold(out, item, &hold, error);
}

const struct transformer_ops collect_transformer = {
	.name = "collect",
	.help = "Makes one message of many: of a group, a number, a time",
	.options = options,
	.settings_size = sizeof(struct collect_settings),
	.takes = FORM_TREE,
	.gives = FORM_TREE,
	.durable = true,
	.gathers = gathers,
	.check = check,
	.open = open_collect,
	.close = close_collect,
	.run = run,
};
