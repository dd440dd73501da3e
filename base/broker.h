/* What the queue process asks of a message broker. broker-adapters/queues/ implements it; only the queue
 * process uses it. The engine above (services/queue/) does sessions, credit, units, hand-over, order, parks and holds,
 * the same for every broker; a broker moves messages and says what is durable.
 *
 * Life of a publish: broker_publish, then exactly one `published` callback with its token: CONFIRMED (the broker has
 * it, or will have it when the open transaction of `db` commits), RETURNED (no queue took it) or FAILED (with an error:
 * RETRY). Life of a delivery: a `delivered` callback, then `settle` within the engine's transaction and `settled` after
 * its commit, or `release`. */
#ifndef FERRULE_BASE_BROKER_H
#define FERRULE_BASE_BROKER_H

#include "base/db.h"
#include "base/loop.h"
#include "base/message.h"
#include "base/option.h"
#include "base/topology.h"

enum published { PUBLISH_CONFIRMED, PUBLISH_RETURNED, PUBLISH_FAILED };

/* What is published: an encoded envelope and an inline body (empty when the envelope has a body_ref). Borrowed for the
 * call. */
struct publication {
	const char *topic; /* one of topic and queue */
	const char *queue;
	bool optional;     /* no subscriber is no failure: CONFIRMED */
	struct span envelope, body;
	struct span message_id; /* 32 bytes, to tell returns apart */
};

struct broker_events {
	void *arg;
	void (*published)(void *arg, uint64_t token, enum published, const struct error *);
	/* A message for the queue; envelope and body are borrowed for the call. tag is the broker's own, unique while
	 * unsettled. */
	void (*delivered)(void *arg, const struct topology_queue *, uint64_t tag, bool redelivered,
			  struct span envelope,
			  struct span body);
	/* The connection was lost: every unsettled tag of this broker is void (its messages come again), every publish
	 * without an answer has failed already. Comes before reconnection. */
	void (*lost)(void *arg, const struct error *);
	/* on change, for readiness and status */
	void (*state)(void *arg, bool connected, bool consuming, bool blocked, const char *text);
};

struct broker_counts {
	uint64_t ready, unsettled;
	int64_t oldest_ms; /* when the oldest ready message was published; 0: not known */
};

struct broker_ops {
	const char *name, *help;
	const struct option *options; /* of site.yaml's `queue:` */
	size_t settings_size;
	/* true: publish and settle are part of the engine's db transaction, which must be open (spool) */
	bool shares_db;
	/* Starts; does not wait for a connection. Everything is borrowed until close. */
	void *(*open)(const void *settings, struct span password, struct loop *, struct db *,
		      const struct broker_events *,
		      struct error *);
	void (*close)(void *);
	/* Declares queues and bindings; may be called again with a later topology. Queues no longer named are unbound,
	 * never deleted while not empty. Keeps the pointer until the next call. Not connected: done on connecting. */
	int (*declare)(void *, const struct topology *, struct error *);
	/* -1: not taken (RETRY `broker.window`: the window is full, `broker.down`, `broker.blocked`): no callback will
	 * come. */
	int (*publish)(void *, uint64_t token, const struct publication *, struct error *);
	/* End of a burst, outside a transaction: write what is buffered; what the last transaction published may be
	 * read. */
	void (*flush)(void *);
	/* Up to n unsettled deliveries of this queue from now on; 0 stops (what is unsettled stays so; of an ordered
	 * queue that another machine reads now it is given back at once, on RabbitMQ with the connection: `lost`). */
	void (*fetch)(void *, const struct topology_queue *, unsigned n);
	/* in the engine's transaction (spool deletes; amqp does nothing yet) */
	int (*settle)(void *, uint64_t tag, struct error *);
	void (*settled)(void *, uint64_t tag);               /* after its commit (amqp acks); tag is void afterwards */
	/* give it back to be delivered again, to anyone, in its old place where possible */
	void (*release)(void *, uint64_t tag);
	/* the transaction failed: what was published and settled in it is undone */
	void (*rolled_back)(void *);
	int (*count)(void *, const struct topology_queue *, struct broker_counts *, struct error *);
};

#endif
