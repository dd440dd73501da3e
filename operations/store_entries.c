/* Tables that flows and operators write and flows look up: cross-references between systems, mostly. See store.h. */
#include "config.h"
#include "operations/store.h"

#include "operations/store_private.h"

int store_entry_put(struct store *store, const struct store_entry *entry, bool replace, struct error *error)
{
	struct value values[] = {STORE_TEXT(entry->table),
				 VALUE_OF_TEXT(entry->key),
				 VALUE_OF_TEXT(entry->value),
				 VALUE_OF_INT(entry->at),
				 entry->message ? STORE_ID(entry->message) : VALUE_OF_NULL,
				 STORE_TEXT(entry->by)};

	if (replace)
		return db_run(
			store->db,
			"INSERT INTO entries (name, key, value, at_ms, message, who) VALUES ($1, $2, $3, $4, $5, $6)"
			" ON CONFLICT (name, key) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms,"
			" message = excluded.message, who = excluded.who",
			values, STORE_COUNT(values), NULL, NULL, error);
	return db_run(store->db,
		      "INSERT INTO entries (name, key, value, at_ms, message, who) VALUES ($1, $2, $3, $4, $5, $6)"
		      " ON CONFLICT (name, key) DO NOTHING",
		      values, STORE_COUNT(values), NULL, NULL, error);
}

int store_entry_remove(struct store *store, const char *table, struct span key, bool *gone, struct error *error)
{
	struct value values[] = {STORE_TEXT(table), VALUE_OF_TEXT(key)};
	int64_t changed;

	if (db_change(store->db, "DELETE FROM entries WHERE name = $1 AND key = $2", values, 2, &changed, error))
		return -1;
	*gone = changed > 0;
	return 0;
}

struct each_entry {
	int (*each)(void *, struct span key, struct span value);
	void *arg;
};

static int give_entry(void *arg, const struct value *row, size_t columns)
{
	const struct each_entry *e = arg;

	return e->each(e->arg, row[0].bytes, row[1].bytes);
}

int store_entry_each(struct store *store, const char *table, int64_t limit,
		     int (*each)(void *, struct span key, struct span value), void *arg, struct error *error)
{
	struct value values[] = {STORE_TEXT(table), VALUE_OF_INT(limit)};
	struct each_entry e = {each, arg};

	return db_run(store->db, "SELECT key, value FROM entries WHERE name = $1 ORDER BY key LIMIT $2", values, 2,
		      give_entry, &e, error);
}

struct finding_entry {
	struct buf *value;
	bool found;
};

static int take_value(void *arg, const struct value *row, size_t columns)
{
	struct finding_entry *f = arg;

	buf_span(f->value, row[0].bytes);
	f->found = true;
	return 1;
}

int store_entry_find(struct store *store, const char *table, struct span key, struct buf *value, bool *found,
		     struct error *error)
{
	struct value values[] = {STORE_TEXT(table), VALUE_OF_TEXT(key)};
	struct finding_entry f = {value, false};
	int result = db_run(store->db, "SELECT value FROM entries WHERE name = $1 AND key = $2", values, 2, take_value,
			    &f, error);

	*found = f.found;
	return result;
}
