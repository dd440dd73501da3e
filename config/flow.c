/* Flows: source or subscription, steps, publication or delivery. See load.h and DESIGN's language. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>

struct on_reject {
	const char *publish;
};
struct flow_settings {
	const char *name, *owner, *summary, *runbook, *publish;
	struct text_list env, subscribe;
	const struct node *transfer; /* `from`, where it is a transfer */
	const struct node *from, *to, *duplicates, *order, *steps, *effect, *retry, *expect;
	struct on_reject on_reject;
	bool audit;
};
#define AT(field) .offset = offsetof(struct flow_settings, field)
static const struct option on_reject_options[] = {
	{.name = "publish",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct on_reject, publish),
	 .flags = OPTION_REQUIRED,
	 .help = "the topic that refused messages go to"},
	OPTION_END,
};
const struct option flow_options[] = {
	{.name = "flow", .type = OPTION_TEXT, AT(name), .flags = OPTION_REQUIRED, .help = "its name"},
	{.name = "owner",
	 .type = OPTION_TEXT,
	 AT(owner),
	 .flags = OPTION_REQUIRED,
	 .help = "the team that answers for it"},
	{.name = "summary", .type = OPTION_TEXT, AT(summary), .help = "what it does, in a sentence"},
	{.name = "runbook", .type = OPTION_TEXT, AT(runbook), .help = "what to do when it fails: a file or an address"},
	{.name = "env", .type = OPTION_TEXTS, AT(env), .help = "the environments it runs in; all by default"},
	{.name = "from",
	 .type = OPTION_NODE,
	 AT(from),
	 .range = "<from>",
	 .flags = OPTION_LIST,
	 .help = "an endpoint to receive from, or a list"},
	{.name = "subscribe", .type = OPTION_TEXTS, AT(subscribe), .help = "a topic to receive from, or a list"},
	{.name = "duplicates",
	 .type = OPTION_NODE,
	 AT(duplicates),
	 .table = duplicates_options,
	 .help = "what makes two documents the same; by content within 30d where it is not said"},
	{.name = "order",
	 .type = OPTION_NODE,
	 AT(order),
	 .table = order_options,
	 .help = "the key within which order is kept; none where it is not said"},
	{.name = "steps",
	 .type = OPTION_NODE,
	 AT(steps),
	 .range = "<steps>",
	 .help = "what is done with each message, one after the other"},
	{.name = "publish", .type = OPTION_TEXT, AT(publish), .help = "the topic that the outcome goes to"},
	{.name = "to",
	 .type = OPTION_NODE,
	 AT(to),
	 .range = "<to>",
	 .help = "the endpoint that the outcome is delivered to"},
	{.name = "effect",
	 .type = OPTION_NODE,
	 AT(effect),
	 .range = "rename|none",
	 .table = effect_options,
	 .help = "how a delivery is made once and found again; needed with `to`"},
	{.name = "retry",
	 .type = OPTION_NODE,
	 AT(retry),
	 .table = retry_options,
	 .help = "how long to keep trying a delivery"},
	{.name = "expect",
	 .type = OPTION_NODE,
	 AT(expect),
	 .table = expect_options,
	 .flags = OPTION_LIST,
	 .help = "what must happen by a time, or a list"},
	{.name = "on-reject",
	 .type = OPTION_TABLE,
	 AT(on_reject),
	 .table = on_reject_options,
	 .help = "what becomes of refused messages"},
	{.name = "audit",
	 .type = OPTION_BOOL,
	 AT(audit),
	 .help = "each document received and each delivery made leaves a record in the audit trail; of "
		 "transfers always"},
	OPTION_END,
};

/* ---- duplicates, order --------------------------------------------------------------------- */
struct duplicates {
	const struct node *by;
	int64_t within_ms;
};
const struct option duplicates_options[] = {
	{.name = "by",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct duplicates, by),
	 .range = "content|none|<expressions>",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "content, none, or a list of jq over the envelope"},
	{.name = "within",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct duplicates, within_ms),
	 .fallback = "30d",
	 .range = "1s..3650d",
	 .help = "how far back to look"},
	OPTION_END,
};

