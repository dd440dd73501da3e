/* What came into the queues of a broker with a database of its own, and what nothing in the store would bring forth
 * again: documents as they were accepted, results of collections, members that went on. A backup cannot copy a broker's
 * queues. From these it makes everything again that was in them: the same work has the same ids, so that what was
 * delivered is recognised. */
#include "config.h"
#include "operations/store.h"

#include <stdlib.h>

#include "base/fault.h"
#include "operations/store_private.h"

#define PORTION 200

int store_intake_put(struct store *store, const char *queue, struct span envelope, struct span body, int64_t now,
		     struct error *error)
{
	struct message *message = message_decode_new(envelope, error);
	int result = -1;

	if (message) {
		struct value values[] = {
			STORE_ID(&message->id),
			VALUE_OF_INT(message->generation),
			STORE_TEXT(queue),
			VALUE_OF_INT(now),
			VALUE_OF_INT(message->expires_ms ? message->expires_ms : INT64_MAX),
			store_text(message->revision),
			VALUE_OF_BLOB(envelope),
			VALUE_OF_BLOB(body),
		};

		result = db_run(store->db,
				"INSERT INTO intake (message, generation, queue, at_ms, until_ms, revision, envelope, "
				"body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
				" ON CONFLICT (message, generation, queue) DO NOTHING",
				values, STORE_COUNT(values), NULL, NULL, error);
	}
	message_free(message);
	FAULT("store.intake");
	return result;
}

/* ---- after a restore */
struct again {
	int64_t number;
	char *queue;
	struct buf envelope, body;
};

struct portion {
	struct again list[PORTION];
	size_t count;
};

static void keep(struct buf *into, struct span bytes)
{
	buf_init(into, MESSAGE_INLINE_MAX + MESSAGE_ENVELOPE_MAX);
	buf_span(into, bytes);
}

static int take_again(void *arg, const struct value *row, size_t columns)
{
	struct portion *portion = arg;
	struct again *again = &portion->list[portion->count++];

	again->number = row[0].number;
	again->queue = mem_span_dup(row[1].bytes);
	keep(&again->envelope, row[2].bytes);
	keep(&again->body, row[3].type == VALUE_NULL ? SPAN_NONE : row[3].bytes);
	return portion->count == PORTION;
}

/* in.orders, in.orders/collect: orders */
static struct span flow_of(const char *queue)
{
	const char *name = strncmp(queue, "in.", 3) ? queue : queue + 3;

	return span_make(name, strcspn(name, "/"));
}

static int park(struct store *store, const struct again *again, int64_t now, struct error *error)
{
	struct span envelope = buf_view(&again->envelope);
	struct message *message = message_decode_new(envelope, NULL);
	struct store_park park = {
		.queue = again->queue, .due = now, .envelope = envelope, .body = buf_view(&again->body)};
	int result;

	if (!message) /* damaged, and then it was so before: nothing could have been made of it */
		return 0;
	park.order_key = message_order_find(message, flow_of(again->queue));
	park.message_id = id_span(&message->id);
	result = store_park_put(store, &park, now, error);
	message_free(message);
	return result;
}

int store_intake_again(struct store *store, int64_t now, struct error *error)
{
	struct portion *portion = mem_alloc(sizeof *portion);
	int64_t after = 0;
	int result = 0;

	do {
		struct value values[] = {VALUE_OF_INT(after), VALUE_OF_INT(now), VALUE_OF_INT(PORTION)};

		portion->count = 0;
		result = db_run(store->db,
				"SELECT number, queue, envelope, body FROM intake WHERE number > $1 AND until_ms > $2"
				" ORDER BY number LIMIT $3",
				values, 3, take_again, portion, error);
		for (size_t i = 0; i < portion->count; i++) {
			struct again *again = &portion->list[i];

			if (!result)
				result = park(store, again, now, error);
			after = again->number;
			free(again->queue);
			buf_free(&again->envelope);
			buf_free(&again->body);
		}
	} while (!result && portion->count == PORTION);
	free(portion);
	return result;
}
