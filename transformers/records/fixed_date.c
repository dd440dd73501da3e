/* Dates and times of fixed-width records, in a format of YYYY YY MM DD DDD hh mm ss and what stands between them, and
 * as ISO 8601. Years of two digits are those from 1970 to 2069. See fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>

#define CENTURY_FROM 70

struct moment {
	int year, month, day, day_of_year, hour, minute, second; /* -1: not said */
};

static const struct part {
	const char *name; /* the longest first */
	size_t offset;
} parts[] = {{"YYYY", offsetof(struct moment, year)},       {"YY", offsetof(struct moment, year)},
	     {"DDD", offsetof(struct moment, day_of_year)}, {"MM", offsetof(struct moment, month)},
	     {"DD", offsetof(struct moment, day)},          {"hh", offsetof(struct moment, hour)},
	     {"mm", offsetof(struct moment, minute)},       {"ss", offsetof(struct moment, second)}};

static const struct part *part_at(const char *format)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strncmp(format, parts[i].name, strlen(parts[i].name)))
			return &parts[i];
	return NULL;
}

static int *value_of(struct moment *moment, const struct part *part)
{
	return (int *)(void *)((char *)moment + part->offset);
}

static int month_length(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year < 0 || (year % 4 == 0 && (year % 100 || year % 400 == 0));

	return days[month - 1] + (month == 2 && leap);
}

static bool is_right(const struct moment *m)
{
	return (m->month < 0 || (m->month >= 1 && m->month <= 12)) &&
	       (m->day < 0 || (m->day >= 1 && m->day <= month_length(m->year, m->month < 0 ? 1 : m->month))) &&
	       m->hour <= 23 && m->minute <= 59 && m->second <= 60;
}

/* The day of the year as month and day, and back. */
static bool from_day_of_year(struct moment *m)
{
	int day = m->day_of_year;

	if (day < 1 || m->year < 0)
		return false;
	for (m->month = 1; m->month <= 12; m->month++) {
		int days = month_length(m->year, m->month);

		if (day <= days) {
			m->day = day;
			return true;
		}
		day -= days;
	}
	return false;
}

static int digits_of(const char *text, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static int fault(struct error *error, const char *what)
{
	return error_set(error, ERROR_REJECT, "fixed-width.date", "%s", what);
}

static void put_part(struct buf *text, const char *before, int value, int digits)
{
	if (*before)
		buf_char(text, *before);
	for (int unit = digits == 4 ? 1000 : 10; unit; unit /= 10)
		buf_char(text, (char)('0' + value / unit % 10));
}

int fixed_date_read(const struct layout *layout, const struct field *field, struct span bytes, struct buf *text,
		    struct error *error)
{
	struct moment m = {-1, -1, -1, -1, -1, -1, -1};
	char ascii[64];

	for (size_t i = 0; i < bytes.len; i++)
		ascii[i] = (char)layout->set.ascii[(unsigned char)bytes.data[i]];
	for (size_t i = 0; i < bytes.len;) {
		const struct part *part = part_at(field->format + i);
		size_t n = part ? strlen(part->name) : 1;
		int value = part ? digits_of(ascii + i, n) : 0;

		if (part ? value < 0 : ascii[i] != field->format[i])
			return fault(error, "it is no date of the layout's format");
		if (part)
			*value_of(&m, part) = value;
		if (part && n == 2 && part->offset == 0)
			m.year = value + (value < CENTURY_FROM ? 2000 : 1900);
		i += n;
	}
	if ((m.day_of_year >= 0 && !from_day_of_year(&m)) || !is_right(&m))
		return fault(error, "there is no such date or time");
	if (m.year >= 0)
		put_part(text, "", m.year, 4);
	if (m.month >= 0)
		put_part(text, m.year >= 0 ? "-" : "", m.month, 2);
	if (m.day >= 0)
		put_part(text, m.year >= 0 || m.month >= 0 ? "-" : "", m.day, 2);
	if (m.hour >= 0)
		put_part(text, m.year >= 0 || m.month >= 0 || m.day >= 0 ? "T" : "", m.hour, 2);
	if (m.minute >= 0)
		put_part(text, m.hour >= 0 ? ":" : "", m.minute, 2);
	if (m.second >= 0)
		put_part(text, m.minute >= 0 ? ":" : "", m.second, 2);
	return 0;
}

/* ---- to bytes */
static bool says(const char *format, const char *part)
{
	return strstr(format, part) != NULL;
}

static bool take(struct span *text, size_t n, const char *before, int *into)
{
	size_t skip = strlen(before);

	if (text->len < skip + n || memcmp(text->data, before, skip))
		return false;
	*into = digits_of(text->data + skip, n);
	*text = span_make(text->data + skip + n, text->len - skip - n);
	return *into >= 0;
}

/* What fixed_date_read gives for the format, and whatever of an ISO date and time follows it. */
static bool parse(const char *format, struct span text, struct moment *m)
{
	bool year = says(format, "YY"), month = says(format, "MM") || says(format, "DDD"), day = says(format, "DD"),
	     time = says(format, "hh");

	if ((year && !take(&text, 4, "", &m->year)) || (month && !take(&text, 2, year ? "-" : "", &m->month)) ||
	    (day && !take(&text, 2, year || month ? "-" : "", &m->day)))
		return false;
	if (!time)
		return !text.len || *text.data == 'T' || *text.data == '-' || !says(format, "mm");
	if (!take(&text, 2, year || month || day ? "T" : "", &m->hour))
		return false;
	return (!says(format, "mm") || take(&text, 2, ":", &m->minute)) &&
	       (!says(format, "ss") || take(&text, 2, ":", &m->second));
}

int fixed_date_write(const struct layout *layout, const struct field *field, struct span text, struct buf *bytes,
		     struct error *error)
{
	struct moment m = {-1, -1, -1, 0, -1, -1, -1};
	char out[64];
	size_t at = 0;

	if (!parse(field->format, text, &m) || !is_right(&m))
		return fault(error, "the value is no date as ISO 8601 writes it, 2026-03-02");
	if (m.year >= 0 && !says(field->format, "YYYY") &&
	    (m.year < 1900 + CENTURY_FROM || m.year >= 2000 + CENTURY_FROM))
		return fault(error, "a year of two digits is one from 1970 to 2069");
	for (int i = 1; i < m.month && m.year >= 0; i++)
		m.day_of_year += month_length(m.year, i);
	m.day_of_year += m.day;
	m.year = says(field->format, "YYYY") ? m.year : m.year % 100;
	while (at < field->length) {
		const struct part *part = part_at(field->format + at);

		if (part) {
			snprintf(out + at, sizeof out - at, "%0*d", (int)strlen(part->name), *value_of(&m, part));
			at += strlen(part->name);
		} else {
			out[at] = field->format[at];
			at++;
		}
	}
	for (size_t i = 0; i < at && i < field->length; i++)
		buf_char(bytes, (char)layout->set.byte_of[(uint8_t)out[i]]);
	return 0;
}
