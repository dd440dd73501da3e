/* Questions about the whole site, its parks, holds and revisions. What only the engine knows comes from `live`. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "operations/ask_private.h"

#define PROBLEM_KEYS 10
#define PROBLEMS_MAX 50

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static int count(struct ask_context *context, const char *sql, json_t *answer, const char *name, struct error *error)
{
	int64_t n = 0;

	if (db_run(store_db(context->store), sql, NULL, 0, take_number, &n, error))
		return -1;
	json_object_set_new(answer, name, json_integer(n));
	return 0;
}

/* ---- status */

static json_t *queue_find(json_t *answer, const char *field, const char *value)
{
	json_t *queue;
	size_t i;

	json_array_foreach (json_object_get(answer, "queues"), i, queue)
		if (json_is_string(json_object_get(queue, field)) &&
		    !strcmp(json_string_value(json_object_get(queue, field)), value))
			return queue;
	return NULL;
}

static int put_parked(void *arg, const struct value *row, size_t columns)
{
	char *name = mem_span_dup(row[0].bytes);
	json_t *queue = queue_find(arg, "name", name);

	if (queue)
		json_object_set_new(queue, "parked", json_integer(row[1].number));
	else
		json_array_append_new(json_object_get(arg, "queues"),
				      json_pack("{s:s s:I}", "name", name, "parked", (json_int_t)row[1].number));
	free(name);
	return 0;
}

static int parked_by_queue(struct ask_context *context, json_t *answer, struct error *error)
{
	json_t *queue;
	size_t i;

	json_array_foreach (json_object_get(answer, "queues"), i, queue)
		if (!json_object_get(queue, "parked"))
			json_object_set_new(queue, "parked", json_integer(0));
	return db_run(store_db(context->store), "SELECT queue, count(*) FROM parks GROUP BY queue", NULL, 0, put_parked,
		      answer, error);
}

/* `kind`, with the value of the field, is what the problem is known by as long as it lasts. */
static json_t *problem_new(json_t *answer, const char *kind, json_t *what, int64_t since, json_t *next,
			   const char *field, const char *value)
{
	json_t *problem = json_pack("{s:o s:o s:I s:[] s:o}", "problem", json_sprintf("%s %s", kind, value), "what",
				    what, "since", (json_int_t)since, "keys", "next", next);
	json_t *queue = queue_find(answer, field, value);
	static const char *const names[] = {"owner", "runbook"};

	for (size_t i = 0; i < STORE_COUNT(names); i++)
		json_object_set_new(problem, names[i],
				    json_is_string(json_object_get(queue, names[i]))
					    ? json_incref(json_object_get(queue, names[i]))
					    : json_string(""));
	json_object_set_new(problem, field, json_string(value));
	json_array_append_new(json_object_get(answer, "problems"), problem);
	return problem;
}

static int add_key(void *arg, const struct value *row, size_t columns)
{
	json_array_append_new(arg, ask_string(row[0].bytes));
	return 0;
}

static int dead_problems(struct ask_context *context, json_t *answer, struct error *error)
{
	json_t *groups = json_array(), *group, *none = json_object();
	int status = ask_dead_groups(context, none, groups, error);
	size_t i;

	json_array_foreach (groups, i, group) {
		const char *cause = json_string_value(json_object_get(group, "cause")),
			   *step = json_string_value(json_object_get(group, "step")),
			   *flow = json_string_value(json_object_get(group, "flow"));
		int64_t n = json_integer_value(json_object_get(group, "count")),
			since = json_integer_value(json_object_get(group, "first_ms"));
		struct value values[] = {STORE_TEXT(cause), STORE_TEXT(step), STORE_TEXT(flow),
					 VALUE_OF_INT(PROBLEM_KEYS)};
		json_t *problem;

		if (status || i == PROBLEMS_MAX)
			break;
		problem = problem_new(answer, "dead",
				      json_sprintf("%lld dead letter%s of flow %s: %s in %s", (long long)n,
						   n == 1 ? "" : "s", flow, cause, step),
				      since, json_sprintf("ferrule dead list --flow %s --cause %s", flow, cause),
				      "flow", flow);
		json_object_set_new(problem, "problem", json_sprintf("dead %s %s %s", flow, cause, step));
		status = db_run(store_db(context->store),
				"SELECT k.value FROM dead d JOIN dead_keys k ON k.number = d.number"
				" WHERE d.state = 0 AND d.code = $1 AND d.step = $2 AND d.flow = $3 ORDER BY d.number, "
				"k.name, k.value LIMIT $4",
				values, 4, add_key, json_object_get(problem, "keys"), error);
		/* what died before it had keys is known by its document */
		if (!status && !json_array_size(json_object_get(problem, "keys")))
			status = db_run(
				store_db(context->store),
				"SELECT DISTINCT d.origin_name FROM dead d WHERE d.state = 0 AND d.code = $1 AND "
				"d.step = $2"
				" AND d.flow = $3 AND d.origin_name IS NOT NULL ORDER BY d.origin_name LIMIT $4",
				values, 4, add_key, json_object_get(problem, "keys"), error);
	}
	json_decref(groups);
	json_decref(none);
	return status;
}

