/* Questions and changes about what must happen by a time, and events of Ferrule's own on their way. */
#include "config.h"

#include <stdlib.h>

#include "operations/ask_private.h"
#include "operations/expectation.h"

#define DUE_MOST 200
#define EVENTS_MOST 100
#define NAMES_MOST 10000
#define ELSEWHERE_MS 5000
#define TOGETHER_MS 2000 /* what other machines open is not told to this one */
#define PROBLEM_KEYS 10

#define COLUMNS                                                                                                        \
	"number, name, flow, state, label, message, needed, count, start_ms, due, opened_ms, met_ms, closed_ms, "      \
	"about,"                                                                                                       \
	" why"

static const char *const states[] = {"open", "missed", "met", "late", "closed"};

static int put_expectation(void *arg, const struct value *row, size_t columns)
{
	static const char *const numbers[] = {"needed",    "came",   "start_ms", "due_ms",
					      "opened_ms", "met_ms", "closed_ms"};
	json_t *one = json_object();

	ask_put_int(one, "number", row[0]);
	ask_put_text(one, "name", row[1]);
	ask_put_text(one, "flow", row[2]);
	json_object_set_new(one, "state", json_string(states[row[3].number % 5]));
	ask_put_text(one, "label", row[4]);
	ask_put_text(one, "message", row[5]);
	for (size_t i = 0; i < STORE_COUNT(numbers); i++)
		ask_put_int(one, numbers[i], row[6 + i]);
	ask_put_json(one, "about", row[13]);
	ask_put_text(one, "why", row[14]);
	json_array_append_new(arg, one);
	return 0;
}

/* ---- the steward's */
static int put_event(void *arg, const struct store_event *event)
{
	json_t *one = json_object();
	char id[ID_TEXT];

	id_hex(&event->id, id);
	json_object_set_new(one, "number", json_integer(event->number));
	json_object_set_new(one, "id", json_string(id));
	json_object_set_new(one, "topic", ask_string(span_of(event->topic)));
	json_object_set_new(one, "subject", ask_string(span_of(event->subject)));
	json_object_set_new(one, "key", ask_string(event->key));
	json_object_set_new(one, "body", ask_string(event->body));
	json_object_set_new(one, "at_ms", json_integer(event->at));
	json_array_append_new(arg, one);
	return 0;
}

static int take_number(void *arg, const struct value *row, size_t columns)
{
	if (row[0].type != VALUE_NULL)
		*(int64_t *)arg = row[0].number;
	return 1;
}

static int last_days(struct ask_context *context, json_t *names, json_t *days, struct error *error)
{
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		const char *text = json_string_value(name);
		struct value value = VALUE_OF_TEXT(span_of(text ? text : ""));
		int64_t start = INT64_MIN;

		if (i == NAMES_MOST)
			break;
		if (db_run(store_db(context->store), "SELECT MAX(start_ms) FROM expectations WHERE name = $1", &value,
			   1, take_number, &start, error))
			return -1;
		if (text && start != INT64_MIN)
			json_object_set_new(days, text, json_integer(start));
	}
	return 0;
}

int ask_expect_due(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *due = json_array(), *events = json_array(), *days = json_object();
	struct value values[] = {VALUE_OF_INT(context->now), VALUE_OF_INT(DUE_MOST)};
	int64_t next;

	json_object_set_new(answer, "due", due);
	json_object_set_new(answer, "events", events);
	json_object_set_new(answer, "days", days);
	if (context->live && context->live(context->engine, "held.due", answer, error))
		return -1;
	if (json_is_true(json_object_get(answer, "elsewhere"))) {
		json_object_set_new(answer, "next_ms", json_integer(context->now + ELSEWHERE_MS));
		return 0;
	}
	if (db_run(store_db(context->store),
		   "SELECT " COLUMNS " FROM expectations WHERE state = 0 AND due <= $1 ORDER BY due, number LIMIT $2",
		   values, 2, put_expectation, due, error) ||
	    store_event_each(context->store, EVENTS_MOST, put_event, events, error) ||
	    last_days(context, json_object_get(request, "days"), days, error) ||
	    store_expect_next(context->store, &next, error))
		return -1;
	if (json_is_false(json_object_get(answer, "alone")) && next > context->now + TOGETHER_MS)
		next = context->now + TOGETHER_MS;
	json_object_set_new(answer, "next_ms", next == INT64_MAX ? json_null() : json_integer(next));
	return 0;
}

static void changed(struct ask_context *context, bool due)
{
	if (due && context->held_changed)
		context->held_changed(context->engine);
}

static int member_of(json_t *request, struct id *member, struct error *error)
{
	const char *text;

	if (ask_text(request, "member", NULL, &text, error))
		return -1;
	return id_parse(member, span_of(text)) ? error_set(error, ERROR_REJECT, "ask.request", "`member` is no id") : 0;
}

