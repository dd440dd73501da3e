/* Of many messages one: the steward's part of collect. See steward.h.
 *
 * The members of a closing collection are fixed, and so are their order and their bytes: made again, the result is the
 * same message. Its id comes from its first member, which is in no other collection. */
#include "config.h"
#include "services/steward.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

struct result {
	struct worker *worker;
	const json_t *collection;
	struct unit *unit;
	struct message *message; /* NULL until the first member */
	struct buf body;
	char id[ID_TEXT];
	int64_t count, lost; /* lost: what could not be read, and is dead */
};

static bool partial(const struct result *result)
{
	const json_t *collection = result->collection;
	bool group = steward_number(collection, "size") || steward_number(collection, "filled");

	return group && (steward_number(collection, "missing") || steward_number(collection, "dead") || result->lost ||
			 !steward_number(collection, "size"));
}

/* $envelope.collected */
static int set_collected(const struct result *result, struct message *message, struct error *error)
{
	const json_t *from = result->collection;
	char first[CLOCK_TEXT], last[CLOCK_TEXT], *text;
	json_t *collected;
	int status;

	clock_format(steward_number(from, "first_ms"), first);
	clock_format(steward_number(from, "last_ms"), last);
	collected =
		json_pack("{s:s s:I s:I s:I s:I s:s s:s s:s s:I}", "key", steward_text(from, "key"), "count",
			  (json_int_t)result->count, "missing", (json_int_t)steward_number(from, "missing"), "dead",
			  (json_int_t)(steward_number(from, "dead") + result->lost), "dropped",
			  (json_int_t)steward_number(from, "dropped"), "reason", steward_text(from, "reason"), "first",
			  first, "last", last, "generation", (json_int_t)steward_number(from, "generation"));
	text = json_dumps(collected, JSON_COMPACT);
	status = message_attr(message, SPAN_LITERAL("collected"), span_of(text), error);
	free(text);
	json_decref(collected);
	return status;
}

static void begin(struct result *result, const struct message *first)
{
	const json_t *collection = result->collection;
	int64_t closed = steward_number(collection, "closed_ms"), lifetime = result->worker->site->queue_lifetime_ms;
	struct span queue = span_of(steward_text(collection, "queue")),
		    flow = span_of(steward_text(collection, "flow"));
	struct message *message = result->message = message_new();
	struct id key = id_of((struct span[]){queue, span_of(steward_text(collection, "key"))}, 2);
	char generation[16];

	snprintf(generation, sizeof generation, "%u", first->generation);
	message->id =
		id_of((struct span[]){SPAN_LITERAL("collected"), queue, id_span(&first->id), span_of(generation)}, 4);
	id_hex(&message->id, result->id);
	message->causation = first->id;
	message_set(message, &message->source, first->source);
	message_set(message, &message->subject, first->subject);
	message_set(message, &message->type, SPAN_LITERAL("ferrule.collected.v1"));
	message_set(message, &message->correlationid, first->correlationid);
	message_set(message, &message->traceparent, first->traceparent);
	message_set(message, &message->flow, flow);
	message_set(message, &message->revision, first->revision);
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message_set(message, &message->origin.name, first->origin.name);
	message_set(message, &message->origin.ref, first->origin.ref);
	message->origin.digest = first->origin.digest;
	message->time_ms = message->accepted_ms = closed;
	message->expires_ms = lifetime && lifetime < INT64_MAX - closed ? closed + lifetime : 0;
	message->generation = first->generation;
	message->flags = first->flags | (json_is_true(json_object_get(collection, "restored")) ? MESSAGE_REGROUPED : 0);
	message_order(message, flow, id_hash(&key) | 1);
}

/* 1: it cannot be read any more, and is a dead letter by itself. */
static int add_body(struct result *result, struct message *member, struct error *error)
{
	struct error why = {0};

	if (!member->body)
		member->body = vault_get_new(result->worker->vault, member->body_ref, &why);
	if (!member->body && why.class != ERROR_REJECT) {
		*error = why;
		return -1;
	}
	if (!member->body) {
		result->lost++;
		return steward_bury(result->worker, result->unit, result->collection, member, &why) ? -1 : 1;
	}
	buf_char(&result->body, result->count ? ',' : '[');
	return reader_all(member->body, &result->body, error);
}

static int add(struct result *result, const json_t *one, struct error *error)
{
	struct message *member = steward_member(one, error);
	struct record record = {
		.message = member, .stage = "collected", .place = steward_text(result->collection, "flow")};
	char *text;
	json_t *detail;
	int status = -1;

	if (!member)
		return -1;
	if (!result->message)
		begin(result, member);
	status = add_body(result, member, error);
	if (status) {
		status = status < 0 ? -1 : 0;
		goto done;
	}
	for (size_t i = 0; i < member->keys_count && result->message->keys_count < MESSAGE_KEYS_MAX; i++)
		message_key(result->message, member->keys[i].name, member->keys[i].value, NULL);
	detail = json_pack("{s:s s:s s:s}", "result", result->id, "key", steward_text(result->collection, "key"),
			   "step", steward_text(result->collection, "step"));
	text = json_dumps(detail, JSON_COMPACT);
	record.detail = span_of(text);
	status = unit_record(result->unit, &record);
	free(text);
	json_decref(detail);
	result->count++;
done:
	message_free(member);
	return status;
}

