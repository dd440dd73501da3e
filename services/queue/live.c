/* What only the engine knows for the questions `status` and `idle`. See operations/ask.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "services/queue/inner.h"

static void set_text(json_t *object, const char *name, const char *value)
{
	json_object_set_new(object, name, json_string(value ? value : ""));
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_bool(json_t *object, const char *name, bool value)
{
	json_object_set_new(object, name, json_boolean(value));
}

static const char *const kinds[] = {[QUEUE_IN] = "in", [QUEUE_OUT] = "out", [QUEUE_SYSTEM] = "system"};

static int counts_of(struct engine *engine, struct lane *lane, struct broker_counts *counts, struct error *error)
{
	uint64_t here = lane->waiting, out = lane->out;

	if (engine->config.broker->count(engine->broker, lane->spec, counts, error))
		return -1;
	counts->ready += here;
	counts->unsettled = out;
	return 0;
}

static int queue_state_of(struct engine *engine, struct lane *lane, json_t *queues, struct error *error)
{
	const struct topology_queue *spec = lane->spec;
	struct broker_counts counts = {0};
	json_t *queue;

	if (counts_of(engine, lane, &counts, error)) {
		counts = (struct broker_counts){.ready = lane->waiting, .unsettled = lane->out};
		error_clear(error); /* the broker is away: problems say so */
	}
	queue = json_object();
	set_text(queue, "name", spec->name);
	set_text(queue, "kind", kinds[spec->kind]);
	set_text(queue, "flow", spec->flow);
	set_text(queue, "endpoint", spec->endpoint);
	set_text(queue, "system", spec->system);
	set_text(queue, "worker", spec->worker);
	set_text(queue, "owner", spec->owner);
	set_text(queue, "runbook", spec->runbook);
	set_number(queue, "ready", counts.ready);
	set_number(queue, "unsettled", counts.unsettled);
	set_number(queue, "oldest_ms", (uint64_t)counts.oldest_ms);
	set_number(queue, "consumers", lane->consumers);
	set_bool(queue, "held", lane->stood);
	json_array_append_new(queues, queue);
	return 0;
}

/* What only this machine's processes know: they forget it when they end. */
static json_t *problem_new(const char *kind, const char *name, const char *what, int64_t since, const char *owner,
			   const char *runbook, const char *next)
{
	json_t *problem = json_object();

	json_object_set_new(problem, "problem", json_sprintf("%s %s", kind, name));
	set_bool(problem, "here", true);
	set_text(problem, "what", what);
	set_number(problem, "since", (uint64_t)since);
	json_object_set_new(problem, "keys", json_array());
	set_text(problem, "owner", owner);
	set_text(problem, "runbook", runbook);
	set_text(problem, "next", next);
	return problem;
}

/* Business keys of what waits first: what a person asks about. */
static void add_keys(json_t *problem, const struct lane *lane)
{
	json_t *keys = json_object_get(problem, "keys");

	for (const struct item *item = lane->first; item && json_array_size(keys) < 5; item = item->next) {
		struct message *message = message_decode_new(item_envelope(item), NULL);

		if (message && message->keys_count)
			json_array_append_new(
				keys, json_stringn_nocheck(message->keys[0].value.data, message->keys[0].value.len));
		message_free(message);
	}
}

static const struct lane *lane_of_endpoint(const struct engine *engine, const char *endpoint)
{
	for (size_t i = 0; i < engine->topology->count; i++)
		if (engine->lanes[i]->spec->endpoint && !strcmp(engine->lanes[i]->spec->endpoint, endpoint))
			return engine->lanes[i];
	return NULL;
}

static void paused_problem(struct engine *engine, const char *endpoint, const json_t *state, json_t *problems)
{
	const struct lane *lane = lane_of_endpoint(engine, endpoint);
	const char *why = json_string_value(json_object_get(state, "error"));
	char *what = mem_printf("endpoint %s is paused: %s", endpoint, why ? why : "");
	char *next = mem_printf("repair it, and it goes on by itself; if that takes long: "
				"ferrule hold %s --until 90m --reason 'under repair'",
				endpoint);
	json_t *problem = problem_new("paused", endpoint, what, json_integer_value(json_object_get(state, "since")),
				      lane ? lane->spec->owner : "", lane ? lane->spec->runbook : "", next);

	set_text(problem, "endpoint", endpoint);
	if (lane) {
		set_text(problem, "flow", lane->spec->flow);
		set_text(problem, "system", lane->spec->system);
		add_keys(problem, lane);
	}
	json_array_append_new(problems, problem);
	free(what);
	free(next);
}

