/* The queues of a site and what they subscribe to: all that the queue process knows of a configuration. */
#ifndef FERRULE_BASE_TOPOLOGY_H
#define FERRULE_BASE_TOPOLOGY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"

enum queue_kind {
	QUEUE_IN,     /* in.<flow>: waits for the flow's steps */
	QUEUE_OUT,    /* out.<endpoint>: each message is one effect */
	QUEUE_SYSTEM, /* records … */
};

enum order_on_reject { ORDER_NONE, ORDER_CONTINUE, ORDER_HOLD };

struct topology_queue {
	const char *name;
	enum queue_kind kind;
	const char *flow;     /* "" where there is none */
	const char *endpoint; /* QUEUE_OUT */
	const char *system;   /* "" or the system that the endpoint belongs to: `hold` may name it */
	const char *worker;   /* the role that serves it: "transform", "deliver", "record", on demand "sink:<…>" */
	const char *owner, *runbook;
	const char *reject; /* the topic that dead letters of the engine's own are told to (on-reject); "" where none */
	enum order_on_reject order; /* not ORDER_NONE: one message of an order key in flight */
	const char **topics;  /* what is bound to it */
	size_t topics_count;
	const char **gathers; /* queues behind steps that close by group, to which a part in this queue may come */
	size_t gathers_count;
};

struct topology {
	struct arena *arena;
	struct topology_queue *queues;
	size_t count;
	size_t room, slots_count; /* topology.c's own: how many fit, and an index by name */
	uint32_t *slots;
};

#define QUEUE_BACKSTOP "sys.backstop" /* what a broker itself gave up: attributes backstop.queue and backstop.reason */
#define QUEUE_RECORDS "sys.records" /* lineage on its way to the record role */

struct topology *topology_new(void);
void topology_free(struct topology *);
/* The name is copied and stays; other strings are copied by the caller into the arena, and are "" until set. Names are
 * unique. What is returned is good until the next topology_add. */
struct topology_queue *topology_add(struct topology *, const char *name);
const struct topology_queue *topology_find(const struct topology *, struct span name);
void topology_encode(const struct topology *, struct buf *); /* to hand to the queue process on reload */
struct topology *topology_decode_new(struct span, struct error *); /* NULL: REJECT `topology.unreadable` */

#endif
