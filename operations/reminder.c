/* When an owner is reminded of what lasts. See reminder.h. */
#include "config.h"
#include "operations/reminder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 1000 /* keys of tables are limited */
#define KEYS_SHOWN 3

struct round {
	const json_t *status, *known;
	json_t *seen; /* the new entry of each problem that is there */
	int64_t remind, now;
};

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is_held(const json_t *status, const json_t *problem)
{
	static const char *const fields[] = {"endpoint", "flow", "system"};
	const json_t *hold;
	size_t i;

	json_array_foreach(json_object_get(status, "holds"), i, hold)
		for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
			if (*text(hold, "name") && !strcmp(text(hold, "name"), text(problem, fields[f])))
				return true;
	return false;
}

/* What only processes know is as old as it was when it was first seen, since theirs begins with each of them; so is
 * what is tried again and again. */
static bool time_moves(const json_t *problem)
{
	return json_is_true(json_object_get(problem, "here")) || json_is_true(json_object_get(problem, "tried"));
}

/* Anything else that the store knows has a time of its own, and a later one means that it began anew. */
static json_t *entry_of(const struct round *round, const json_t *problem, const json_t *entry)
{
	int64_t since = number(problem, "since"), told = number(entry, "told_ms"), before = number(entry, "since_ms");

	if (since <= 0 || since > round->now)
		since = round->now;
	if (before && before < since && time_moves(problem))
		since = before;
	if (since > told)
		told = 0;
	return json_pack("{s:I s:I s:I s:i}", "since_ms", (json_int_t)since, "told_ms", (json_int_t)told, "times",
			 (json_int_t)(told ? number(entry, "times") : 0), "gone_ms", 0);
}

static bool watched(const struct round *round, const json_t *problem)
{
	const char *name = text(problem, "problem");

	return *name && strlen(name) <= NAME_MAX_BYTES && !is_held(round->status, problem);
}

static void look_at_seen(struct round *round)
{
	const json_t *problem, *other;
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(round->status, "problems"), i, problem) {
		if (!watched(round, problem) || json_object_size(round->seen) == REMINDER_TROUBLES_MAX)
			continue;
		entry = entry_of(round, problem, json_object_get(round->known, text(problem, "problem")));
		other = json_object_get(round->seen, text(problem, "problem"));
		if (other && number(other, "since_ms") <= number(entry, "since_ms"))
			json_decref(entry); /* two processes tell of it */
		else
			json_object_set_new(round->seen, text(problem, "problem"), entry);
	}
}

static void look_at_gone(const struct round *round, json_t *put, json_t *remove)
{
	int64_t started = number(round->status, "since"),
		grace = round->remind < REMINDER_GRACE_MS ? round->remind : REMINDER_GRACE_MS;
	const char *name;
	json_t *entry, *copy;

	json_object_foreach((json_t *)round->known, name, entry) {
		int64_t gone = number(entry, "gone_ms");

		if (json_object_get(round->seen, name))
			continue;
		if (gone && round->now - (gone > started ? gone : started) >= grace) {
			json_array_append_new(remove, json_string(name));
		} else if (!gone) {
			copy = json_copy(entry);
			json_object_set_new(copy, "gone_ms", json_integer(round->now));
			json_object_set_new(put, name, copy);
		}
	}
}

/* ---- events ---- */
static json_t *problem_new(const json_t *problem, const json_t *entry)
{
	static const char *const fields[] = {"problem", "owner", "runbook", "flow", "endpoint"};
	const char *next = text(problem, "next");
	json_t *one = json_object(), *keys = json_array(), *key;
	char since[CLOCK_TEXT];
	size_t i;

	for (i = 0; i < sizeof fields / sizeof *fields; i++)
		json_object_set_new(one, fields[i], json_string(text(problem, fields[i])));
	clock_format(number(entry, "since_ms"), since);
	json_object_set_new(one, "since", json_string(since));
	json_object_set(one, "title", json_object_get(problem, "what"));
	json_object_set_new(one, "next", json_string(strcmp(next, "ferrule run") ? next : "ferrule status --problems"));
	json_object_set_new(one, "times", json_integer(number(entry, "times") + 1));
	json_array_foreach(json_object_get(problem, "keys"), i, key)
		if (i < KEYS_SHOWN)
			json_array_append(keys, key);
	json_object_set_new(one, "keys", keys);
	if (json_is_array(json_object_get(problem, "machines")))
		json_object_set(one, "machines", json_object_get(problem, "machines"));
	return one;
}

static bool old_enough(const struct round *round, const json_t *entry)
{
	return round->now - number(entry, "since_ms") >= round->remind;
}

/* Owners whose time has come: the last time of any of theirs. */
static json_t *due_new(const struct round *round)
{
	json_t *last = json_object(), *due = json_object(), *problem, *entry;
	const char *owner;
	size_t i;

	json_array_foreach(json_object_get(round->status, "problems"), i, problem) {
		entry = json_object_get(round->seen, text(problem, "problem"));
		owner = text(problem, "owner");
		if (entry && number(entry, "told_ms") > number(last, owner))
			json_object_set(last, owner, json_object_get(entry, "told_ms"));
	}
	json_array_foreach(json_object_get(round->status, "problems"), i, problem) {
		entry = json_object_get(round->seen, text(problem, "problem"));
		owner = text(problem, "owner");
		if (entry && old_enough(round, entry) && round->now - number(last, owner) >= round->remind)
			json_object_set_new(due, owner, json_true());
	}
	json_decref(last);
	return due;
}

static json_t *body_of(const struct round *round, json_t *events, const char *owner)
{
	json_t *body = json_object_get(events, owner);
	char at[CLOCK_TEXT];

	if (body)
		return body;
	clock_format(round->now, at);
	body = json_pack("{s:s s:s s:s s:s s:i s:[]}", "at", at, "owner", owner, "runbook", "", "next",
			 "ferrule status --problems", "count", 0, "problems");
	json_object_set_new(events, owner, body);
	return body;
}

static json_t *events_new(struct round *round)
{
	json_t *events = json_object(), *due = due_new(round), *problem, *entry, *body, *list;
	size_t i;

	json_array_foreach(json_object_get(round->status, "problems"), i, problem) {
		entry = json_object_get(round->seen, text(problem, "problem"));
		if (!entry || !json_object_get(due, text(problem, "owner")) || !old_enough(round, entry) ||
		    number(entry, "told_ms") == round->now)
			continue;
		body = body_of(round, events, text(problem, "owner"));
		list = json_object_get(body, "problems");
		if (json_array_size(list) < REMINDER_SHOWN_MAX)
			json_array_append_new(list, problem_new(problem, entry));
		json_object_set_new(body, "count", json_integer(number(body, "count") + 1));
		json_object_set_new(entry, "told_ms", json_integer(round->now));
		json_object_set_new(entry, "times", json_integer(number(entry, "times") + 1));
	}
	json_decref(due);
	return events;
}

json_t *reminders_judge(const json_t *status, const json_t *known, int64_t remind_ms, int64_t now_ms)
{
	struct round round = {status, known, json_object(), remind_ms, now_ms};
	json_t *put = json_object(), *remove = json_array(), *events, *entry;
	const char *name;

	look_at_seen(&round);
	look_at_gone(&round, put, remove);
	events = events_new(&round);
	json_object_foreach(round.seen, name, entry)
		if (!json_equal(entry, json_object_get(known, name)))
			json_object_set(put, name, entry);
	json_decref(round.seen);
	return json_pack("{s:o s:o s:o}", "put", put, "remove", remove, "events", events);
}
