/* What messages look like at each step, followed from contracts along topics, and expressions over fields that they
 * cannot have. A `validate` makes a message's shape known; what does not change it hands it on, to the flow's end, and
 * by a topic to every subscriber. A topic has the shapes of all its publishers. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>

#include "config/jq_walk.h"

enum progress { NEW, OPEN, DONE };

struct reached_topic {
	const char *topic;
	const struct flow *flow;
	struct shape shape;
};

struct reach {
	const struct load *load;
	const struct site *site;
	struct arena *arena;
	struct findings *findings;
	bool compiles;        /* every expression of the site: none needs to be tried again */
	enum progress *flows; /* beside site->flows */
	struct reached_topic *publications;
	size_t count, capacity;
};

/* ---- expressions ----------------------------------------------------------------------------------------- */
static struct shape look(struct reach *r, struct expression *expression, const struct shape *input)
{
	struct jq_place place;

	if (!expression || (!r->compiles && expression_check(expression, NULL)))
		return shape_unknown();
	place = (struct jq_place){expression_place(expression), expression_offset(expression)};
	return jq_walk(r->arena, expression_source(expression), place, input, "order.body", "", r->findings);
}

static const void *setting(const struct step *step, const char *name, enum option_type type)
{
	const struct option *option = option_named(step->ops->options, name);

	return option && option->type == type ? (const char *)step->settings + option->offset : NULL;
}

static struct expression *expression_setting(const struct step *step, const char *name)
{
	struct expression *const *at = setting(step, name, OPTION_EXPRESSION);

	if (!at)
		at = setting(step, name, OPTION_MAPPING);
	return at ? *at : NULL;
}

static void look_at_list(struct reach *r, const struct step *step, const char *name, const struct shape *input)
{
	const struct expression_list *list = setting(step, name, OPTION_EXPRESSIONS);

	for (size_t i = 0; list && i < list->count; i++)
		look(r, list->items[i], input);
}

/* ---- steps ----------------------------------------------------------------------------------------------- */
static struct shape after_steps(struct reach *, const struct flow *, const struct step *, size_t n, struct shape);

static struct shape after_validate(struct reach *r, const struct step *step, const struct shape *input)
{
	const char *const *name = setting(step, "contract", OPTION_TEXT);
	const struct contract *contract = name && *name ? site_contract(r->site, *name) : NULL;
	struct shape shape = contract ? shape_of(contract->schema, contract->name) : shape_unknown();

	(void)input;
	look_at_list(r, step, "keys", &shape);
	return shape;
}

static struct shape after_map(struct reach *r, const struct step *step, const struct shape *input)
{
	const struct mapping_map *of = setting(step, "of", OPTION_MAPPINGS);
	struct expression *one = expression_setting(step, "mapping"), *program = expression_setting(step, "jq");
	struct shape shape = look(r, one ? one : program, input);

	look(r, expression_setting(step, "by"), input);
	look(r, expression_setting(step, "otherwise"), input);
	for (size_t i = 0; of && i < of->count; i++)
		look(r, of->items[i].mapping, input);
	return (one || program) && !shape.absent ? shape : shape_unknown();
}

static struct shape after_split(struct reach *r, const struct step *step, const struct shape *input)
{
	struct expression *by = expression_setting(step, "by");
	struct shape part;

	if (by && span_is(expression_source(by), "transaction"))
		part = *input;
	else
		part = look(r, by, input);
	look_at_list(r, step, "id", &part);
	return part;
}

static struct shape after_enrich(struct reach *r, const struct step *step, const struct shape *input)
{
	const char *const *each = setting(step, "each", OPTION_TEXT);
	struct shape element = *input;

	if (each && *each)
		element = jq_walk(r->arena, span_of(*each), (struct jq_place){step->place, 0}, input, "", "", NULL);
	look(r, expression_setting(step, "key"), &element);
	return shape_unknown(); /* what it adds is not described anywhere */
}

static struct shape after_encode(struct reach *r, const struct step *step, const struct shape *input)
{
	look(r, expression_setting(step, "rows"), input);
	return *input; /* a sink sees what was encoded */
}

