/* See schedule.h. */
#include "config.h"
#include "mft/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mft/calendar.h"
#include "mft/cron.h"
#include "mft/date.h"
#include "mft/zone.h"

#define SECOND 1000
#define DAYS_MAX (12 * 366) /* 29 February may be eight years away, and then a holiday */
#define MINUTES_OF_DAY 1440
#define EVERY_MIN 1000
#define SOME_DAY_MS 1704067200000 /* 2024-01-01: to see whether it ever runs */
#define STEPS_MAX 100000          /* intervals that are tried before a window is taken to be shut */

struct schedule {
	const struct schedule_spec *spec;
	struct zone *zone;
	struct calendar *calendar;
	struct cron cron;
	int from, to, cut_off; /* minutes of the day; from < 0: no window; cut_off < 0: none */
};

/* ---- reading ---- */
static int wrong(struct error *error, const char *text)
{
	return error_set(error, ERROR_REJECT, "schedule.form", "%s", text);
}

static int read_window(struct schedule *schedule, const struct schedule_spec *spec, struct error *error)
{
	schedule->from = schedule->cut_off = -1;
	if (spec->cut_off && date_minute_parse(span_of(spec->cut_off), &schedule->cut_off))
		return error_set(error, ERROR_REJECT, "schedule.time", "`%.20s` is no time of day such as 16:30",
				 spec->cut_off);
	if (!spec->window_from && !spec->window_to)
		return 0;
	if (!spec->window_from || !spec->window_to)
		return wrong(error, "a window has `from` and `to`, such as {from: '06:00', to: '20:00'}");
	if (date_minute_parse(span_of(spec->window_from), &schedule->from) ||
	    date_minute_parse(span_of(spec->window_to), &schedule->to))
		return error_set(error, ERROR_REJECT, "schedule.time",
				 "`%.20s`, `%.20s`: a window goes from one time "
				 "of day to another, such as 06:00 and 20:00",
				 spec->window_from, spec->window_to);
	if (schedule->from == schedule->to || schedule->from == MINUTES_OF_DAY)
		return wrong(error, "this window is never open: `from` and `to` are the same");
	return 0;
}

static int read_spec(struct schedule *schedule, const struct schedule_spec *spec, struct error *error)
{
	if (spec->cron && spec->every_ms)
		return wrong(error, "a schedule has `cron` or `every`, not both");
	if (spec->every_ms && spec->every_ms < EVERY_MIN)
		return wrong(error, "`every` is at least 1s");
	if (spec->every_ms && spec->holidays != HOLIDAYS_SKIP)
		return wrong(error,
			     "`holidays: next` and `previous` go with `cron`: an interval has no day to move to");
	if (spec->cron && cron_parse(span_of(spec->cron), &schedule->cron, error))
		return -1;
	if (read_window(schedule, spec, error))
		return -1;
	schedule->calendar = calendar_new(spec->calendar, error);
	schedule->zone = schedule->calendar ? zone_open_new(spec->zone, error) : NULL;
	return schedule->zone ? 0 : -1;
}

struct schedule *schedule_new(const struct schedule_spec *spec, struct error *error)
{
	struct schedule *schedule = mem_alloc(sizeof *schedule);

	schedule->spec = spec;
	if (!read_spec(schedule, spec, error)) {
		if (!schedule_runs(schedule) || schedule_next(schedule, SOME_DAY_MS) != SCHEDULE_NEVER)
			return schedule;
		wrong(error,
		      "this schedule never runs: its days and times, the calendar and the window have nothing in "
		      "common");
	}
	schedule_free(schedule);
	return NULL;
}

int schedule_check(const struct schedule_spec *spec, struct error *error)
{
	struct schedule *schedule = schedule_new(spec, error);

	schedule_free(schedule);
	return schedule ? 0 : -1;
}

void schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return;
	zone_free(schedule->zone);
	calendar_free(schedule->calendar);
	free(schedule);
}

/* ---- days and windows ---- */
static int64_t floor_second(int64_t ms)
{
	return ms / SECOND - (ms % SECOND < 0);
}

int64_t schedule_local(const struct schedule *schedule, int64_t ms)
{
	int64_t second = floor_second(ms);

	return second + zone_offset(schedule->zone, second);
}

bool schedule_runs(const struct schedule *schedule)
{
	return schedule->spec->cron || schedule->spec->every_ms;
}

static bool in_window(const struct schedule *schedule, int second)
{
	int from = schedule->from * 60, to = schedule->to * 60;

	if (schedule->from < 0)
		return true;
	return from < to ? second >= from && second < to : second >= from || second < to;
}

