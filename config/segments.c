/* Where durable steps cut a flow, and to which of them the parts of a group may come. See site.h and load.h. */
#include "config.h"
#include "config/load.h"

/* "collect", or "collect-2" for the second of a flow. */
static const char *queue_behind(struct load *load, const struct flow *flow, size_t step)
{
	const char *name = flow->steps[step].ops->name;
	unsigned same = 1;

	for (size_t i = 0; i < step; i++)
		same += flow->steps[i].ops->durable && strcmp(flow->steps[i].ops->name, name) == 0;
	return same > 1 ? arena_printf(load->arena, "in.%s/%s-%u", flow->name, name, same)
			: arena_printf(load->arena, "in.%s/%s", flow->name, name);
}

/* What was put in order stays so to the end of the flow. */
static bool puts_in_order(const struct step *step)
{
	return strcmp(step->ops->name, "resequence") == 0;
}

static void check_branch(struct load *load, const struct branch *branch)
{
	for (size_t i = 0; branch && i < branch->steps_count; i++) {
		const struct step *step = &branch->steps[i];

		if (step->ops->durable)
			load_error(load, step->place, "step.durable",
				   "`%s` cannot stand in a branch: publish from the branch, and let another flow "
				   "subscribe and begin with it",
				   step->ops->name);
		for (size_t k = 0; k < step->branches_count; k++)
			check_branch(load, &step->branches[k]);
		check_branch(load, step->on_reject);
	}
}

void load_segments(struct load *load, struct flow *flow)
{
	struct segment *segment = arena_alloc(load->arena, (flow->steps_count + 1) * sizeof *segment);

	flow->segments = segment;
	flow->segments_count = 1;
	segment->queue = flow->queue;
	segment->order = flow->order;
	for (size_t i = 0; i < flow->steps_count; i++) {
		segment->count++;
		for (size_t k = 0; k < flow->steps[i].branches_count; k++)
			check_branch(load, &flow->steps[i].branches[k]);
		check_branch(load, flow->steps[i].on_reject);
		if (!flow->steps[i].ops->durable)
			continue;
		segment[1] = (struct segment){.queue = queue_behind(load, flow, i),
					      .first = i + 1,
					      .behind = &flow->steps[i],
					      .order = segment->order};
		segment++;
		flow->segments_count++;
		if (segment->order == ORDER_NONE && puts_in_order(segment->behind))
			segment->order = ORDER_CONTINUE;
	}
}

const struct flow *site_flow_of_queue(const struct site *site, const char *queue, size_t *segment)
{
	const char *name = strchr(queue, '.'), *end;
	const struct flow *flow;

	if (!name)
		return NULL;
	end = strchr(++name, '/');
	flow = site_flow(site, end ? span_make(name, (size_t)(end - name)) : span_of(name));
	for (size_t i = 0; flow && i < flow->segments_count; i++)
		if (strcmp(flow->segments[i].queue, queue) == 0) {
			*segment = i;
			return flow;
		}
	return NULL;
}

/* ---- which collections a part may come to */
struct walk {
	const struct site *site;
	const char **into;
	size_t n, most;
	const struct flow *seen[SITE_GATHERS_MAX * 4]; /* flows gone through: topics may lead in a circle */
	size_t seen_count;
};

static void found(struct walk *walk, const char *queue)
{
	for (size_t i = 0; i < walk->n; i++)
		if (strcmp(walk->into[i], queue) == 0)
			return;
	if (walk->n < walk->most)
		walk->into[walk->n++] = queue;
}

static void walk_topic(struct walk *, struct span topic);

/* Every `publish:` in a step leads to a topic, whatever the step. */
static void walk_node(struct walk *walk, const struct node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->type == NODE_MAP ? node->pairs[i].value : node->items[i];

		if (value->type != NODE_SCALAR)
			walk_node(walk, value);
		else if (node->type == NODE_MAP && span_is(node->pairs[i].key.text, "publish") && value->text.len)
			walk_topic(walk, value->text);
	}
}

static void walk_flow(struct walk *walk, const struct flow *flow, size_t segment)
{
	for (; segment < flow->segments_count; segment++) {
		const struct segment *here = &flow->segments[segment];
		const struct step *last = here->count ? &flow->steps[here->first + here->count - 1] : NULL;

		for (size_t i = 0; i < here->count; i++)
			if (flow->steps[here->first + i].node->type != NODE_SCALAR)
				walk_node(walk, flow->steps[here->first + i].node);
		if (!last || !last->ops->durable)
			break;
		if (last->ops->gathers && last->ops->gathers(last->settings))
			found(walk, flow->segments[segment + 1].queue);
		if (strcmp(last->ops->name, "collect") == 0)
			return; /* parts become something else there */
	}
	if (flow->publish)
		walk_topic(walk, span_of(flow->publish));
}

static void walk_topic(struct walk *walk, struct span topic)
{
	for (size_t i = 0; i < walk->site->flows_count; i++) {
		const struct flow *flow = &walk->site->flows[i];
		bool subscribes = false, seen = false;

		for (size_t k = 0; k < flow->subscribes_count; k++)
			subscribes = subscribes || span_is(topic, flow->subscribes[k]);
		for (size_t k = 0; k < walk->seen_count; k++)
			seen = seen || walk->seen[k] == flow;
		if (!subscribes || seen || walk->seen_count == sizeof walk->seen / sizeof *walk->seen)
			continue;
		walk->seen[walk->seen_count++] = flow;
		walk_flow(walk, flow, 0);
	}
}

size_t site_gathers(const struct site *site, const struct flow *flow, size_t segment, const char **into, size_t most)
{
	struct walk walk = {.site = site, .into = into, .most = most};

	walk_flow(&walk, flow, segment);
	return walk.n;
}

size_t site_gathers_of_topic(const struct site *site, const char *topic, const char **into, size_t most)
{
	struct walk walk = {.site = site, .into = into, .most = most};

	walk_topic(&walk, span_of(topic));
	return walk.n;
}