static int put_doubt_problem(void *arg, const struct value *row, size_t columns)
{
	char *endpoint = mem_span_dup(row[0].bytes);
	int64_t n = row[1].number;

	problem_new(arg, "doubt",
		    json_sprintf("%lld effect%s at %s may or may not have happened: look at the target", (long long)n,
				 n == 1 ? "" : "s", endpoint),
		    row[2].number, json_sprintf("ferrule doubt list --endpoint %s", endpoint), "endpoint", endpoint);
	free(endpoint);
	return 0;
}

static int put_held_problem(void *arg, const struct value *row, size_t columns)
{
	char *queue = mem_span_dup(row[0].bytes);
	int64_t n = row[1].number;

	problem_new(arg, "held",
		    json_sprintf("%lld message%s in %s behind a dead letter of the same order key", (long long)n,
				 n == 1 ? " waits" : "s wait", queue),
		    row[2].number, json_string("ferrule dead list"), "name", queue);
	free(queue);
	return 0;
}

/* Steps wait for what is outside of a flow (a scanner, a table), and nobody else tells of it. */
static int put_retry_problem(void *arg, const struct value *row, size_t columns)
{
	char *queue = mem_span_dup(row[0].bytes), *code = mem_span_dup(row[1].bytes),
	     *reason = mem_span_dup(row[4].bytes);
	int64_t n = row[2].number;
	json_t *problem;

	problem = problem_new(arg, "retry",
		    json_sprintf("%lld message%s in %s to be tried again: %s: %s", (long long)n,
				 n == 1 ? " waits" : "s wait", queue, code, reason),
		    row[3].number, json_string("mend what it names: it goes on by itself"), "name", queue);
	json_object_set_new(problem, "problem", json_sprintf("retry %s %s", queue, code));
	json_object_set_new(problem, "tried", json_true());
	free(queue);
	free(code);
	free(reason);
	return 0;
}

static int retry_problems(struct ask_context *context, json_t *answer, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(ERROR_RETRY), VALUE_OF_INT(INT64_MAX)};

	return db_run(store_db(context->store),
		      "SELECT queue, code, count(*), MIN(at_ms), MIN(reason) FROM parks WHERE class = $1 AND due < $2"
		      " AND queue LIKE 'in.%' AND code <> '' AND reason <> '' GROUP BY queue, code ORDER BY queue, code"
		      " LIMIT 50",
		      values, 2, put_retry_problem, answer, error);
}

static int put_gap_problem(void *arg, const struct value *row, size_t columns)
{
	char *queue = mem_span_dup(row[0].bytes);
	int64_t n = row[1].number;

	problem_new(arg, "gap",
		    json_sprintf("%lld sequence%s before %s behind a number that has not come", (long long)n,
				 n == 1 ? " waits" : "s wait", queue),
		    row[2].number, json_string("ferrule collect list"), "name", queue);
	free(queue);
	return 0;
}

static int problem_doubt_keys(struct ask_context *context, json_t *answer, struct error *error)
{
	json_t *request, *list = json_object(), *problem, *doubt;
	int status = 0;
	size_t i, j;

	json_array_foreach (json_object_get(answer, "problems"), i, problem) {
		const char *endpoint = json_string_value(json_object_get(problem, "endpoint"));

		if (!endpoint || json_array_size(json_object_get(problem, "keys")) ||
		    !strstr(json_string_value(json_object_get(problem, "next")), "doubt"))
			continue;
		request = json_pack("{s:s s:i}", "endpoint", endpoint, "limit", PROBLEM_KEYS);
		status = ask_doubt_list(context, request, list, error);
		json_array_foreach (json_object_get(list, "doubts"), j, doubt) {
			json_t *key = json_array_get(json_object_get(doubt, "keys"), 0);

			if (key)
				json_array_append(json_object_get(problem, "keys"), json_object_get(key, "value"));
		}
		json_decref(request);
		if (status)
			break;
	}
	json_decref(list);
	return status;
}

