/* One AMQP connection from inside: librabbitmq is included here, for amqp_wire.c and amqp_wire_send.c only. */
#ifndef FERRULE_ADAPTERS_AMQP_WIRE_INNER_H
#define FERRULE_ADAPTERS_AMQP_WIRE_INNER_H

#include <amqp.h>

#include "base/clock.h"
#include "base/message.h"
#include "broker-adapters/queues/amqp_wire.h"

#define PROPERTY_MAX 255

struct assembly { /* of a message that comes in several frames; only one channel of a connection gets any */
	bool active;
	struct wire_event event;
	struct wire_message message;
	bool detached;   /* too large to keep: what is still needed of it was copied, so that its frames can be freed */
	uint64_t got;
	struct buf body; /* only when it comes in more than one frame */
	char id[PROPERTY_MAX], consumer[PROPERTY_MAX];
	char text[WIRE_HEADERS_MAX][CLOCK_TEXT]; /* header values that are not text */
};

struct wire {
	amqp_connection_state_t connection;
	int fd;
	bool failed, held;
	int status; /* of the library, when failed */
	struct assembly assembly;
};

int wire_lost(struct wire *, int status, struct error *); /* marks it failed; -1 */

static inline amqp_bytes_t bytes_of(struct span span)
{
	return (amqp_bytes_t){.len = span.len, .bytes = (void *)(uintptr_t)span.data};
}

static inline amqp_bytes_t text_of(const char *text)
{
	return amqp_cstring_bytes(text);
}

static inline struct span span_from(amqp_bytes_t bytes)
{
	return span_make(bytes.bytes, bytes.len);
}

static inline amqp_table_entry_t entry_bool(const char *name)
{
	return (amqp_table_entry_t){.key = text_of(name),
				    .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

static inline amqp_table_entry_t entry_text(const char *name, const char *value)
{
	return (amqp_table_entry_t){.key = text_of(name),
				    .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text_of(value)}};
}

static inline amqp_table_entry_t entry_int(const char *name, int value)
{
	return (amqp_table_entry_t){.key = text_of(name), .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = value}};
}

#endif