/* Those that look at a message and hand it on as it is: every expression among their settings is over it. */
static struct shape after_looking(struct reach *r, const struct step *step, const struct shape *input)
{
	for (const struct option *option = step->ops->options; option && option->name; option++) {
		if (option->type == OPTION_EXPRESSION)
			look(r, expression_setting(step, option->name), input);
		else if (option->type == OPTION_EXPRESSIONS)
			look_at_list(r, step, option->name, input);
	}
	return *input;
}

/* Texts of jq that a step reads itself: one, or a list. */
static void look_at_node(struct reach *r, const struct node *node, const struct shape *input)
{
	struct expression *expression;

	for (size_t i = 0; node && node->type == NODE_LIST && i < node->count; i++)
		look_at_node(r, node->items[i], input);
	if (node_null(node) || node->type != NODE_SCALAR)
		return;
	expression = expression_new(r->arena, node->text, node->place);
	look(r, expression, input);
	expression_drop(expression);
}

static struct shape after_collect(struct reach *r, const struct step *step, const struct shape *input)
{
	const struct node *const *by = setting(step, "by", OPTION_NODE);
	struct shape all = *input;

	if (by && *by && !((*by)->type == NODE_SCALAR && span_is((*by)->text, "group")))
		look_at_node(r, *by, input);
	all.lists += !all.unknown;
	return all;
}

static const struct {
	const char *step;
	struct shape (*after)(struct reach *, const struct step *, const struct shape *);
} known_steps[] = {
	{"validate", after_validate},  {"map", after_map},          {"split", after_split},
	{"enrich", after_enrich},      {"encode", after_encode},    {"collect", after_collect},
	{"filter", after_looking},     {"remember", after_looking}, {"route", after_looking},
	{"resequence", after_looking}, {"dedupe", after_looking},
};

/* ---- branches -------------------------------------------------------------------------------------------- */
static void publish(struct reach *r, const struct flow *flow, const char *topic, const struct shape *shape)
{
	r->publications = mem_grow(r->publications, &r->capacity, r->count + 1, sizeof *r->publications);
	r->publications[r->count++] = (struct reached_topic){topic, flow, *shape};
}

struct whens {
	struct reach *reach;
	const struct shape *input;
};

static void look_at_when(void *arg, const struct node *branch, bool shared)
{
	struct whens *whens = arg;

	(void)shared;
	look_at_node(whens->reach, node_find(branch, "when"), whens->input);
}

static void look_at_branches(struct reach *r, const struct flow *flow, const struct step *step,
			     const struct shape *input)
{
	struct whens whens = {r, input};
	struct shape shape, unknown = shape_unknown();

	if (step->ops->branches)
		step->ops->branches(step->settings, look_at_when, &whens);
	for (size_t i = 0; i < step->branches_count; i++) {
		const struct branch *branch = &step->branches[i];

		shape = after_steps(r, flow, branch->steps, branch->steps_count, *input);
		publish(r, flow, branch->topic, &shape);
	}
	if (step->on_reject) {
		shape = after_steps(r, flow, step->on_reject->steps, step->on_reject->steps_count, unknown);
		publish(r, flow, step->on_reject->topic, &shape);
	}
}

static struct shape after_steps(struct reach *r, const struct flow *flow, const struct step *steps, size_t n,
				struct shape shape)
{
	for (size_t i = 0; i < n; i++) {
		struct shape before = shape;
		bool known = false;

		look_at_branches(r, flow, &steps[i], &before);
		for (size_t k = 0; k < sizeof known_steps / sizeof *known_steps && !known; k++) {
			known = strcmp(known_steps[k].step, steps[i].ops->name) == 0;
			if (known)
				shape = known_steps[k].after(r, &steps[i], &before);
		}
		if (!known)
			shape = shape_unknown();
	}
	return shape;
}

/* ---- flows ----------------------------------------------------------------------------------------------- */
static void reach_flow(struct reach *, const struct flow *);

/* Of everybody who publishes there; one who is not known for certain makes all of it unknown. */
static struct shape shape_of_topic(struct reach *r, const char *topic)
{
	struct shape shape = shape_unknown();
	bool first = true;