/* What a partner's sequence lacks. */
static int put_lack(void *arg, const struct value *row, size_t columns)
{
	json_t *value = json_loadb(row[0].bytes.data, row[0].bytes.len, 0, NULL);
	const char *lacks = json_string_value(json_object_get(value, "lacks")),
		   *transfer = json_string_value(json_object_get(value, "transfer"));

	if (lacks && *lacks && transfer)
		problem_new(arg, "sequence", json_sprintf("the sequence of transfer %s lacks %s", transfer, lacks),
			    json_integer_value(json_object_get(value, "lacks_ms")),
			    json_sprintf("ferrule transfer skip %s", transfer), "flow", transfer);
	json_decref(value);
	return 0;
}

static int lack_problems(struct ask_context *context, json_t *answer, struct error *error)
{
	struct value table = STORE_TEXT(ASK_SCHEDULES);

	return db_run(store_db(context->store), "SELECT value FROM entries WHERE name = $1 ORDER BY key LIMIT 1000",
		      &table, 1, put_lack, answer, error);
}

static int stored_problems(struct ask_context *context, json_t *answer, struct error *error)
{
	struct value never = VALUE_OF_INT(INT64_MAX);

	return dead_problems(context, answer, error) ||
	       db_run(store_db(context->store),
		      "SELECT endpoint, count(*), MIN(first_ms) FROM effects WHERE state = 2 GROUP BY endpoint ORDER "
		      "BY endpoint",
		      NULL, 0, put_doubt_problem, answer, error) ||
	       problem_doubt_keys(context, answer, error) ||
	       db_run(store_db(context->store),
		      "SELECT queue, count(*), MIN(at_ms) FROM parks WHERE due = $1 GROUP BY queue ORDER BY queue",
		      &never, 1, put_held_problem, answer, error) ||
	       db_run(store_db(context->store),
		      "SELECT MIN(queue), count(*), MIN(first_ms) FROM collections WHERE " STORE_WAITING
		      " AND kind = 2 AND policy = 2 AND due + 0 = $1 GROUP BY queue || '' ORDER BY 1",
		      &never, 1, put_gap_problem, answer, error);
}

int ask_status(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	if (context->live && context->live(context->engine, "status", answer, error))
		return -1;
	if (!json_is_array(json_object_get(answer, "queues")))
		json_object_set_new(answer, "queues", json_array());
	if (!json_is_array(json_object_get(answer, "problems")))
		json_object_set_new(answer, "problems", json_array());
	json_object_set_new(answer, "held", json_array());
	json_object_set_new(answer, "expectations", json_array());
	if (ask_held_steps(context, json_object_get(answer, "held"), error) ||
	    ask_holds(context, request, answer, error) || parked_by_queue(context, answer, error) ||
	    count(context, "SELECT count(*) FROM dead WHERE state = 0", answer, "dead", error) ||
	    count(context, "SELECT count(*) FROM effects WHERE state = 2", answer, "doubt", error) ||
	    count(context, "SELECT count(*) FROM parks", answer, "parked", error) ||
	    stored_problems(context, answer, error) || lack_problems(context, answer, error) ||
	    retry_problems(context, answer, error) ||
	    ask_expiring(context, answer, error) ||
	    ask_expectations(context, json_object_get(answer, "expectations"), json_object_get(answer, "problems"),
			     error))
		return -1;
	return 0;
}

/* What waits for a person is at rest: a held order key does not keep a site from being idle. */
int ask_idle(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	static const char *const busy[] = {"ready", "unsettled", "parked", "unrecorded", "closing"};
	struct value never = VALUE_OF_INT(INT64_MAX), now = VALUE_OF_INT(context->now);
	bool idle = true;
	int64_t parked = 0, closing = 0;

	if (context->live && context->live(context->engine, "idle", answer, error))
		return -1;
	if (db_run(store_db(context->store), "SELECT count(*) FROM parks WHERE due < $1", &never, 1, take_number,
		   &parked, error))
		return -1;
	json_object_set_new(answer, "parked", json_integer(parked));
	if (db_run(store_db(context->store),
		   "SELECT (SELECT count(*) FROM collections WHERE state IN (1, 2))"
		   " + (SELECT count(*) FROM collections WHERE state = 0 AND due <= $1)"
		   " + (SELECT count(*) FROM expectations WHERE state = 0 AND due <= $1)"
		   " + (SELECT count(*) FROM events)",
		   &now, 1, take_number, &closing, error) ||
	    count(context,
		  "SELECT CAST(COALESCE(SUM(members), 0) AS BIGINT) FROM collections WHERE " STORE_WAITING
		  " AND state = 0",
		  answer, "held", error))
		return -1;
	json_object_set_new(answer, "closing", json_integer(closing));
	for (size_t i = 0; i < STORE_COUNT(busy); i++) {
		json_t *n = json_object_get(answer, busy[i]);

		if (!n)
			json_object_set_new(answer, busy[i], json_integer(0));
		idle = idle && json_integer_value(n) == 0;
	}
	if (json_object_get(answer, "idle")) /* the engine may know of more */
		idle = idle && json_is_true(json_object_get(answer, "idle"));
	json_object_set_new(answer, "idle", json_boolean(idle));
	return 0;
}

