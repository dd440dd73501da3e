/* Time. See clock.h. */
#include "config.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static int64_t frozen; /* test time, the one piece of state here: a clock is process-wide by nature */

static int64_t read_clock(clockid_t which)
{
	struct timespec now;

	if (frozen)
		return frozen;
	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_tick_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_set(int64_t now_ms)
{
	frozen = now_ms;
}

void clock_advance(int64_t ms)
{
	if (frozen)
		frozen += ms;
}

int64_t clock_next_minute(int64_t now_ms, int minute)
{
	time_t now = (time_t)(now_ms / 1000), next = 0;
	struct tm tm;

	for (int days = 0; days < 3 && (int64_t)next * 1000 <= now_ms; days++) {
		localtime_r(&now, &tm);
		tm.tm_mday += days;
		tm.tm_hour = minute / 60;
		tm.tm_min = minute % 60;
		tm.tm_sec = 0;
		tm.tm_isdst = -1; /* on the day the clocks change it may be there twice, or not at all */
		next = mktime(&tm);
	}
	return (int64_t)next * 1000;
}

void clock_format(int64_t ms, char out[CLOCK_TEXT])
{
	int64_t fraction = ms % 1000;
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	if (fraction < 0) {
		fraction += 1000;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_TEXT - n, ".%03dZ", (int)fraction);
}

static bool digits(struct span *in, size_t n, int *value)
{
	*value = 0;
	if (in->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)in->data[i]))
			return false;
		*value = *value * 10 + in->data[i] - '0';
	}
	in->data += n;
	in->len -= n;
	return true;
}

static bool literal(struct span *in, const char *accepted)
{
	if (!in->len || !in->data[0] || !strchr(accepted, in->data[0]))
		return false;
	in->data++;
	in->len--;
	return true;
}

static bool zone(struct span *in, int *minutes)
{
	int hours, rest, sign;

	*minutes = 0;
	if (literal(in, "Zz"))
		return true;
	if (!in->len)
		return false;
	sign = in->data[0] == '-' ? -1 : 1;
	if (!literal(in, "+-") || !digits(in, 2, &hours) || !literal(in, ":") || !digits(in, 2, &rest))
		return false;
	*minutes = sign * (hours * 60 + rest);
	return hours < 24 && rest < 60;
}

static bool fraction_of(struct span *in, int *millis)
{
	int scale = 100;

	*millis = 0;
	if (!literal(in, "."))
		return true;
	if (!in->len || !isdigit((unsigned char)in->data[0]))
		return false;
	for (; in->len && isdigit((unsigned char)in->data[0]); in->data++, in->len--, scale /= 10)
		*millis += (in->data[0] - '0') * scale;
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int clock_parse(struct span in, int64_t *ms)
{
	int year, month, day, hour, minute, second, millis, offset;
	struct tm tm = {0};

	if (!digits(&in, 4, &year) || !literal(&in, "-") || !digits(&in, 2, &month) || !literal(&in, "-") ||
	    !digits(&in, 2, &day) || !literal(&in, "Tt ") || !digits(&in, 2, &hour) || !literal(&in, ":") ||
	    !digits(&in, 2, &minute) || !literal(&in, ":") || !digits(&in, 2, &second) || !fraction_of(&in, &millis) ||
	    !zone(&in, &offset) || in.len)
		return -1;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60)
		return -1;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	*ms = ((int64_t)timegm(&tm) - (int64_t)offset * 60) * 1000 + millis;
	return 0;
}

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}};

static const struct unit *unit_at(struct span in)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (span_starts(in, units[i].name))
			return &units[i];
	return NULL;
}

int duration_parse(struct span in, int64_t *ms)
{
	*ms = 0;
	if (!in.len || in.len > 40) /* a few units of ten digits each cannot overflow */
		return -1;
	while (in.len) {
		const struct unit *unit;
		int64_t n = 0;
		size_t count = 0;

		for (; in.len && isdigit((unsigned char)in.data[0]) && count < 10; in.data++, in.len--, count++)
			n = n * 10 + in.data[0] - '0';
		unit = unit_at(in);
		if (!count || !unit)
			return -1;
		in.data += strlen(unit->name);
		in.len -= strlen(unit->name);
		*ms += n * unit->ms;
	}
	return 0;
}

void duration_format(int64_t ms, char out[CLOCK_TEXT])
{
	int64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(out, CLOCK_TEXT, "%dms", (int)ms);
	else if (s < 60)
		snprintf(out, CLOCK_TEXT, "%ds", (int)s);
	else if (s < 3600)
		snprintf(out, CLOCK_TEXT, "%dm %ds", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		snprintf(out, CLOCK_TEXT, "%dh %dm", (int)(s / 3600), (int)(s / 60 % 60));
	else
		snprintf(out, CLOCK_TEXT, "%dd %dh", (int)(s / 86400), (int)(s / 3600 % 24));
}
