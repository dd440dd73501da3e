/* See date.h. Years are counted in their cycle of 400, which has 146,097 days, from 1 March on: so the leap day is the
 * last of its year. */
#include "config.h"
#include "mft/date.h"

#include <ctype.h>
#include <strings.h>

#define CYCLE_DAYS 146097
#define CYCLE_YEARS 400
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

static const char *const weekdays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t date_days(struct date date)
{
	int64_t year = date.year - (date.month <= 2), cycle = floor_div(year, CYCLE_YEARS);
	int64_t of_cycle = year - cycle * CYCLE_YEARS;
	int64_t month = (date.month + 9) % 12; /* March: 0 */
	int64_t of_year = (153 * month + 2) / 5 + date.day - 1;

	return cycle * CYCLE_DAYS + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - EPOCH_DAYS;
}

struct date date_of(int64_t days)
{
	int64_t all = days + EPOCH_DAYS, cycle = floor_div(all, CYCLE_DAYS), rest = all - cycle * CYCLE_DAYS;
	int64_t year = (rest - rest / 1460 + rest / 36524 - rest / (CYCLE_DAYS - 1)) / 365;
	int64_t of_year = rest - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	struct date date;

	date.day = (int)(of_year - (153 * month + 2) / 5 + 1);
	date.month = (int)(month < 10 ? month + 3 : month - 9);
	date.year = (int)(cycle * CYCLE_YEARS + year + (date.month <= 2));
	return date;
}

int date_weekday(int64_t days)
{
	int64_t n = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (int)(n < 0 ? n + 7 : n);
}

int date_month_length(int year, int month)
{
	static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return length[month - 1] + (month == 2 && leap);
}

/* The tables of the church, as arithmetic: age of the moon by the golden number, then the Sunday behind it. */
int64_t date_easter(int year)
{
	int golden = year % 19, century = year / 100;
	int skipped = century - century / 4 - (8 * century + 13) / 25;
	int moon = (19 * golden + skipped + 15) % 30;
	int64_t full;

	moon -= moon == 29 || (moon == 28 && golden > 10);
	full = date_days((struct date){year, 3, 21}) + moon;
	return full + 7 - date_weekday(full);
}

int64_t date_floor(int64_t seconds, int *of_day)
{
	int64_t days = floor_div(seconds, DAY_SECONDS);

	*of_day = (int)(seconds - days * DAY_SECONDS);
	return days;
}

/* Exactly n digits. */
static int digits(const char *text, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		value = value * 10 + text[i] - '0';
	}
	return value;
}

int date_parse(struct span text, struct date *date)
{
	if (text.len != 10 || text.data[4] != '-' || text.data[7] != '-')
		return -1;
	*date = (struct date){digits(text.data, 4), digits(text.data + 5, 2), digits(text.data + 8, 2)};
	if (date->year < 1 || date->month < 1 || date->month > 12 || date->day < 1)
		return -1;
	return date->day <= date_month_length(date->year, date->month) ? 0 : -1;
}

int date_minute_parse(struct span text, int *minute_of_day)
{
	int hour, minute;

	if (text.len != 5 || text.data[2] != ':')
		return -1;
	hour = digits(text.data, 2);
	minute = digits(text.data + 3, 2);
	if (hour < 0 || minute < 0 || minute > 59 || hour > 24 || (hour == 24 && minute > 0))
		return -1;
	*minute_of_day = hour * 60 + minute;
	return 0;
}

int date_weekday_parse(struct span text)
{
	for (int i = 0; i < 7; i++)
		if ((text.len == 3 || text.len == strlen(weekdays[i])) &&
		    !strncasecmp(text.data, weekdays[i], text.len))
			return i;
	return -1;
}
