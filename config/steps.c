/* Steps: a list in which each item names one transformer. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>
#include <stdlib.h>

#define STEPS_MAX 64  /* in one list */
#define TOTAL_MAX 250 /* of a flow, with those of branches and snippets */
#define DEPTH_MAX 8   /* of branches within branches, and of snippets within snippets */

/* The snippet that is being put in place, within others. */
struct within {
	const struct snippet *snippet;
	const struct snippet_use *use;
	const char *prefix; /* of labels: "outer/inner/" */
	unsigned depth;
	const struct within *outer;
};

struct building { /* of one flow */
	struct load *load;
	struct flow *flow;
	const char **labels;
	size_t labels_count, labels_capacity;
	const struct within *within; /* NULL: in the flow itself */
	unsigned depth;              /* of branches */
	bool full;
};

struct row { /* the steps of one way */
	struct step *steps;
	size_t count, capacity;
	enum form form;
};

static const char *label(struct building *b, const struct choice *choice, const struct node *value)
{
	struct arena *arena = b->load->arena;
	const struct option *main = option_main_of(choice->options);
	char *key = main ? arena_strdup(arena, main->name) : NULL;
	const char *text = choice->name;
	unsigned same = 1;

	if (key && value->type == NODE_MAP)
		value = node_find(value, key);
	if (value && value->type == NODE_SCALAR && value->text.len > 0 && value->text.len <= 64)
		text = arena_printf(arena, "%s:%.*s", choice->name, SPAN_ARGS(value->text));
	if (b->within)
		text = arena_printf(arena, "%s%s", b->within->prefix, text);
	for (size_t i = 0; i < b->labels_count; i++) {
		size_t n = strlen(text);

		same += strncmp(b->labels[i], text, n) == 0 && (b->labels[i][n] == 0 || b->labels[i][n] == '#');
	}
	if (same > 1)
		text = arena_printf(arena, "%s#%u", text, same);
	b->labels = mem_grow(b->labels, &b->labels_capacity, b->labels_count + 1, sizeof *b->labels);
	return b->labels[b->labels_count++] = text;
}

/* Every `publish:` in a step's settings is a topic, whatever the step: only so can check see who publishes what. Those
 * of the steps in its branches are found with them. */
static void find_topics(struct load *load, struct flow *flow, const struct node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->type == NODE_MAP ? node->pairs[i].value : node->items[i];

		if (node->type == NODE_MAP && span_is(node->pairs[i].key.text, "steps"))
			continue;
		if (value->type != NODE_SCALAR)
			find_topics(load, flow, value);
		else if (node->type == NODE_MAP && span_is(node->pairs[i].key.text, "publish") && value->text.len > 0)
			load_topic(load, flow->name, arena_span(load->arena, value->text).data, value->place, true);
	}
}

static const struct choice *find_step(struct load *load, const struct node *item, const struct pair **pair)
{
	struct choice choices[CHOICES_MAX];
	size_t n = choices_of_transformers(load->registry, choices);
	const struct choice *choice = NULL;
	struct choice *found;
	const struct node *key = item;
	const char *near;

	*pair = NULL;
	if (item->type == NODE_MAP && item->count > 0) {
		key = span_is(item->pairs[0].key.text, "on-reject") && item->count > 1 ? &item->pairs[1].key
										       : &item->pairs[0].key;
		for (size_t i = 0; i < item->count && !choice; i++) {
			choice = choice_find(choices, n, item->pairs[i].key.text);
			if (choice)
				*pair = &item->pairs[i];
		}
	} else if (item->type == NODE_SCALAR) {
		choice = choice_find(choices, n, item->text);
	}
	if (choice) {
		found = arena_alloc(load->arena, sizeof *found);
		*found = *choice;
		return found;
	}
	if (key->type != NODE_SCALAR) {
		load_error(load, item->place, "step.form", "a step is a map such as `- map: order-to-erp.jq`");
		return NULL;
	}
	near = choice_nearest(choices, n, key->text);
	if (near)
		load_error(load, key->place, "step.unknown", "unknown step `%.*s`" NEAR, SPAN_ARGS(key->text),
			   NEAR_ARGS(near));
	else
		load_error(load, key->place, "step.unknown", "unknown step `%.*s`; steps are %s", SPAN_ARGS(key->text),
			   choice_names(load->arena, choices, n));
	return NULL;
}

/* {decode: csv, header: yes} and {decode: {format: csv, header: yes}} say the same. */
static const struct node *step_settings(struct load *load, const struct node *item, const struct pair *pair,
					const struct choice *choice)
{
	const struct option *main = option_main_of(choice->options);
	const char *const key[] = {choice->name, "on-reject", NULL};
	struct node *settings, *one;

	if (!pair)
		return node_empty(load, item->place);
	if (item->count == 1 || (item->count == 2 && node_find(item, "on-reject")))
		return pair->value;
	if (!main || pair->value->type == NODE_MAP)
		return node_merge(load, pair->value->type == NODE_MAP ? pair->value : NULL,
				  node_without(load, item, key));
	one = (struct node *)node_empty(load, pair->value->place);
	one->pairs = arena_alloc(load->arena, sizeof *one->pairs);
	one->pairs[0] = *pair;
	one->pairs[0].key.text = span_of(main->name);
	one->count = 1;
	settings = (struct node *)node_merge(load, one, node_without(load, item, key));
	settings->place = item->place;
	return settings;
}