bool schedule_open(const struct schedule *schedule, int64_t now_ms)
{
	int second;
	int64_t day = date_floor(schedule_local(schedule, now_ms), &second);

	return in_window(schedule, second) && calendar_works(schedule->calendar, day);
}

/* When the wall shows this minute of a day, the first time. */
static int64_t moment(const struct schedule *schedule, int64_t day, int minute)
{
	int64_t instants[2];
	bool skipped;

	zone_instants(schedule->zone, day * DAY_SECONDS + (int64_t)minute * 60, instants, &skipped);
	return instants[0] * SECOND;
}

int64_t schedule_closes(const struct schedule *schedule, int64_t now_ms)
{
	int second;
	int64_t day = date_floor(schedule_local(schedule, now_ms), &second), at;

	if (schedule->from < 0)
		return SCHEDULE_NEVER;
	for (int i = 0; i < 3; i++) {
		at = moment(schedule, day + i, schedule->to);
		if (at > now_ms)
			return at;
	}
	return SCHEDULE_NEVER;
}

static int64_t next_opening(const struct schedule *schedule, int64_t after_ms)
{
	int second;
	int64_t day = date_floor(schedule_local(schedule, after_ms), &second) - 1;

	if (schedule_open(schedule, after_ms))
		return after_ms;
	for (int64_t end = day + DAYS_MAX; day < end; day++) {
		if (!calendar_works(schedule->calendar, day))
			continue;
		for (int i = in_window(schedule, 0) ? 0 : 1; i < (schedule->from < 0 ? 1 : 2); i++) {
			int64_t at = moment(schedule, day, i == 0 ? 0 : schedule->from);

			if (at > after_ms)
				return at;
		}
	}
	return SCHEDULE_NEVER;
}

/* ---- cron ---- */
/* Does it run on this day, those that were moved here included? */
static bool runs_on(const struct schedule *schedule, int64_t day)
{
	int step = schedule->spec->holidays == HOLIDAYS_NEXT ? -1 : 1;

	if (!calendar_works(schedule->calendar, day))
		return false;
	if (cron_day(&schedule->cron, day))
		return true;
	if (schedule->spec->holidays == HOLIDAYS_SKIP)
		return false;
	for (int i = 1; i < CALENDAR_SEARCH_DAYS && !calendar_works(schedule->calendar, day + i * step); i++)
		if (cron_day(&schedule->cron, day + i * step))
			return true;
	return false;
}

/* The first run after `after`, a second, that this minute of the wall stands for; else SCHEDULE_NEVER. */
static int64_t run_at(const struct schedule *schedule, int64_t day, int minute, int64_t after)
{
	int64_t instants[2];
	bool skipped;
	int n = zone_instants(schedule->zone, day * DAY_SECONDS + (int64_t)minute * 60, instants, &skipped);

	if (skipped && schedule->cron.any_hour)
		return SCHEDULE_NEVER; /* these minutes do not pass */
	if (instants[0] > after)
		return instants[0];
	return n > 1 && schedule->cron.any_hour && instants[1] > after ? instants[1] : SCHEDULE_NEVER;
}

/* `even`: the clock is not changed near this day, so the first that fits is the earliest. */
static int64_t first_of_day(const struct schedule *schedule, int64_t day, int64_t after, bool even)
{
	int64_t best = SCHEDULE_NEVER, passed = after + zone_offset(schedule->zone, after) - day * DAY_SECONDS;

	if (even && passed >= DAY_SECONDS)
		return best;
	for (int hour = 0; hour < 24; hour++) {
		if (!(schedule->cron.hours >> hour & 1))
			continue;
		for (int minute = 0; minute < 60; minute++) {
			int of_day = hour * 60 + minute;
			int64_t at;

			if (!(schedule->cron.minutes >> minute & 1) || (even && of_day * 60 <= passed) ||
			    !in_window(schedule, of_day * 60))
				continue;
			at = run_at(schedule, day, of_day, after);
			if (at < best)
				best = at;
			if (even && best != SCHEDULE_NEVER)
				return best;
		}
	}
	return best;
}

static bool is_even(const struct schedule *schedule, int64_t day)
{
	int64_t noon = day * DAY_SECONDS + DAY_SECONDS / 2;

	return zone_offset(schedule->zone, noon - 2 * DAY_SECONDS) ==
	       zone_offset(schedule->zone, noon + 2 * DAY_SECONDS);
}

