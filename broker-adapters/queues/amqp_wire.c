/* The fence around librabbitmq. See amqp_wire.h.
 *
 * The library's sockets do not block; its calls wait inside when a socket is full. Callers ask wire_writable first,
 * and the kernel's TCP_USER_TIMEOUT ends a connection whose peer takes nothing at all. Frames are read one by one
 * with a time-out of zero: everything that came is handled before the descriptor is watched again, since the library
 * reads ahead. */
#include "config.h"
#include "broker-adapters/queues/amqp_wire.h"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "broker-adapters/queues/amqp_wire_inner.h"

#define LOGIN_WAIT_S 4
#define ANSWER_WAIT_S 4
#define FRAMES_AT_ONCE 2000
#define FRAME_MAX 131072
#define CHANNEL_MAX 16
#define SEND_BUFFER (4 * 1024 * 1024)

/* ---- connecting ---------------------------------------------------------------------------------------------- */

static int explain(struct error *error, const char *code, const struct amqp_settings *settings, amqp_rpc_reply_t reply)
{
	const char *host = settings->host;

	if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
		amqp_connection_close_t *close = reply.reply.decoded;

		return error_set(error, ERROR_RETRY, code, "%s refused user %s on vhost %s: %d %.*s", host,
				 settings->user, settings->vhost, close->reply_code, (int)close->reply_text.len,
				 (char *)close->reply_text.bytes);
	}
	return error_set(error, ERROR_RETRY, code, "login of user %s at %s failed: %s", settings->user, host,
			 amqp_error_string2(reply.library_error));
}

/* The capabilities without which a deleted queue or a blocked connection stays silent. */
static int login(struct wire *wire, const struct amqp_settings *settings, struct span password, const char *purpose,
		 struct error *error)
{
	amqp_table_entry_t capabilities[] = {entry_bool("consumer_cancel_notify"), entry_bool("connection.blocked"),
					     entry_bool("publisher_confirms"), entry_bool("basic.nack"),
					     entry_bool("authentication_failure_close")};
	amqp_table_entry_t properties[3] = {entry_text("product", "ferrule")};
	char name[128], *secret = mem_span_dup(password);
	amqp_table_t table = {.num_entries = 3, .entries = properties};
	amqp_rpc_reply_t reply;

	snprintf(name, sizeof name, "%s (%s)", settings->name, purpose);
	properties[1] = entry_text("connection_name", name);
	properties[2] = (amqp_table_entry_t){
		.key = text_of("capabilities"),
		.value = {.kind = AMQP_FIELD_KIND_TABLE,
			  .value.table = {.num_entries = sizeof capabilities / sizeof *capabilities,
					  .entries = capabilities}}};
	reply = amqp_login_with_properties(wire->connection, settings->vhost, CHANNEL_MAX, FRAME_MAX,
					   (int)(settings->heartbeat_ms / 1000), &table, AMQP_SASL_METHOD_PLAIN,
					   settings->user, secret);
	explicit_bzero(secret, password.len);
	free(secret);
	if (reply.reply_type != AMQP_RESPONSE_NORMAL)
		return explain(error, "broker.login", settings, reply);
	return 0;
}

static amqp_socket_t *socket_tls(struct wire *wire, const struct amqp_tls *tls, struct error *error)
{
	amqp_socket_t *socket = amqp_ssl_socket_new(wire->connection);

	if (!socket) {
		error_set(error, ERROR_RETRY, "broker.tls", "TLS cannot be started");
		return NULL;
	}
	amqp_ssl_socket_set_verify_peer(socket, tls->verify);
	amqp_ssl_socket_set_verify_hostname(socket, tls->verify);
	amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
	if (tls->ca && amqp_ssl_socket_set_cacert(socket, tls->ca)) {
		error_set(error, ERROR_RETRY, "broker.tls", "%s holds no certificate of an authority", tls->ca);
		return NULL;
	}
	if (tls->cert && amqp_ssl_socket_set_key(socket, tls->cert, tls->key ? tls->key : tls->cert)) {
		error_set(error, ERROR_RETRY, "broker.tls", "certificate %s and key %s cannot be used together",
			  tls->cert, tls->key ? tls->key : tls->cert);
		return NULL;
	}
	return socket;
}

static int open_socket(struct wire *wire, const struct amqp_settings *settings, struct error *error)
{
	struct timeval wait = {.tv_sec = LOGIN_WAIT_S};
	amqp_socket_t *socket =
		settings->tls.enabled ? socket_tls(wire, &settings->tls, error) : amqp_tcp_socket_new(wire->connection);
	int status;

	if (!socket)
		return -1;
	status = amqp_socket_open_noblock(socket, settings->host, (int)settings->port, &wait);
	if (status)
		return error_set(error, ERROR_RETRY, settings->tls.enabled ? "broker.tls" : "broker.down",
				 "no connection to %s port %d: %s", settings->host, (int)settings->port,
				 amqp_error_string2(status));
	wire->fd = amqp_get_sockfd(wire->connection);
	return 0;
}

