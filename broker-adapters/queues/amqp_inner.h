/* What the parts of the adapter share: amqp.c connects and tells how it stands, amqp_consume.c takes and settles,
 * amqp_publish.c publishes. */
#ifndef FERRULE_ADAPTERS_AMQP_INNER_H
#define FERRULE_ADAPTERS_AMQP_INNER_H

#include "broker-adapters/queues/amqp.h"
#include "broker-adapters/queues/amqp_plan.h"
#include "broker-adapters/queues/amqp_probe.h"
#include "broker-adapters/queues/amqp_window.h"
#include "broker-adapters/queues/amqp_wire.h"

enum { CHANNEL_MAIN = 1, CHANNEL_CONTROL = 2 };

struct amqp {
	struct amqp_settings settings;
	struct span password;
	struct loop *loop;
	struct broker_events events;

	struct probe *probe;
	struct wire *in, *out; /* both or none */
	struct watch *in_watch, *out_watch;
	struct timer *retry, *tick, *kick;
	struct timer *young; /* while a queue is too new to be relied on */
	int64_t pause_ms;
	bool confirming, blocked;
	bool broken; /* by `error`; taken down outside of the library's calls */
	struct error error;

	struct plan plan;
	struct window *window;
	struct ledger *ledger;
	struct buf envelope, body; /* of a foreign message */

	struct status {
		bool connected, consuming, blocked;
		char text[sizeof((struct error){0}.text)];
	} told, now;
};

/* amqp.c */
bool amqp_serving(const struct amqp *);             /* connected, confirming, everything declared */
void amqp_tell(struct amqp *, const char *text);    /* the state, when it changed; NULL: the usual text */
void amqp_kick(struct amqp *);                      /* look after everything in the next turn of the loop */
int amqp_sent(struct amqp *, int result);           /* of a wire_ call: passes it on; a failure is looked into soon */

/* amqp_consume.c */
void amqp_on_delivery(struct amqp *, const struct wire_event *);
void amqp_on_consumer(struct amqp *, const struct wire_event *);
void amqp_lanes_update(struct amqp *); /* starts and stops consumers as wanted */
void amqp_lanes_lost(struct amqp *);
void amqp_flush(void *);
int amqp_settle(void *, uint64_t tag, struct error *);
void amqp_settled(void *, uint64_t tag);
void amqp_release(void *, uint64_t tag);
void amqp_fetch(void *, const struct topology_queue *, unsigned n);

/* amqp_publish.c */
void amqp_on_answer(struct amqp *, const struct wire_event *);
void amqp_on_return(struct amqp *, const struct wire_event *);
void amqp_fail_publishes(struct amqp *, const struct error *);
int amqp_publish(void *, uint64_t token, const struct publication *, struct error *);

#endif
