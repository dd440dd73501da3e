/* Formats. See schema_format.h. */
#include "config.h"
#include "transformers/schema_format.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"

static bool is_digits(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return true;
}

static int number(const char *text, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

static bool is_date(const char *text)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' || !is_digits(text, 4) || !is_digits(text + 5, 2) ||
	    !is_digits(text + 8, 2))
		return false;
	year = number(text, 4);
	month = number(text + 5, 2);
	day = number(text + 8, 2);
	if (month < 1 || month > 12 || day < 1)
		return false;
	if (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0))
		return day <= 29;
	return day <= days[month - 1];
}

static bool is_date_time(const char *text)
{
	char date[11];
	int64_t ms;

	if (strlen(text) < 20)
		return false;
	memcpy(date, text, 10);
	date[10] = '\0';
	return is_date(date) && !clock_parse(span_of(text), &ms);
}

static bool is_email(const char *text)
{
	const char *at = strrchr(text, '@');

	if (!at || at == text || strlen(text) > 254)
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("<>(),;:\\\"[]", *p) || (*p == '@' && p != at))
			return false;
	return at[1] && at[1] != '.' && at[1] != '-' && text[strlen(text) - 1] != '.' && !strstr(text, "..") &&
	       at[-1] != '.' && text[0] != '.';
}

static bool is_uuid(const char *text)
{
	if (strlen(text) != 36)
		return false;
	for (int i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

bool schema_format_fits(const char *format, const char *text)
{
	if (!strcmp(format, "date"))
		return is_date(text);
	if (!strcmp(format, "date-time"))
		return is_date_time(text);
	if (!strcmp(format, "email"))
		return is_email(text);
	return strcmp(format, "uuid") || is_uuid(text);
}
