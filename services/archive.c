/* Retention of archives. See archive.h. */
#include "config.h"
#include "services/archive.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/utf8.h"

#define WAIT_MS 5000
#define BATCH 200
#define BASE64_MAX (64u << 10) /* of a path */

static void put_path(json_t *value, const char *path)
{
	struct buf text;

	if (utf8_is_clean(span_of(path))) {
		json_object_set_new(value, "path", json_string(path));
		return;
	}
	buf_init(&text, BASE64_MAX);
	if (!base64_encode(&text, span_of(path)))
		json_object_set_new(value, "path_base64", json_stringn(text.data, text.len));
	buf_free(&text);
}

/* NULL: there is none in it. The caller frees. */
static char *path_new(const json_t *value)
{
	const char *path = json_string_value(json_object_get(value, "path")),
		   *coded = json_string_value(json_object_get(value, "path_base64"));
	struct buf text;

	if (path || !coded)
		return path ? mem_strdup(path) : NULL;
	buf_init(&text, BASE64_MAX);
	if (!base64_decode(&text, span_of(coded)) && !buf_char(&text, '\0'))
		return buf_take(&text);
	buf_free(&text);
	return NULL;
}

static char *key_new(const char *source, int64_t at, const struct id *digest)
{
	char hex[ID_TEXT];

	id_hex(digest, hex);
	return mem_printf("%s/%013lld/%.16s", source, (long long)at, hex);
}

static bool note(struct unit *unit, const char *table, const char *source, int64_t now,
		 const struct archived *archived, const struct id *digest)
{
	char *key;
	json_t *value;

	if (!archived->path)
		return false;
	key = key_new(source, now, digest);
	value = json_pack("{s:I s:I}", "size", (json_int_t)archived->size, "time", (json_int_t)archived->time_ms);
	put_path(value, archived->path);
	unit_change(unit, "table.put", json_pack("{s:s s:s s:o}", "table", table, "key", key, "value", value));
	free(key);
	return true;
}

void archive_intend(struct unit *unit, const struct source_ops *ops, void *adapter, const char *source, int64_t at,
		    struct document *document, enum settlement how)
{
	struct archived into[2] = {0};

	if (ops->intend)
		ops->intend(adapter, document, how, into);
	for (size_t k = 0; k < 2; k++) {
		document->intended[k] = into[k].path ? id_digest(span_of(into[k].path)) : (struct id){0};
		note(unit, INTENT_TABLE, source, at, &into[k], &document->intended[k]);
		free(into[k].path);
	}
}

static void forget_intent(struct unit *unit, const char *source, int64_t at, const struct id *intended)
{
	char *key = key_new(source, at, intended);

	unit_change(unit, "table.remove", json_pack("{s:s s:s}", "table", INTENT_TABLE, "key", key));
	free(key);
}

int archive_note(struct worker *worker, const char *source, struct tenure tenure, int64_t at,
		 struct document *const *documents, size_t n, struct error *error)
{
	struct unit *unit = unit_new(worker->queue);
	int64_t now = clock_now_ms();
	bool any = false;

	tenure_fence(unit, tenure);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 2; k++) {
			const struct archived *archived = &documents[i]->archived[k];
			struct id digest = archived->path ? id_digest(span_of(archived->path)) : (struct id){0};

			if (note(unit, ARCHIVE_TABLE, source, now, archived, &digest)) {
				forget_intent(unit, source, at, &documents[i]->intended[k]);
				any = true;
			}
		}
	FAULT("archive.noting");
	if (any)
		return unit_commit_within(unit, WAIT_MS, error);
	unit_free(unit);
	return 0;
}

static int expire_one(const struct source_ops *ops, void *adapter, const json_t *value, bool numbered,
		      struct error *error)
{
	struct archived archived = {path_new(value), (uint64_t)json_integer_value(json_object_get(value, "size")),
				    json_integer_value(json_object_get(value, "time")), numbered};
	bool removed = false;
	int result = archived.path ? ops->expire(adapter, &archived, &removed, error) : 0;

	FAULT("archive.removed");
	if (!result && archived.path)
		log_info("archive", SPAN_NONE, "%s path=\"%s\"",
			 removed ? "past its time, removed" : "gone, or another file by now, left alone",
			 archived.path);
	free(archived.path);
	return result;
}

/* "SOURCE/TIME/…": when it was archived; -1: another source's. */
static int64_t time_of(const char *key, const char *source)
{
	size_t n = strlen(source);

	return strncmp(key, source, n) || key[n] != '/' ? -1 : strtoll(key + n + 1, NULL, 10);
}

static int expire_of(struct worker *worker, const struct source_ops *ops, void *adapter, const char *table,
		     const char *source, struct tenure tenure, int64_t retain_ms, bool *more, struct error *error)
{
	int64_t before = clock_now_ms() - retain_ms;
	char *after = mem_printf("%s/", source);
	json_t *request = json_pack("{s:s s:s s:i}", "table", table, "after", after, "limit", BATCH),
	       *answer = NULL, *entry;
	struct unit *unit = unit_new(worker->queue);
	int result = queue_ask(worker->queue, "table.list", request, &answer, WAIT_MS, error);
	size_t i, done = 0;

	tenure_fence(unit, tenure);
	json_array_foreach(json_object_get(answer, "entries"), i, entry) {
		const char *key = json_string_value(json_object_get(entry, "key"));
		int64_t at = key ? time_of(key, source) : -1;

		if (at < 0 || at >= before || result)
			break;
		result = expire_one(ops, adapter, json_object_get(entry, "value"), !strcmp(table, INTENT_TABLE),
				    error);
		if (result)
			break;
		unit_change(unit, "table.remove", json_pack("{s:s s:s}", "table", table, "key", key));
		done++;
		board_tick(worker->slot);
	}
	*more = *more || (!result && done == BATCH);
	json_decref(request);
	json_decref(answer);
	free(after);
	if (!done) {
		unit_free(unit);
		return result;
	}
	return unit_commit_within(unit, WAIT_MS, result ? NULL : error) || result ? -1 : 0;
}

int archive_expire(struct worker *worker, const struct source_ops *ops, void *adapter, const char *source,
		   struct tenure tenure, int64_t retain_ms, bool *more, struct error *error)
{
	*more = false;
	return expire_of(worker, ops, adapter, ARCHIVE_TABLE, source, tenure, retain_ms, more, error) ||
			       expire_of(worker, ops, adapter, INTENT_TABLE, source, tenure, retain_ms, more, error)
		       ? -1
		       : 0;
}