/* A unit has a size: what is recorded of many members goes before. It may be recorded twice. */
static int records_go(struct result *result, struct error *error)
{
	struct unit *unit = result->unit;

	result->unit = unit_new(result->worker->queue);
	return unit_commit_within(unit, STEWARD_COMMIT_MS, error);
}

static int add_all(struct result *result, struct error *error)
{
	int64_t place = INT64_MIN, after = 0;
	bool more = true;

	while (more) {
		json_t *page = steward_page(result->worker, result->collection, place, after, error), *member;
		size_t i;

		if (!page)
			return -1;
		json_array_foreach(json_object_get(page, "members"), i, member) {
			place = steward_number(member, "place");
			after = steward_number(member, "number");
			if (add(result, member, error)) {
				json_decref(page);
				return -1;
			}
		}
		more = json_is_true(json_object_get(page, "more"));
		json_decref(page);
		if (more && records_go(result, error))
			return -1;
	}
	buf_char(&result->body, ']');
	return result->body.full
		       ? error_set(error, ERROR_RETRY, "collect.too-large", "the collection is larger than it says")
		       : 0;
}

static int set_body(struct result *result, struct error *error)
{
	struct message *message = result->message;
	struct vault_entry entry;

	message_body_take(message, reader_new_copy(buf_view(&result->body)));
	if (message_body_sign(message, error))
		return -1;
	if (message->body_size <= MESSAGE_INLINE_MAX)
		return 0;
	if (vault_put(result->worker->vault, message->body, &entry, error))
		return -1;
	FAULT("steward.put");
	if (vault_sync(result->worker->vault, error))
		return -1;
	message_set(message, &message->body_ref, span_of(entry.ref));
	return 0;
}

static int bury(struct result *result, struct error *error)
{
	const json_t *from = result->collection;
	struct error why;

	error_set(&why, ERROR_REJECT, "collect.partial",
		  "a group of %lld has %lld: %lld missing, %lld dead; a replay goes on with what there is",
		  (long long)steward_number(from, "size"), (long long)result->count,
		  (long long)steward_number(from, "missing"), (long long)(steward_number(from, "dead") + result->lost));
	return steward_bury(result->worker, result->unit, from, result->message, &why)
		       ? error_set(error, ERROR_RETRY, "queue.window", "the refusal could not be told")
		       : 0;
}

/* With long keys, names and labels together an envelope may pass its limit: then it does without the keys. */
static void shorten(struct message *message)
{
	struct buf envelope;

	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	if (message_encode(message, &envelope, NULL))
		message->keys_count = 0;
	buf_free(&envelope);
}

static int publish(struct result *result, struct error *error)
{
	const json_t *from = result->collection;
	char position[200];

	snprintf(position, sizeof position, "%lld collected, %.128s", (long long)result->count,
		 steward_text(from, "key"));
	message_set(result->message, &result->message->position, span_of(position));
	if (set_collected(result, result->message, error) || set_body(result, error) ||
	    steward_renew(result->worker, result->message, error))
		return -1;
	shorten(result->message);
	FAULT("steward.made");
	return partial(result) && !strcmp(steward_text(from, "policy"), "reject")
		       ? bury(result, error)
		       : steward_publish(result->worker, result->unit, from, result->message, error);
}

int steward_collect(struct worker *worker, const json_t *collection, struct error *error)
{
	struct result result = {.worker = worker, .collection = collection, .unit = unit_new(worker->queue)};
	json_int_t number = steward_number(collection, "number");
	int status = -1;

	/* the store counted what there is, so no more memory is needed than that */
	buf_init(&result.body, (size_t)steward_number(collection, "bytes") + 4096);
	if (add_all(&result, error))
		goto done;
	FAULT("steward.read");
	/* another steward may have published it and be at its end: part of it would be another message */
	if (result.count + result.lost != steward_number(collection, "count")) {
		status = error_set(error, ERROR_RETRY, "held.changed", "another closes this collection at this moment");
		goto done;
	}
	if (result.count && publish(&result, error))
		goto done;
	unit_change(result.unit, "held.closed", json_pack("{s:I}", "number", number));
	status = unit_commit_within(result.unit, STEWARD_COMMIT_MS, error);
	result.unit = NULL;
	if (!status)
		log_info("steward", SPAN_NONE, "collected flow=%s key=\"%s\" count=%lld reason=%s",
			 steward_text(collection, "flow"), steward_text(collection, "key"), (long long)result.count,
			 steward_text(collection, "reason"));
done:
	unit_free(result.unit);
	message_free(result.message);
	buf_free(&result.body);
	return status;
}
