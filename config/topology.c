/* From a site to its queues: what the queue process is told of a configuration. See base/topology.h. */
#include "config.h"
#include "config/site.h"

static char *copy(struct topology *topology, const char *text)
{
	return arena_strdup(topology->arena, text ? text : "");
}

static void add_gathers(struct topology *topology, const struct site *site, const struct flow *flow, size_t segment,
			struct topology_queue *queue)
{
	const char *gathers[SITE_GATHERS_MAX];

	queue->gathers_count = site_gathers(site, flow, segment, gathers, SITE_GATHERS_MAX);
	queue->gathers = arena_alloc(topology->arena, (queue->gathers_count + 1) * sizeof *queue->gathers);
	for (size_t i = 0; i < queue->gathers_count; i++)
		queue->gathers[i] = copy(topology, gathers[i]);
}

static void add_in(struct topology *topology, const struct site *site, const struct flow *flow, size_t segment)
{
	struct topology_queue *queue = topology_add(topology, flow->segments[segment].queue);

	queue->kind = QUEUE_IN;
	queue->flow = copy(topology, flow->name);
	queue->worker = "transform";
	queue->owner = copy(topology, flow->owner);
	queue->runbook = copy(topology, flow->runbook);
	queue->reject = copy(topology, flow->reject_publish);
	queue->order = flow->segments[segment].order;
	add_gathers(topology, site, flow, segment, queue);
	if (segment > 0)
		return;
	queue->topics_count = flow->subscribes_count;
	queue->topics = arena_alloc(topology->arena, (flow->subscribes_count + 1) * sizeof *queue->topics);
	for (size_t i = 0; i < flow->subscribes_count; i++)
		queue->topics[i] = copy(topology, flow->subscribes[i]);
}

static void add_out(struct topology *topology, const struct flow *flow)
{
	struct topology_queue *queue = topology_add(topology, flow->out_queue);

	queue->kind = QUEUE_OUT;
	queue->flow = copy(topology, flow->name);
	queue->endpoint = copy(topology, flow->sink->name);
	queue->system = copy(topology, flow->sink->system);
	queue->worker = flow->sink_ops->shared ? "deliver" : arena_printf(topology->arena, "sink:%s", flow->sink->name);
	queue->owner = copy(topology, flow->owner);
	queue->runbook = copy(topology, flow->runbook);
	queue->reject = copy(topology, flow->reject_publish);
	queue->order = flow->segments[flow->segments_count - 1].order;
}

static void add_system(struct topology *topology, const char *name)
{
	struct topology_queue *queue = topology_add(topology, name);

	queue->kind = QUEUE_SYSTEM;
	queue->worker = "record";
}

struct topology *site_topology_new(const struct site *site)
{
	struct topology *topology = topology_new();

	for (size_t i = 0; i < site->flows_count; i++) {
		for (size_t k = 0; k < site->flows[i].segments_count; k++)
			add_in(topology, site, &site->flows[i], k);
		if (site->flows[i].sink)
			add_out(topology, &site->flows[i]);
	}
	add_system(topology, QUEUE_RECORDS);
	if (site->broker && !site->broker->shares_db)
		add_system(topology, QUEUE_BACKSTOP);
	return topology;
}