static void load_duplicates(struct load *load, struct flow *flow, const struct node *node)
{
	static const struct option by_options[] = {{.name = "by", .type = OPTION_EXPRESSIONS, .flags = OPTION_MAIN},
						   OPTION_END};
	const struct duplicates *settings;
	bool word;

	flow->duplicates = DUPLICATES_CONTENT;
	flow->duplicates_within_ms = (int64_t)30 * 24 * 3600 * 1000;
	if (flow->duplicates_within_ms > load->site->retain_receipts_ms)
		flow->duplicates_within_ms = load->site->retain_receipts_ms;
	if (node_null(node))
		return;
	if (flow->sources_count == 0)
		load_error(load, node->place, "duplicates.place",
			   "`duplicates` goes with `from`: they are recognised where documents come in");
	settings = load_fill(load, node, duplicates_options, NULL, sizeof *settings);
	if (!settings)
		return;
	flow->duplicates_within_ms = settings->within_ms;
	if (settings->within_ms > load->site->retain_receipts_ms)
		load_error(load, node->place, "duplicates.within",
			   "`within` is longer than site.yaml's retention of receipts");
	word = settings->by->type == NODE_SCALAR;
	if (word && span_is(settings->by->text, "none")) {
		flow->duplicates = DUPLICATES_NONE;
	} else if (!word || (settings->by->text.len > 0 && strchr(".$[({\"", settings->by->text.data[0]))) {
		const struct expression_list *list = load_fill(load, settings->by, by_options, NULL, sizeof *list);

		flow->duplicates = DUPLICATES_ENVELOPE;
		if (list)
			flow->duplicates_by = *list;
	} else if (!span_is(settings->by->text, "content")) {
		load_error(load, settings->by->place, "duplicates.by",
			   "`by` is content, none, or a list of jq such as [$envelope.id]");
	}
}

struct order_settings {
	struct expression *by;
	int on_reject;
};
const struct option order_options[] = {
	{.name = "by",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct order_settings, by),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "jq over the message (where the flow has `from`: over $envelope, or a constant): messages of "
		 "one key stay in order"},
	{.name = "on-reject",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct order_settings, on_reject),
	 .range = "hold|continue",
	 .fallback = "hold",
	 .help = "whether later messages of a key wait for one that was refused"},
	OPTION_END,
};

static void load_order(struct load *load, struct flow *flow, const struct node *node)
{
	const struct order_settings *settings;

	if (node_null(node))
		return;
	settings = load_fill(load, node, order_options, NULL, sizeof *settings);
	if (!settings)
		return;
	flow->order_by = settings->by;
	flow->order = settings->on_reject == 0 ? ORDER_HOLD : ORDER_CONTINUE;
}

/* ---- in and out ------------------------------------------------------------------------------------------ */
static void load_sources(struct load *load, struct flow *flow, const struct node *from)
{
	size_t count = node_null(from) ? 0 : from->type == NODE_LIST ? from->count : 1;

	flow->sources = arena_alloc(load->arena, (count + 1) * sizeof *flow->sources);
	flow->sources_count = count; /* also those that could not be read: what follows depends on it */
	for (size_t i = 0; i < count; i++)
		load_source(load, flow->name, from->type == NODE_LIST ? from->items[i] : from, i, &flow->sources[i]);
}

static const struct node *value_place(const struct node *map, const char *key, size_t index)
{
	const struct node *value = node_find(map, key);

	return value && value->type == NODE_LIST && index < value->count ? value->items[index] : value;
}

/* `from: {transfer: NAME}` is a subscription to what it publishes. */
static void take_transfer(struct load *load, struct flow_settings *settings)
{
	const char *topic = transfer_topic(load, settings->from);

	if (!topic)
		return;
	if (settings->subscribe.count > 0)
		load_error(load, settings->from->place, "flow.input",
			   "a flow has `from` or `subscribe`, not both; write a second flow that publishes to the same "
			   "topic");
	settings->transfer = settings->from;
	settings->from = NULL;
	settings->subscribe.items = arena_alloc(load->arena, sizeof *settings->subscribe.items);
	settings->subscribe.items[0] = topic;
	settings->subscribe.count = *topic != 0;
}

static void load_subscriptions(struct load *load, struct flow *flow, const struct flow_settings *settings,
			       const struct node *node)
{
	flow->subscribes = arena_alloc(load->arena, (settings->subscribe.count + 1) * sizeof *flow->subscribes);
	for (size_t i = 0; i < settings->subscribe.count; i++) {
		const char *topic = settings->subscribe.items[i];
		struct place place;

		place = settings->transfer ? settings->transfer->place : value_place(node, "subscribe", i)->place;
		if (load_topic(load, flow->name, topic, place, false))
			flow->subscribes[flow->subscribes_count++] = topic;
	}
}

static bool routes(const struct load *load, const struct flow *flow)
{
	for (size_t i = 0; i < load->topics_count; i++) {
		if (load->topics[i].publishes && strcmp(load->topics[i].flow, flow->name) == 0)
			return true;
	}
	return false;
}

