/* What must happen by a time. See expectation.h. */
#include "config.h"
#include "operations/expectation.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "operations/store_private.h"

#define ROWS_AT_ONCE 64

struct row {
	int64_t number, state, needed, count, start, end, due, opened;
	char *name, *flow, *label, *message, *about;
	struct id key, member;
};

static struct id key_of(struct span key)
{
	return id_of(&key, 1);
}

/* ---- rows */
#define ROW                                                                                                            \
	"SELECT number, state, needed, count, start_ms, end_ms, due, opened_ms, name, flow, label, message, about, "   \
	"key,"                                                                                                         \
	" member FROM expectations "

static int take_row(void *arg, const struct value *row, size_t columns)
{
	struct row *r = arg;

	*r = (struct row){.number = row[0].number,
			  .state = row[1].number,
			  .needed = row[2].number,
			  .count = row[3].number,
			  .start = row[4].number,
			  .end = row[5].number,
			  .due = row[6].number,
			  .opened = row[7].number,
			  .name = mem_span_dup(row[8].bytes),
			  .flow = mem_span_dup(row[9].bytes),
			  .label = mem_span_dup(row[10].bytes),
			  .message = mem_span_dup(row[11].bytes),
			  .about = row[12].type == VALUE_NULL ? NULL : mem_span_dup(row[12].bytes)};
	id_from_span(&r->key, row[13].bytes);
	id_from_span(&r->member, row[14].bytes);
	return 1;
}

static void row_free(struct row *row)
{
	free(row->name);
	free(row->flow);
	free(row->label);
	free(row->message);
	free(row->about);
	*row = (struct row){0};
}

/* ---- counts: what /metrics and `expect list` show; a row each, changed with what it counts */
static int count_up(struct store *store, const struct row *row, const char *sql, int64_t lag, int64_t now,
		    struct error *error)
{
	struct value first[] = {STORE_TEXT(row->name), STORE_TEXT(row->flow)};
	struct value values[] = {STORE_TEXT(row->name), VALUE_OF_INT(lag), VALUE_OF_INT(now)};
	int64_t changed;

	return db_change(store->db,
			 "INSERT INTO expectation_counts (name, flow, met, late, missed, lag_ms, last_ms)"
			 " VALUES ($1, $2, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
			 first, 2, &changed, error) ||
			       db_change(store->db, sql, values, 3, &changed, error)
		       ? -1
		       : 0;
}

/* ---- events */
static void put_time(json_t *object, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms == INT64_MAX || ms <= 0)
		return;
	clock_format(ms, text);
	json_object_set_new(object, name, json_string(text));
}

static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : json_string("?"); /* no UTF-8 */
}

/* What the configuration says of it, and what the store knows. */
static int tell(struct store *store, const struct row *row, const char *topic, const char *about, int64_t met,
		int64_t now, bool *due, struct error *error)
{
	json_t *body = about ? json_loads(about, 0, NULL) : NULL;
	bool keyed = *row->message;
	struct span parts[] = {span_of(topic), span_of(row->name), id_span(&row->key), id_span(&row->member)};
	struct store_event event = {.topic = topic, .subject = row->name, .at = now, .id = id_of(parts, 4)};
	char *text;
	int result;

	if (!json_is_object(body)) {
		json_decref(body);
		body = json_object();
	}
	json_object_set_new(body, "expectation", text_of(row->name));
	json_object_set_new(body, "flow", text_of(row->flow));
	json_object_set_new(body, keyed ? "key" : "day", text_of(row->label));
	json_object_set_new(body, "number", json_integer(row->number));
	json_object_set_new(body, "needed", json_integer(row->needed));
	json_object_set_new(body, "came", json_integer(row->count));
	if (keyed)
		json_object_set_new(body, "message", text_of(row->message));
	put_time(body, "opened", row->opened);
	put_time(body, "due", row->due);
	put_time(body, "met", met);
	if (met)
		json_object_set_new(body, "late_ms", json_integer(met - row->due));
	text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	event.key = keyed ? span_of(row->label) : SPAN_NONE;
	event.body = span_of(text);
	result = store_event_put(store, &event, due, error);
	free(text);
	json_decref(body);
	return result;
}

/* ---- states */
static int set_state(struct store *store, struct row *row, enum expectation_state state, int64_t met, int64_t now,
		     const char *about, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(row->number),
				 VALUE_OF_INT(state),
				 VALUE_OF_INT(row->state),
				 met ? VALUE_OF_INT(met) : VALUE_OF_NULL,
				 state == EXPECTATION_MISSED ? VALUE_OF_NULL : VALUE_OF_INT(now),
				 about ? STORE_TEXT(about) : VALUE_OF_NULL,
				 VALUE_OF_INT(row->count)};
	int64_t changed;

	if (db_change(store->db,
		      "UPDATE expectations SET state = $2, met_ms = $4, closed_ms = $5, count = $7,"
		      " about = COALESCE(CAST($6 AS TEXT), about) WHERE number = $1 AND state = $3",
		      values, STORE_COUNT(values), &changed, error))
		return -1;
	FAULT("expect.state");
	if (!changed)
		return error_set(error, ERROR_RETRY, "expect.changed",
				 "another changes this expectation at this moment");
	row->state = state;
	return 0;
}

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

