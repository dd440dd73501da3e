/* Backup and restore of a store on a server. Its tables go, as they stand at one moment, into files of the kind that a
 * site on one machine has: the tables are the same (operations/store_schema.c), and so is all that is known of backups.
 * What is in the broker's queues is not copied; the store has of what it can be made again (store_intake.c). */
#include "config.h"
#include "services/backup_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "operations/store.h"
#include "services/registry.h"
#include "services/site_store.h"

#define COLUMNS_MAX 60
#define AT_ONCE 500

struct table {
	struct db *from, *to;
	const char *name;
	struct arena *arena; /* texts of statements live while the databases are open: they are known by their place */
	const char *columns; /* "a, b, c" */
	const char *insert;
	size_t fetched;
	struct error *error;
	bool failed;
};

static const struct db_ops *file_ops(void)
{
	const struct db_ops *const *ops = registry_get()->stores;

	while (*ops && !(*ops)->copy)
		ops++;
	return *ops;
}

static int open_file(const char *path, bool reader, struct db *db, struct error *error)
{
	db->ops = file_ops();
	db->self = (reader ? db->ops->open_reader : db->ops->open)(NULL, path, SPAN_NONE, error);
	return db->self ? 0 : -1;
}

/* A new file that nobody else reads: what a crash leaves of it is no backup. The whole is synced at its end, and every
 * row would go through a log, twice more. Opened as a store it is as all others. */
static int open_new(const char *path, struct db *db, struct error *error)
{
	if (open_file(path, false, db, error))
		return -1;
	if (!db->ops->script(db->self,
			     "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536", error))
		return 0;
	site_db_close(db);
	return -1;
}

/* ---- which tables, and which columns: a file can tell */
struct names {
	char *list[COLUMNS_MAX];
	size_t count;
};

static int take_name(void *arg, const struct value *row, size_t columns)
{
	struct names *names = arg;

	if (names->count == COLUMNS_MAX)
		return 1;
	names->list[names->count++] = mem_span_dup(row[0].bytes);
	return 0;
}

static void names_free(struct names *names)
{
	while (names->count)
		free(names->list[--names->count]);
}

static int tables_of(struct db *file, struct names *names, struct error *error)
{
	return db_run(file,
		      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND"
		      " name <> 'schema_version' ORDER BY name",
		      NULL, 0, take_name, names, error);
}

static int columns_of(struct db *file, const char *table, struct names *names, struct error *error)
{
	struct value name = VALUE_OF_TEXT(span_of(table));

	return db_run(file, "SELECT name FROM pragma_table_info($1) ORDER BY cid", &name, 1, take_name, names, error);
}

/* ---- one table */
static int put_row(void *arg, const struct value *row, size_t columns)
{
	struct table *table = arg;

	table->fetched++;
	if (!table->failed)
		table->failed = db_run(table->to, table->insert, row, columns, NULL, NULL, table->error) != 0;
	return table->failed;
}

static void write_sql(struct table *table, const struct names *names)
{
	struct buf columns, places;

	buf_init(&columns, 8192);
	buf_init(&places, 8192);
	for (size_t i = 0; i < names->count; i++) {
		buf_printf(&columns, "%s%s", i ? ", " : "", names->list[i]);
		buf_printf(&places, "%s$%zu", i ? ", " : "", i + 1);
	}
	table->columns = arena_printf(table->arena, "%.*s", SPAN_ARGS(buf_view(&columns)));
	table->insert = arena_printf(table->arena, "INSERT INTO %s (%s) VALUES (%.*s)", table->name, table->columns,
				     SPAN_ARGS(buf_view(&places)));
	buf_free(&columns);
	buf_free(&places);
}

/* A table may be larger than memory: a server gives it in portions. */
static int copy_from_server(struct table *table, struct error *error)
{
	const char *declare = arena_printf(table->arena, "DECLARE copy_%s NO SCROLL CURSOR FOR SELECT %s FROM %s",
					   table->name, table->columns, table->name);
	const char *fetch = arena_printf(table->arena, "FETCH %d FROM copy_%s", AT_ONCE, table->name);
	int result = db_run(table->from, declare, NULL, 0, NULL, NULL, error);

	do {
		table->fetched = 0;
		if (!result)
			result = db_run(table->from, fetch, NULL, 0, put_row, table, error) || table->failed ? -1 : 0;
	} while (!result && table->fetched == AT_ONCE);
	return result;
}

static int copy_from_file(struct table *table, struct error *error)
{
	const char *select = arena_printf(table->arena, "SELECT %s FROM %s", table->columns, table->name);

	return db_run(table->from, select, NULL, 0, put_row, table, error) || table->failed ? -1 : 0;
}

