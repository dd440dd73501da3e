/* Units of work, sent frame by frame as they grow. See queue.h.
 *
 * What cannot be put into a unit is remembered and fails its commit: a caller need not look at every call. */
#include "config.h"
#include "base/queue.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/queue_private.h"
#include "base/topology.h"

#define DETAIL_MAX (8u * 1024)
#define CONTENT_MAX (64u * 1024)
#define FLUSH_AT (128u * 1024)

struct unit *unit_new(struct queue *queue)
{
	struct unit *unit = mem_alloc(sizeof *unit);

	unit->queue = queue;
	unit->number = ++queue->last_unit;
	buf_init(&unit->records, QUEUE_RECORDS_MAX);
	return unit;
}

static size_t begin(struct unit *unit, enum frame type)
{
	struct buf *out = &unit->queue->channel.out;
	size_t at = wire_begin(out, type);

	buf_u32(out, unit->number);
	return at;
}

static int end(struct unit *unit, size_t at)
{
	if (!queue_end(unit->queue, at)) {
		if (!unit->error.class)
			error_set(&unit->error, ERROR_RETRY, "queue.window",
				  "a unit is larger than what may wait to be sent");
		return -1;
	}
	unit->begun = true;
	if (channel_unsent(&unit->queue->channel) > FLUSH_AT && !unit->queue->gone &&
	    channel_write(&unit->queue->channel))
		unit->queue->gone = true;
	return 0;
}

void unit_free(struct unit *unit)
{
	if (!unit)
		return;
	if (unit->begun)
		end(unit, begin(unit, FRAME_ABANDON));
	buf_free(&unit->records);
	free(unit);
}

static int failed(struct unit *unit, const struct error *error)
{
	if (!unit->error.class)
		unit->error = *error;
	return -1;
}

/* The inline body, or nothing when the envelope refers to the vault. */
static int body_of(const struct message *message, struct span *body, struct error *error)
{
	*body = SPAN_NONE;
	if (message->body_ref.len || !message->body)
		return 0;
	if (reader_size(message->body) > MESSAGE_INLINE_MAX)
		return error_set(error, ERROR_REJECT, "body.too-large",
				 "a body of %llu bytes is not in the vault; inline bodies have at most %u",
				 (unsigned long long)reader_size(message->body), MESSAGE_INLINE_MAX);
	return reader_view(message->body, body, error);
}

/* 1: so much waits to be sent that more must wait. */
static int window(struct queue *client, struct error *error)
{
	if (queue_failed(client, error))
		return -1;
	if (channel_unsent(&client->channel) <= QUEUE_WINDOW)
		return 0;
	if (channel_write(&client->channel))
		client->gone = true;
	if (queue_failed(client, error))
		return -1;
	return channel_unsent(&client->channel) > QUEUE_WINDOW;
}

static int full(struct error *error)
{
	return error_set(error, ERROR_RETRY, "queue.window", "too much waits to be sent to the queue process");
}

int unit_publish(struct unit *unit, const char *topic, const char *queue, bool optional, const struct message *message,
		 struct error *error)
{
	struct queue *client = unit->queue;
	struct buf *out = &client->channel.out;
	int wait = window(client, error);
	struct span body;
	size_t at;

	if (wait)
		return wait;
	if (queue_envelope(client, message, error) || body_of(message, &body, error))
		return -1;
	at = begin(unit, FRAME_PUBLISH);
	buf_u8(out, (uint8_t)((topic ? 0 : WIRE_PUBLISH_QUEUE) | (optional ? WIRE_PUBLISH_OPTIONAL : 0)));
	buf_field(out, span_of(topic ? topic : queue));
	buf_span(out, id_span(&message->id));
	buf_field(out, buf_view(&client->scratch));
	buf_field(out, body);
	return end(unit, at) ? full(error) : 0;
}

int unit_held(struct unit *unit, const struct held *held, struct error *error)
{
	struct queue *client = unit->queue;
	struct buf *out = &client->channel.out;
	int wait = window(client, error);
	struct span body;
	size_t at;

	if (wait)
		return wait;
	if (queue_envelope(client, held->message, error) || body_of(held->message, &body, error))
		return -1;
	at = begin(unit, FRAME_HELD);
	buf_u64(out, held->from->tag);
	wire_put_hold(out, held->hold);
	buf_field(out, span_of(held->queue));
	buf_field(out, span_of(held->step));
	buf_field(out, held->path);
	buf_field(out, held->position);
	buf_field(out, buf_view(&client->scratch));
	buf_field(out, body);
	return end(unit, at) ? full(error) : 0;
}

