/* effect: how a delivery is made once and found again, and which sinks can do so. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>

struct effect_settings {
	struct template *key;
	const struct node *remembers;
	const char *match;
};
const struct option effect_options[] = {
	{.name = "key",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct effect_settings, key),
	 .help = "the idempotency key that the target knows an effect by; Ferrule's own when empty"},
	{.name = "remembers",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct effect_settings, remembers),
	 .range = "forever|<duration>",
	 .help = "how long the target knows a key: a duration, or forever"},
	{.name = "match",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct effect_settings, match),
	 .help = "the operation that finds an effect again"},
	OPTION_END,
};

static const char *fitting(struct arena *arena, const struct sink_ops *ops)
{
	return arena_printf(
		arena, "%s%s%s`effect: none` (an interrupted delivery is put in doubt and a person decides)",
		ops->traits & SINK_WITNESS ? "`effect: rename` (the temporary file tells whether it happened), " : "",
		ops->traits & SINK_KEY
			? "`effect: {key: …, remembers: 24h}` (the target recognises a key it has seen), "
			: "",
		ops->traits & SINK_MATCH ? "`effect: {match: OPERATION}` (the target is asked), " : "");
}

static int effect_word(struct load *load, const struct node *node, struct effect_spec *effect)
{
	static const char *const names[] = {"rename", "key", "none", "match"};
	static const enum effect_kind values[] = {EFFECT_RENAME, EFFECT_KEY, EFFECT_NONE};
	const char *near;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		if (!span_is(node->text, names[i]))
			continue;
		effect->kind = values[i];
		effect->remembers_ms = 24 * 3600 * 1000;
		return 0;
	}
	near = nearest_name(node->text, names, 4);
	load_error(
		load, node->place, "effect.unknown", "unknown effect `%.*s`" NEAR, SPAN_ARGS(node->text),
		NEAR_OR_ARGS(near, "", "; it is ", "rename, {key: …, remembers: 24h}, {match: OPERATION} or none", ""));
	return -1;
}

static int effect_map(struct load *load, const struct node *node, struct effect_spec *effect)
{
	static const struct option duration[] = {{.name = "remembers",
						  .type = OPTION_DURATION,
						  .fallback = "24h",
						  .range = "1s..3650d",
						  .flags = OPTION_MAIN},
						 OPTION_END};
	const struct effect_settings *settings = load_fill(load, node, effect_options, NULL, sizeof *settings);
	bool keyed = node_find(node, "key") || node_find(node, "remembers");

	if (!settings)
		return -1;
	if (keyed == (settings->match != NULL)) {
		load_error(load, node->place, "effect.form",
			   "an effect is {key: …, remembers: 24h} or {match: OPERATION}, one of them");
		return -1;
	}
	effect->kind = keyed ? EFFECT_KEY : EFFECT_MATCH;
	effect->key = settings->key;
	if (settings->remembers && settings->remembers->type == NODE_SCALAR &&
	    span_is(settings->remembers->text, "forever"))
		return 0;
	return option_fill(&load->options, settings->remembers ? settings->remembers : node_empty(load, node->place),
			   duration, NULL, &effect->remembers_ms);
}

int load_effect(struct load *load, const struct node *node, struct place sink, const struct sink_ops *ops,
		struct effect_spec *effect)
{
	static const unsigned needs[] = {
		[EFFECT_RENAME] = SINK_WITNESS, [EFFECT_KEY] = SINK_KEY, [EFFECT_MATCH] = SINK_MATCH};
	static const char *const names[] = {[EFFECT_RENAME] = "rename", [EFFECT_KEY] = "key", [EFFECT_MATCH] = "match"};

	if (node_null(node)) {
		load_error(load, sink, "effect.missing",
			   "`effect` is missing: how is a delivery made once and found again? Fitting here: %s",
			   fitting(load->arena, ops));
		return -1;
	}
	if (node->type == NODE_LIST) {
		load_error(load, node->place, "effect.form", "an effect is one of: %s", fitting(load->arena, ops));
		return -1;
	}
	if (node->type == NODE_SCALAR ? effect_word(load, node, effect) : effect_map(load, node, effect))
		return -1;
	if (effect->kind == EFFECT_NONE || ops->traits & needs[effect->kind])
		return 0;
	load_error(load, node->place, "effect.unfit", "`effect: %s` does not fit a %s sink; fitting here: %s",
		   names[effect->kind], ops->name, fitting(load->arena, ops));
	return -1;
}
