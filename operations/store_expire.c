/* Retention: what is past its time goes in small portions, so that no unit waits long for the writer. */
#include "config.h"
#include "operations/store.h"

#include "base/fault.h"
#include "operations/store_private.h"

/* Each: $1 the time, $2 how many. An effect in doubt or under way, an open dead letter and a park never expire; neither
 * does the newest revision, nor one that something kept here still runs under. */
static const char seen[] = "DELETE FROM seen WHERE source IN (SELECT source FROM seen WHERE keep_until < $1 LIMIT $2)";
static const char effects[] =
	"DELETE FROM effects WHERE key IN (SELECT key FROM effects WHERE last_ms < $1 AND state IN (1, 3) LIMIT $2)";
static const char doubts[] =
	"DELETE FROM doubt_history WHERE key IN (SELECT key FROM doubt_history WHERE at_ms < $1 AND NOT EXISTS"
	" (SELECT 1 FROM effects WHERE effects.key = doubt_history.key) LIMIT $2)";
static const char dead_keys[] = "DELETE FROM dead_keys WHERE number IN (SELECT number FROM dead WHERE state <> 0 AND "
				"closed_ms < $1 ORDER BY closed_ms, number LIMIT $2)";
static const char dead_history[] = "DELETE FROM dead_history WHERE number IN (SELECT number FROM dead WHERE state <> 0 "
				   "AND closed_ms < $1 ORDER BY closed_ms, number LIMIT $2)";
static const char dead[] = "DELETE FROM dead WHERE number IN (SELECT number FROM dead WHERE state <> 0 AND closed_ms < "
			   "$1 ORDER BY closed_ms, number LIMIT $2)";
static const char holds[] = "DELETE FROM holds WHERE name IN (SELECT name FROM holds WHERE until_ms < $1 LIMIT $2)";
/* Members that are gone, and gaps of groups that are not open any more: an open one counts them, and a part that comes
 * after all takes the place of its gap. Then collections that are closed, or that only ever had gaps. A member that
 * waits never expires, nor does what a sequence knows. */
static const char held[] =
	"DELETE FROM held WHERE number IN (SELECT number FROM held WHERE at_ms < $1 AND state <> 0 AND (state = 1 OR"
	" NOT EXISTS (SELECT 1 FROM collections c WHERE c.number = held.collection AND c.state = 0)) LIMIT $2)";
static const char collections[] =
	"DELETE FROM collections WHERE number IN (SELECT number FROM collections WHERE state = 3 AND closed_ms < $1"
	" LIMIT $2)";
static const char empty_collections[] =
	"DELETE FROM collections WHERE number IN (SELECT number FROM collections WHERE state = 0 AND kind = 1"
	" AND members = 0 AND last_ms < $1 LIMIT $2)";
/* One that is open never expires; one that was missed stays until somebody closes it, or nobody can act on it. */
static const char arrivals[] =
	"DELETE FROM arrivals WHERE (name, key, member) IN (SELECT name, key, member FROM arrivals WHERE at_ms < $1"
	" LIMIT $2)";
static const char expectations[] =
	"DELETE FROM expectations WHERE number IN (SELECT number FROM expectations WHERE state > 1 AND closed_ms < $1"
	" LIMIT $2)";
static const char missed[] =
	"DELETE FROM expectations WHERE number IN (SELECT number FROM expectations WHERE state = 1 AND due < $1"
	" LIMIT $2)";
/* Past its time nothing is made of it any more, and past that of the originals nothing can be. */
static const char intake[] =
	"DELETE FROM intake WHERE number IN (SELECT number FROM intake WHERE until_ms < $1 LIMIT $2)";
static const char old_intake[] =
	"DELETE FROM intake WHERE number IN (SELECT number FROM intake WHERE at_ms < $1 LIMIT $2)";
/* What was made once (services/transform_once.h): its bytes go with the originals. */
static const char once[] = "DELETE FROM entries WHERE name = 'ferrule-once' AND key IN (SELECT key FROM entries WHERE"
			   " name = 'ferrule-once' AND at_ms < $1 LIMIT $2)";
static const char revisions[] =
	"DELETE FROM revisions WHERE revision IN (SELECT r.revision FROM revisions r WHERE r.at_ms < $1"
	" AND r.at_ms < (SELECT MAX(at_ms) FROM revisions) AND COALESCE(r.used_ms, 0) < $1"
	" AND NOT EXISTS (SELECT 1 FROM dead WHERE dead.revision = r.revision AND dead.state = 0)"
	" AND NOT EXISTS (SELECT 1 FROM parks WHERE parks.revision = r.revision)"
	" AND NOT EXISTS (SELECT 1 FROM intake WHERE intake.revision = r.revision)"
	" AND NOT EXISTS (SELECT 1 FROM held WHERE held.revision = r.revision AND held.state = 0)"
	" AND NOT EXISTS (SELECT 1 FROM effects WHERE effects.revision = r.revision AND effects.state IN (0, 2)) LIMIT "
	"$2)";

int store_expire(struct store *store, const struct store_retention *retention, unsigned limit, bool *more,
		 struct error *error)
{
	const struct {
		const char *sql;
		int64_t before;
	} rounds[] = {
		{seen, retention->now},
		{effects, retention->receipts_before},
		{doubts, retention->receipts_before},
		{dead_keys, retention->dead_before},
		{dead_history, retention->dead_before},
		{dead, retention->dead_before},
		{holds, retention->now},
		{collections, retention->receipts_before},
		{empty_collections, retention->receipts_before},
		{held, retention->receipts_before},
		{arrivals, retention->receipts_before},
		{expectations, retention->receipts_before},
		{missed, retention->receipts_before},
		{intake, retention->now},
		{old_intake, retention->dead_before},
		{once, retention->dead_before},
		{revisions, retention->revisions_before},
	};

	*more = false;
	for (size_t i = 0; i < STORE_COUNT(rounds); i++) {
		struct value values[] = {VALUE_OF_INT(rounds[i].before), VALUE_OF_INT(limit)};
		int64_t changed;

		if (db_change(store->db, rounds[i].sql, values, 2, &changed, error))
			return -1;
		if (changed >= (int64_t)limit)
			*more = true;
		FAULT("store.expired");
	}
	return 0;
}

struct pins_call {
	int (*each)(void *, struct span);
	void *arg;
};

static int give_pin(void *arg, const struct value *row, size_t columns)
{
	struct pins_call *call = arg;

	return call->each(call->arg, row[0].bytes);
}

int store_pins(struct store *store, int (*each)(void *, struct span ref), void *arg, struct error *error)
{
	struct pins_call call = {each, arg};

	return db_run(store->db,
		      "SELECT origin_ref FROM dead WHERE state = 0 AND origin_ref IS NOT NULL"
		      " UNION SELECT body_ref FROM dead WHERE state = 0 AND body_ref IS NOT NULL"
		      " UNION SELECT origin_ref FROM parks WHERE origin_ref IS NOT NULL"
		      " UNION SELECT body_ref FROM parks WHERE body_ref IS NOT NULL"
		      " UNION SELECT origin_ref FROM effects WHERE state IN (0, 2) AND origin_ref IS NOT NULL"
		      " UNION SELECT body_ref FROM effects WHERE state IN (0, 2) AND body_ref IS NOT NULL"
		      " UNION SELECT origin_ref FROM held WHERE state = 0 AND origin_ref IS NOT NULL"
		      " UNION SELECT body_ref FROM held WHERE state = 0 AND body_ref IS NOT NULL"
		      " UNION SELECT ref FROM revisions",
		      NULL, 0, give_pin, &call, error);
}
