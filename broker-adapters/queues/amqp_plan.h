/* What the broker is to hold for a topology, and the steps that are left until it does. */
#ifndef FERRULE_ADAPTERS_AMQP_PLAN_H
#define FERRULE_ADAPTERS_AMQP_PLAN_H

#include "base/topology.h"
#include "broker-adapters/queues/amqp_wire.h"

#define AMQP_NAME_MAX 255

enum lane_consumer { LANE_IDLE, LANE_STARTING, LANE_RUNNING, LANE_STOPPING };

struct topic {
	char *name;
	bool wanted, done; /* done: bound when wanted, unbound when not */
};

/* A queue as this process knows it; lanes are never removed, so that their index stays good. */
struct lane {
	const struct topology_queue *queue; /* NULL: no longer in the topology */
	char *name, *full;                  /* as the topology and as the broker call it */
	bool ordered, backstop, declared;
	int refused; /* AMQP's code when it could not be declared; 0: it could */
	struct topic *topics;
	size_t topics_count, topics_capacity;
	/* consuming */
	enum lane_consumer consumer;
	bool consumed;           /* has had its consume-ok, and not lost it */
	unsigned wanted, asked;  /* prefetch */
	unsigned serial;         /* of its consumers */
	int64_t since_ms;        /* when the latest was asked for; clock_tick_ms */
	uint64_t unsettled;
};

struct step;

struct plan {
	const char *exchange, *prefix;
	const struct topology *topology;
	struct lane **lanes;
	size_t lanes_count, lanes_capacity;
	uint32_t *by_queue; /* index in the topology → lane */
	struct step *steps;
	size_t steps_count, steps_capacity, sent, answered;
	bool ground; /* exchanges and the backstop are declared */
	bool created; /* some queue was not there before; the owner clears it */
	char problem[300]; /* what the broker refused last; "" when nothing */
};

void plan_init(struct plan *, const char *exchange, const char *prefix);
void plan_free(struct plan *);
/* FATAL `broker.name` when a name is too long for AMQP. */
int plan_take(struct plan *, const struct topology *, struct error *);
struct lane *plan_lane(struct plan *, const struct topology_queue *); /* NULL when it is not of the current topology */
struct lane *plan_lane_named(struct plan *, struct span full);
void plan_forget(struct plan *); /* a new connection, or the exchange is gone: everything is to be declared again */
void plan_prepare(struct plan *); /* adds the steps that are missing */
bool plan_done(const struct plan *);
int plan_send(struct plan *, struct wire *, unsigned channel); /* as many as may be under way */
void plan_answered(struct plan *);
/* The broker closed the channel over the oldest step: it is left out, the rest goes on over a new channel. True:
 * `problem` says what is wrong; false: it was only asked for a queue that is not there. */
bool plan_refused(struct plan *, int code, struct span text);

#endif
