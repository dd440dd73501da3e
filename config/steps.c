/* Steps: a list in which each item names one transformer. See load.h. */
#include "config.h"
#include "config/load.h"

#define STEPS_MAX 64

static const char *label(struct load *load, const struct flow *flow, const struct choice *choice,
			 const struct node *value)
{
	const struct option *main = option_main_of(choice->options);
	char *key = main ? arena_strdup(load->arena, main->name) : NULL;
	const char *text = choice->name;
	unsigned same = 1;

	if (key && value->type == NODE_MAP)
		value = node_find(value, key);
	if (value && value->type == NODE_SCALAR && value->text.len > 0 && value->text.len <= 64)
		text = arena_printf(load->arena, "%s:%.*s", choice->name, SPAN_ARGS(value->text));
	for (size_t i = 0; i < flow->steps_count; i++) {
		const char *other = flow->steps[i].label;
		size_t n = strlen(text);

		same += strncmp(other, text, n) == 0 && (other[n] == 0 || other[n] == '#');
	}
	return same > 1 ? arena_printf(load->arena, "%s#%u", text, same) : text;
}

/* Every `publish:` in a step's settings is a topic, whatever the step: only so can check see who publishes what. */
static void find_topics(struct load *load, struct flow *flow, const struct node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->type == NODE_MAP ? node->pairs[i].value : node->items[i];

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
		for (size_t i = 0; i < item->count && !choice; i++) {
			choice = choice_find(choices, n, item->pairs[i].key.text);
			if (choice)
				*pair = &item->pairs[i];
		}
		key = &item->pairs[0].key;
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
		load_error(load, key->place, "step.unknown", "unknown step `%.*s`; did you mean `%s`?",
			   SPAN_ARGS(key->text), near);
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
	const char *const key[] = {choice->name, NULL};
	struct node *settings, *one;

	if (!pair)
		return node_empty(load, item->place);
	if (item->count == 1)
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
	load_error(load, node ? node->place : step->place, "contract.unknown", "there is no contract `%s`%s%s%s", name,
		   near ? "; did you mean `" : ": it would be canonical/", near ? near : name,
		   near ? "`?" : ".schema.json");
	return false;
}

static void load_step(struct load *load, struct flow *flow, const struct node *item, enum form *form)
{
	const struct pair *pair;
	const struct choice *choice = find_step(load, item, &pair);
	const struct node *settings;
	struct step *step;

	if (!choice)
		return;
	settings = step_settings(load, item, pair, choice);
	step = &flow->steps[flow->steps_count];
	step->ops = choice->ops;
	step->place = pair ? pair->key.place : item->place;
	step->node = settings;
	step->label = label(load, flow, choice, settings);
	check_form(load, step->ops, step->place, form);
	find_topics(load, flow, settings);
	step->settings = load_fill(load, settings, choice->options, NULL, choice->size);
	if (!step->settings || !known_contract(load, step, choice->options))
		return;
	flow->steps_count++;
	load->steps = mem_grow(load->steps, &load->steps_capacity, load->steps_count + 1, sizeof *load->steps);
	load->steps[load->steps_count++] = (struct checked_step){step->ops, step->settings, step->place};
}

void load_steps(struct load *load, struct flow *flow, const struct node *steps)
{
	enum form form = FORM_EITHER;

	if (node_null(steps))
		return;
	if (steps->type != NODE_LIST) {
		load_error(load, steps->place, "step.form", "`steps` is a list: each begins with `- `");
		return;
	}
	if (steps->count > STEPS_MAX) {
		load_error(load, steps->place, "step.count",
			   "a flow has at most %d steps; publish and subscribe between them", STEPS_MAX);
		return;
	}
	flow->steps = arena_alloc(load->arena, (steps->count + 1) * sizeof *flow->steps);
	for (size_t i = 0; i < flow->sources_count; i++)
		form = flow->sources[i].poll ? FORM_BYTES : form;
	for (size_t i = 0; i < steps->count; i++)
		load_step(load, flow, steps->items[i], &form);
}
