/* Fuzz target: lines. The first is a schedule of cron, the second window and cut-off, the third days of the week, the
 * fourth holidays, each with commas; the rest is a file of a time zone. Whatever is taken must give runs that go
 * forward, within the window and on working days. */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "mft/schedule.h"
#include "mft/zone.h"

#define LISTED_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *line(char **in)
{
	char *found = strsep(in, "\n");

	return found ? found : (char *)"";
}

static void words(char *text, struct text_list *list, const char **room)
{
	char *word;

	list->items = room;
	while (list->count < LISTED_MAX && (word = strsep(&text, ",")))
		if (*word)
			list->items[list->count++] = word;
}

static void walk_zone(struct span tzif)
{
	struct error error = {0};
	struct zone *zone = zone_parse_new(tzif, &error);
	int64_t into[2];
	bool skipped;

	for (int64_t at = -5000000000; zone && at < 9000000000; at += 400000007) {
		int n = zone_instants(zone, at, into, &skipped);

		if (n < 1 || n > 2 || (n == 2 && into[0] >= into[1]))
			abort();
	}
	zone_free(zone);
}

static void walk_schedule(const struct schedule_spec *spec)
{
	struct error error = {0};
	struct schedule *schedule = schedule_new(spec, &error);
	struct schedule_turn turn;
	int64_t at = 1767225600000, next;

	if (!schedule && !*error.code)
		abort();
	for (int i = 0; schedule && i < 20; i++, at = next) {
		next = schedule_next(schedule, at);
		if (next == SCHEDULE_NEVER)
			break;
		if (schedule_runs(schedule) ? next <= at || !schedule_open(schedule, next) : next < at)
			abort();
		if (!schedule_runs(schedule))
			next += 3600000;
	}
	if (schedule) {
		schedule_turn(schedule, at - 3 * 86400000, at, &turn);
		schedule_working_day(schedule, at);
	}
	schedule_free(schedule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const zones[] = {"Europe/Berlin", "America/New_York", "UTC"};
	const char *days[LISTED_MAX], *holidays[LISTED_MAX];
	char *text = mem_span_dup(span_make(data, size)), *in = text, *window;
	struct calendar_spec calendar = {.name = "fuzz"};
	struct schedule_spec spec = {.cron = line(&in), .calendar = &calendar, .zone = zones[size % 3]};

	window = line(&in);
	spec.window_from = strsep(&window, ",");
	spec.window_to = strsep(&window, ",");
	spec.cut_off = strsep(&window, ",");
	if (spec.window_from && !*spec.window_from)
		spec.window_from = spec.window_to = NULL;
	spec.holidays = (enum schedule_holidays)(size / 3 % 3);
	calendar.observed = (int)(size / 27 % 3);
	spec.missed = (enum schedule_missed)(size / 9 % 3);
	if (!*spec.cron)
		spec.cron = NULL;
	words(line(&in), &calendar.days, days);
	words(line(&in), &calendar.holidays, holidays);
	walk_schedule(&spec);
	if (in)
		walk_zone(span_make((const char *)data + (in - text), size - (size_t)(in - text)));
	free(text);
	return 0;
}