/* How many came in its time, and when the one came with which it was met (0: not yet). */
static int count_arrivals(struct store *store, struct row *row, int64_t *met, struct error *error)
{
	struct value values[] = {STORE_TEXT(row->name), STORE_ID(&row->key), VALUE_OF_INT(row->start),
				 VALUE_OF_INT(row->end), VALUE_OF_INT(row->needed - 1)};

	*met = 0;
	return db_run(store->db,
		      "SELECT count(*) FROM arrivals WHERE name = $1 AND key = $2 AND at_ms >= $3 AND at_ms < $4",
		      values, 4, take_number, &row->count, error) ||
			       db_run(store->db,
				      "SELECT at_ms FROM arrivals WHERE name = $1 AND key = $2 AND at_ms >= $3 AND "
				      "at_ms < "
				      "$4 ORDER BY at_ms LIMIT 1 OFFSET $5",
				      values, 5, take_number, met, error)
		       ? -1
		       : 0;
}

static int become_met(struct store *store, struct row *row, int64_t met, int64_t now, struct error *error)
{
	return set_state(store, row, EXPECTATION_MET, met, now, NULL, error) ||
			       count_up(store, row,
					"UPDATE expectation_counts SET met = met + 1, lag_ms = $2, last_ms = $3"
					" WHERE name = $1",
					met - row->due, now, error)
		       ? -1
		       : 0;
}

static int become_late(struct store *store, struct row *row, int64_t met, int64_t now, bool *due, struct error *error)
{
	return set_state(store, row, EXPECTATION_LATE, met, now, NULL, error) ||
			       count_up(store, row,
					"UPDATE expectation_counts SET late = late + 1, lag_ms = $2, last_ms = $3"
					" WHERE name = $1",
					met - row->due, now, error) ||
			       tell(store, row, EVENT_EXPECTATION_MET, row->about, met, now, due, error)
		       ? -1
		       : 0;
}

static int become_missed(struct store *store, struct row *row, const char *about, int64_t now, bool *due,
			 struct error *error)
{
	free(row->about);
	row->about = about ? mem_strdup(about) : NULL;
	return set_state(store, row, EXPECTATION_MISSED, 0, now, about, error) ||
			       count_up(store, row,
					"UPDATE expectation_counts SET missed = missed + 1, lag_ms = $2,"
					" last_ms = $3 WHERE name = $1",
					now - row->due, now, error) ||
			       tell(store, row, EVENT_EXPECTATION_MISSED, about, 0, now, due, error)
		       ? -1
		       : 0;
}

static int keep_count(struct store *store, const struct row *row, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(row->number), VALUE_OF_INT(row->count)};

	return db_run(store->db, "UPDATE expectations SET count = $2 WHERE number = $1", values, 2, NULL, NULL, error);
}

/* What has come meets it, when it was enough. */
static int look(struct store *store, struct row *row, int64_t now, bool *due, struct error *error)
{
	int64_t met, before = row->count;

	if (count_arrivals(store, row, &met, error))
		return -1;
	if (!met || (row->state == EXPECTATION_OPEN && met > row->due)) /* late, and to be judged first */
		return row->count == before ? 0 : keep_count(store, row, error);
	return row->state == EXPECTATION_OPEN ? become_met(store, row, met, now, error)
					      : become_late(store, row, met, now, due, error);
}

/* ---- opening */
int store_expect_next(struct store *store, int64_t *due, struct error *error)
{
	*due = INT64_MAX;
	return db_run(store->db, "SELECT due FROM expectations WHERE state = 0 ORDER BY due LIMIT 1", NULL, 0,
		      take_number, due, error);
}

int store_expect_open(struct store *store, const struct store_expectation *open, int64_t now, bool *due,
		      struct error *error)
{
	struct id key = key_of(open->key);
	struct value values[] = {STORE_TEXT(open->name),    STORE_TEXT(open->flow),   STORE_ID(&key),
				 STORE_ID(open->member),    STORE_TEXT(open->label),  VALUE_OF_INT(open->needed),
				 VALUE_OF_INT(open->start), VALUE_OF_INT(open->end),  VALUE_OF_INT(open->due),
				 VALUE_OF_INT(now),         STORE_TEXT(open->message)};
	struct row row = {0};
	int64_t next, changed;
	int result;

