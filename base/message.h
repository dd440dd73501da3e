/* A message: a CloudEvents 1.0 envelope, what Ferrule knows of it, and a body.
 *
 * A message owns an arena; every span in it lives there and dies with it. The body is a reader (counted), or a
 * reference into the vault when it is larger than MESSAGE_INLINE_MAX. The envelope travels as bytes
 * (message_encode), which queues and stores keep without looking inside. Attempts, history, receipts and errors stay
 * in the store. */
#ifndef FERRULE_BASE_MESSAGE_H
#define FERRULE_BASE_MESSAGE_H

#include "base/id.h"
#include "base/mem.h"
#include "base/reader.h"

#define MESSAGE_INLINE_MAX (64u * 1024)
#define MESSAGE_ENVELOPE_MAX (16u * 1024) /* headers above one AMQP frame kill the connection */
#define MESSAGE_KEYS_MAX 16
#define MESSAGE_KEY_MAX 128
#define MESSAGE_ATTRS_MAX 48
#define MESSAGE_ORDERS_MAX 32 /* ordered subscribers of one topic */

struct attr {
	struct span name, value;
};

/* Where the bytes came from: a range of a document in the vault. */
struct origin {
	struct id digest;        /* of the whole document */
	uint64_t offset, length; /* the range that this message was made from */
	struct span name;        /* as the source named it: the file name, the event id */
	struct span ref;         /* where the vault keeps it (vault.h); empty: not kept */
};

/* For one ordered subscriber: the flow and the hash of its order key. */
struct order {
	struct span flow;
	uint64_t key; /* never 0 */
};

enum message_flag {
	MESSAGE_REPLAY = 1, /* sent again by an operator: an effect already made is recognised, whatever its bytes */
	/* collected from what was there before a restore, maybe with others than then: that a target knows the key
	 * proves nothing */
	MESSAGE_REGROUPED = 2,
};

struct message {
	struct arena *arena;

	struct id id;
	struct span source, type, subject, datacontenttype, dataschema; /* CloudEvents */
	int64_t time_ms;                                                /* CloudEvents time */
	struct span correlationid; /* hexadecimal id of the first message; the same all the way */
	struct id causation;       /* the message this one was made from; none for the first */
	struct span traceparent;   /* W3C Trace Context */

	struct span flow;     /* that accepted or made it */
	struct span revision; /* of the configuration, hexadecimal; decides by which rules it runs */
	struct span path;     /* which part of its document this is, as ordinals: "3" or "3/0"; empty: the whole */
	struct span position; /* the same for people: "transaction 3 (control 0003) at byte 512" */
	struct span part;     /* replay of a part: only outputs whose path starts here come out; empty: all */
	uint32_t generation;  /* 0; one more with each `--again` */
	uint32_t flags;
	struct span group; /* of the split that it came from, with its place in it */
	uint32_t group_index, group_size; /* size 0: not known */
	int64_t accepted_ms, expires_ms;  /* 0: never */
	uint32_t attempt;                 /* parks so far because of failures, for the back-off */
	int64_t first_failed_ms;          /* 0: never failed */
	struct origin origin;

	size_t keys_count, attrs_count, orders_count;
	struct attr keys[MESSAGE_KEYS_MAX];   /* business keys: name (".number") and value */
	struct attr *attrs;                   /* what a sink needs: "path", "header.X-Order" …; MESSAGE_ATTRS_MAX */
	struct order orders[MESSAGE_ORDERS_MAX];

	struct reader *body;    /* NULL while only body_ref is known */
	struct span body_ref;   /* in the vault; empty: the body travels inline */
	uint64_t body_size;
	struct id body_digest;
};

struct message *message_new(void);
void message_free(struct message *); /* NULL is legal */
/* A new message with copies of the envelope's fields and a reference to the same body. */
struct message *message_copy(const struct message *);

/* All texts are copied into the arena. */
void message_set(struct message *, struct span *field, struct span value);
/* same pair twice is one; value cut to MESSAGE_KEY_MAX */
int message_key(struct message *, struct span name, struct span value, struct error *);
int message_attr(struct message *, struct span name, struct span value, struct error *); /* replaces one of that name */
struct span message_attr_find(const struct message *, const char *name); /* empty when there is none */
void message_order(struct message *, struct span flow, uint64_t key); /* past MESSAGE_ORDERS_MAX: left out */
uint64_t message_order_find(const struct message *, struct span flow); /* 0 when there is none */
void message_body_take(struct message *, struct reader *); /* takes the reference; sets size, clears body_ref */
/* The digest of the body, computed once; the body must be at hand. */
int message_body_sign(struct message *, struct error *);

/* The envelope as bytes, body excluded; REJECT `envelope.too-large`. */
int message_encode(const struct message *, struct buf *, struct error *);
/* A new message without body; REJECT `envelope.unreadable`. Fields unknown to this version are skipped. */
struct message *message_decode_new(struct span envelope, struct error *);
/* What the queue process needs of an envelope, without decoding all of it: the id, and the order key for a flow (0:
 * none; `flow` may be empty). False when the envelope is damaged. */
bool message_peek(struct span envelope, struct span flow, struct id *id, uint64_t *order_key);

#endif