static int group_frame(struct unit *unit, uint8_t what, const char *queue, struct span group, uint32_t generation,
		       uint32_t number)
{
	struct buf *out = &unit->queue->channel.out;
	size_t at = begin(unit, FRAME_GAP);

	buf_u8(out, what);
	buf_field(out, span_of(queue));
	buf_field(out, group);
	buf_u32(out, generation);
	buf_u32(out, number);
	return end(unit, at);
}

int unit_gap(struct unit *unit, const char *queue, struct span group, uint32_t generation, uint32_t place, enum gap gap)
{
	return group_frame(unit, (uint8_t)gap, queue, group, generation, place);
}

int unit_group(struct unit *unit, const char *queue, struct span group, uint32_t generation, uint32_t size)
{
	return group_frame(unit, 0, queue, group, generation, size);
}

int unit_settle(struct unit *unit, struct delivery *delivery)
{
	size_t at = begin(unit, FRAME_SETTLE);

	buf_u64(&unit->queue->channel.out, delivery->tag);
	return end(unit, at);
}

int unit_park(struct unit *unit, struct delivery *delivery, int64_t due_ms, const struct error *why)
{
	struct buf *out = &unit->queue->channel.out;
	struct error error;
	size_t at;

	if (queue_envelope(unit->queue, delivery->message, &error)) {
		/* full to the brim: the count of its tries goes, not the message */
		delivery->message->attempt = 0;
		delivery->message->first_failed_ms = 0;
		if (queue_envelope(unit->queue, delivery->message, &error))
			return failed(unit, &error);
	}
	at = begin(unit, FRAME_PARK);
	buf_u64(out, delivery->tag);
	buf_u64(out, (uint64_t)due_ms);
	wire_put_error(out, why);
	buf_field(out, buf_view(&unit->queue->scratch));
	return end(unit, at);
}

int unit_dead(struct unit *unit, const struct dead *dead)
{
	struct buf *out = &unit->queue->channel.out;
	struct span content = dead->content, body;
	struct error error;
	size_t at;

	if (queue_envelope(unit->queue, dead->message, &error) || body_of(dead->message, &body, &error))
		return failed(unit, &error);
	if (content.len > CONTENT_MAX)
		content.len = CONTENT_MAX;
	at = begin(unit, FRAME_DEAD);
	wire_put_error(out, dead->why);
	buf_field(out, span_of(dead->queue));
	buf_field(out, span_of(dead->step));
	buf_field(out, dead->path);
	buf_field(out, dead->position);
	buf_field(out, content);
	buf_field(out, buf_view(&unit->queue->scratch));
	buf_field(out, body);
	return end(unit, at);
}

int unit_seen(struct unit *unit, const struct id *source, const struct id *message, int64_t keep_until_ms)
{
	struct buf *out = &unit->queue->channel.out;
	size_t at = begin(unit, FRAME_SEEN);

	buf_span(out, id_span(source));
	buf_span(out, id_span(message));
	buf_u64(out, (uint64_t)keep_until_ms);
	return end(unit, at);
}

int unit_effect(struct unit *unit, const struct id *key, enum outcome outcome, const struct message *message,
		const char *endpoint, struct span receipt)
{
	struct buf *out = &unit->queue->channel.out;
	struct span body = SPAN_NONE;
	struct error error;
	size_t at;

	buf_reset(&unit->queue->scratch);
	if (message && (queue_envelope(unit->queue, message, &error) ||
			(outcome == OUTCOME_DOUBT && body_of(message, &body, &error))))
		return failed(unit, &error);
	at = begin(unit, FRAME_EFFECT);
	buf_span(out, id_span(key));
	buf_u8(out, (uint8_t)outcome);
	buf_field(out, span_of(endpoint));
	buf_field(out, buf_view(&unit->queue->scratch));
	buf_field(out, body);
	buf_field(out, receipt);
	return end(unit, at);
}

