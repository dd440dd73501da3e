/* What lasts: the steward's part. Asks the site for its problems and operations/reminder.h whom to remind of which, and
 * puts the events, and what was told, into one unit. See steward.h. */
#include "config.h"
#include "services/steward.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "operations/ask.h"
#include "operations/reminder.h"

#define LOOK_MOST_MS INT64_C(60000)
#define LOOK_LEAST_MS INT64_C(250)
#define LOOKS 4 /* in an interval */

bool steward_reminds(const struct site *site)
{
	for (size_t i = 0; site->remind_ms && i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].subscribes_count; k++)
			if (!strcmp(site->flows[i].subscribes[k], EVENT_STILL_OPEN))
				return true;
	return false;
}

static json_t *known_new(struct worker *worker, struct error *error)
{
	json_t *request = json_pack("{s:s s:i}", "table", ASK_REMINDERS, "limit", 50000), *answer = NULL,
	       *known = json_object(), *entry;
	int failed = queue_ask(worker->queue, "table.list", request, &answer, STEWARD_ASK_MS, error);
	size_t i;

	json_decref(request);
	json_array_foreach(json_object_get(answer, "entries"), i, entry)
		json_object_set(known, steward_text(entry, "key"), json_object_get(entry, "value"));
	json_decref(answer);
	if (!failed)
		return known;
	json_decref(known);
	return NULL;
}

static int commit(struct worker *worker, const json_t *plan, bool *more, struct error *error)
{
	json_t *put = json_object_get(plan, "put"), *remove = json_object_get(plan, "remove"),
	       *events = json_object_get(plan, "events"), *value;
	struct unit *unit;
	const char *name;
	size_t i;

	if (!json_object_size(put) && !json_array_size(remove) && !json_object_size(events))
		return 0;
	unit = unit_new(worker->queue);
	json_object_foreach(events, name, value)
		unit_change(unit, "event.tell",
			    json_pack("{s:s s:s s:O}", "topic", EVENT_STILL_OPEN, "subject", *name ? name : "nobody",
				      "body", value));
	json_object_foreach(put, name, value)
		unit_change(unit, "table.put",
			    json_pack("{s:s s:s s:O}", "table", ASK_REMINDERS, "key", name, "value", value));
	json_array_foreach(remove, i, value)
		unit_change(unit, "table.remove", json_pack("{s:s s:O}", "table", ASK_REMINDERS, "key", value));
	FAULT("steward.reminding");
	board_tick(worker->slot);
	if (unit_commit_within(unit, STEWARD_COMMIT_MS, error))
		return -1;
	FAULT("steward.reminded");
	json_object_foreach(events, name, value) {
		log_warn("steward", SPAN_NONE, "still open owner=%s problems=%lld", name,
			 (long long)steward_number(value, "count"));
		*more = true;
	}
	return 0;
}

int steward_remind(struct worker *worker, bool *more, int64_t *next, struct error *error)
{
	int64_t now = clock_now_ms(), wait = worker->site->remind_ms / LOOKS;
	json_t *request, *known, *status = NULL, *plan;
	int result;

	if (*next > now)
		return 0;
	known = known_new(worker, error);
	if (!known)
		return -1;
	request = json_object();
	board_tick(worker->slot);
	result = queue_ask(worker->queue, "status", request, &status, STEWARD_ASK_MS, error);
	json_decref(request);
	if (!result) {
		plan = reminders_judge(status, known, worker->site->remind_ms, now);
		result = commit(worker, plan, more, error);
		json_decref(plan);
	}
	json_decref(status);
	json_decref(known);
	if (result)
		return -1;
	*next = now + (wait < LOOK_LEAST_MS ? LOOK_LEAST_MS : wait > LOOK_MOST_MS ? LOOK_MOST_MS : wait);
	return 0;
}
