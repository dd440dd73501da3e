/* Copies of what is delivered. See sent.h. */
#include "config.h"
#include "services/sent.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/utf8.h"
#include "services/moving.h"

#define WAIT_MS 5000
#define BATCH 200
#define AGAIN_MS 3600000

static const struct endpoint *endpoint_of(const struct job *job)
{
	return job->target->endpoint->archive ? job->target->endpoint : NULL;
}

int sent_hold(struct job *job, struct error *error)
{
	const struct message *message = job->delivery->message;
	int result;

	if (!endpoint_of(job))
		return 0;
	moving_begin(job->worker, job->target->endpoint->name, false, message_attr_find(message, "path"),
		     message->body_size, message->attempt + 1);
	result = kept_hold(endpoint_of(job), &job->attempt.key, message->body, error);
	moving_end(job->worker);
	return result;
}

static void add_to_receipt(struct job *job)
{
	struct span text = buf_view(&job->attempt.receipt);
	json_t *receipt = text.len ? json_loadb(text.data, text.len, 0, NULL) : json_object();
	char *made;

	if (!receipt || !utf8_is_clean(span_of(job->kept.path))) {
		json_decref(receipt);
		return;
	}
	json_object_set_new(receipt, "archived", json_string(job->kept.path));
	made = json_dumps(receipt, JSON_COMPACT);
	buf_reset(&job->attempt.receipt);
	if (made)
		buf_text(&job->attempt.receipt, made);
	free(made);
	json_decref(receipt);
}

int sent_place(struct job *job, struct error *error)
{
	const struct message *message = job->delivery->message;

	if (!endpoint_of(job))
		return 0;
	if (kept_place(endpoint_of(job), &job->attempt.key, message_attr_find(message, "path"),
		       job->intention.first_ms, message->body, &job->kept, error))
		return -1;
	job->kept_ms = clock_now_ms(); /* once: a unit that is made again has the same note */
	add_to_receipt(job);
	return 0;
}

void sent_note(struct job *job, struct unit *unit)
{
	const struct message *message = job->delivery->message;
	char key[ID_TEXT], id[ID_TEXT], digest[ID_TEXT], *entry;
	json_t *value;

	if (!job->kept.path || !utf8_is_clean(span_of(job->kept.path)))
		return; /* it stays for ever: the store has texts */
	id_hex(&job->attempt.key, key);
	id_hex(&message->id, id);
	id_hex(&job->kept.digest, digest);
	entry = mem_printf("%s/%013lld/%.16s", job->target->endpoint->name, (long long)job->kept_ms, key);
	value = json_pack("{s:s s:I s:I s:s s:s}", "path", job->kept.path, "size", (json_int_t)job->kept.size, "time",
			  (json_int_t)job->kept.time_ms, "sha256", digest, "message", id);
	if (message->origin.name.len && utf8_is_clean(message->origin.name))
		json_object_set_new(value, "name", json_stringn(message->origin.name.data, message->origin.name.len));
	unit_change(unit, "table.put",
		    json_pack("{s:s s:s s:o s:s}", "table", SENT_TABLE, "key", entry, "value", value, "message", id));
	free(entry);
}

void sent_forget(struct job *job)
{
	if (endpoint_of(job) && job->attempt.first_ms)
		kept_forget(endpoint_of(job), &job->attempt.key);
}

/* ---- retention ---- */

static bool expires(const struct flow *flow)
{
	return flow->sink && flow->sink->archive && flow->sink->retain_ms;
}

bool sent_any(const struct site *site)
{
	for (size_t i = 0; i < site->flows_count; i++)
		if (expires(&site->flows[i]))
			return true;
	return false;
}

static int expire_one(const struct endpoint *endpoint, const json_t *value, struct error *error)
{
	const char *path = json_string_value(json_object_get(value, "path"));
	struct kept kept = {.path = (char *)(uintptr_t)path,
			    .size = (uint64_t)json_integer_value(json_object_get(value, "size")),
			    .time_ms = json_integer_value(json_object_get(value, "time"))};
	bool removed = false;

	if (!path || kept_expire(endpoint, &kept, &removed, error))
		return path ? -1 : 0;
	FAULT("sent.removed");
	log_info("archive", SPAN_NONE, "%s path=\"%s\"",
		 removed ? "past its time, removed" : "gone, or another file by now, left alone", path);
	return 0;
}

/* "ENDPOINT/TIME/…": -1: another's. */
static int64_t time_of(const char *key, const char *endpoint)
{
	size_t n = strlen(endpoint);

	return strncmp(key, endpoint, n) || key[n] != '/' ? -1 : strtoll(key + n + 1, NULL, 10);
}

/* Those of one endpoint. What a disk refuses stops no other's. */
static int expire_of(struct worker *worker, const struct endpoint *endpoint, bool *more, struct error *error)
{
	int64_t before = clock_now_ms() - endpoint->retain_ms;
	char *after = mem_printf("%s/", endpoint->name);
	json_t *request = json_pack("{s:s s:s s:i}", "table", SENT_TABLE, "after", after, "limit", BATCH),
	       *answer = NULL, *entry;
	struct unit *unit = unit_new(worker->queue);
	int result = queue_ask(worker->queue, "table.list", request, &answer, WAIT_MS, error);
	struct error why = {0};
	size_t i, done = 0;

	json_array_foreach(json_object_get(answer, "entries"), i, entry) {
		const char *key = json_string_value(json_object_get(entry, "key"));
		int64_t at = key ? time_of(key, endpoint->name) : -1;

		if (at < 0 || at >= before || expire_one(endpoint, json_object_get(entry, "value"), &why))
			break;
		unit_change(unit, "table.remove", json_pack("{s:s s:s}", "table", SENT_TABLE, "key", key));
		done++;
		board_tick(worker->slot);
	}
	if (why.class)
		log_warn("archive", SPAN_NONE, "not tidied, later again endpoint=%s code=%s error=\"%s\"",
			 endpoint->name, why.code, why.text);
	*more = *more || (!result && done == BATCH);
	json_decref(request);
	json_decref(answer);
	free(after);
	if (done)
		return unit_commit_within(unit, WAIT_MS, result ? NULL : error) || result ? -1 : 0;
	unit_free(unit);
	return result;
}

int sent_expire(struct worker *worker, bool *more, int64_t *next, struct error *error)
{
	bool again = false;

	if (*next > clock_now_ms())
		return 0;
	for (size_t i = 0; i < worker->site->flows_count; i++)
		if (expires(&worker->site->flows[i]) &&
		    expire_of(worker, worker->site->flows[i].sink, &again, error))
			return -1;
	*next = again ? 0 : clock_now_ms() + AGAIN_MS;
	*more = *more || again;
	return 0;
}