static int64_t next_cron(const struct schedule *schedule, int64_t after_ms)
{
	int64_t after = floor_second(after_ms), day, best;
	int of_day;

	day = date_floor(after + zone_offset(schedule->zone, after), &of_day) - 1;
	for (int64_t end = day + DAYS_MAX; day < end; day++) {
		if (!runs_on(schedule, day))
			continue;
		best = first_of_day(schedule, day, after, is_even(schedule, day));
		if (best != SCHEDULE_NEVER)
			return best * SECOND;
	}
	return SCHEDULE_NEVER;
}

/* ---- intervals ---- */
static int64_t next_interval(const struct schedule *schedule, int64_t after_ms)
{
	int64_t every = schedule->spec->every_ms, at = after_ms;

	for (int i = 0; i < STEPS_MAX; i++) {
		at = at - ((at % every) + every) % every + every;
		if (schedule_open(schedule, at))
			return at;
		at = next_opening(schedule, at);
		if (at == SCHEDULE_NEVER)
			return at;
		at--; /* the opening itself may be a run */
	}
	return SCHEDULE_NEVER;
}

int64_t schedule_next(const struct schedule *schedule, int64_t after_ms)
{
	if (schedule->spec->cron)
		return next_cron(schedule, after_ms);
	return schedule->spec->every_ms ? next_interval(schedule, after_ms) : next_opening(schedule, after_ms);
}

/* ---- runs that were missed ---- */
/* The runs after `last` up to now: how many, the first and the last of them, and the first of the newest
 * SCHEDULE_MISSED_MAX. */
struct passed {
	uint64_t count;
	int64_t first, newest;
};

static void count_passed(const struct schedule *schedule, int64_t last, int64_t now, struct passed *passed)
{
	int64_t ring[SCHEDULE_MISSED_MAX], at = last;

	*passed = (struct passed){0};
	if (at < now - SCHEDULE_BACK_MS)
		at = now - SCHEDULE_BACK_MS;
	while ((at = schedule_next(schedule, at)) <= now) {
		ring[passed->count++ % SCHEDULE_MISSED_MAX] = at;
		passed->newest = at;
	}
	if (passed->count > 0)
		passed->first =
			passed->count <= SCHEDULE_MISSED_MAX ? ring[0] : ring[passed->count % SCHEDULE_MISSED_MAX];
}

void schedule_turn(const struct schedule *schedule, int64_t last_ms, int64_t now_ms, struct schedule_turn *turn)
{
	struct passed passed;

	*turn = (struct schedule_turn){.last_ms = last_ms};
	if (!schedule_runs(schedule)) {
		turn->due_ms = schedule_open(schedule, now_ms) ? now_ms : 0;
		turn->next_ms = next_opening(schedule, now_ms);
		return;
	}
	if (last_ms > now_ms)
		turn->last_ms = last_ms = now_ms; /* the clock was put back: what was planned then is not waited for */
	count_passed(schedule, last_ms, now_ms, &passed);
	turn->next_ms = schedule_next(schedule, now_ms);
	if (passed.count == 0)
		return;
	if (schedule->spec->missed == MISSED_SKIP && now_ms - passed.newest > SCHEDULE_LATE_MS) {
		turn->missed = passed.count;
		turn->last_ms = passed.newest;
		return;
	}
	if (!schedule_open(schedule, now_ms)) { /* later, when the window is open */
		turn->next_ms = next_opening(schedule, now_ms);
		return;
	}
	if (schedule->spec->missed == MISSED_ALL) {
		turn->due_ms = passed.first;
		turn->missed = passed.count > SCHEDULE_MISSED_MAX ? passed.count - SCHEDULE_MISSED_MAX : 0;
		if (passed.newest > passed.first)
			turn->next_ms = now_ms; /* the others right behind it */
	} else {
		turn->due_ms = passed.newest;
		turn->missed = passed.count - 1;
	}
	turn->last_ms = turn->due_ms;
}

/* ---- the day that something belongs to ---- */
int64_t schedule_working_day(const struct schedule *schedule, int64_t arrived_ms)
{
	int second;
	int64_t day = date_floor(schedule_local(schedule, arrived_ms), &second);

	if (schedule->cut_off >= 0 && second >= schedule->cut_off * 60)
		day++;
	return calendar_next(schedule->calendar, day);
}

void schedule_format(const struct schedule *schedule, int64_t ms, char out[SCHEDULE_TEXT])
{
	int64_t local = schedule_local(schedule, ms);
	int second, offset = (int)(local - floor_second(ms)), east = offset < 0 ? -offset : offset;
	struct date date = date_of(date_floor(local, &second));

	snprintf(out, SCHEDULE_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", date.year % 10000, date.month,
		 date.day, second / 3600, second / 60 % 60, second % 60, offset < 0 ? '-' : '+', east / 3600,
		 east / 60 % 60);
}