	if (store_expect_next(store, &next, error) ||
	    db_change(
		    store->db,
		    "INSERT INTO expectations (name, flow, key, member, label, state, needed, count, start_ms, end_ms,"
		    " due, opened_ms, message) VALUES ($1, $2, $3, $4, $5, 0, $6, 0, $7, $8, $9, $10, $11)"
		    " ON CONFLICT DO NOTHING",
		    values, STORE_COUNT(values), &changed, error))
		return -1;
	FAULT("expect.opened");
	if (!changed)
		return 0;
	*due = *due || open->due < next;
	if (db_run(store->db, ROW "WHERE name = $1 AND key = $2 AND member = $3",
		   (struct value[]){values[0], values[2], values[3]}, 3, take_row, &row, error))
		return -1;
	result = row.name ? look(store, &row, now, due, error) : 0;
	row_free(&row);
	return result;
}

/* ---- arrivals */
struct numbers {
	int64_t list[ROWS_AT_ONCE];
	size_t count;
};

static int add_number(void *arg, const struct value *row, size_t columns)
{
	struct numbers *numbers = arg;

	numbers->list[numbers->count++] = row[0].number;
	return numbers->count == ROWS_AT_ONCE;
}

static int look_at(struct store *store, int64_t number, int64_t now, bool *due, struct error *error)
{
	struct value value = VALUE_OF_INT(number);
	struct row row = {0};
	int result;

	if (db_run(store->db, ROW "WHERE number = $1", &value, 1, take_row, &row, error))
		return -1;
	result = row.name ? look(store, &row, now, due, error) : 0;
	row_free(&row);
	return result;
}

/* Those that it is one too few for are only counted. */
static int count_one(struct store *store, int64_t number, bool *enough, struct error *error)
{
	struct value value = VALUE_OF_INT(number);
	int64_t rest = 1;

	if (db_run(store->db, "UPDATE expectations SET count = count + 1 WHERE number = $1 RETURNING needed - count",
		   &value, 1, take_number, &rest, error))
		return -1;
	*enough = rest <= 0;
	return 0;
}

int store_expect_arrived(struct store *store, const char *name, struct span key, const struct id *member, int64_t at,
			 bool *due, struct error *error)
{
	struct id digest = key_of(key);
	struct value values[] = {STORE_TEXT(name), STORE_ID(&digest), STORE_ID(member), VALUE_OF_INT(at),
				 VALUE_OF_INT(0)};
	struct numbers numbers;
	int64_t changed;

	if (db_change(store->db,
		      "INSERT INTO arrivals (name, key, member, at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		      values, 4, &changed, error))
		return -1;
	FAULT("expect.arrived");
	if (!changed)
		return 0;
	do {
		struct value find[] = {values[0], values[1], values[3], values[4]};

		numbers.count = 0;
		if (db_run(store->db,
			   "SELECT number FROM expectations WHERE name = $1 AND key = $2 AND state IN (0, 1)"
			   " AND start_ms <= $3 AND end_ms > $3 AND number > $4 ORDER BY number LIMIT 64",
			   find, 4, add_number, &numbers, error))
			return -1;
		for (size_t i = 0; i < numbers.count; i++) {
			bool enough;

			if (count_one(store, numbers.list[i], &enough, error) ||
			    (enough && look_at(store, numbers.list[i], at, due, error)))
				return -1;
			values[4] = VALUE_OF_INT(numbers.list[i]);
		}
	} while (numbers.count == ROWS_AT_ONCE);
	return 0;
}

/* ---- judging */
int store_expect_judge(struct store *store, int64_t number, struct span about, int64_t now, bool *due,
		       struct error *error)
{
	struct value value = VALUE_OF_INT(number);
	struct row row = {0};
	char *text = about.len ? mem_span_dup(about) : NULL;
	int result = -1;

	if (db_run(store->db, ROW "WHERE number = $1", &value, 1, take_row, &row, error))
		goto done;
	result = 0;
	if (!row.name || row.state != EXPECTATION_OPEN)
		goto done;
	/* what two machines did at the same time was not seen by either */
	result = look(store, &row, now, due, error);
	if (result || row.state != EXPECTATION_OPEN || row.due > now)
		goto done;
	result = become_missed(store, &row, text, now, due, error) || look(store, &row, now, due, error) ? -1 : 0;
done:
	free(text);
	row_free(&row);
	return result;
}

int store_expect_close(struct store *store, int64_t number, const char *why, int64_t now, bool *closed,
		       struct error *error)
{
	struct value values[] = {VALUE_OF_INT(number), VALUE_OF_INT(now), STORE_TEXT(why)};
	int64_t changed;

	if (db_change(
		    store->db,
		    "UPDATE expectations SET state = 4, closed_ms = $2, why = $3 WHERE number = $1 AND state IN (0, 1)",
		    values, STORE_COUNT(values), &changed, error))
		return -1;
	*closed = changed > 0;
	return 0;
}