/* What stands there of its own, a row of the audit trail's end, makes room. */
static int copy_table(struct arena *arena, struct db *from, struct db *to, const char *name, struct error *error)
{
	bool into_file = to->ops->copy != NULL;
	struct table table = {
		.from = from, .to = to, .name = arena_strdup(arena, name), .arena = arena, .error = error};
	struct names names = {0};
	const char *clear = arena_printf(arena, "DELETE FROM %s", name);
	int result = columns_of(into_file ? to : from, name, &names, error);

	if (!result) {
		write_sql(&table, &names);
		result = db_run(to, clear, NULL, 0, NULL, NULL, error) ||
					 (into_file ? copy_from_server(&table, error) : copy_from_file(&table, error))
				 ? -1
				 : 0;
	}
	for (size_t i = 0; !result && to->ops->renumber && i < names.count; i++)
		if (!strcmp(names.list[i], "number"))
			result = to->ops->renumber(to->self, name, error);
	names_free(&names);
	return result;
}

/* Within transactions of both. */
static int copy_tables(struct arena *arena, struct db *from, struct db *to, struct error *error)
{
	struct names names = {0};
	int result = tables_of(to->ops->copy ? to : from, &names, error);

	for (size_t i = 0; !result && i < names.count; i++)
		result = copy_table(arena, from, to, names.list[i], error);
	names_free(&names);
	return result;
}

/* ---- making */
static int into_file(struct arena *arena, struct db *from, struct db *to, bool marked, struct error *error)
{
	if (to->ops->begin(to->self, error))
		return -1;
	if (copy_tables(arena, from, to, error) || (marked && store_restored_later(to, error))) {
		to->ops->rollback(to->self);
		return -1;
	}
	return to->ops->commit(to->self, error);
}

static int make_store(struct arena *arena, struct db *from, const char *path, struct error *error)
{
	struct db to = {0};
	struct store *store = NULL;
	int result = -1;

	if (open_new(path, &to, error))
		return -1;
	store = store_open(&to, error);
	if (store)
		result = into_file(arena, from, &to, true, error);
	store_close(store);
	site_db_close(&to);
	return result;
}

static int make_lineage(struct arena *arena, struct db *from, const char *path, struct error *error)
{
	struct db db = {0};
	struct lineage *lineage;
	int result = -1;

	if (open_new(path, &db, error))
		return -1;
	lineage = lineage_open_take(db, error);
	if (lineage)
		result = into_file(arena, from, &db, false, error);
	lineage_close(lineage);
	return result;
}

int backup_server_make(const struct site *site, const char *site_db, const char *lineage_db, struct error *error)
{
	struct arena *arena = arena_new();
	struct db from = {0};
	int result = -1;

	if (!site_db_reader(site, &from, error) && !from.ops->begin(from.self, error)) {
		result = db_run(&from, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL, 0, NULL,
				NULL, error) ||
					 make_store(arena, &from, site_db, error) ||
					 make_lineage(arena, &from, lineage_db, error)
				 ? -1
				 : 0;
		from.ops->rollback(from.self);
	}
	site_db_close(&from);
	arena_free(arena);
	return result;
}

/* ---- putting it back */
static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static int is_unused(struct db *db, struct error *error)
{
	int64_t n = 0;

	if (db_run(db, "SELECT (SELECT count(*) FROM revisions) + (SELECT count(*) FROM seen)", NULL, 0, take_number,
		   &n, error))
		return -1;
	return n ? error_set(
			   error, ERROR_REJECT, "restore.data",
			   "the store's schema in the database has data of a site already: restore into another schema "
			   "(store: {postgresql: {schema: …}}), or drop this one")
		 : 0;
}

static int fill_from(struct arena *arena, struct db *to, const char *path, struct error *error)
{
	struct db from = {0};
	int result;

	if (open_file(path, true, &from, error))
		return -1;
	result = copy_tables(arena, &from, to, error);
	site_db_close(&from);
	return result;
}

/* Opened once more it finds out that it was put back (store_restored_later), which the caller's audit record does. */
int backup_server_fill(const struct site *site, const char *site_db, const char *lineage_db, struct error *error)
{
	struct arena *arena = arena_new();
	struct lineage *lineage;
	struct store *store = NULL;
	struct db to = {0};
	int result = -1;

	lineage = site_lineage_open(site, error); /* its tables */
	lineage_close(lineage);
	if (lineage && !site_db_open(site, &to, error))
		store = store_open(&to, error);
	if (!store || is_unused(&to, error) || to.ops->begin(to.self, error))
		goto done;
	if (fill_from(arena, &to, site_db, error) || fill_from(arena, &to, lineage_db, error))
		to.ops->rollback(to.self);
	else
		result = to.ops->commit(to.self, error);
done:
	store_close(store);
	site_db_close(&to);
	arena_free(arena);
	return result;
}
