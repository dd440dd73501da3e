/* Topology on the broker, step by step. See amqp_plan.h.
 *
 * Steps are sent many at a time; the broker answers them in order. Declaring what is there already changes nothing. */
#include "config.h"
#include "broker-adapters/queues/amqp_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define STEPS_AT_ONCE 64
#define DELIVERY_LIMIT 1000

enum step_kind {
	STEP_EXCHANGE, STEP_BACKSTOP_EXCHANGE, STEP_OVERSIZE, STEP_BACKSTOP, STEP_BACKSTOP_BIND,
	STEP_CHECK, STEP_QUEUE, STEP_BIND, STEP_UNBIND,
};

struct step {
	enum step_kind kind;
	struct lane *lane;
	char *topic;
};

void plan_init(struct plan *plan, const char *exchange, const char *prefix)
{
	memset(plan, 0, sizeof *plan);
	plan->exchange = exchange;
	plan->prefix = prefix;
}

static void steps_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->steps_count; i++)
		free(plan->steps[i].topic);
	plan->steps_count = plan->sent = plan->answered = 0;
}

static void lane_free(struct lane *lane)
{
	for (size_t i = 0; i < lane->topics_count; i++)
		free(lane->topics[i].name);
	free(lane->topics);
	free(lane->name);
	free(lane->full);
	free(lane);
}

void plan_free(struct plan *plan)
{
	steps_clear(plan);
	for (size_t i = 0; i < plan->lanes_count; i++)
		lane_free(plan->lanes[i]);
	free(plan->lanes);
	free(plan->by_queue);
	free(plan->steps);
}

/* ---- taking a topology --------------------------------------------------------------------------------------- */

static uint32_t lane_index(struct plan *plan, const char *name)
{
	struct lane *lane;

	for (size_t i = 0; i < plan->lanes_count; i++)
		if (!strcmp(plan->lanes[i]->name, name))
			return (uint32_t)i;
	lane = mem_alloc(sizeof *lane);
	lane->name = mem_strdup(name);
	lane->backstop = !strcmp(name, QUEUE_BACKSTOP);
	lane->full = mem_printf("%s%s", plan->prefix, lane->backstop ? "backstop" : name);
	plan->lanes = mem_grow(plan->lanes, &plan->lanes_capacity, plan->lanes_count + 1, sizeof(struct lane *));
	plan->lanes[plan->lanes_count] = lane;
	return (uint32_t)plan->lanes_count++;
}

static struct topic *topic_find(struct lane *lane, const char *name)
{
	for (size_t i = 0; i < lane->topics_count; i++)
		if (!strcmp(lane->topics[i].name, name))
			return &lane->topics[i];
	return NULL;
}

static void want_topic(struct lane *lane, const char *name)
{
	struct topic *topic = topic_find(lane, name);

	if (!topic) {
		lane->topics =
			mem_grow(lane->topics, &lane->topics_capacity, lane->topics_count + 1, sizeof *lane->topics);
		topic = &lane->topics[lane->topics_count++];
		*topic = (struct topic){.name = mem_strdup(name)};
	}
	if (!topic->wanted)
		topic->done = false;
	topic->wanted = true;
}

static void lane_take(struct lane *lane, const struct topology_queue *queue)
{
	bool *kept = mem_alloc((lane->topics_count + 1) * sizeof *kept);
	size_t before = lane->topics_count;

	for (size_t i = 0; queue && i < queue->topics_count; i++) {
		struct topic *known = topic_find(lane, queue->topics[i]);

		if (known && (size_t)(known - lane->topics) < before)
			kept[known - lane->topics] = true;
		want_topic(lane, queue->topics[i]);
	}
	for (size_t i = 0; i < before; i++)
		if (!kept[i] && lane->topics[i].wanted) {
			lane->topics[i].wanted = false;
			lane->topics[i].done = false;
		}
	free(kept);
	lane->queue = queue;
	if (queue && lane->ordered != (queue->order != ORDER_NONE)) {
		lane->ordered = queue->order != ORDER_NONE;
		lane->declared = false;
	}
}

