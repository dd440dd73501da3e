/* Formats: times, identifiers and pointers; the list of all. See schema_format.h. */
#include "config.h"
#include "transformers/schema/schema_format.h"

#include <ctype.h>

#include "base/finding.h"
#include "transformers/schema/schema_pattern.h"

/* ---- reading from the front */
static bool is_digit(struct span text, size_t i)
{
	return i < text.len && text.data[i] >= '0' && text.data[i] <= '9';
}

/* Exactly n digits at i; -1 when there are others. */
static int digits(struct span text, size_t i, size_t n)
{
	int value = 0;

	for (size_t j = i; j < i + n; j++) {
		if (!is_digit(text, j))
			return -1;
		value = value * 10 + (text.data[j] - '0');
	}
	return value;
}

static bool has(struct span text, size_t i, const char *characters)
{
	return i < text.len && text.data[i] && strchr(characters, text.data[i]);
}

/* ---- RFC 3339 */
static bool is_date(struct span text)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);

	if (text.len != 10 || !has(text, 4, "-") || !has(text, 7, "-") || year < 0 || month < 1 || month > 12 ||
	    day < 1)
		return false;
	if (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0))
		return day <= 29;
	return day <= days[month - 1];
}

static bool is_time(struct span text)
{
	int hour = digits(text, 0, 2), minute = digits(text, 3, 2), second = digits(text, 6, 2), away = 0, utc;
	size_t i = 8;

	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || !has(text, 2, ":") ||
	    !has(text, 5, ":"))
		return false;
	if (has(text, i, ".")) {
		if (!is_digit(text, ++i))
			return false;
		while (is_digit(text, i))
			i++;
	}
	if (has(text, i, "Zz")) {
		if (i + 1 != text.len)
			return false;
	} else {
		int hours = digits(text, i + 1, 2), minutes = digits(text, i + 4, 2);

		if (!has(text, i, "+-") || !has(text, i + 3, ":") || i + 6 != text.len || hours < 0 || hours > 23 ||
		    minutes < 0 || minutes > 59)
			return false;
		away = (hours * 60 + minutes) * (text.data[i] == '-' ? -1 : 1);
	}
	utc = (hour * 60 + minute - away + 2880) % 1440;
	return second < 60 || utc == 1439; /* a leap second ends a day */
}

static bool is_date_time(struct span text)
{
	return text.len > 11 && is_date(span_make(text.data, 10)) && has(text, 10, "Tt") &&
	       is_time(span_make(text.data + 11, text.len - 11));
}

/* One unit after the other, each once and none left out between two: 1*DIGIT and one of the letters. Returns where it
 * ends, 0 when there is nothing. */
static size_t units(struct span text, size_t i, const char *letters)
{
	size_t end = 0;

	while (is_digit(text, i)) {
		const char *letter;

		while (is_digit(text, i))
			i++;
		letter = has(text, i, letters) ? strchr(letters, text.data[i]) : NULL;
		if (!letter || (end && letter != letters))
			return 0;
		letters = letter + 1;
		end = ++i;
	}
	return end;
}

/* Appendix A */
static bool is_duration(struct span text)
{
	size_t date, time;

	if (!has(text, 0, "P"))
		return false;
	if (units(text, 1, "W") == text.len && text.len > 1)
		return true;
	date = units(text, 1, "YMD");
	if (date == text.len)
		return true;
	if (!date && !has(text, 1, "T"))
		return false;
	date = date ? date : 1;
	if (!has(text, date, "T"))
		return false;
	time = units(text, date + 1, "HMS");
	return time == text.len;
}

/* ---- identifiers, pointers, patterns */
static bool is_uuid(struct span text)
{
	if (text.len != 36)
		return false;
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text.data[i] != '-'
							    : !isxdigit((unsigned char)text.data[i]))
			return false;
	return true;
}

static bool is_pointer(struct span text)
{
	if (text.len && text.data[0] != '/')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '~' && !has(text, i + 1, "01"))
			return false;
	return true;
}

static bool is_relative_pointer(struct span text)
{
	size_t n = 0;

	while (is_digit(text, n))
		n++;
	if (!n || (n > 1 && text.data[0] == '0'))
		return false;
	if (n + 1 == text.len && text.data[n] == '#')
		return true;
	return is_pointer(span_make(text.data + n, text.len - n));
}

static bool is_regex(struct span text)
{
	struct pattern *pattern = pattern_new(text, NULL);

	pattern_free(pattern);
	return pattern != NULL;
}

static const struct format formats[] = {
	{"date", "a date, such as 2026-03-02", is_date},
	{"date-time", "a date and time with its offset, such as 2026-03-02T08:30:00Z", is_date_time},
	{"time", "a time with its offset, such as 08:30:00Z", is_time},
	{"duration", "a duration, such as P3DT12H", is_duration},
	{"email", "an e-mail address", format_email},
	{"idn-email", "an e-mail address", format_idn_email},
	{"hostname", "a host name", format_hostname},
	{"idn-hostname", "a host name", format_idn_hostname},
	{"ipv4", "an IPv4 address, such as 192.0.2.1", format_ipv4},
	{"ipv6", "an IPv6 address, such as 2001:db8::1", format_ipv6},
	{"uri", "a URI with its scheme, such as https://example.com/a", format_uri},
	{"uri-reference", "a URI, or the part of one", format_uri_reference},
	{"iri", "a URI with its scheme, in any script", format_iri},
	{"iri-reference", "a URI, or the part of one, in any script", format_iri_reference},
	{"uri-template", "a URI template, such as /orders/{number}", format_uri_template},
	{"uuid", "a UUID, such as 3f1c9a3e-8f5b-4b8e-9d2f-0a1b2c3d4e5f", is_uuid},
	{"json-pointer", "a JSON pointer, such as /lines/0", is_pointer},
	{"relative-json-pointer", "a relative JSON pointer, such as 1/number", is_relative_pointer},
	{"regex", "a regular expression of ECMA 262", is_regex},
};

const struct format *schema_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

const char *schema_format_near(const char *name)
{
	const char *names[sizeof formats / sizeof *formats];

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		names[i] = formats[i].name;
	return nearest_name(span_of(name), names, sizeof names / sizeof *names);
}
