/* What the text formats of banks share. See bank.h. */
#include "config.h"
#include "transformers/bank/bank.h"

#include <stdio.h>

#include "base/tree.h"

#define CENTURY_FROM 70

int bank_check_charset(const char *charset, struct place place, struct findings *findings)
{
	if (!charset || text_charset_known(charset))
		return 0;
	finding_add(findings, place, SEVERITY_ERROR, "decode.charset", "`%s` is no character set that is known here",
		    charset);
	return -1;
}

/* ---- lines */
int bank_begin(struct bank_reader *r, const char *limit, const char *charset, struct item *item, struct out *out,
	       struct error *error)
{
	*r = (struct bank_reader){.limit = limit};
	buf_init(&r->line, 4 * BANK_LINE_MAX);
	lines_begin(&r->lines, item, out);
	if (text_begin(&r->text, item->bytes, out, charset, error))
		return -1;
	r->at = r->source = r->text.start;
	return 0;
}

void bank_end(struct bank_reader *r)
{
	lines_end(&r->lines);
	text_end(&r->text);
	buf_free(&r->line);
}

static bool is_high(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= 0x80)
			return true;
	return false;
}

/* The end of the line at the front: *len without it, *used with it. False: more is needed. */
static bool find_end(struct span text, bool last, size_t *len, size_t *used)
{
	size_t i = 0;

	while (i < text.len && text.data[i] != '\n' && text.data[i] != '\r')
		i++;
	*len = *used = i;
	if (i == text.len)
		return last;
	if (text.data[i] == '\r' && i + 1 == text.len && !last)
		return false;
	*used = i + 1 + (text.data[i] == '\r' && i + 1 < text.len && text.data[i + 1] == '\n');
	return true;
}

static void take_text(struct bank_reader *r, struct span text)
{
	bool clean = text_is_utf8(text);

	buf_reset(&r->line);
	r->bad = !clean;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		r->bad = r->bad || !c;
		if (!clean && (unsigned char)c >= 0x80)
			buf_text(&r->line, "\xef\xbf\xbd");
		else
			buf_char(&r->line, c ? c : ' ');
	}
}

int bank_next(struct bank_reader *r, struct error *error)
{
	size_t want = 1024, len, used;
	struct span got;
	bool last;

	for (;;) {
		if (text_get(&r->text, r->at, want, &got, &last, error))
			return -1;
		if (!got.len)
			return 0;
		if (find_end(got, last, &len, &used) || len > BANK_LINE_MAX) {
			if (*r->text.charset || len > BANK_LINE_MAX || !is_high(span_make(got.data, len)))
				break;
			if (text_settle(&r->text, r->at, error))
				return -1;
			continue;
		}
		want = got.len * 2;
	}
	r->number++;
	if (len > BANK_LINE_MAX)
		return bank_fault(error, r->limit, "line %llu is longer than %zu bytes", (unsigned long long)r->number,
				  BANK_LINE_MAX);
	take_text(r, span_make(got.data, len));
	r->source += text_source(&r->text, span_make(got.data, used));
	r->at += used;
	return 1;
}

/* ---- what comes of it */
int bank_fault(struct error *error, const char *code, const char *format, ...)
{
	va_list arguments;
	char text[400];

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return error_set(error, ERROR_REJECT, code, "%s", text);
}

int bank_emit(struct bank_reader *r, json_t *take, const char *what, uint64_t from, struct error *error)
{
	tree_write(&r->lines.json, take, 0);
	json_decref(take);
	return lines_emit(&r->lines, what, from, r->source - from, error);
}

int bank_reject(struct bank_reader *r, const char *what, uint64_t from, struct error *why, struct error *error)
{
	return lines_reject(&r->lines, what, from, r->source - from, why, error);
}

/* ---- amounts */
bool bank_amount(struct span text, char point, int64_t *amount)
{
	unsigned decimals = 0, digits = 0;
	bool behind = false, any = false;

	*amount = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == point && !behind) {
			behind = true;
			continue;
		}
		if (c < '0' || c > '9' || decimals == 4 || digits == 14)
			return false;
		any = true;
		digits += digits || c != '0';
		decimals += behind;
		*amount = *amount * 10 + (c - '0');
	}
	for (; decimals < 4; decimals++)
		*amount *= 10;
	return any;
}

bool bank_digits(struct span text, unsigned decimals, int64_t *amount)
{
	bool negative = text.len && text.data[0] == '-';
	unsigned digits = 0;

	if (text.len && (text.data[0] == '-' || text.data[0] == '+'))
		text = span_make(text.data + 1, text.len - 1);
	*amount = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || digits == 14)
			return false;
		digits += digits || text.data[i] != '0';
		*amount = *amount * 10 + (text.data[i] - '0');
	}
	for (; decimals < 4; decimals++)
		*amount *= 10;
	*amount = negative ? -*amount : *amount;
	return text.len > 0;
}

void bank_amount_text(int64_t amount, unsigned decimals, char into[32])
{
	uint64_t size = amount < 0 ? ~(uint64_t)amount + 1 : (uint64_t)amount;
	char fraction[8];
	size_t n = 4;

	snprintf(fraction, sizeof fraction, "%04u", (unsigned)(size % BANK_UNIT));
	while (n > decimals && fraction[n - 1] == '0')
		n--;
	snprintf(into, 32, "%s%llu%s%.*s", amount < 0 ? "-" : "", (unsigned long long)(size / BANK_UNIT), n ? "." : "",
		 (int)n, fraction);
}

bool bank_add(int64_t *sum, int64_t amount)
{
	return !__builtin_add_overflow(*sum, amount, sum);
}

/* ---- dates */
static int number(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

bool bank_is_digits(struct span text, size_t n)
{
	if (text.len < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return true;
}

bool bank_date(struct span text, char into[11], bool *bent)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day, most;

	*bent = false;
	if (!bank_is_digits(text, 6))
		return false;
	year = number(text.data) + (number(text.data) < CENTURY_FROM ? 2000 : 1900);
	month = number(text.data + 2);
	day = number(text.data + 4);
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	most = days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0));
	*bent = day > most;
	snprintf(into, 11, "%04u-%02u-%02u", (unsigned)year % 10000, (unsigned)month % 100,
		 (unsigned)(day > most ? most : day) % 100);
	return true;
}

/* ---- JSON */
void bank_set(json_t *object, const char *name, struct span text)
{
	if (text.len)
		json_object_set_new(object, name, json_stringn(text.data, text.len));
}

struct span bank_trim(struct span text)
{
	while (text.len && strchr(" \t\n", text.data[text.len - 1]))
		text.len--;
	while (text.len && strchr(" \t\n", text.data[0]))
		text = span_make(text.data + 1, text.len - 1);
	return text;
}
