/* Prints the runs of schedules, for runs.py, which computes them in another way. A line of input is
 * from_ms|to_ms|zone|cron|every_ms|days|holidays|working|window_from|window_to|moved|cut_off, lists with commas; the
 * answer is a line of seconds, or `!CODE`. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mft/schedule.h"

#define FIELDS 12
#define WORDS_MAX 100

static void split(char *text, struct text_list *list, const char **room)
{
	list->items = room;
	for (char *word; text && *text && (word = strsep(&text, ",")) && list->count < WORDS_MAX;)
		list->items[list->count++] = word;
}

static const char *text_or_null(const char *text)
{
	return *text ? text : NULL;
}

static void answer(char *line)
{
	const char *days[WORDS_MAX], *holidays[WORDS_MAX], *working[WORDS_MAX];
	char *field[FIELDS];
	struct calendar_spec calendar = {.name = "test"};
	struct error error = {0};
	struct schedule *schedule;
	struct schedule_spec spec;
	int64_t at, end;

	for (int i = 0; i < FIELDS; i++)
		if (!(field[i] = strsep(&line, "|")))
			exit(2);
	split(field[5], &calendar.days, days);
	split(field[6], &calendar.holidays, holidays);
	split(field[7], &calendar.working, working);
	spec = (struct schedule_spec){.cron = text_or_null(field[3]),
				      .every_ms = atoll(field[4]),
				      .zone = field[2],
				      .window_from = text_or_null(field[8]),
				      .window_to = text_or_null(field[9]),
				      .holidays = (enum schedule_holidays)atoi(field[10]),
				      .cut_off = text_or_null(field[11]),
				      .calendar = &calendar};
	schedule = schedule_new(&spec, &error);
	if (!schedule) {
		printf("!%s\n", error.code);
		return;
	}
	end = atoll(field[1]);
	for (at = schedule_next(schedule, atoll(field[0]) - 1); at < end; at = schedule_next(schedule, at))
		printf("%" PRId64 " ", at / 1000);
	printf("\n");
	schedule_free(schedule);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0) {
		line[strcspn(line, "\n")] = 0;
		answer(line);
	}
	free(line);
	return 0;
}
