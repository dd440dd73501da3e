/* What is sent over an AMQP connection. See amqp_wire.h. */
#include "config.h"
#include "broker-adapters/queues/amqp_wire_inner.h"

static int sent(struct wire *wire, int status)
{
	if (status >= 0)
		return 0;
	if (!wire->failed)
		wire->status = status;
	wire->failed = true;
	return -1;
}

static int send_method(struct wire *wire, unsigned channel, amqp_method_number_t id, void *method)
{
	return wire->failed ? -1 : sent(wire, amqp_send_method(wire->connection, (amqp_channel_t)channel, id, method));
}

int wire_channel_open(struct wire *wire, unsigned channel)
{
	amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};

	return send_method(wire, channel, AMQP_CHANNEL_OPEN_METHOD, &open);
}

int wire_confirm(struct wire *wire, unsigned channel)
{
	amqp_confirm_select_t select = {0};

	return send_method(wire, channel, AMQP_CONFIRM_SELECT_METHOD, &select);
}

int wire_exchange(struct wire *wire, unsigned channel, const char *name, const char *type)
{
	amqp_exchange_declare_t declare = {.exchange = text_of(name), .type = text_of(type), .durable = 1};

	return send_method(wire, channel, AMQP_EXCHANGE_DECLARE_METHOD, &declare);
}