/* What a step takes must be what the one before it gives. Data becomes bytes by itself, JSON bytes become data: only
 * files and what was encoded need a decode. */
static void check_form(struct load *load, const struct transformer_ops *ops, struct place place, enum form *form)
{
	if (ops->takes == FORM_TREE && *form == FORM_BYTES)
		load_error(load, place, "step.form",
			   "`%s` needs data, and this is a document's bytes: put a `decode` before it", ops->name);
	if (ops->gives != FORM_EITHER)
		*form = ops->gives;
}

/* An option of that name is a contract's, whatever the step. */
static bool known_contract(struct load *load, const struct step *step, const struct option *table)
{
	const struct option *option = option_named(table, "contract");
	const char *name, *near, **names;
	const struct node *node;
	size_t count = load->site->contracts_count;

	if (!option || option->type != OPTION_TEXT)
		return true;
	name = *(const char *const *)((const char *)step->settings + option->offset);
	if (!name || site_contract(load->site, name))
		return true;
	names = arena_alloc(load->arena, (count + 1) * sizeof *names);
	for (size_t i = 0; i < count; i++)
		names[i] = load->site->contracts[i].name;
	near = nearest_name(span_of(name), names, count);
	node = step->node->type == NODE_MAP ? node_find(step->node, "contract") : step->node;
	load_error(load, node ? node->place : step->place, "contract.unknown", "there is no contract `%s`" NEAR, name,
		   NEAR_OR_ARGS(near, "", ": it would be canonical/", name, ".schema.json"));
	return false;
}

/* ---- branches -------------------------------------------------------------------------------------------- */
struct branch_settings {
	const char *publish;
	const struct node *steps;
};
static const struct option on_reject_options[] = {
	{.name = "publish",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct branch_settings, publish),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the topic that what this step refuses goes to, with the reason; it is no dead letter then"},
	{.name = "steps",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct branch_settings, steps),
	 .range = "<steps>",
	 .help = "what is done with it before it is published there"},
	OPTION_END,
};
const struct option step_options[] = {
	{.name = "on-reject",
	 .type = OPTION_NODE,
	 .table = on_reject_options,
	 .help = "where what this step refuses goes on as a message, in place of a dead letter"},
	OPTION_END,
};

static void load_row(struct building *, struct row *, const struct node *);

static void load_branch_steps(struct building *b, struct branch *branch, const struct node *steps)
{
	struct row row = {.form = FORM_TREE};

	if (b->depth == DEPTH_MAX) {
		load_error(b->load, steps->place, "step.depth", "branches lie within branches more than %d deep",
			   DEPTH_MAX);
		return;
	}
	b->depth++;
	load_row(b, &row, steps);
	b->depth--;
	branch->steps_count = row.count;
	branch->steps = arena_alloc(b->load->arena, (row.count + 1) * sizeof *row.steps);
	if (row.count)
		memcpy(branch->steps, row.steps, row.count * sizeof *row.steps);
	free(row.steps);
}

/* What it may hold is checked by the step itself; here it is found and its steps are read. */
struct branches {
	struct building *building;
	struct step *step;
	bool loading; /* or else counting */
	size_t count;
};

static void take_branch(void *arg, const struct node *node, bool shared)
{
	struct branches *all = arg;
	struct load *load = all->building->load;
	const struct node *publish = node_find(node, "publish"), *steps = node_find(node, "steps");
	struct branch *branch;

	if (!all->loading) {
		all->count++;
		return;
	}
	branch = &all->step->branches[all->count++];
	branch->place = node->place;
	branch->topic = publish && publish->type == NODE_SCALAR ? arena_span(load->arena, publish->text).data : "";
	branch->label = shared ? arena_printf(load->arena, "%s>%s", all->step->label, branch->topic) : all->step->label;
	if (!node_null(steps))
		load_branch_steps(all->building, branch, steps);
}

static void load_branches(struct building *b, struct step *step)
{
	struct branches all = {.building = b, .step = step};

	if (!step->ops->branches || !step->settings)
		return;
	step->ops->branches(step->settings, take_branch, &all);
	step->branches = arena_alloc(b->load->arena, (all.count + 1) * sizeof *step->branches);
	step->branches_count = all.count;
	all.loading = true;
	all.count = 0;
	step->ops->branches(step->settings, take_branch, &all);
}

static void load_on_reject(struct building *b, struct step *step, const struct node *node)
{
	struct branch_settings settings = {0};
	struct branch *branch = arena_alloc(b->load->arena, sizeof *branch);
	const struct node *publish;

	if (node_null(node) || option_fill(&b->load->options, node, on_reject_options, NULL, &settings))
		return;
	publish = node->type == NODE_MAP ? node_find(node, "publish") : node;
	if (!load_topic(b->load, b->flow->name, settings.publish, publish->place, true))
		return;
	*branch = (struct branch){.topic = settings.publish,
				  .label = arena_printf(b->load->arena, "on-reject:%s", step->label),
				  .place = node->place};
	if (!node_null(settings.steps))
		load_branch_steps(b, branch, settings.steps);
	step->on_reject = branch;
}

