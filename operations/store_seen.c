/* Source identities that were accepted: duplicates are decided here and at the effect, nowhere else. */
#include "config.h"
#include "operations/store.h"

#include "operations/store_private.h"

#define AT_ONCE 16 /* identities in one statement */

struct finding_seen {
	const struct id *sources;
	size_t n;
	enum seen *seen;
	struct id *messages;
	bool damaged;
};

static int take_seen(void *arg, const struct value *row, size_t columns)
{
	struct finding_seen *f = arg;
	struct id source, message;

	if (id_from_span(&source, row[0].bytes) || id_from_span(&message, row[1].bytes)) {
		f->damaged = true;
		return 1;
	}
	for (size_t i = 0; i < f->n; i++) {
		if (!id_equal(&f->sources[i], &source))
			continue;
		f->seen[i] = row[2].number ? SEEN_DIED : SEEN_BEFORE;
		if (f->messages)
			f->messages[i] = message;
	}
	return 0;
}

/* Dead, or given up by a person: state 1, replayed, has gone on. */
static const char find[] =
	"SELECT source, message, CASE WHEN EXISTS (SELECT 1 FROM dead WHERE dead.id = seen.message AND dead.state <> "
	"1) THEN 1 ELSE 0 END"
	" FROM seen WHERE source IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
	" AND keep_until >= $17";

int store_seen_find(struct store *store, const struct id *sources, size_t n, int64_t now, enum seen *seen,
		    struct id *messages, struct error *error)
{
	for (size_t at = 0; at < n; at += AT_ONCE) {
		size_t some = n - at < AT_ONCE ? n - at : AT_ONCE;
		struct finding_seen f = {sources + at, some, seen + at, messages ? messages + at : NULL, false};
		struct value values[AT_ONCE + 1];

		for (size_t i = 0; i < AT_ONCE; i++)
			values[i] = STORE_ID(&sources[at + (i < some ? i : 0)]);
		values[AT_ONCE] = VALUE_OF_INT(now);
		for (size_t i = 0; i < some; i++)
			seen[at + i] = SEEN_NEW;
		if (db_run(store->db, find, values, AT_ONCE + 1, take_seen, &f, error))
			return -1;
		if (f.damaged)
			return error_set(error, ERROR_FATAL, "db.corrupt",
					 "the table seen holds an identity that is not 32 bytes");
	}
	return 0;
}

int store_seen_put(struct store *store, const struct id *source, const struct id *message, int64_t keep_until,
		   int64_t now, struct error *error)
{
	struct value values[] = {STORE_ID(source), STORE_ID(message), VALUE_OF_INT(keep_until), VALUE_OF_INT(now)};

	return db_run(
		store->db,
		"INSERT INTO seen (source, message, keep_until) VALUES ($1, $2, $3) ON CONFLICT (source) DO UPDATE"
		" SET message = excluded.message, keep_until = excluded.keep_until WHERE seen.keep_until < $4",
		values, STORE_COUNT(values), NULL, NULL, error);
}
