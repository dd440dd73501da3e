/* Between envelopes and AMQP's properties and headers. See amqp_header.h. */
#include "config.h"
#include "broker-adapters/queues/amqp_header.h"

#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

/* ---- out --------------------------------------------------------------------------------------------------------- */

static void add(struct wire_message *out, const char *name, struct span value)
{
	if (value.len && out->headers_count < WIRE_HEADERS_MAX)
		out->headers[out->headers_count++] = (struct wire_header){.name = span_of(name), .value = value};
}

void header_from_publication(const struct publication *publication, struct wire_message *out, struct header_text *text)
{
	struct message *message = message_decode_new(publication->envelope, NULL);
	struct id id = {{0}};

	memset(out, 0, sizeof *out);
	text->message = message;
	text->id[0] = '\0';
	if (id_from_span(&id, publication->message_id) == 0)
		id_hex(&id, text->id);
	out->message_id = span_of(text->id);
	out->app_id = SPAN_LITERAL("ferrule");
	out->body = publication->body;
	out->headers[out->headers_count++] = (struct wire_header){
		.name = SPAN_LITERAL(HEADER_ENVELOPE), .value = publication->envelope, .bytes = true};
	if (!message)
		return;
	out->correlation_id = message->correlationid;
	out->type = message->type;
	out->content_type = message->datacontenttype;
	out->timestamp = message->time_ms > 0 ? (uint64_t)message->time_ms / 1000 : 0;
	/* one of ours, which nobody else reads: the broker decodes every header of every message */
	if (publication->queue)
		return;
	clock_format(message->time_ms, text->time);
	add(out, "ce-specversion", SPAN_LITERAL("1.0"));
	add(out, "ce-id", span_of(text->id));
	add(out, "ce-source", message->source);
	add(out, "ce-type", message->type);
	add(out, "ce-time", message->time_ms ? span_of(text->time) : SPAN_NONE);
	add(out, "ce-subject", message->subject);
	add(out, "ce-dataschema", message->dataschema);
	add(out, "ce-dataref", message->body_ref);
	add(out, "ce-correlationid", message->correlationid);
	add(out, "ce-traceparent", message->traceparent);
}

void header_text_free(struct header_text *text)
{
	message_free(text->message);
	text->message = NULL;
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static struct span find(const struct wire_message *in, const char *name)
{
	for (size_t i = 0; i < in->headers_count; i++)
		if (span_is(in->headers[i].name, name))
			return in->headers[i].value;
	return SPAN_NONE;
}

/* The attribute's name when the header is one of CloudEvents'. */
static struct span attribute_of(struct span header)
{
	static const char *const prefixes[] = {"ce-", "ce_", "cloudEvents:", "cloudEvents_"};

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t n = strlen(prefixes[i]);

		if (header.len > n && !strncasecmp(header.data, prefixes[i], n))
			return span_make(header.data + n, header.len - n);
	}
	return SPAN_NONE;
}

/* What is not in the table is of no use to us: id and time are read apart, extensions have no place in the envelope. */
static void set_attribute(struct message *message, struct span *id, struct span name, struct span value)
{
	if (span_is(name, "id"))
		*id = value;
	else if (span_is(name, "source"))
		message_set(message, &message->source, value);
	else if (span_is(name, "type"))
		message_set(message, &message->type, value);
	else if (span_is(name, "subject"))
		message_set(message, &message->subject, value);
	else if (span_is(name, "datacontenttype"))
		message_set(message, &message->datacontenttype, value);
	else if (span_is(name, "dataschema"))
		message_set(message, &message->dataschema, value);
	else if (span_is(name, "correlationid"))
		message_set(message, &message->correlationid, value);
	else if (span_is(name, "traceparent"))
		message_set(message, &message->traceparent, value);
	else if (span_is(name, "time"))
		clock_parse(value, &message->time_ms);
}