int ask_expect_open(struct ask_context *context, json_t *request, struct error *error)
{
	struct store_expectation open = {0};
	struct id member;
	const char *key;
	int64_t within;
	bool due = false;

	if (ask_text(request, "name", NULL, &open.name, error) || ask_text(request, "flow", NULL, &open.flow, error) ||
	    ask_text(request, "key", "", &key, error) || member_of(request, &member, error) ||
	    ask_text(request, "label", NULL, &open.label, error) ||
	    ask_text(request, "message", "", &open.message, error) ||
	    ask_int(request, "needed", 1, 1, INT64_MAX, &open.needed, error) ||
	    ask_int_required(request, "start_ms", INT64_MIN, INT64_MAX, &open.start, error) ||
	    ask_int(request, "end_ms", INT64_MAX, 0, INT64_MAX, &open.end, error) ||
	    ask_int(request, "within_ms", 0, 0, INT64_MAX / 2, &within, error) ||
	    ask_int(request, "due_ms", context->now + within, 0, INT64_MAX, &open.due, error))
		return -1;
	open.key = span_of(key);
	open.member = &member;
	if (store_expect_open(context->store, &open, context->now, &due, error))
		return -1;
	changed(context, due);
	return 0;
}

int ask_expect_arrived(struct ask_context *context, json_t *request, struct error *error)
{
	const char *name, *key;
	struct id member;
	bool due = false;
	int64_t at;

	if (ask_text(request, "name", NULL, &name, error) || ask_text(request, "key", "", &key, error) ||
	    member_of(request, &member, error) || ask_int(request, "at_ms", context->now, 0, INT64_MAX, &at, error) ||
	    store_expect_arrived(context->store, name, span_of(key), &member, at, &due, error))
		return -1;
	changed(context, due);
	return 0;
}

int ask_expect_judge(struct ask_context *context, json_t *request, struct error *error)
{
	json_t *about = json_object_get(request, "about");
	char *text = json_is_object(about) ? json_dumps(about, JSON_COMPACT) : NULL;
	int64_t number;
	bool due = false;
	int result = -1;

	if (!ask_int_required(request, "number", 1, INT64_MAX, &number, error))
		result = store_expect_judge(context->store, number, span_of(text ? text : ""), context->now, &due,
					    error);
	free(text);
	if (!result)
		changed(context, due);
	return result;
}

int ask_expect_close(struct ask_context *context, json_t *request, struct error *error)
{
	const char *reason, *by;
	int64_t number;
	char *why;
	bool closed;
	int result;

	if (ask_int_required(request, "number", 1, INT64_MAX, &number, error) ||
	    ask_text(request, "reason", NULL, &reason, error) || ask_text(request, "by", "", &by, error))
		return -1;
	why = *by ? mem_printf("%s (%s)", reason, by) : mem_strdup(reason);
	result = store_expect_close(context->store, number, why, context->now, &closed, error);
	free(why);
	if (!result && *by && !closed) /* to the steward it is the same who closed it */
		return error_set(error, ERROR_REJECT, "expect.none",
				 "expectation %lld is not waited for: it is over, or there is none of this number"
				 " (ferrule expect list)",
				 (long long)number);
	return result;
}

int ask_event_told(struct ask_context *context, json_t *request, struct error *error)
{
	int64_t number;

	return ask_int_required(request, "number", 1, INT64_MAX, &number, error)
		       ? -1
		       : store_event_gone(context->store, number, error);
}

/* ---- people's */
int ask_expect_list(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	json_t *list = json_array();
	const char *state, *name;
	int64_t limit, low = EXPECTATION_OPEN, high = EXPECTATION_MISSED;

	json_object_set_new(answer, "expectations", list);
	if (ask_text(request, "state", "", &state, error) || ask_text(request, "name", "", &name, error) ||
	    ask_limit(request, &limit, error))
		return -1;
	if (*state) {
		for (low = 0; low < (int64_t)STORE_COUNT(states) && strcmp(states[low], state) != 0; low++)
			;
		high = low;
		if (low == (int64_t)STORE_COUNT(states))
			return error_set(error, ERROR_REJECT, "ask.request",
					 "`state` is open, missed, met, late or closed");
	}
	{
		struct value values[] = {VALUE_OF_INT(low), VALUE_OF_INT(high), STORE_TEXT(name),
					 VALUE_OF_INT(limit + 1)};

		if (db_run(store_db(context->store),
			   "SELECT " COLUMNS
			   " FROM expectations WHERE state >= $1 AND state <= $2 AND (name = $3 OR $3 = '')"
			   " ORDER BY due, number LIMIT $4",
			   values, 4, put_expectation, list, error))
			return -1;
	}
	if ((int64_t)json_array_size(list) > limit) {
		json_array_remove(list, (size_t)limit);
		json_object_set_new(answer, "more", json_true());
	}
	return 0;
}