	for (size_t i = 0; i < r->load->topics_count; i++) {
		const struct topic_use *use = &r->load->topics[i];
		const struct flow *flow;

		if (!use->publishes || strcmp(use->topic, topic) != 0)
			continue;
		flow = site_flow(r->site, span_of(use->flow));
		if (!flow || r->flows[flow - r->site->flows] == OPEN)
			return shape_unknown();
		reach_flow(r, flow);
	}
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->publications[i].topic, topic) != 0)
			continue;
		shape = first ? r->publications[i].shape : shape_either(r->arena, &shape, &r->publications[i].shape);
		first = false;
	}
	return shape;
}

static struct shape shape_of_input(struct reach *r, const struct flow *flow)
{
	struct shape shape = shape_unknown(), other;

	for (size_t i = 0; i < flow->subscribes_count; i++) {
		other = shape_of_topic(r, flow->subscribes[i]);
		shape = i == 0 ? other : shape_either(r->arena, &shape, &other);
	}
	return shape;
}

struct sink_look {
	struct reach *reach;
	const struct shape *shape;
};

static void look_at_part(void *arg, struct expression *expression)
{
	struct sink_look *sink = arg;

	look(sink->reach, expression, sink->shape);
}

static void look_at_setting(void *arg, const struct found *found)
{
	if (found->template)
		template_each(found->template, look_at_part, arg);
	if (found->expression)
		look_at_part(arg, found->expression);
}

static void look_at_sink(struct reach *r, const struct flow *flow, const struct shape *shape)
{
	struct sink_look sink = {r, shape};

	if (!flow->sink)
		return;
	settings_each(flow->sink_ops->options, flow->sink->settings, look_at_setting, &sink);
	if (flow->sink->effect.key)
		template_each(flow->sink->effect.key, look_at_part, &sink);
}

/* Where documents come in nobody has read one yet: there is the envelope, and nothing else. */
static void look_at_envelope(struct reach *r, struct expression *expression, const char *code, const char *why)
{
	struct shape absent = {.absent = true, .path = ""};
	struct jq_place place;

	if (!expression || (!r->compiles && expression_check(expression, NULL)))
		return;
	place = (struct jq_place){expression_place(expression), expression_offset(expression)};
	jq_walk(r->arena, expression_source(expression), place, &absent, code, why, r->findings);
}

static void reach_flow(struct reach *r, const struct flow *flow)
{
	enum progress *state = &r->flows[flow - r->site->flows];
	struct shape input, output;

	if (*state != NEW)
		return;
	*state = OPEN;
	input = shape_of_input(r, flow);
	if (flow->sources_count > 0)
		look_at_envelope(
			r, flow->order_by, "order.body",
			"nobody has read the document yet: `order: by` of a flow with `from` sees $envelope, or "
			"is a constant such as '\"all\"'");
	else
		look(r, flow->order_by, &input);
	for (size_t i = 0; i < flow->duplicates_by.count; i++)
		look_at_envelope(r, flow->duplicates_by.items[i], "duplicates.body",
				 "nobody has read the document yet: `duplicates: by` sees $envelope only, such as "
				 "[$envelope.name]");
	output = after_steps(r, flow, flow->steps, flow->steps_count, input);
	for (size_t i = 0; i < flow->expect_count; i++) /* as services/expecting.c asks */
		look(r, flow->expect[i].key,
		     flow->sources_count == 0 && flow->segments_count == 1 ? &input : &output);
	if (flow->publish)
		publish(r, flow, flow->publish, &output);
	if (flow->reject_publish) {
		struct shape unknown = shape_unknown();

		publish(r, flow, flow->reject_publish, &unknown);
	}
	look_at_sink(r, flow, &output);
	*state = DONE;
}

void check_paths(const struct load *load, struct findings *findings)
{
	struct reach r = {.load = load, .site = load->site, .arena = arena_new(), .findings = findings};

	r.compiles = true;
	for (size_t i = 0; i < findings->count; i++)
		r.compiles = r.compiles && strcmp(findings->list[i].code, "jq.compile") != 0;
	r.flows = mem_alloc((load->site->flows_count + 1) * sizeof *r.flows);
	for (size_t i = 0; i < load->site->flows_count; i++)
		reach_flow(&r, &load->site->flows[i]);
	free(r.publications);
	free(r.flows);
	arena_free(r.arena);
}