/* ---- holds */

static int put_hold(void *arg, const struct store_hold *hold)
{
	json_t *entry = json_pack("{s:I s:I}", "until_ms", (json_int_t)hold->until, "since_ms",
				  (json_int_t)hold->since);

	json_object_set_new(entry, "name", ask_string(span_of(hold->name)));
	json_object_set_new(entry, "reason", ask_string(span_of(hold->reason)));
	json_object_set_new(entry, "by", ask_string(span_of(hold->by)));
	json_array_append_new(arg, entry);
	return 0;
}

int ask_holds(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *holds = json_array();

	json_object_set_new(answer, "holds", holds);
	return store_hold_each(context->store, context->now, put_hold, holds, error);
}

int ask_hold_set(struct ask_context *context, json_t *request, struct error *error)
{
	struct store_hold hold = {.since = context->now};

	if (ask_text(request, "name", NULL, &hold.name, error) ||
	    ask_int_required(request, "until_ms", 1, INT64_MAX, &hold.until, error) ||
	    ask_text(request, "reason", "", &hold.reason, error) || ask_text(request, "by", "", &hold.by, error) ||
	    store_hold_set(context->store, &hold, error))
		return -1;
	if (context->holds_changed)
		context->holds_changed(context->engine);
	return 0;
}

int ask_hold_release(struct ask_context *context, json_t *request, struct error *error)
{
	const char *name;
	bool held;

	if (ask_text(request, "name", NULL, &name, error) || store_hold_release(context->store, name, &held, error))
		return -1;
	if (held && context->holds_changed)
		context->holds_changed(context->engine);
	return 0;
}

/* ---- parks, revisions, pins */

static int put_park(void *arg, const struct value *row, size_t columns)
{
	json_t *park = json_object();

	ask_put_int(park, "number", row[0]);
	ask_put_text(park, "queue", row[1]);
	ask_put_int(park, "due_ms", row[2]);
	json_object_set_new(park, "held", json_boolean(row[2].number == INT64_MAX));
	ask_put_hex(park, "message", row[3]);
	ask_put_int(park, "since_ms", row[4]);
	ask_put_text(park, "cause", row[5]);
	ask_put_text(park, "reason", row[6]);
	json_object_set_new(park, "keys", ask_keys(row[7].bytes));
	json_array_append_new(arg, park);
	return 0;
}

int ask_parks(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *parks = json_array();
	struct value values[2];
	const char *queue;
	int64_t limit;

	json_object_set_new(answer, "parks", parks);
	if (ask_text(request, "queue", "", &queue, error) || ask_limit(request, &limit, error))
		return -1;
	values[0] = STORE_TEXT(queue);
	values[1] = VALUE_OF_INT(limit);
	return db_run(store_db(context->store),
		      "SELECT number, queue, due, message, at_ms, code, reason, envelope FROM parks WHERE (queue = $1 "
		      "OR $1 = '')"
		      " ORDER BY due, number LIMIT $2",
		      values, 2, put_park, parks, error);
}

int ask_revision(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	const char *revision;
	struct buf ref;
	int status = -1;

	buf_init(&ref, 4096);
	if (!ask_text(request, "revision", NULL, &revision, error) &&
	    !store_revision_find(context->store, revision, &ref, error)) {
		json_object_set_new(answer, "ref", ask_string(buf_view(&ref)));
		status = 0;
	}
	buf_free(&ref);
	return status;
}

int ask_revision_put(struct ask_context *context, json_t *request, struct error *error)
{
	const char *revision, *ref;
	bool newest;

	if (ask_text(request, "revision", NULL, &revision, error) || ask_text(request, "ref", NULL, &ref, error))
		return -1;
	if (store_revision_newest(context->store, revision, &newest, error) ||
	    store_revision_put(context->store, revision, ref, context->now, error))
		return -1;
	return newest ? 0 : ask_audited(context, "revision", request, error);
}

static int put_pin(void *arg, struct span ref)
{
	json_array_append_new(arg, ask_string(ref));
	return 0;
}

int ask_pins(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *refs = json_array();

	json_object_set_new(answer, "refs", refs);
	return store_pins(context->store, put_pin, refs, error);
}