/* A source that cannot be asked: nothing waits here, so nothing else would tell of it. */
static void failing_problem(const char *endpoint, const json_t *state, json_t *problems)
{
	static const char *const fields[] = {"owner", "runbook", "error", "flow"};
	const char *texts[4], *next = "repair it, and it goes on by itself";
	json_t *problem;
	char *what;

	for (size_t i = 0; i < 4; i++) {
		texts[i] = json_string_value(json_object_get(state, fields[i]));
		texts[i] = texts[i] ? texts[i] : "";
	}
	what = mem_printf("source %s of flow %s cannot be asked: %s", endpoint, texts[3], texts[2]);
	problem = problem_new("failing", endpoint, what, json_integer_value(json_object_get(state, "since")), texts[0],
			      texts[1], next);
	set_text(problem, "endpoint", endpoint);
	set_text(problem, "flow", texts[3]);
	json_array_append_new(problems, problem);
	free(what);
}

static bool is_trouble(const json_t *state)
{
	const char *text = json_string_value(json_object_get(state, "state"));

	return text && (!strcmp(text, "paused") || !strcmp(text, "failing"));
}

/* What waits in a durable step does not get on; the others do. */
static void stuck_problem(struct engine *engine, const char *queue, const json_t *state, json_t *problems)
{
	const struct lane *lane = lane_find(engine, span_of(queue));
	const char *why = json_string_value(json_object_get(state, "error"));
	char *what = mem_printf("what waits before %s cannot go on: %s", queue, why ? why : "");

	json_array_append_new(problems,
			      problem_new("stuck", queue, what, json_integer_value(json_object_get(state, "since")),
					  lane ? lane->spec->owner : "", lane ? lane->spec->runbook : "",
					  "repair it, and it goes on by itself; what waits: ferrule collect list"));
	free(what);
}

/* Files that have waited too long for their sidecars, and sidecars for their files. */
static void halves_problem(const char *endpoint, const json_t *halves, json_t *problems)
{
	int64_t now = clock_now_ms(), since = INT64_MAX, count = 0,
		total = json_integer_value(json_object_get(halves, "count"));
	json_t *problem, *half, *keys = json_array();
	char *what, several[40];
	size_t i;

	snprintf(several, sizeof several, "%lld files", (long long)total);
	json_array_foreach(json_object_get(halves, "list"), i, half) {
		if (json_integer_value(json_object_get(half, "due")) > now)
			continue;
		count++;
		json_array_append_new(keys, json_sprintf("%s (no %s)", json_string_value(json_object_get(half, "name")),
							 json_string_value(json_object_get(half, "lacks"))));
		if (json_integer_value(json_object_get(half, "since")) < since)
			since = json_integer_value(json_object_get(half, "since"));
	}
	if (count) {
		what = mem_printf("%lld of %s at source %s wait%s too long for the one that belongs to it",
				  (long long)count, total == 1 ? "1 file" : several, endpoint, count == 1 ? "s" : "");
		problem = problem_new("halves", endpoint, what, since,
				      json_string_value(json_object_get(halves, "owner")), "",
				      "ask who sends them; a file is taken once its sidecar is there");
		json_object_set(problem, "keys", keys);
		json_object_set_new(problem, "endpoint", json_string(endpoint));
		json_array_append_new(problems, problem);
		free(what);
	}
	json_decref(keys);
}

/* Told under ENDPOINT/moving. */
static void add_moving(json_t *moving, const char *name, const json_t *state)
{
	json_t *one = json_deep_copy(state);

	json_object_del(one, "state");
	json_object_set_new(one, "endpoint", json_stringn(name, strcspn(name, "/")));
	json_array_append_new(moving, one);
}