/* ---- snippets -------------------------------------------------------------------------------------------- */
static bool in_circle(struct building *b, const struct snippet *snippet, struct place place)
{
	const struct within *within = b->within;
	const char *way = snippet->name;

	for (; within; within = within->outer) {
		way = arena_printf(b->load->arena, "%s → %s", within->snippet->name, way);
		if (within->snippet == snippet)
			break;
	}
	if (within)
		load_error(b->load, place, "snippet.cycle", "snippets use each other in a circle: %s", way);
	else if (b->within && b->within->depth == DEPTH_MAX)
		load_error(b->load, place, "snippet.depth", "snippets use snippets more than %d deep", DEPTH_MAX);
	else
		return false;
	return true;
}

static void use_snippet(struct building *b, struct row *row, const struct node *settings, struct place place)
{
	const struct snippet *snippet;
	const struct within *outer = b->within;
	struct within within;
	const struct node *steps;
	const char *file;

	steps = snippet_steps(b->load, settings, place, &snippet, &file);
	if (!steps || in_circle(b, snippet, place))
		return;
	within = (struct within){
		.snippet = snippet,
		.use = snippet_use_of(b->load, file),
		.prefix = arena_printf(b->load->arena, "%s%s/", outer ? outer->prefix : "", snippet->name),
		.depth = outer ? outer->depth + 1 : 1,
		.outer = outer};
	b->within = &within;
	load_row(b, row, steps);
	b->within = outer;
}

/* ---- a step ---------------------------------------------------------------------------------------------- */
static void load_step(struct building *b, struct row *row, const struct node *item)
{
	struct load *load = b->load;
	const struct pair *pair;
	const struct choice *choice = find_step(load, item, &pair);
	const struct transformer_ops *ops = choice ? choice->ops : NULL;
	const struct node *settings, *on_reject = item->type == NODE_MAP ? node_find(item, "on-reject") : NULL;
	struct step step = {.ops = ops};

	if (!choice)
		return;
	settings = step_settings(load, item, pair, choice);
	step.place = pair ? pair->key.place : item->place;
	step.node = settings;
	if (ops->uses_snippet && on_reject)
		load_error(load, on_reject->place, "snippet.on-reject",
			   "`on-reject` belongs to the steps inside of the snippet");
	if (ops->uses_snippet) {
		if (load_fill(load, settings, choice->options, NULL, choice->size))
			use_snippet(b, row, settings, step.place);
		return;
	}
	step.label = label(b, choice, settings);
	if (b->within)
		step.used = arena_printf(load->arena, "in %s:%d, used at %s", step.place.file, step.place.line,
					 b->within->use->at);
	check_form(load, ops, step.place, &row->form);
	find_topics(load, b->flow, settings);
	step.settings = load_fill(load, settings, choice->options, NULL, choice->size);
	load_branches(b, &step);
	load_on_reject(b, &step, on_reject);
	if (!step.settings || !known_contract(load, &step, choice->options))
		return;
	row->steps = mem_grow(row->steps, &row->capacity, row->count + 1, sizeof *row->steps);
	row->steps[row->count++] = step;
	load->steps = mem_grow(load->steps, &load->steps_capacity, load->steps_count + 1, sizeof *load->steps);
	load->steps[load->steps_count++] = (struct checked_step){ops, step.settings, step.place};
}

static void load_row(struct building *b, struct row *row, const struct node *steps)
{
	if (steps->type != NODE_LIST) {
		load_error(b->load, steps->place, "step.form", "`steps` is a list: each begins with `- `");
		return;
	}
	if (steps->count > STEPS_MAX) {
		load_error(b->load, steps->place, "step.count",
			   "a flow has at most %d steps; publish and subscribe between them", STEPS_MAX);
		return;
	}
	for (size_t i = 0; i < steps->count && !b->full; i++) {
		b->full = b->labels_count >= TOTAL_MAX;
		if (b->full)
			load_error(b->load, steps->items[i]->place, "step.count",
				   "with its branches and snippets this flow has more than %d steps; publish and "
				   "subscribe between them",
				   TOTAL_MAX);
		else
			load_step(b, row, steps->items[i]);
	}
}

void load_steps(struct load *load, struct flow *flow, const struct node *steps)
{
	struct building building = {.load = load, .flow = flow};
	struct row row = {.form = FORM_EITHER};

	if (node_null(steps))
		return;
	for (size_t i = 0; i < flow->sources_count; i++)
		row.form = flow->sources[i].poll ? FORM_BYTES : row.form;
	load_row(&building, &row, steps);
	flow->steps_count = row.count;
	flow->steps = arena_alloc(load->arena, (row.count + 1) * sizeof *flow->steps);
	if (row.count)
		memcpy(flow->steps, row.steps, row.count * sizeof *row.steps);
	free(row.steps);
	free(building.labels);
}
