/* What the machines of a site know of each other. See machines.h. */
#include "config.h"
#include "operations/machines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct seen { /* the rows as one of the instances sees them */
	const json_t *rows, *alive;
	const char *own, *name;
	int64_t now;
};

size_t machines_instance(const char *key)
{
	return strcspn(key, "/");
}

static bool of_a_problem(const char *key)
{
	return key[machines_instance(key)] == '/';
}

static const json_t *machine_of(const struct seen *seen, const char *key)
{
	return json_object_getn(seen->rows, key, machines_instance(key));
}

static const char *text(const json_t *object, const char *field)
{
	const char *value = json_string_value(json_object_get(object, field));

	return value ? value : "";
}

static int64_t number(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

static bool is_own(const struct seen *seen, const char *key)
{
	size_t len = machines_instance(key);

	return strlen(seen->own) == len && !memcmp(key, seen->own, len);
}

static bool is_alive(const struct seen *seen, const char *key)
{
	return json_object_getn(seen->alive, key, machines_instance(key)) != NULL;
}

/* An earlier life of our own machine. */
static bool was_us(const struct seen *seen, const char *key)
{
	return !is_alive(seen, key) && !strcmp(text(machine_of(seen, key), "machine"), seen->name);
}

static bool forgotten(const struct seen *seen, const char *key)
{
	int64_t gone = number(machine_of(seen, key), "gone");

	return !is_alive(seen, key) && gone && seen->now - gone >= MACHINES_KEPT_MS;
}

/* A moment may be a restart, and what was wrong then still is. */
static bool has_left(const struct seen *seen, const char *key)
{
	int64_t gone = number(machine_of(seen, key), "gone");

	return !is_alive(seen, key) && gone && seen->now - gone >= MACHINES_LEFT_MS;
}

/* ---- in the store */
static void note_gone(const struct seen *seen, const char *key, const json_t *row, json_t *put)
{
	bool alive = is_alive(seen, key), noted = number(row, "gone") != 0;
	json_t *copy;

	if (alive != noted)
		return;
	copy = json_copy((json_t *)row);
	if (alive)
		json_object_del(copy, "gone");
	else
		json_object_set_new(copy, "gone", json_integer(seen->now));
	json_object_set_new(put, key, copy);
}

json_t *machines_tidy(const json_t *rows, const json_t *alive, const char *own, const char *name, int64_t now_ms)
{
	const struct seen seen = {rows, alive, own, name, now_ms};
	json_t *put = json_object(), *remove = json_array(), *row;
	const char *key;

	json_object_foreach((json_t *)rows, key, row) {
		if (is_own(&seen, key))
			continue;
		if (!machine_of(&seen, key) || was_us(&seen, key) || forgotten(&seen, key))
			json_array_append_new(remove, json_string(key));
		else if (!of_a_problem(key))
			note_gone(&seen, key, row, put);
	}
	return json_pack("{s:o s:o}", "put", put, "remove", remove);
}

/* ---- for people */
struct told {
	json_t *problems, *by_name;
};

static void add_machine(json_t *problem, const char *machine)
{
	json_t *machines = json_object_get(problem, "machines"), *one;
	size_t i;

	if (!json_is_array(machines)) {
		machines = json_array();
		json_object_set_new(problem, "machines", machines);
	}
	json_array_foreach(machines, i, one)
		if (!strcmp(json_string_value(one) ? json_string_value(one) : "", machine))
			return;
	json_array_append_new(machines, json_string(machine));
}

static void tell(struct told *told, const json_t *trouble, const char *machine)
{
	const char *name = text(trouble, "problem");
	json_t *same = json_object_get(told->by_name, name);
	int64_t since = number(trouble, "since");

	if (!same) {
		same = json_deep_copy(trouble);
		json_array_append_new(told->problems, same);
		json_object_set(told->by_name, name, same);
	} else if (since > 0 && since < number(same, "since")) {
		json_object_set_new(same, "since", json_integer(since));
	}
	add_machine(same, machine);
}

/* What was wrong on a machine that is gone nobody knows any more: the first of it is told, and how many there were. */
static void tell_gone(const struct seen *seen, const json_t *row, struct told *told)
{
	int64_t gone = number(row, "gone");
	const char *machine = text(row, "machine"), *key, *first = NULL;
	char until[CLOCK_TEXT];
	json_t *trouble, *what;
	size_t count = 0;

	json_object_foreach((json_t *)seen->rows, key, trouble)
		if (of_a_problem(key) && machine_of(seen, key) == row && !count++)
			first = text(trouble, "what");
	clock_format(gone + MACHINES_KEPT_MS, until);
	if (count)
		what = json_sprintf("machine %s is gone: it ended without a word, and had %zu problem%s: %s%s", machine,
				    count, count == 1 ? "" : "s", first, count == 1 ? "" : " …");
	else
		what = json_sprintf("machine %s is gone: it ended without a word", machine);
	trouble = json_pack("{s:o s:b s:o s:I s:[] s:s s:s s:o s:[s]}", "problem", json_sprintf("gone %s", machine),
			    "here", 1, "what", what, "since", (json_int_t)gone, "keys", "owner", "", "runbook", "",
			    "next", json_sprintf("start it again, or take it away: it is forgotten at %.16sZ", until),
			    "machines", machine);
	tell(told, trouble, machine);
	json_decref(trouble);
}

void machines_tell(const json_t *rows, const json_t *alive, const char *own, const char *name, int64_t now_ms,
		   json_t *problems)
{
	const struct seen seen = {rows, alive, own, name, now_ms};
	struct told told = {problems, json_object()};
	const char *key;
	json_t *row;
	size_t i;

	json_array_foreach(problems, i, row)
		json_object_set(told.by_name, text(row, "problem"), row);
	json_object_foreach((json_t *)rows, key, row) {
		const json_t *machine = machine_of(&seen, key);

		if (!machine || is_own(&seen, key) || was_us(&seen, key) || forgotten(&seen, key))
			continue;
		if (of_a_problem(key) && !has_left(&seen, key))
			tell(&told, row, text(machine, "machine"));
		else if (!of_a_problem(key) && has_left(&seen, key))
			tell_gone(&seen, row, &told);
	}
	json_decref(told.by_name);
}

json_t *machines_others(const json_t *rows, const json_t *alive, const char *own)
{
	const struct seen seen = {rows, alive, own, "", 0};
	json_t *others = json_array(), *row, *one;
	const char *key;

	json_object_foreach((json_t *)rows, key, row) {
		if (of_a_problem(key) || is_own(&seen, key))
			continue;
		one = json_copy(row);
		if (is_alive(&seen, key))
			json_object_del(one, "gone");
		json_array_append_new(others, one);
	}
	return others;
}