static int check_names(const struct plan *plan, const struct topology *topology, struct error *error)
{
	for (size_t i = 0; i < topology->count; i++) {
		const struct topology_queue *queue = &topology->queues[i];

		if (strlen(plan->prefix) + strlen(queue->name) > AMQP_NAME_MAX)
			return error_set(error, ERROR_FATAL, "broker.name",
					 "queue name %s is longer than AMQP's %d bytes: shorten it", queue->name,
					 AMQP_NAME_MAX);
		for (size_t t = 0; t < queue->topics_count; t++)
			if (strlen(queue->topics[t]) > AMQP_NAME_MAX)
				return error_set(error, ERROR_FATAL, "broker.name",
						 "topic %s is longer than AMQP's %d bytes: shorten it",
						 queue->topics[t], AMQP_NAME_MAX);
	}
	return 0;
}

int plan_take(struct plan *plan, const struct topology *topology, struct error *error)
{
	if (check_names(plan, topology, error))
		return -1;
	plan->topology = topology;
	free(plan->by_queue);
	plan->by_queue = mem_alloc((topology->count + 1) * sizeof *plan->by_queue);
	for (size_t i = 0; i < plan->lanes_count; i++)
		plan->lanes[i]->queue = NULL;
	for (size_t i = 0; i < topology->count; i++) {
		plan->by_queue[i] = lane_index(plan, topology->queues[i].name);
		lane_take(plan->lanes[plan->by_queue[i]], &topology->queues[i]);
	}
	for (size_t i = 0; i < plan->lanes_count; i++)
		if (!plan->lanes[i]->queue)
			lane_take(plan->lanes[i], NULL);
	return 0;
}

struct lane *plan_lane(struct plan *plan, const struct topology_queue *queue)
{
	const struct topology *topology = plan->topology;

	if (!topology || queue < topology->queues || queue >= topology->queues + topology->count)
		return NULL;
	return plan->lanes[plan->by_queue[queue - topology->queues]];
}

struct lane *plan_lane_named(struct plan *plan, struct span full)
{
	for (size_t i = 0; i < plan->lanes_count; i++)
		if (span_is(full, plan->lanes[i]->full))
			return plan->lanes[i];
	return NULL;
}

void plan_forget(struct plan *plan)
{
	steps_clear(plan);
	plan->ground = false;
	plan->problem[0] = '\0';
	for (size_t i = 0; i < plan->lanes_count; i++) {
		struct lane *lane = plan->lanes[i];

		lane->declared = false;
		lane->refused = 0;
		for (size_t t = 0; t < lane->topics_count; t++)
			lane->topics[t].done = lane->topics[t].done && !lane->topics[t].wanted;
	}
}

/* ---- steps --------------------------------------------------------------------------------------------------- */

static void step_add(struct plan *plan, enum step_kind kind, struct lane *lane, const char *topic)
{
	plan->steps = mem_grow(plan->steps, &plan->steps_capacity, plan->steps_count + 1, sizeof *plan->steps);
	plan->steps[plan->steps_count++] = (struct step){.kind = kind, .lane = lane, .topic = mem_strdup(topic)};
}

static void lane_prepare(struct plan *plan, struct lane *lane)
{
	bool new = !lane->declared && lane->queue;

	if (new && !lane->backstop) {
		step_add(plan, STEP_CHECK, lane, NULL);
		step_add(plan, STEP_QUEUE, lane, NULL);
	}
	if (new)
		lane->declared = true; /* asked for; a lost connection forgets it */
	for (size_t i = 0; i < lane->topics_count; i++) {
		struct topic *topic = &lane->topics[i];

		if (topic->wanted && (new || !topic->done))
			step_add(plan, STEP_BIND, lane, topic->name);
		else if (!topic->wanted && !topic->done)
			step_add(plan, STEP_UNBIND, lane, topic->name);
	}
}