int wire_queue(struct wire *wire, unsigned channel, const struct wire_queue *queue)
{
	amqp_table_entry_t entries[5];
	amqp_queue_declare_t declare = {.queue = text_of(queue->name), .durable = 1, .arguments.entries = entries};
	int n = 0;

	entries[n++] = entry_text("x-queue-type", "quorum");
	if (queue->delivery_limit)
		entries[n++] = entry_int("x-delivery-limit", queue->delivery_limit);
	if (queue->dead_exchange)
		entries[n++] = entry_text("x-dead-letter-exchange", queue->dead_exchange);
	if (queue->dead_key)
		entries[n++] = entry_text("x-dead-letter-routing-key", queue->dead_key);
	if (queue->single_active_consumer)
		entries[n++] = entry_bool("x-single-active-consumer");
	declare.arguments.num_entries = n;
	return send_method(wire, channel, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

int wire_check(struct wire *wire, unsigned channel, const char *queue)
{
	amqp_queue_declare_t declare = {.queue = text_of(queue), .passive = 1};

	return send_method(wire, channel, AMQP_QUEUE_DECLARE_METHOD, &declare);
}

int wire_bind(struct wire *wire, unsigned channel, const char *queue, const char *exchange, const char *key)
{
	amqp_queue_bind_t bind = {.queue = text_of(queue), .exchange = text_of(exchange), .routing_key = text_of(key)};

	return send_method(wire, channel, AMQP_QUEUE_BIND_METHOD, &bind);
}

int wire_unbind(struct wire *wire, unsigned channel, const char *queue, const char *exchange, const char *key)
{
	amqp_queue_unbind_t unbind = {
		.queue = text_of(queue), .exchange = text_of(exchange), .routing_key = text_of(key)};

	return send_method(wire, channel, AMQP_QUEUE_UNBIND_METHOD, &unbind);
}

int wire_consume(struct wire *wire, unsigned channel, const char *queue, const char *consumer, unsigned prefetch)
{
	amqp_basic_qos_t qos = {.prefetch_count = (uint16_t)(prefetch > UINT16_MAX ? UINT16_MAX : prefetch)};
	amqp_basic_consume_t consume = {.queue = text_of(queue), .consumer_tag = text_of(consumer)};

	if (send_method(wire, channel, AMQP_BASIC_QOS_METHOD, &qos))
		return -1;
	return send_method(wire, channel, AMQP_BASIC_CONSUME_METHOD, &consume);
}

int wire_cancel(struct wire *wire, unsigned channel, const char *consumer)
{
	amqp_basic_cancel_t cancel = {.consumer_tag = text_of(consumer)};

	return send_method(wire, channel, AMQP_BASIC_CANCEL_METHOD, &cancel);
}

static void give_property(amqp_basic_properties_t *properties, amqp_flags_t flag, amqp_bytes_t *field,
			  struct span value)
{
	if (!value.len)
		return;
	if (value.len > PROPERTY_MAX)
		value.len = PROPERTY_MAX;
	properties->_flags |= flag;
	*field = bytes_of(value);
}

int wire_publish(struct wire *wire, unsigned channel, const char *exchange, const char *key, bool mandatory,
		 const struct wire_message *message)
{
	amqp_table_entry_t entries[WIRE_HEADERS_MAX];
	amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
					      .delivery_mode = AMQP_DELIVERY_PERSISTENT};

	if (wire->failed)
		return -1;
	give_property(&properties, AMQP_BASIC_MESSAGE_ID_FLAG, &properties.message_id, message->message_id);
	give_property(&properties, AMQP_BASIC_CORRELATION_ID_FLAG, &properties.correlation_id, message->correlation_id);
	give_property(&properties, AMQP_BASIC_TYPE_FLAG, &properties.type, message->type);
	give_property(&properties, AMQP_BASIC_CONTENT_TYPE_FLAG, &properties.content_type, message->content_type);
	give_property(&properties, AMQP_BASIC_APP_ID_FLAG, &properties.app_id, message->app_id);
	if (message->timestamp) {
		properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
		properties.timestamp = message->timestamp;
	}
	for (size_t i = 0; i < message->headers_count; i++)
		entries[i] = (amqp_table_entry_t){
			.key = bytes_of(message->headers[i].name),
			.value = {.kind = message->headers[i].bytes ? AMQP_FIELD_KIND_BYTES : AMQP_FIELD_KIND_UTF8,
				  .value.bytes = bytes_of(message->headers[i].value)}};
	properties._flags |= AMQP_BASIC_HEADERS_FLAG;
	properties.headers = (amqp_table_t){.num_entries = (int)message->headers_count, .entries = entries};
	return sent(wire, amqp_basic_publish(wire->connection, (amqp_channel_t)channel, text_of(exchange), text_of(key),
					     mandatory, 0, &properties, bytes_of(message->body)));
}

int wire_ack(struct wire *wire, unsigned channel, uint64_t tag, bool multiple)
{
	return wire->failed ? -1 : sent(wire, amqp_basic_ack(wire->connection, (amqp_channel_t)channel, tag, multiple));
}

int wire_nack(struct wire *wire, unsigned channel, uint64_t tag, bool requeue)
{
	return wire->failed ? -1
			    : sent(wire, amqp_basic_nack(wire->connection, (amqp_channel_t)channel, tag, 0, requeue));
}

static int count_refused(struct wire *wire, unsigned channel, const amqp_channel_close_t *close, struct error *error)
{
	amqp_channel_close_ok_t answer = {0};

	error_set(error, ERROR_RETRY, "broker.queue", "%d %.*s", close->reply_code, (int)close->reply_text.len,
		  (char *)close->reply_text.bytes);
	if (!send_method(wire, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer))
		wire_channel_open(wire, channel);
	return -1;
}

int wire_count(struct wire *wire, unsigned channel, const char *queue, uint64_t *ready, struct error *error)
{
	amqp_queue_declare_ok_t *answer;
	amqp_rpc_reply_t reply;

	if (wire->failed)
		return wire_lost(wire, wire->status, error);
	answer = amqp_queue_declare(wire->connection, (amqp_channel_t)channel, text_of(queue), 1, 0, 0, 0,
				    amqp_empty_table);
	if (answer) {
		*ready = answer->message_count;
		return 0;
	}
	reply = amqp_get_rpc_reply(wire->connection);
	if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD)
		return count_refused(wire, channel, reply.reply.decoded, error);
	return wire_lost(wire,
			 reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION ? reply.library_error
									     : AMQP_STATUS_CONNECTION_CLOSED,
			 error);
}