/* ---- for status */
static json_t *expectation_of(json_t *all, const struct value *name, const struct value *flow)
{
	static const char *const counts[] = {"open", "missed", "met", "late", "missed_ever", "lag_ms", "last_ms"};
	json_t *one;
	size_t i;

	json_array_foreach(all, i, one) {
		const char *text = json_string_value(json_object_get(one, "name"));

		if (text && span_is(name->bytes, text))
			return one;
	}
	one = json_object();
	ask_put_text(one, "name", *name);
	ask_put_text(one, "flow", *flow);
	for (i = 0; i < STORE_COUNT(counts); i++)
		json_object_set_new(one, counts[i], json_integer(0));
	json_object_set_new(one, "overdue_ms", json_null());
	json_array_append_new(all, one);
	return one;
}

static int put_counts(void *arg, const struct value *row, size_t columns)
{
	static const char *const names[] = {"met", "late", "missed_ever", "lag_ms", "last_ms"};
	json_t *one = expectation_of(arg, &row[0], &row[1]);

	for (size_t i = 0; i < STORE_COUNT(names); i++)
		ask_put_int(one, names[i], row[2 + i]);
	return 0;
}

static int put_waiting(void *arg, const struct value *row, size_t columns)
{
	json_t *one = expectation_of(arg, &row[0], &row[1]);

	ask_put_int(one, row[2].number == EXPECTATION_MISSED ? "missed" : "open", row[3]);
	if (row[2].number == EXPECTATION_MISSED)
		ask_put_int(one, "overdue_ms", row[4]);
	return 0;
}

static int add_label(void *arg, const struct value *row, size_t columns)
{
	json_t *problem = arg, *about = NULL, *field;
	static const char *const names[] = {"owner", "runbook"};

	json_array_append_new(json_object_get(problem, "keys"), ask_string(row[0].bytes));
	if (json_object_get(problem, "owner") || row[1].type == VALUE_NULL)
		return 0;
	about = json_loadb(row[1].bytes.data, row[1].bytes.len, 0, NULL);
	for (size_t i = 0; i < STORE_COUNT(names); i++)
		if ((field = json_object_get(about, names[i])) && json_is_string(field))
			json_object_set(problem, names[i], field);
	if ((field = json_object_get(about, "what")) && json_is_string(field))
		json_object_set_new(problem, "what",
				    json_sprintf("%s: %s", json_string_value(json_object_get(problem, "what")),
						 json_string_value(field)));
	json_decref(about);
	return 0;
}

static int problem_of(struct ask_context *context, const json_t *one, json_t *problems, struct error *error)
{
	const char *name = json_string_value(json_object_get(one, "name"));
	json_int_t n = json_integer_value(json_object_get(one, "missed"));
	struct value values[] = {STORE_TEXT(name ? name : ""), VALUE_OF_INT(PROBLEM_KEYS)};
	json_t *problem;

	if (!n)
		return 0;
	problem = json_pack("{s:o s:o s:O s:[] s:O s:o}", "problem", json_sprintf("expectation %s", name), "what",
			    json_sprintf("%lld missed of the expectation %s", (long long)n, name), "since",
			    json_object_get(one, "overdue_ms"), "keys", "flow", json_object_get(one, "flow"), "next",
			    json_sprintf("ferrule expect list --missed --name %s", name));
	json_array_append_new(problems, problem);
	if (db_run(store_db(context->store),
		   "SELECT label, about FROM expectations WHERE name = $1 AND state = 1 ORDER BY due, number LIMIT $2",
		   values, 2, add_label, problem, error))
		return -1;
	for (size_t i = 0; i < 2; i++)
		if (!json_object_get(problem, i ? "runbook" : "owner"))
			json_object_set_new(problem, i ? "runbook" : "owner", json_string(""));
	return 0;
}

int ask_expectations(struct ask_context *context, json_t *expectations, json_t *problems, struct error *error)
{
	struct db *db = store_db(context->store);
	json_t *one;
	size_t i;

	if (db_run(db, "SELECT name, flow, met, late, missed, lag_ms, last_ms FROM expectation_counts ORDER BY name",
		   NULL, 0, put_counts, expectations, error) ||
	    db_run(db,
		   "SELECT name, MIN(flow), state, count(*), MIN(due) FROM expectations WHERE state < 2 GROUP BY name, "
		   "state ORDER BY name, state",
		   NULL, 0, put_waiting, expectations, error))
		return -1;
	json_array_foreach(expectations, i, one)
		if (problem_of(context, one, problems, error))
			return -1;
	return 0;
}
