/* Tables of the store, asked about and changed. See ask.h. */
#include "config.h"
#include "operations/ask.h"

#include <stdlib.h>

#include "operations/ask_private.h"

#define TABLE_NAME_MAX 64
#define KEY_MAX 1024
#define VALUE_MAX (32u * 1024)
#define FIND_MAX 1000

static int wrong(struct error *error, const char *text)
{
	return error_set(error, ERROR_REJECT, "ask.request", "%s", text);
}

/* As the steps say it (transformers/transformers.h). */
static int table_name(json_t *request, const char **name, struct error *error)
{
	size_t n;

	if (ask_text(request, "table", NULL, name, error))
		return -1;
	n = strspn(*name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	if (!n || n > TABLE_NAME_MAX || (*name)[n])
		return wrong(error, "`table` has lower-case letters, digits and `-`, at most 64");
	return 0;
}

static int entry_key(json_t *request, struct span *key, struct error *error)
{
	const char *text;

	if (ask_text(request, "key", NULL, &text, error))
		return -1;
	*key = span_of(text);
	return key->len <= KEY_MAX ? 0 : wrong(error, "`key` is longer than 1024 bytes");
}

/* ---- questions */
static int put_table(void *arg, const struct value *row, size_t columns)
{
	json_t *table = json_object();

	ask_put_text(table, "name", row[0]);
	ask_put_int(table, "count", row[1]);
	ask_put_int(table, "last_ms", row[2]);
	json_array_append_new(arg, table);
	return 0;
}

int ask_tables(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *tables = json_array();

	json_object_set_new(answer, "tables", tables);
	return db_run(store_db(context->store),
		      "SELECT name, COUNT(*), MAX(at_ms) FROM entries GROUP BY name ORDER BY name", NULL, 0, put_table,
		      tables, error);
}

static int put_entry(void *arg, const struct value *row, size_t columns)
{
	json_t *entry = json_object();

	ask_put_text(entry, "key", row[0]);
	ask_put_json(entry, "value", row[1]);
	ask_put_int(entry, "at_ms", row[2]);
	if (row[3].type != VALUE_NULL)
		ask_put_hex(entry, "message", row[3]);
	if (row[4].bytes.len)
		ask_put_text(entry, "by", row[4]);
	json_array_append_new(arg, entry);
	return 0;
}

int ask_table_list(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *entries = json_array();
	const char *table, *after;
	struct value values[3];
	int64_t limit;

	json_object_set_new(answer, "entries", entries);
	if (table_name(request, &table, error) || ask_text(request, "after", "", &after, error) ||
	    ask_limit(request, &limit, error))
		return -1;
	values[0] = STORE_TEXT(table);
	values[1] = STORE_TEXT(after);
	values[2] = VALUE_OF_INT(limit + 1);
	if (db_run(store_db(context->store),
		   "SELECT key, value, at_ms, message, who FROM entries WHERE name = $1 AND key > $2 ORDER BY key "
		   "LIMIT $3",
		   values, 3, put_entry, entries, error))
		return -1;
	if (json_array_size(entries) > (size_t)limit) {
		json_array_remove(entries, (size_t)limit);
		json_object_set(answer, "next", json_object_get(json_array_get(entries, (size_t)limit - 1), "key"));
	}
	return 0;
}

int ask_table_find(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *keys = json_object_get(request, "keys"), *values = json_object(), *key;
	const char *table;
	struct buf value;
	int result = 0;
	bool found;
	size_t i;

	json_object_set_new(answer, "values", values);
	if (table_name(request, &table, error))
		return -1;
	if (!json_is_array(keys) || json_array_size(keys) > FIND_MAX)
		return wrong(error, "`keys` must be a list of at most 1000 texts");
	buf_init(&value, VALUE_MAX);
	json_array_foreach(keys, i, key) {
		buf_reset(&value);
		if (!json_is_string(key))
			result = wrong(error, "`keys` must be texts");
		else
			result = store_entry_find(context->store, table, span_of(json_string_value(key)), &value,
						  &found, error);
		if (result)
			break;
		if (found)
			json_object_set_new_nocheck(values, json_string_value(key),
						    json_loadb(value.data, value.len, JSON_DECODE_ANY, NULL));
	}
	buf_free(&value);
	return result;
}

/* ---- changes */
static int put(struct ask_context *context, struct store_entry *entry, json_t *request, json_t *value,
	       struct error *error)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	int result;

	entry->value = span_of(text);
	if (entry->value.len > VALUE_MAX / 2)
		result = wrong(error, "`value` is larger than 16 KiB");
	else
		result = store_entry_put(context->store, entry, !json_is_true(json_object_get(request, "keep")), error);
	free(text);
	return result;
}

int ask_table_put(struct ask_context *context, json_t *request, struct error *error)
{
	json_t *value = json_object_get(request, "value");
	struct store_entry entry = {.at = context->now};
	const char *message;
	struct id id;

	if (table_name(request, &entry.table, error) || entry_key(request, &entry.key, error) ||
	    ask_text(request, "by", "", &entry.by, error) || ask_text(request, "message", "", &message, error))
		return -1;
	if (!value)
		return wrong(error, "`value` is missing");
	if (*message) {
		if (id_parse(&id, span_of(message)))
			return wrong(error, "`message` must be an id");
		entry.message = &id;
	}
	return put(context, &entry, request, value, error);
}

int ask_table_remove(struct ask_context *context, json_t *request, struct error *error)
{
	const char *table;
	struct span key;
	bool gone;

	return table_name(request, &table, error) || entry_key(request, &key, error) ||
			       store_entry_remove(context->store, table, key, &gone, error)
		       ? -1
		       : 0;
}

/* Later than the wish before: whoever looks knows a new one by its time, whatever the clocks of the machines say. */
static int wish_time(struct ask_context *context, struct store_entry *entry, struct error *error)
{
	json_t *before = NULL;
	struct buf text;
	bool found;
	int result;

	buf_init(&text, VALUE_MAX);
	result = store_entry_find(context->store, entry->table, entry->key, &text, &found, error);
	if (!result && found)
		before = json_loadb(text.data, text.len, 0, NULL);
	if (json_integer_value(json_object_get(before, "at")) >= entry->at)
		entry->at = json_integer_value(json_object_get(before, "at")) + 1;
	json_decref(before);
	buf_free(&text);
	return result;
}

/* A wish is written by its own change and not as an entry, so that the audit trail tells what the person did. */
static int wish(struct ask_context *context, json_t *request, const char *kind, struct error *error)
{
	struct store_entry entry = {.table = ASK_SCHEDULES, .at = context->now};
	json_t *value = NULL;
	const char *transfer;
	char *key = NULL;
	int result = -1;

	if (ask_text(request, "transfer", NULL, &transfer, error) || ask_text(request, "by", "", &entry.by, error))
		goto done;
	key = mem_printf("%s%s", kind, transfer);
	entry.key = span_of(key);
	if (entry.key.len > KEY_MAX) {
		wrong(error, "`transfer` is longer than 1024 bytes");
		goto done;
	}
	if (wish_time(context, &entry, error))
		goto done;
	value = json_pack("{s:I s:s}", "at", (json_int_t)entry.at, "by", entry.by);
	result = put(context, &entry, request, value, error);
done:
	free(key);
	json_decref(value);
	return result;
}

int ask_transfer_run(struct ask_context *context, json_t *request, struct error *error)
{
	return wish(context, request, ASK_WISH_RUN, error);
}

int ask_transfer_skip(struct ask_context *context, json_t *request, struct error *error)
{
	return wish(context, request, ASK_WISH_SKIP, error);
}
