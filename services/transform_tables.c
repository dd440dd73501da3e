/* Tables of the store in one unit. See transform_tables.h. */
#include "config.h"
#include "services/transform_tables.h"

#include <stdlib.h>

#define ASK_MS 10000
#define KEYS_ASKED 500 /* in one question: of 1 KiB each, far below what a frame holds */

static json_t *table_of(struct unit_tables *tables, const char *table)
{
	json_t *known;

	if (!tables->known)
		tables->known = json_object();
	known = json_object_get(tables->known, table);
	if (!known)
		json_object_set_new(tables->known, table, known = json_object());
	return known;
}

/* Asks for so many, and notes what is not there as well. */
static int ask(json_t *known, struct queue *queue, const char *table, json_t *keys, struct error *error)
{
	json_t *request = json_pack("{s:s s:O}", "table", table, "keys", keys), *answer = NULL, *key;
	int result = queue_ask(queue, "table.find", request, &answer, ASK_MS, error);
	size_t i;

	json_array_foreach(keys, i, key) {
		const char *name = json_string_value(key);
		json_t *value = json_object_get(json_object_get(answer, "values"), name);

		if (!result)
			json_object_set_new_nocheck(known, name, value ? json_incref(value) : json_null());
	}
	json_decref(request);
	json_decref(answer);
	return result;
}

static int find_out(json_t *known, struct queue *queue, const char *table, json_t *keys, struct error *error)
{
	json_t *asked = json_array(), *key;
	int result = 0;
	size_t i;

	json_array_foreach(keys, i, key) {
		if (json_object_get(known, json_string_value(key)))
			continue;
		json_array_append(asked, key);
		if (json_array_size(asked) < KEYS_ASKED)
			continue;
		result = ask(known, queue, table, asked, error);
		json_array_clear(asked);
		if (result)
			break;
	}
	if (!result && json_array_size(asked))
		result = ask(known, queue, table, asked, error);
	json_decref(asked);
	return result;
}

int unit_tables_lookup(struct unit_tables *tables, struct queue *queue, const char *table, json_t *keys,
		       json_t **values, struct error *error)
{
	json_t *known = table_of(tables, table), *key;
	size_t i;

	*values = NULL;
	if (find_out(known, queue, table, keys, error))
		return -1;
	*values = json_object();
	json_array_foreach(keys, i, key) {
		json_t *value = json_object_get(known, json_string_value(key));

		if (!json_is_null(value))
			json_object_set_nocheck(*values, json_string_value(key), value);
	}
	return 0;
}

int unit_tables_remember(struct unit_tables *tables, struct queue *queue, struct unit *unit, const struct message *from,
			 const char *table, struct span key, json_t *value, bool replace, struct error *error)
{
	json_t *known = table_of(tables, table), *keys;
	char *name = mem_span_dup(key), id[ID_TEXT];
	int result = 0;

	if (!replace) {
		keys = json_pack("[s]", name);
		result = find_out(known, queue, table, keys, error);
		json_decref(keys);
		if (result || !json_is_null(json_object_get(known, name)))
			goto done;
	}
	id_hex(&from->id, id);
	json_object_set_nocheck(known, name, value);
	tables->noted = true;
	result = unit_change(unit, "table.put",
			     json_pack("{s:s s:s s:O s:s s:b}", "table", table, "key", name, "value", value, "message",
				       id, "keep", !replace));
done:
	free(name);
	return result;
}

void unit_tables_forget(struct unit_tables *tables)
{
	json_decref(tables->known);
	*tables = (struct unit_tables){0};
}