/* One that is paused is told of as such: nobody takes for it, on purpose. */
static bool is_paused(const json_t *endpoints, const char *name)
{
	const char *state = json_string_value(json_object_get(json_object_get(endpoints, name), "state"));

	return state && !strcmp(state, "paused");
}

static void endpoints(struct engine *engine, json_t *answer, json_t *problems)
{
	json_t *all = json_object(), *moving = json_array();

	for (const struct session *s = engine->sessions; s; s = s->next) {
		const char *name;
		json_t *state;

		json_object_foreach(s->states, name, state) {
			const char *text = json_string_value(json_object_get(state, "state"));

			if (text && !strcmp(text, "stuck"))
				stuck_problem(engine, name, state, problems);
			if (text && !strcmp(text, "moving"))
				add_moving(moving, name, state);
			if (strchr(name, '/')) /* a step's queue, no endpoint */
				continue;
			if (!is_paused(all, name)) /* a source may have the name of a target */
				/* a source and a sink may have one name: what is wrong with either is told */
				if (is_trouble(state) || !is_trouble(json_object_get(all, name)))
					json_object_set(all, name, state);
			halves_problem(name, json_object_get(state, "halves"), problems);
			if (text && !strcmp(text, "paused"))
				paused_problem(engine, name, state, problems);
			if (text && !strcmp(text, "failing"))
				failing_problem(name, state, problems);
		}
	}
	json_object_set_new(answer, "endpoints", all);
	json_object_set_new(answer, "moving", moving);
}

static void workers(struct engine *engine, json_t *answer)
{
	json_t *all = json_array();

	for (const struct session *s = engine->sessions; s; s = s->next) {
		json_t *worker = json_object();

		set_text(worker, "role", s->role);
		set_number(worker, "pid", (uint64_t)s->pid);
		set_number(worker, "since", (uint64_t)s->since_ms);
		set_number(worker, "unsettled", s->held);
		json_array_append_new(all, worker);
	}
	json_object_set_new(answer, "workers", all);
}

/* Each machine has a disk of its own; what else is wrong here and elsewhere is one trouble. */
static void disk_problem(struct engine *engine, json_t *problems)
{
	const char *machine = *engine->machine ? engine->machine : engine->site;
	char *what = mem_printf("the disk%s%s is nearly full: nothing is accepted%s", *engine->machine ? " of " : "",
				engine->machine, *engine->machine ? " there" : "");

	json_array_append_new(problems,
			      problem_new("disk", machine, what, engine->reserve_since_ms, "", "",
					  "make room on the disk, or add some: it goes on by itself"));
	free(what);
}

static void site_problems(struct engine *engine, json_t *problems)
{
	if (!engine->accepting)
		disk_problem(engine, problems);
	if (!engine->connected || !engine->consuming || engine->blocked) {
		char *what =
			mem_printf("the broker is %s: %s",
				   engine->connected ? engine->blocked ? "blocked" : "not consuming" : "not connected",
				   engine->broker_text);

		json_array_append_new(problems, problem_new("broker", engine->config.broker->name, what,
							    engine->broker_since_ms, "", "",
							    "look at the broker's log and alarms"));
		free(what);
	}
	for (const struct suspect *suspect = engine->suspects; suspect; suspect = suspect->next) {
		char hex[ID_TEXT], *what;

		id_hex(&suspect->id, hex);
		what = mem_printf("message %.16s ended a worker, %u times alone: %s", hex, suspect->deaths,
				  suspect->cause);
		json_array_append_new(problems, problem_new("suspect", hex, what, suspect->since_ms, "", "",
							    "none: after three deaths alone it is a dead letter"));
		free(what);
	}
}

static void unserved(const struct lane *lane, const json_t *endpoints, json_t *problems)
{
	char *what;
	json_t *problem;

	if (lane->consumers || !lane->waiting || lane->stood ||
	    (lane->spec->endpoint && is_paused(endpoints, lane->spec->endpoint)))
		return;
	what = mem_printf("messages wait in %s and no worker takes them", lane->name);
	problem = problem_new("unserved", lane->name, what, 0, lane->spec->owner, lane->spec->runbook, "ferrule run");
	add_keys(problem, lane);
	json_array_append_new(problems, problem);
	free(what);
}

