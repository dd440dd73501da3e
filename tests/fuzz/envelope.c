/* Fuzz target: any bytes as the envelope of a message. What is read must be written and read again as the same, and the
 * queue process's quick look must see what the whole reading sees. */
#include "config.h"
#include "base/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct message *message, struct span again)
{
	struct error error;
	struct message *back = message_decode_new(again, &error);
	struct span flow = message->orders_count ? message->orders[0].flow : SPAN_NONE;
	uint64_t order_key;
	struct id id;

	if (!back || !id_equal(&back->id, &message->id) || !span_equal(back->type, message->type) ||
	    back->keys_count != message->keys_count || back->attrs_count != message->attrs_count ||
	    back->orders_count != message->orders_count)
		abort();
	if (!message_peek(again, flow, &id, &order_key) || !id_equal(&id, &message->id) ||
	    order_key != (flow.len ? message_order_find(message, flow) : 0))
		abort();
	message_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error;
	struct message *message = message_decode_new(span_make(data, size), &error);
	struct span whole = span_make(data, size);
	uint64_t order_key;
	struct id id;
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	for (int flow = 0; message && flow < 2; flow++) /* without a flow it looks no further than the id */
		if (message_peek(whole, flow ? SPAN_LITERAL("f") : SPAN_NONE, &id, &order_key) !=
			    !id_is_none(&message->id) ||
		    !id_equal(&id, &message->id))
			abort();
	if (message && !id_is_none(&message->id) && !message_encode(message, &buf, &error))
		compare(message, buf_view(&buf));
	buf_free(&buf);
	message_free(message);
	return 0;
}