/* Lineage gathered so far goes out as one message. Its id comes from what is in it: sent again it is the same. */
static int records_send(struct unit *unit)
{
	struct span bytes = buf_view(&unit->records);
	struct message *message;
	struct error error;
	int sent;

	if (!bytes.len)
		return 0;
	message = message_new();
	message->id = id_digest(bytes);
	message->type = SPAN_LITERAL("ferrule.records.v1");
	message_body_take(message, reader_new_copy(bytes));
	buf_reset(&unit->records);
	while ((sent = unit_publish(unit, NULL, QUEUE_RECORDS, true, message, &error)) == 1)
		if (queue_wait(unit->queue, 1000, &error)) {
			sent = -1;
			break;
		}
	message_free(message);
	return sent ? failed(unit, &error) : 0;
}

int unit_record(struct unit *unit, const struct record *record)
{
	struct record one = *record;
	size_t before = unit->records.len;

	if (one.detail.len > DETAIL_MAX)
		one.detail = SPAN_LITERAL("{\"cut\":true}");
	record_encode(&unit->records, &one, clock_now_ms());
	if (!unit->records.full)
		return 0;
	unit->records.full = false;
	unit->records.len = before;
	if (records_send(unit))
		return -1;
	record_encode(&unit->records, &one, clock_now_ms());
	return 0;
}

int unit_change(struct unit *unit, const char *name, json_t *request)
{
	struct buf *out = &unit->queue->channel.out;
	char *text = json_dumps(request, JSON_COMPACT);
	size_t at = begin(unit, FRAME_CHANGE);

	buf_field(out, span_of(name));
	buf_field(out, span_of(text ? text : "{}"));
	free(text);
	json_decref(request);
	return end(unit, at);
}

int unit_commit(struct unit *unit, unit_done_fn *done, void *arg, struct error *error)
{
	struct queue *queue = unit->queue;

	if (queue_failed(queue, error))
		return -1;
	if (records_send(unit) || unit->error.class) {
		if (error)
			*error = unit->error;
		return -1;
	}
	FAULT("unit.sent");
	if (end(unit, begin(unit, FRAME_COMMIT))) {
		if (error)
			*error = unit->error;
		return -1;
	}
	unit->done = done;
	unit->arg = arg;
	unit->next = queue->units;
	queue->units = unit;
	return 0;
}

void unit_answered(struct queue *queue, uint32_t number, const struct error *error)
{
	struct unit **at = &queue->units, *unit;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	unit = *at;
	if (!unit)
		return;
	*at = unit->next;
	FAULT("unit.answered");
	unit->done(unit->arg, error);
	buf_free(&unit->records);
	free(unit);
}

struct waiting {
	bool done;
	struct error error;
};

static void waited(void *arg, const struct error *error)
{
	struct waiting *waiting = arg;

	waiting->done = true;
	if (error)
		waiting->error = *error;
}

static void forget(struct queue *queue, struct unit *unit)
{
	struct unit **at = &queue->units;

	while (*at && *at != unit)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = unit->next;
	buf_free(&unit->records);
	free(unit);
}

int unit_commit_within(struct unit *unit, int wait_ms, struct error *error)
{
	struct waiting waiting = {0};
	struct queue *queue = unit->queue;
	int64_t until = queue_real_ms() + wait_ms;

	if (unit_commit(unit, waited, &waiting, error)) {
		unit_free(unit);
		return -1;
	}
	while (!waiting.done) {
		int64_t left = wait_ms < 0 ? -1 : until - queue_real_ms();

		if (wait_ms >= 0 && left <= 0) {
			forget(queue, unit); /* an answer that comes later finds nobody */
			return error_set(error, ERROR_RETRY, "queue.silent",
					 "the queue process did not answer within %d ms", wait_ms);
		}
		if (queue_wait(queue, (int)left, error)) {
			forget(queue, unit); /* nothing will be answered any more */
			return -1;
		}
	}
	if (!waiting.error.class)
		return 0;
	if (error)
		*error = waiting.error;
	return -1;
}

int unit_commit_wait(struct unit *unit, struct error *error)
{
	return unit_commit_within(unit, -1, error);
}