static void counters(const struct engine *engine, json_t *answer)
{
	json_t *all = json_object();

	set_number(all, "delivered", engine->counters.delivered);
	set_number(all, "redelivered", engine->counters.redelivered);
	set_number(all, "published", engine->counters.published);
	set_number(all, "unroutable", engine->counters.returned);
	set_number(all, "settled", engine->counters.settled);
	set_number(all, "units", engine->counters.units);
	set_number(all, "failed_units", engine->counters.failed_units);
	set_number(all, "commits", engine->counters.commits);
	set_number(all, "parked", engine->counters.parked);
	set_number(all, "dead", engine->counters.dead);
	set_number(all, "intents", engine->counters.intents);
	json_object_set_new(answer, "counters", all);
}

static void broker_state(const struct engine *engine, json_t *answer)
{
	json_t *broker = json_object();

	set_text(broker, "name", engine->config.broker->name);
	set_bool(broker, "connected", engine->connected);
	set_bool(broker, "consuming", engine->consuming);
	set_bool(broker, "blocked", engine->blocked);
	set_text(broker, "text", engine->broker_text);
	json_object_set_new(answer, "broker", broker);
}

static void look_for_problems(struct engine *engine, json_t *answer, json_t *problems)
{
	endpoints(engine, answer, problems);
	for (size_t i = 0; i < engine->topology->count; i++)
		unserved(engine->lanes[i], json_object_get(answer, "endpoints"), problems);
	site_problems(engine, problems);
}

json_t *live_problems_new(struct engine *engine)
{
	json_t *answer = json_object(), *problems = json_array();

	look_for_problems(engine, answer, problems);
	json_decref(answer);
	return problems;
}

static int status(struct engine *engine, json_t *answer, struct error *error)
{
	json_t *queues = json_array(), *problems = json_object_get(answer, "problems");

	if (!problems) {
		problems = json_array();
		json_object_set_new(answer, "problems", problems);
	}
	set_text(answer, "site", engine->site);
	set_text(answer, "revision", engine->revision);
	set_number(answer, "since", (uint64_t)engine->started_ms);
	set_bool(answer, "accepting", engine_accepting(engine));
	json_object_set_new(answer, "queues", queues);
	for (size_t i = 0; i < engine->topology->count; i++)
		if (queue_state_of(engine, engine->lanes[i], queues, error))
			return -1;
	look_for_problems(engine, answer, problems);
	workers(engine, answer);
	broker_state(engine, answer);
	counters(engine, answer);
	return machines_answer(engine, answer, error);
}

/* Lineage on its way is not work, but until-idle waits for it: `unrecorded`. */
static int idle(struct engine *engine, json_t *answer, struct error *error)
{
	uint64_t ready = 0, unsettled = 0, unrecorded = 0;
	bool busy = engine->works != NULL;

	for (size_t i = 0; i < engine->topology->count; i++) {
		struct lane *lane = engine->lanes[i];
		struct broker_counts counts;

		if (counts_of(engine, lane, &counts, error))
			return -1;
		if (!strcmp(lane->name, QUEUE_RECORDS)) {
			unrecorded += counts.ready + counts.unsettled;
			continue;
		}
		ready += counts.ready;
		unsettled += counts.unsettled;
	}
	set_number(answer, "ready", ready);
	set_number(answer, "unsettled", unsettled);
	set_number(answer, "unrecorded", unrecorded);
	set_bool(answer, "idle", !busy && !ready && !unsettled && !unrecorded);
	return 0;
}

int live_answer(void *arg, const char *question, json_t *answer, struct error *error)
{
	struct engine *engine = arg;

	if (!strcmp(question, "status"))
		return status(engine, answer, error);
	if (!strcmp(question, "idle"))
		return idle(engine, answer, error);
	if (!strcmp(question, "held.due")) {
		set_bool(answer, "elsewhere", !held_may_ask(engine));
		set_bool(answer, "alone", engine->config.broker->shares_db);
	}
	return 0;
}
