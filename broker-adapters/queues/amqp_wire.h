/* One AMQP connection: what is sent, and what arrives as events. The fence around librabbitmq.
 *
 * wire_new blocks until logged in, at most some seconds; nothing else blocks while wire_writable says yes. Every call
 * that sends returns -1 once the connection has failed; wire_pump then says why. */
#ifndef FERRULE_ADAPTERS_AMQP_WIRE_H
#define FERRULE_ADAPTERS_AMQP_WIRE_H

#include "base/error.h"
#include "base/span.h"
#include "broker-adapters/queues/amqp.h"

#define WIRE_HEADERS_MAX 64
#define WIRE_BODY_MAX MESSAGE_INLINE_MAX

struct wire_header {
	struct span name, value;
	bool bytes; /* sent as a byte array, not as text */
};

struct wire_message {
	struct span message_id, correlation_id, type, content_type, app_id; /* at most 255 bytes each */
	uint64_t timestamp;                                                 /* seconds; 0: none */
	struct wire_header headers[WIRE_HEADERS_MAX];
	size_t headers_count;
	struct span body;
	uint64_t body_size; /* of what arrived; above WIRE_BODY_MAX the body itself is empty */
};

enum wire_kind {
	WIRE_REPLY,     /* a declaration or a binding was done, in the order in which they were asked for */
	WIRE_CONFIRMING,/* confirm mode is on */
	WIRE_ACK, WIRE_NACK, WIRE_RETURN,
	WIRE_DELIVERY,
	WIRE_CONSUMING, /* consume-ok */
	WIRE_CANCELLED, /* cancel-ok: we asked for it */
	WIRE_DROPPED,   /* the broker ended the consumer: its queue is gone */
	WIRE_CLOSED,    /* the broker closed the channel (answered already) */
	WIRE_BLOCKED, WIRE_UNBLOCKED,
};

struct wire_event { /* everything is borrowed for the call */
	enum wire_kind kind;
	unsigned channel;
	uint64_t tag;          /* ACK, NACK, DELIVERY */
	bool multiple;         /* ACK, NACK */
	bool redelivered;
	int code;              /* RETURN, CLOSED: AMQP's reply code */
	struct span text;      /* RETURN, CLOSED, BLOCKED */
	struct span consumer;  /* DELIVERY, CONSUMING, CANCELLED, DROPPED */
	struct span exchange, key; /* RETURN */
	const struct wire_message *message; /* DELIVERY, RETURN */
};

typedef void wire_event_fn(void *arg, const struct wire_event *);

struct wire;

/* RETRY `broker.down`, `broker.login`, `broker.tls`. purpose is shown in the broker's list of connections. */
struct wire *wire_new(const struct amqp_settings *, struct span password, const char *purpose, struct error *);
void wire_free(struct wire *, bool in_good_order); /* in good order: waits a second at most; NULL is legal */
int wire_fd(const struct wire *);
bool wire_writable(const struct wire *); /* room for one publish */
/* Holds back what is less than a segment until it is let go (the kernel waits 0.2 s at most): a burst of publishes
 * costs both sides a fraction of what each alone would. */
void wire_hold(struct wire *, bool);
bool wire_failed(const struct wire *);
bool wire_pending(const struct wire *);  /* something has been read that wire_pump has not yet handled */
/* Handles what arrived, serves heartbeats. 1: there may be more; -1: the connection was lost, RETRY `broker.lost`. */
int wire_pump(struct wire *, wire_event_fn *, void *arg, struct error *);

int wire_channel_open(struct wire *, unsigned channel);
int wire_confirm(struct wire *, unsigned channel);
int wire_exchange(struct wire *, unsigned channel, const char *name, const char *type);
struct wire_queue {
	const char *name;
	const char *dead_exchange, *dead_key; /* NULL: none */
	int delivery_limit;                   /* 0: none */
	bool single_active_consumer;
};
int wire_queue(struct wire *, unsigned channel, const struct wire_queue *);
int wire_check(struct wire *, unsigned channel,
	       const char *queue); /* a REPLY when it exists, else the channel is CLOSED with 404 */
int wire_bind(struct wire *, unsigned channel, const char *queue, const char *exchange, const char *key);
int wire_unbind(struct wire *, unsigned channel, const char *queue, const char *exchange, const char *key);
int wire_consume(struct wire *, unsigned channel, const char *queue, const char *consumer, unsigned prefetch);
int wire_cancel(struct wire *, unsigned channel, const char *consumer);
int wire_publish(struct wire *, unsigned channel, const char *exchange, const char *key, bool mandatory,
		 const struct wire_message *);
int wire_ack(struct wire *, unsigned channel, uint64_t tag, bool multiple);
int wire_nack(struct wire *, unsigned channel, uint64_t tag, bool requeue);
/* Waits for the answer. The channel must have nothing else outstanding. RETRY `broker.queue` when there is no such
 * queue. */
int wire_count(struct wire *, unsigned channel, const char *queue, uint64_t *ready, struct error *);

#endif