/* A large buffer, so that what wire_writable allows goes in whole; and an end to waiting for a peer that takes
 * nothing. */
static void tune_socket(const struct wire *wire, const struct amqp_settings *settings)
{
	int size = SEND_BUFFER;
	unsigned wait = settings->heartbeat_ms ? (unsigned)settings->heartbeat_ms * 2 : 30000;

	setsockopt(wire->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(wire->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &wait, sizeof wait);
}

struct wire *wire_new(const struct amqp_settings *settings, struct span password, const char *purpose,
		      struct error *error)
{
	struct timeval login_wait = {.tv_sec = LOGIN_WAIT_S}, answer_wait = {.tv_sec = ANSWER_WAIT_S};
	struct wire *wire = mem_alloc(sizeof *wire);

	wire->fd = -1;
	buf_init(&wire->assembly.body, WIRE_BODY_MAX);
	wire->connection = amqp_new_connection();
	if (!wire->connection)
		abort();
	amqp_set_handshake_timeout(wire->connection, &login_wait);
	amqp_set_rpc_timeout(wire->connection, &answer_wait);
	if (open_socket(wire, settings, error) || login(wire, settings, password, purpose, error)) {
		wire_free(wire, false);
		return NULL;
	}
	tune_socket(wire, settings);
	return wire;
}

void wire_free(struct wire *wire, bool in_good_order)
{
	struct timeval wait = {.tv_sec = 1};

	if (!wire)
		return;
	if (in_good_order && !wire->failed && wire_writable(wire)) {
		amqp_set_rpc_timeout(wire->connection, &wait);
		amqp_connection_close(wire->connection, AMQP_REPLY_SUCCESS);
	}
	amqp_destroy_connection(wire->connection);
	buf_free(&wire->assembly.body);
	free(wire);
}

int wire_fd(const struct wire *wire)
{
	return wire->fd;
}

bool wire_writable(const struct wire *wire)
{
	struct pollfd poll_fd = {.fd = wire->fd, .events = POLLOUT};

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLOUT;
}

void wire_hold(struct wire *wire, bool held)
{
	int cork = held;

	if (wire->held == held)
		return;
	wire->held = held;
	setsockopt(wire->fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);
}

bool wire_failed(const struct wire *wire)
{
	return wire->failed;
}

bool wire_pending(const struct wire *wire)
{
	return amqp_frames_enqueued(wire->connection) || amqp_data_in_buffer(wire->connection);
}

/* ---- receiving ----------------------------------------------------------------------------------------------- */

static struct span value_text(const amqp_field_value_t *value, char text[CLOCK_TEXT])
{
	switch (value->kind) {
	case AMQP_FIELD_KIND_UTF8:
	case AMQP_FIELD_KIND_BYTES:
		return span_from(value->value.bytes);
	case AMQP_FIELD_KIND_BOOLEAN:
		return span_of(value->value.boolean ? "true" : "false");
	case AMQP_FIELD_KIND_I8:
		snprintf(text, CLOCK_TEXT, "%d", value->value.i8);
		break;
	case AMQP_FIELD_KIND_I16:
		snprintf(text, CLOCK_TEXT, "%d", value->value.i16);
		break;
	case AMQP_FIELD_KIND_I32:
		snprintf(text, CLOCK_TEXT, "%" PRId32, value->value.i32);
		break;
	case AMQP_FIELD_KIND_I64:
		snprintf(text, CLOCK_TEXT, "%" PRId64, value->value.i64);
		break;
	case AMQP_FIELD_KIND_U64:
		snprintf(text, CLOCK_TEXT, "%" PRIu64, value->value.u64);
		break;
	case AMQP_FIELD_KIND_TIMESTAMP:
		if (value->value.u64 > INT64_MAX / 1000)
			return SPAN_NONE;
		clock_format((int64_t)value->value.u64 * 1000, text);
		break;
	default:
		return SPAN_NONE;
	}
	return span_of(text);
}

static void take_properties(struct assembly *assembly, const amqp_basic_properties_t *properties)
{
	struct wire_message *message = &assembly->message;
	amqp_flags_t flags = properties->_flags;

#define TAKE(flag, field)                                                                                              \
	if (flags & (flag))                                                                                            \
	message->field = span_from(properties->field)
	TAKE(AMQP_BASIC_MESSAGE_ID_FLAG, message_id);
	TAKE(AMQP_BASIC_CORRELATION_ID_FLAG, correlation_id);
	TAKE(AMQP_BASIC_TYPE_FLAG, type);
	TAKE(AMQP_BASIC_CONTENT_TYPE_FLAG, content_type);
	TAKE(AMQP_BASIC_APP_ID_FLAG, app_id);
#undef TAKE
	message->timestamp = flags & AMQP_BASIC_TIMESTAMP_FLAG ? properties->timestamp : 0;
	if (!(flags & AMQP_BASIC_HEADERS_FLAG))
		return;
	for (int i = 0; i < properties->headers.num_entries && message->headers_count < WIRE_HEADERS_MAX; i++) {
		const amqp_table_entry_t *entry = &properties->headers.entries[i];
		size_t n = message->headers_count;
		struct span value = value_text(&entry->value, assembly->text[n]);

		if (value.data)
			message->headers[message->headers_count++] =
				(struct wire_header){.name = span_from(entry->key), .value = value};
	}
}

static void message_begin(struct assembly *assembly, const struct wire_event *event)
{
	assembly->active = true;
	assembly->event = *event;
	assembly->event.message = &assembly->message;
	memset(&assembly->message, 0, sizeof assembly->message);
	assembly->got = 0;
	assembly->detached = false;
	buf_reset(&assembly->body);
}

static struct span keep(char into[PROPERTY_MAX], struct span text)
{
	size_t len = text.len > PROPERTY_MAX ? PROPERTY_MAX : text.len;

	if (len)
		memcpy(into, text.data, len);
	return span_make(into, len);
}

static void message_detach(struct assembly *assembly)
{
	struct wire_message *message = &assembly->message;
	uint64_t size = message->body_size;
	struct span id = keep(assembly->id, message->message_id);

	assembly->detached = true;
	assembly->event.consumer = keep(assembly->consumer, assembly->event.consumer);
	assembly->event.text = assembly->event.exchange = assembly->event.key = SPAN_NONE;
	memset(message, 0, sizeof *message);
	message->body_size = size;
	message->message_id = id;
}

static void message_end(struct wire *wire, wire_event_fn *fn, void *arg)
{
	struct assembly *assembly = &wire->assembly;

	assembly->active = false;
	if (assembly->body.len)
		assembly->message.body = buf_view(&assembly->body);
	fn(arg, &assembly->event);
}

static void on_content(struct wire *wire, const amqp_frame_t *frame, wire_event_fn *fn, void *arg)
{
	struct assembly *assembly = &wire->assembly;
	struct wire_message *message = &assembly->message;

	if (!assembly->active || frame->channel != assembly->event.channel)
		return;
	if (frame->frame_type == AMQP_FRAME_HEADER) {
		message->body_size = frame->payload.properties.body_size;
		take_properties(assembly, frame->payload.properties.decoded);
		if (message->body_size > WIRE_BODY_MAX)
			message_detach(assembly);
	} else {
		struct span part = span_from(frame->payload.body_fragment);

		assembly->got += part.len;
		if (part.len == message->body_size && part.len <= WIRE_BODY_MAX)
			message->body = part;
		else if (message->body_size <= WIRE_BODY_MAX)
			buf_span(&assembly->body, part);
	}
	if (assembly->got >= message->body_size)
		message_end(wire, fn, arg);
}

static void on_delivery(struct wire *wire, unsigned channel, const amqp_basic_deliver_t *deliver)
{
	message_begin(&wire->assembly, &(struct wire_event){.kind = WIRE_DELIVERY, .channel = channel,
							    .tag = deliver->delivery_tag,
							    .redelivered = deliver->redelivered,
							    .consumer = span_from(deliver->consumer_tag)});
}

static void on_return(struct wire *wire, unsigned channel, const amqp_basic_return_t *back)
{
	message_begin(&wire->assembly, &(struct wire_event){.kind = WIRE_RETURN,
							    .channel = channel,
							    .code = back->reply_code,
							    .text = span_from(back->reply_text),
							    .exchange = span_from(back->exchange),
							    .key = span_from(back->routing_key)});
}

static int on_channel_close(struct wire *wire, unsigned channel, const amqp_channel_close_t *close,
			    struct wire_event *event)
{
	amqp_channel_close_ok_t answer = {0};

	if (wire->assembly.active && wire->assembly.event.channel == channel)
		wire->assembly.active = false;
	event->kind = WIRE_CLOSED;
	event->code = close->reply_code;
	event->text = span_from(close->reply_text);
	return amqp_send_method(wire->connection, (amqp_channel_t)channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer);
}

/* Fills the event from a method; 1: nothing to report. */
static int event_from(struct wire *wire, unsigned channel, amqp_method_t method, struct wire_event *event)
{
	switch (method.id) {
	case AMQP_BASIC_ACK_METHOD: {
		amqp_basic_ack_t *ack = method.decoded;

		event->kind = WIRE_ACK;
		event->tag = ack->delivery_tag;
		event->multiple = ack->multiple;
		return 0;
	}
	case AMQP_BASIC_NACK_METHOD: {
		amqp_basic_nack_t *nack = method.decoded;

		event->kind = WIRE_NACK;
		event->tag = nack->delivery_tag;
		event->multiple = nack->multiple;
		return 0;
	}
	case AMQP_BASIC_CONSUME_OK_METHOD:
		event->kind = WIRE_CONSUMING;
		event->consumer = span_from(((amqp_basic_consume_ok_t *)method.decoded)->consumer_tag);
		return 0;
	case AMQP_BASIC_CANCEL_OK_METHOD:
		event->kind = WIRE_CANCELLED;
		event->consumer = span_from(((amqp_basic_cancel_ok_t *)method.decoded)->consumer_tag);
		return 0;
	case AMQP_BASIC_CANCEL_METHOD:
		event->kind = WIRE_DROPPED;
		event->consumer = span_from(((amqp_basic_cancel_t *)method.decoded)->consumer_tag);
		return 0;
	case AMQP_CONFIRM_SELECT_OK_METHOD:
		event->kind = WIRE_CONFIRMING;
		return 0;
	case AMQP_EXCHANGE_DECLARE_OK_METHOD:
	case AMQP_QUEUE_DECLARE_OK_METHOD:
	case AMQP_QUEUE_BIND_OK_METHOD:
	case AMQP_QUEUE_UNBIND_OK_METHOD:
		event->kind = WIRE_REPLY;
		return 0;
	case AMQP_CONNECTION_BLOCKED_METHOD:
		event->kind = WIRE_BLOCKED;
		event->text = span_from(((amqp_connection_blocked_t *)method.decoded)->reason);
		return 0;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		event->kind = WIRE_UNBLOCKED;
		return 0;
	case AMQP_CHANNEL_CLOSE_METHOD:
		return on_channel_close(wire, channel, method.decoded, event);
	default:
		return 1;
	}
}

static int on_connection_close(struct wire *wire, const amqp_connection_close_t *close, struct error *error)
{
	amqp_connection_close_ok_t answer = {0};

	error_set(error, ERROR_RETRY, "broker.lost", "the broker closed the connection: %d %.*s", close->reply_code,
		  (int)close->reply_text.len, (char *)close->reply_text.bytes);
	amqp_send_method(wire->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
	wire->failed = true;
	wire->status = AMQP_STATUS_CONNECTION_CLOSED;
	return -1;
}

static int on_method(struct wire *wire, const amqp_frame_t *frame, wire_event_fn *fn, void *arg, struct error *error)
{
	amqp_method_t method = frame->payload.method;
	struct wire_event event = {.channel = frame->channel};
	int status;

	if (method.id == AMQP_BASIC_DELIVER_METHOD) {
		on_delivery(wire, frame->channel, method.decoded);
		return 0;
	}
	if (method.id == AMQP_BASIC_RETURN_METHOD) {
		on_return(wire, frame->channel, method.decoded);
		return 0;
	}
	if (method.id == AMQP_CONNECTION_CLOSE_METHOD)
		return on_connection_close(wire, method.decoded, error);
	status = event_from(wire, frame->channel, method, &event);
	if (status <= 0)
		fn(arg, &event);
	return 0;
}

int wire_lost(struct wire *wire, int status, struct error *error)
{
	if (!wire->failed)
		wire->status = status;
	wire->failed = true;
	return error_set(error, ERROR_RETRY, "broker.lost", "the connection to the broker was lost: %s",
			 amqp_error_string2(wire->status));
}

int wire_pump(struct wire *wire, wire_event_fn *fn, void *arg, struct error *error)
{
	static const struct timeval at_once = {0};

	for (int i = 0; i < FRAMES_AT_ONCE; i++) {
		amqp_frame_t frame;
		int status = AMQP_STATUS_OK;

		if (wire->failed)
			return wire_lost(wire, wire->status, error);
		status = amqp_simple_wait_frame_noblock(wire->connection, &frame, &at_once);
		if (status == AMQP_STATUS_TIMEOUT)
			return 0;
		if (status != AMQP_STATUS_OK)
			return wire_lost(wire, status, error);
		if (frame.frame_type == AMQP_FRAME_METHOD) {
			if (on_method(wire, &frame, fn, arg, error))
				return -1;
		} else if (frame.frame_type == AMQP_FRAME_HEADER || frame.frame_type == AMQP_FRAME_BODY) {
			on_content(wire, &frame, fn, arg);
		}
		/* A message in parts refers to the memory of its earlier frames. */
		if (!wire->assembly.active || wire->assembly.detached || wire->assembly.event.channel != frame.channel)
			amqp_maybe_release_buffers_on_channel(wire->connection, frame.channel);
	}
	return 1;
}
