/* Questions, intents, and what the supervisor says. See queue.h. */
#include "config.h"
#include "base/queue.h"

#include <stdlib.h>

#include "base/queue_private.h"

static struct request *request_add(struct queue *queue, enum frame answer)
{
	struct request *request = mem_alloc(sizeof *request);

	request->number = ++queue->last_request;
	request->answer = answer;
	buf_init(&request->bytes, WIRE_ANSWER_MAX);
	request->next = queue->requests;
	queue->requests = request;
	return request;
}

static void request_drop(struct queue *queue, struct request *request)
{
	struct request **at = request_find(queue, request->number, request->answer);

	*at = request->next;
	request_free(request);
}

static int request_wait(struct queue *queue, struct request *request, int wait_ms, struct error *error)
{
	int64_t until = queue_real_ms() + wait_ms;

	while (!request->done) {
		int64_t left = until - queue_real_ms();

		if (wait_ms >= 0 && left <= 0)
			return error_set(error, ERROR_RETRY, "queue.silent",
					 "the queue process did not answer within %d ms", wait_ms);
		if (queue_wait(queue, wait_ms < 0 ? -1 : (int)left, error))
			return -1;
	}
	if (!request->error.class)
		return 0;
	if (error)
		*error = request->error;
	return -1;
}

static int seen_some(struct queue *queue, const struct id *sources, size_t n, enum seen *seen, struct id *messages,
		     struct error *error)
{
	struct request *request = request_add(queue, FRAME_SEEN_ANSWER);
	struct buf *out = &queue->channel.out;
	size_t at = wire_begin(out, FRAME_SEEN_ASK);
	struct span in;
	int result = -1;

	buf_u32(out, request->number);
	for (size_t i = 0; i < n; i++)
		buf_span(out, id_span(&sources[i]));
	if (!queue_end(queue, at)) {
		error_set(error, ERROR_RETRY, "queue.window", "too much waits to be sent to the queue process");
		goto done;
	}
	if (request_wait(queue, request, -1, error))
		goto done;
	in = buf_view(&request->bytes);
	for (size_t i = 0; i < n; i++) {
		struct id message;
		uint8_t how;

		if (!take_u8(&in, &how) || how > SEEN_DIED || !wire_take_id(&in, &message)) {
			queue_is_gone(queue, error);
			goto done;
		}
		seen[i] = (enum seen)how;
		if (messages)
			messages[i] = message;
	}
	result = 0;
done:
	request_drop(queue, request);
	return result;
}

int queue_seen(struct queue *queue, const struct id *sources, size_t n, enum seen *seen, struct id *messages,
	       struct error *error)
{
	if (queue_failed(queue, error))
		return -1;
	for (size_t at = 0; at < n; at += WIRE_SOURCES_MAX) {
		size_t some = n - at < WIRE_SOURCES_MAX ? n - at : WIRE_SOURCES_MAX;

		if (seen_some(queue, sources + at, some, seen + at, messages ? messages + at : NULL, error))
			return -1;
	}
	return 0;
}

int queue_intend(struct queue *queue, const struct id *key, const char *endpoint, const struct message *message,
		 const struct id *digest, intend_done_fn *done, void *arg, struct error *error)
{
	struct buf *out = &queue->channel.out;
	struct span body = SPAN_NONE;
	struct request *request;
	size_t at;

	if (queue_failed(queue, error) || queue_envelope(queue, message, error))
		return -1;
	if (message->body && !message->body_ref.len && message->body_size <= MESSAGE_INLINE_MAX &&
	    reader_view(message->body, &body, error))
		return -1;
	request = request_add(queue, FRAME_INTENDED);
	request->intended = done;
	request->arg = arg;
	at = wire_begin(out, FRAME_INTEND);
	buf_u32(out, request->number);
	buf_span(out, id_span(key));
	buf_span(out, id_span(digest));
	buf_field(out, span_of(endpoint));
	buf_field(out, buf_view(&queue->scratch));
	buf_field(out, body);
	if (queue_end(queue, at))
		return 0;
	request_drop(queue, request);
	return error_set(error, ERROR_RETRY, "queue.window", "too much waits to be sent to the queue process");
}

static int send_json(struct queue *queue, size_t at, const char *name, json_t *json)
{
	struct buf *out = &queue->channel.out;
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	bool sent;

	buf_field(out, span_of(name));
	buf_field(out, span_of(text ? text : "{}"));
	sent = queue_end(queue, at);
	free(text);
	return sent ? 0 : -1;
}

int queue_state(struct queue *queue, const char *endpoint, json_t *state)
{
	return send_json(queue, wire_begin(&queue->channel.out, FRAME_STATE), endpoint, state);
}

int queue_ask(struct queue *queue, const char *name, json_t *question, json_t **answer, int wait_ms,
	      struct error *error)
{
	struct request *request;
	json_error_t json;
	int result = -1;
	size_t at;

	*answer = NULL;
	if (queue_failed(queue, error))
		return -1;
	request = request_add(queue, FRAME_ANSWER);
	at = wire_begin(&queue->channel.out, FRAME_ASK);
	buf_u32(&queue->channel.out, request->number);
	if (send_json(queue, at, name, question)) {
		error_set(error, ERROR_REJECT, "ask.request", "the question %s is too long", name);
		goto done;
	}
	if (request_wait(queue, request, wait_ms, error))
		goto done;
	*answer =
		json_loadb(request->bytes.data ? request->bytes.data : "", request->bytes.len, JSON_DECODE_ANY, &json);
	if (!*answer) {
		error_set(error, ERROR_REJECT, "ask.answer", "the answer to %s cannot be read: %s", name, json.text);
		goto done;
	}
	result = 0;
done:
	request_drop(queue, request);
	return result;
}

/* ---- the supervisor */
int queue_suspect(struct queue *queue, const struct id *message, const char *cause)
{
	struct buf *out = &queue->channel.out;
	size_t at = wire_begin(out, FRAME_SUSPECT);

	buf_span(out, id_span(message));
	buf_field(out, span_of(cause));
	return queue_end(queue, at) ? 0 : -1;
}

int queue_topology(struct queue *queue, const char *revision, struct span encoded)
{
	struct buf *out = &queue->channel.out;
	size_t at = wire_begin(out, FRAME_TOPOLOGY);

	buf_field(out, span_of(revision));
	buf_field(out, encoded);
	return queue_end(queue, at) ? 0 : -1;
}

int queue_drain(struct queue *queue)
{
	return queue_end(queue, wire_begin(&queue->channel.out, FRAME_DRAIN)) ? 0 : -1;
}

void queue_on_want(struct queue *queue, queue_want_fn *want, void *arg)
{
	queue->want = want;
	queue->want_arg = arg;
}