static int set_data(json_t *event, struct buf *body)
{
	json_t *data = json_object_get(event, "data");
	const char *base64 = json_string_value(json_object_get(event, "data_base64"));
	char *text;

	if (base64)
		return base64_decode(body, span_of(base64));
	if (json_is_string(data))
		return buf_append(body, json_string_value(data), json_string_length(data));
	text = data ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	if (text)
		buf_text(body, text);
	free(text);
	return 0;
}

/* CloudEvents 1.0 JSON, structured mode. -1: it is not, so the body goes on as it is and fails at the first step that
 * reads it. */
static int take_structured(struct message *message, struct span *id, const struct wire_message *in, struct buf *body)
{
	json_t *event = json_loadb(in->body.data, in->body.len, JSON_REJECT_DUPLICATES, NULL), *value;
	const char *name;

	if (!json_is_object(event) || set_data(event, body)) {
		json_decref(event);
		buf_reset(body);
		return -1;
	}
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	json_object_foreach (event, name, value)
		if (json_is_string(value))
			set_attribute(message, id, span_of(name),
				      span_make(json_string_value(value), json_string_length(value)));
	*id = id->len ? arena_span(message->arena, *id) : *id;
	json_decref(event);
	return 0;
}

static bool is_structured(struct span type)
{
	return span_starts(type, "application/cloudevents+json");
}

/* Identity: what the sender calls it, else what it holds. Without any id two equal bodies are one message. */
static struct id identity(const struct message *message, struct span id, struct span body)
{
	struct span parts[] = {message->source, id.len ? id : body};

	return id_of(parts, 2);
}

static struct message *foreign_new(const struct wire_message *in, const char *queue, struct buf *body_buf,
				   struct span *body)
{
	struct message *message = message_new();
	struct span id = in->message_id;
	char hex[ID_TEXT];

	message_set(message, &message->type, in->type.len ? in->type : SPAN_LITERAL("amqp.message"));
	message_set(message, &message->datacontenttype, in->content_type);
	message_set(message, &message->correlationid, in->correlation_id);
	message->source = span_of(arena_printf(message->arena, "amqp:%s", queue));
	if (in->timestamp && in->timestamp < INT64_MAX / 1000)
		message->time_ms = (int64_t)in->timestamp * 1000;
	*body = in->body;
	if (is_structured(in->content_type) && !take_structured(message, &id, in, body_buf))
		*body = buf_view(body_buf);
	else
		for (size_t i = 0; i < in->headers_count; i++)
			set_attribute(message, &id, attribute_of(in->headers[i].name), in->headers[i].value);
	message->id = identity(message, id, *body);
	id_hex(&message->id, hex);
	if (!message->correlationid.len)
		message_set(message, &message->correlationid, span_of(hex));
	message->accepted_ms = clock_now_ms();
	if (!message->time_ms)
		message->time_ms = message->accepted_ms;
	message->body_size = body->len;
	message->body_digest = id_digest(*body);
	return message;
}

/* Why the broker gave up on it: the engine keeps that with the dead letter. */
static void set_death(struct message *message, const struct wire_message *in)
{
	message_attr(message, SPAN_LITERAL("backstop.reason"), find(in, "x-first-death-reason"), NULL);
	message_attr(message, SPAN_LITERAL("backstop.queue"), find(in, "x-first-death-queue"), NULL);
}

int header_to_envelope(const struct wire_message *in, const char *queue, bool backstop, struct buf *envelope_buf,
		       struct buf *body_buf, struct span *envelope, struct span *body, struct error *error)
{
	struct span own = find(in, HEADER_ENVELOPE);
	struct message *message;
	int result;

	*envelope = own;
	*body = in->body;
	if (own.len && !backstop)
		return 0;
	message = own.len ? message_decode_new(own, NULL) : foreign_new(in, queue, body_buf, body);
	if (!message)
		return 0; /* unreadable: the engine refuses it with the reason */
	if (backstop)
		set_death(message, in);
	result = message_encode(message, envelope_buf, error);
	message_free(message);
	*envelope = buf_view(envelope_buf);
	return result;
}