static void check_ends(struct load *load, const struct flow *flow, const struct flow_settings *settings,
		       const struct node *node)
{
	bool from = !node_null(settings->from), subscribe = settings->subscribe.count > 0 || settings->transfer,
	     to = !node_null(settings->to);
	const char *one_only[] = {"effect", "retry"};

	if (from && subscribe)
		load_error(load, settings->from->place, "flow.input",
			   "a flow has `from` or `subscribe`, not both; write a second flow that publishes to the same "
			   "topic");
	else if (!from && !subscribe)
		load_error(load, node->place, "flow.input",
			   "`from` or `subscribe` is missing: where do messages come from?");
	if (to && settings->publish)
		load_error(
			load, settings->to->place, "flow.output",
			"a flow has `publish` or `to`, not both; let another flow subscribe to the topic and deliver");
	else if (!to && !settings->publish && !routes(load, flow))
		load_error(load, node->place, "flow.output", "`publish` or `to` is missing: where do messages go?");
	for (size_t i = 0; i < 2 && !to; i++) {
		if (node_find(node, one_only[i]))
			load_error(load, node_find(node, one_only[i])->place, "flow.output", "`%s` goes with `to`",
				   one_only[i]);
	}
}

static void collect_publishes(struct load *load, struct flow *flow)
{
	flow->publishes = arena_alloc(load->arena, (load->topics_count + 1) * sizeof *flow->publishes);
	for (size_t i = 0; i < load->topics_count; i++) {
		size_t k = 0;

		if (!load->topics[i].publishes || strcmp(load->topics[i].flow, flow->name) != 0)
			continue;
		while (k < flow->publishes_count && strcmp(flow->publishes[k], load->topics[i].topic) != 0)
			k++;
		if (k == flow->publishes_count)
			flow->publishes[flow->publishes_count++] = load->topics[i].topic;
	}
}

static void load_topics(struct load *load, struct flow *flow, const struct flow_settings *settings,
			const struct node *node)
{
	if (settings->publish &&
	    load_topic(load, flow->name, settings->publish, node_find(node, "publish")->place, true))
		flow->publish = settings->publish;
	if (settings->on_reject.publish) {
		const struct node *reject = node_find(node, "on-reject");
		const struct node *place = node_find(reject, "publish");

		if (load_topic(load, flow->name, settings->on_reject.publish, place ? place->place : reject->place,
			       true))
			flow->reject_publish = settings->on_reject.publish;
	}
}

/* Whether it runs in the environment chosen. A name that no file of environments/ has is a slip of the pen. */
static bool runs_here(struct load *load, const struct flow_settings *settings, const struct node *node)
{
	bool here = settings->env.count == 0;

	for (size_t i = 0; i < settings->env.count; i++) {
		const char *name = settings->env.items[i];

		here = here || strcmp(name, load->bundle->environment) == 0;
		if (!bundle_find(load->bundle, arena_printf(load->arena, "environments/%s.yaml", name)))
			load_error(load, value_place(node, "env", i)->place, "flow.env",
				   "there is no environments/%s.yaml", name);
	}
	return here;
}

static void add_flow(struct load *load, const struct flow *flow)
{
	struct site *site = load->site;

	site->flows = mem_grow(site->flows, &load->flows_capacity, site->flows_count + 1, sizeof *site->flows);
	site->flows[site->flows_count++] = *flow;
}

void load_flow(struct load *load, const struct node *node)
{
	load_flow_of(load, node, NULL, NULL);
}

void load_flow_of(struct load *load, const struct node *node, const char *const *also, const struct transfer *transfer)
{
	struct flow_settings settings = {0};
	struct flow flow = {.place = node->place, .transfer = transfer};
	const struct node *name = node_find(node, "flow");
	size_t before = load->findings->errors, topics = load->topics_count;

	option_fill(&load->options, node, flow_options, also, &settings);
	take_transfer(load, &settings);
	flow.name = settings.name && *settings.name ? settings.name : "?";
	if (settings.name && load_name(load, "flow", flow.name, name->place))
		load_take_name(load, &(struct known_name){flow.name, flow.name, NAME_FLOW, name->place});
	flow.owner = settings.owner;
	load_owner(load, settings.owner, node);
	flow.summary = settings.summary;
	flow.audit = settings.audit || transfer;
	flow.runbook = settings.runbook;
	flow.runbook_place = settings.runbook ? node_find(node, "runbook")->place : node->place;
	flow.queue = arena_printf(load->arena, "in.%s", flow.name);
	load_sources(load, &flow, settings.from);
	load_subscriptions(load, &flow, &settings, node);
	load_duplicates(load, &flow, settings.duplicates);
	load_order(load, &flow, settings.order);
	load_steps(load, &flow, settings.steps);
	load_segments(load, &flow);
	load_topics(load, &flow, &settings, node);
	if (!node_null(settings.to) && load_sink(load, &flow, settings.to, settings.effect, settings.retry) == 0)
		flow.timeout_ms = flow.sink->timeout_ms;
	load_expectations(load, &flow, settings.expect);
	check_ends(load, &flow, &settings, node);
	collect_publishes(load, &flow);
	if (!runs_here(load, &settings, node))
		load->topics_count = topics; /* in this environment it neither publishes nor subscribes */
	else if (load->findings->errors == before)
		add_flow(load, &flow); /* one with mistakes is not for anybody to look at */
}