void plan_prepare(struct plan *plan)
{
	if (plan_done(plan))
		steps_clear(plan);
	if (!plan->ground)
		for (enum step_kind kind = STEP_EXCHANGE; kind <= STEP_BACKSTOP_BIND; kind++)
			step_add(plan, kind, NULL, NULL);
	plan->ground = true;
	for (size_t i = 0; i < plan->lanes_count; i++)
		lane_prepare(plan, plan->lanes[i]);
}

bool plan_done(const struct plan *plan)
{
	return plan->answered == plan->steps_count;
}

static int step_send(const struct plan *plan, struct wire *wire, unsigned channel, const struct step *step)
{
	char backstop[AMQP_NAME_MAX + 1], oversize[AMQP_NAME_MAX + 1];
	struct lane *lane = step->lane;

	snprintf(backstop, sizeof backstop, "%sbackstop", plan->prefix);
	snprintf(oversize, sizeof oversize, "%soversize", plan->prefix);
	switch (step->kind) {
	case STEP_EXCHANGE:
		return wire_exchange(wire, channel, plan->exchange, "topic");
	case STEP_BACKSTOP_EXCHANGE:
		return wire_exchange(wire, channel, backstop, "fanout");
	case STEP_OVERSIZE:
		return wire_queue(wire, channel, &(struct wire_queue){.name = oversize});
	case STEP_BACKSTOP:
		return wire_queue(wire, channel,
				  &(struct wire_queue){.name = backstop,
						       .dead_exchange = "",
						       .dead_key = oversize,
						       .delivery_limit = DELIVERY_LIMIT});
	case STEP_BACKSTOP_BIND:
		return wire_bind(wire, channel, backstop, backstop, "");
	case STEP_CHECK:
		return wire_check(wire, channel, lane->full);
	case STEP_QUEUE:
		return wire_queue(wire, channel, &(struct wire_queue){.name = lane->full, .dead_exchange = backstop,
								      .delivery_limit = DELIVERY_LIMIT,
								      .single_active_consumer = lane->ordered});
	case STEP_BIND:
		return wire_bind(wire, channel, lane->full, plan->exchange, step->topic);
	case STEP_UNBIND:
		return wire_unbind(wire, channel, lane->full, plan->exchange, step->topic);
	}
	return 0;
}

int plan_send(struct plan *plan, struct wire *wire, unsigned channel)
{
	while (plan->sent < plan->steps_count && plan->sent - plan->answered < STEPS_AT_ONCE)
		if (step_send(plan, wire, channel, &plan->steps[plan->sent++]))
			return -1;
	return 0;
}

void plan_answered(struct plan *plan)
{
	struct step *step;
	struct topic *topic;

	if (plan->answered >= plan->sent)
		return;
	step = &plan->steps[plan->answered++];
	if (step->kind == STEP_QUEUE)
		step->lane->refused = 0;
	topic = step->topic ? topic_find(step->lane, step->topic) : NULL;
	if (topic && topic->wanted == (step->kind == STEP_BIND))
		topic->done = true;
}

bool plan_refused(struct plan *plan, int code, struct span text)
{
	struct step *step;

	if (plan->answered >= plan->sent)
		return false;
	step = &plan->steps[plan->answered++];
	plan->sent = plan->answered;
	if (step->kind == STEP_CHECK) { /* the declaration that follows tells what else may be wrong */
		plan->created = plan->created || code == 404;
		return false;
	}
	if (step->kind == STEP_QUEUE)
		step->lane->refused = code;
	snprintf(plan->problem, sizeof plan->problem, "%s: %d %.*s", step->lane ? step->lane->full : plan->exchange,
		 code, SPAN_ARGS(text));
	return true;
}
