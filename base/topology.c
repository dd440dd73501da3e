/* The queues of a site. See topology.h.
 *
 * As bytes: a version, the number of queues, then each one's numbers and texts; lengths are u32, little-endian. */
#include "config.h"
#include "base/topology.h"

#define TOPOLOGY_VERSION 3
#define TEXTS 7

struct topology *topology_new(void)
{
	struct arena *arena = arena_new();
	struct topology *topology = arena_alloc(arena, sizeof *topology);

	topology->arena = arena;
	return topology;
}

void topology_free(struct topology *topology)
{
	if (topology)
		arena_free(topology->arena);
}

/* FNV-1a: names come from the operator, who has nothing to gain from collisions. */
static size_t hash(struct span name)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.data[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static void index_put(struct topology *topology, size_t number)
{
	size_t mask = topology->slots_count - 1, at = hash(span_of(topology->queues[number].name)) & mask;

	while (topology->slots[at])
		at = (at + 1) & mask;
	topology->slots[at] = (uint32_t)number + 1;
}

static void grow(struct topology *topology)
{
	size_t room = topology->room ? topology->room * 2 : 8;
	struct topology_queue *queues = arena_alloc(topology->arena, room * sizeof *queues);

	if (topology->count)
		memcpy(queues, topology->queues, topology->count * sizeof *queues);
	topology->queues = queues;
	topology->room = room;
	topology->slots_count = room * 2;
	topology->slots = arena_alloc(topology->arena, topology->slots_count * sizeof *topology->slots);
	for (size_t i = 0; i < topology->count; i++)
		index_put(topology, i);
}

struct topology_queue *topology_add(struct topology *topology, const char *name)
{
	struct topology_queue *queue;

	if (topology->count == topology->room)
		grow(topology);
	queue = &topology->queues[topology->count];
	*queue = (struct topology_queue){.name = arena_strdup(topology->arena, name), .flow = "", .endpoint = "",
					 .system = "", .worker = "", .owner = "", .runbook = "", .reject = ""};
	index_put(topology, topology->count++);
	return queue;
}

const struct topology_queue *topology_find(const struct topology *topology, struct span name)
{
	size_t mask = topology->slots_count - 1;

	if (!topology->count)
		return NULL;
	for (size_t at = hash(name) & mask; topology->slots[at]; at = (at + 1) & mask)
		if (span_is(name, topology->queues[topology->slots[at] - 1].name))
			return &topology->queues[topology->slots[at] - 1];
	return NULL;
}

static void put_names(struct buf *buf, const char **names, size_t n)
{
	buf_u32(buf, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		buf_field(buf, span_of(names[i]));
}

static void texts_of(struct topology_queue *queue, const char **texts[TEXTS])
{
	texts[0] = &queue->flow;
	texts[1] = &queue->endpoint;
	texts[2] = &queue->system;
	texts[3] = &queue->worker;
	texts[4] = &queue->owner;
	texts[5] = &queue->runbook;
	texts[6] = &queue->reject;
}

void topology_encode(const struct topology *topology, struct buf *buf)
{
	buf_u8(buf, TOPOLOGY_VERSION);
	buf_u32(buf, (uint32_t)topology->count);
	for (size_t i = 0; i < topology->count; i++) {
		struct topology_queue queue = topology->queues[i];
		const char **texts[TEXTS];

		texts_of(&queue, texts);
		buf_field(buf, span_of(queue.name));
		buf_u8(buf, (uint8_t)queue.kind);
		buf_u8(buf, (uint8_t)queue.order);
		for (size_t t = 0; t < TEXTS; t++)
			buf_field(buf, span_of(*texts[t]));
		put_names(buf, queue.topics, queue.topics_count);
		put_names(buf, queue.gathers, queue.gathers_count);
	}
}

/* A NUL inside would make two different names look alike. */
static bool take_text(struct arena *arena, struct span *in, const char **text)
{
	struct span field;

	if (!take_field(in, &field) || (field.len && memchr(field.data, '\0', field.len)))
		return false;
	*text = arena_span(arena, field).data;
	return true;
}

static bool take_names(struct arena *arena, struct span *in, const char ***names, size_t *n)
{
	uint32_t count;

	if (!take_u32(in, &count) || count > in->len / 4)
		return false;
	*names = arena_alloc(arena, (count + 1u) * sizeof **names);
	*n = count;
	for (size_t i = 0; i < count; i++)
		if (!take_text(arena, in, &(*names)[i]))
			return false;
	return true;
}

static bool take_queue(struct topology *topology, struct span *in)
{
	struct topology_queue *queue;
	const char *name, **texts[TEXTS];
	uint8_t kind, order;

	if (!take_text(topology->arena, in, &name) || !take_u8(in, &kind) || !take_u8(in, &order) ||
	    kind > QUEUE_SYSTEM ||
	    order > ORDER_HOLD || topology_find(topology, span_of(name)))
		return false;
	queue = topology_add(topology, name);
	queue->kind = (enum queue_kind)kind;
	queue->order = (enum order_on_reject)order;
	texts_of(queue, texts);
	for (size_t t = 0; t < TEXTS; t++)
		if (!take_text(topology->arena, in, texts[t]))
			return false;
	return take_names(topology->arena, in, &queue->topics, &queue->topics_count) &&
	       take_names(topology->arena, in, &queue->gathers, &queue->gathers_count);
}

struct topology *topology_decode_new(struct span bytes, struct error *error)
{
	struct topology *topology = topology_new();
	struct span rest = bytes;
	uint8_t version;
	uint32_t count;

	if (!take_u8(&rest, &version) || version != TOPOLOGY_VERSION || !take_u32(&rest, &count))
		goto unreadable;
	for (uint32_t i = 0; i < count; i++)
		if (!take_queue(topology, &rest))
			goto unreadable;
	if (!rest.len)
		return topology;
unreadable:
	topology_free(topology);
	error_set(error, ERROR_REJECT, "topology.unreadable",
		  "a list of queues of %zu bytes is damaged or from another version", bytes.len);
	return NULL;
}
