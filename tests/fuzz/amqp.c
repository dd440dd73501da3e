/* Fuzz target: a message of another program, as a broker hands it over: lines `name: value` with headers and (in
 * capitals) properties, then its body. An envelope that is made of it can be read. */
#include "config.h"
#include "broker-adapters/queues/amqp_header.h"

#include <stdlib.h>

#include "tests/fuzz/lines.h"

static void add_line(struct wire_message *in, struct span line)
{
	struct span name = cut(&line, ' ');

	if (span_is(name, "ID"))
		in->message_id = line;
	else if (span_is(name, "CORRELATION"))
		in->correlation_id = line;
	else if (span_is(name, "TYPE"))
		in->type = line;
	else if (span_is(name, "CONTENT"))
		in->content_type = line;
	else if (span_is(name, "TIME"))
		in->timestamp = line.len < 8 ? line.len : UINT64_MAX;
	else if (in->headers_count < WIRE_HEADERS_MAX)
		in->headers[in->headers_count++] = (struct wire_header){.name = name, .value = line};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_message in = {.headers_count = 0};
	struct span rest = span_make(data, size), line, envelope, body;
	struct message *message;
	struct buf made, content;
	struct error error;

	while ((line = cut(&rest, '\n')).len)
		add_line(&in, line);
	in.body = rest;
	in.body_size = rest.len;
	buf_init(&made, MESSAGE_ENVELOPE_MAX);
	buf_init(&content, WIRE_BODY_MAX);
	if (!header_to_envelope(&in, "in.fuzz", size % 2, &made, &content, &envelope, &body, &error)) {
		message = message_decode_new(envelope, &error);
		/* What claims to be an envelope of ours is judged by the queue process. */
		if (!message && envelope.data == made.data)
			abort();
		message_free(message);
	}
	buf_free(&made);
	buf_free(&content);
	return 0;
}
