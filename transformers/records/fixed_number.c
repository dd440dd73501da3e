/* Numbers of fixed-width records: digits with implied decimals, zoned, packed (COMP-3), binary (COMP). As text they are
 * decimal, with all the decimals that the layout says. See fixed.h. */
#include "config.h"
#include "transformers/records/fixed.h"

#include <stdio.h>

#define DIGITS 40

struct number {
	char digits[DIGITS + 1]; /* of the whole number, without the point */
	size_t count, decimals;
	bool negative;
};

static int fault(struct error *error, const char *what)
{
	return error_set(error, ERROR_REJECT, "fixed-width.number", "%s", what);
}

/* ---- to text */
static void put_number(const struct number *n, struct buf *text)
{
	const char *digits = n->digits;
	size_t count = n->count, whole;
	char out[2 * DIGITS + 4], *o = out;

	while (count > n->decimals + 1 && *digits == '0') {
		digits++;
		count--;
	}
	if (n->negative && strspn(n->digits, "0") < n->count)
		*o++ = '-';
	whole = count > n->decimals ? count - n->decimals : 0;
	memcpy(o, whole ? digits : "0", whole ? whole : 1);
	o += whole ? whole : 1;
	if (n->decimals) {
		*o++ = '.';
		for (size_t i = count; i < n->decimals; i++)
			*o++ = '0';
		memcpy(o, digits + whole, count - whole);
		o += count - whole;
	}
	buf_append(text, out, (size_t)(o - out));
}

static bool is_zero(const struct number *n)
{
	return strspn(n->digits, "0") == n->count;
}

static int read_packed(const struct field *field, struct span bytes, struct number *n, bool *unusual,
		       struct error *error)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned byte = (unsigned char)bytes.data[i], high = byte >> 4, low = byte & 15;
		bool last = i + 1 == bytes.len;

		if (high > 9 || (!last && low > 9) || (last && low < 10))
			return fault(error, last && low < 10 ? "there is no sign in its last half byte"
							     : "a half byte of it is no digit");
		n->digits[n->count++] = (char)('0' + high);
		if (!last)
			n->digits[n->count++] = (char)('0' + low);
		else
			n->negative = low == 0xb || low == 0xd;
		if (last)
			*unusual = low != (field->sign == SIGN_NONE ? 0xfu : n->negative ? 0xdu : 0xcu);
	}
	if (field->sign == SIGN_NONE && n->negative)
		return fault(error, "it has no sign, and is negative");
	*unusual = *unusual || (n->negative && is_zero(n));
	return 0;
}

static int read_binary(const struct field *field, struct span bytes, struct number *n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes.len; i++)
		value = value << 8 | (unsigned char)bytes.data[field->little ? bytes.len - 1 - i : i];
	if (field->sign != SIGN_NONE && bytes.len && value >> (8 * bytes.len - 1) & 1) {
		if (bytes.len < 8)
			value |= ~(uint64_t)0 << (8 * bytes.len);
		value = ~value + 1;
		n->negative = true;
	}
	n->count = (size_t)snprintf(n->digits, sizeof n->digits, "%llu", (unsigned long long)value);
	return 0;
}

/* The digit with a sign in its zone: EBCDIC by its halves; else { A…I for plus, } J…R for minus, p…y for minus as well.
 */
static int read_overpunch(const struct layout *layout, unsigned char byte, struct number *n, char *digit, bool *plain)
{
	bool ebcdic = layout->set.byte_of['0'] == 0xf0;
	char c = (char)layout->set.ascii[byte];

	*plain = false;
	if (ebcdic) {
		if ((byte & 15) > 9 || byte < 0xa0)
			return -1;
		*digit = (char)('0' + (byte & 15));
		n->negative = byte >> 4 == 0xd || byte >> 4 == 0xb;
		*plain = byte >> 4 == 0xf;
		return byte >> 4 == 0xa || byte >> 4 == 0xb || byte >> 4 == 0xe ? 1 : 0;
	}
	*plain = c >= '0' && c <= '9';
	n->negative = c == '}' || (c >= 'J' && c <= 'R') || (c >= 'p' && c <= 'y');
	if (*plain)
		*digit = c;
	else if (c == '{' || c == '}')
		*digit = '0';
	else if (c >= 'A' && c <= 'I')
		*digit = (char)('1' + (c - 'A'));
	else if (c >= 'J' && c <= 'R')
		*digit = (char)('1' + (c - 'J'));
	else if (c >= 'p' && c <= 'y')
		*digit = (char)('0' + (c - 'p'));
	else
		return -1;
	return c >= 'p' && c <= 'y';
}

static int read_zoned(const struct layout *layout, const struct field *field, struct span bytes, struct number *n,
		      bool *unusual, struct error *error)
{
	size_t at = field->sign == SIGN_LEADING ? 0 : bytes.len - 1;

	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];
		char digit = (char)layout->set.ascii[byte];
		bool plain;

		if (i == at) {
			int other = read_overpunch(layout, byte, n, &digit, &plain);

			if (other < 0)
				return fault(error, "its digit with the sign is none");
			*unusual = other || plain != (field->sign == SIGN_NONE);
		} else if (digit < '0' || digit > '9') {
			return fault(error, "a character of it is no digit");
		}
		n->digits[n->count++] = digit;
	}
	if (field->sign == SIGN_NONE && n->negative)
		return fault(error, "it has no sign, and is negative");
	*unusual = *unusual || (n->negative && is_zero(n));
	return 0;
}

static void take_sign(struct number *n, char *text, size_t *len, bool leading)
{
	char *at = leading ? text : text + *len - 1;

	if (!*len || (*at != '+' && *at != '-'))
		return;
	n->negative = *at == '-';
	if (leading)
		memmove(text, text + 1, *len - 1);
	--*len;
}

static int read_digits(const struct layout *layout, const struct field *field, struct span bytes, struct number *n,
		       struct error *error)
{
	char text[DIGITS + 1], *start = text, *point;
	size_t len = 0;

	for (size_t i = 0; i < bytes.len; i++)
		text[len++] = (char)layout->set.ascii[(unsigned char)bytes.data[i]];
	while (len && text[len - 1] == ' ')
		len--;
	while (len && (*start == ' ' || (*start == field->pad && field->pad != '0' && field->pad != '-'))) {
		start++;
		len--;
	}
	if (field->sign == SIGN_LEADING || field->sign == SIGN_TRAILING)
		take_sign(n, start, &len, field->sign == SIGN_LEADING);
	while (len && *start == ' ') { /* between sign and digits */
		start++;
		len--;
	}
	point = field->point ? memchr(start, field->point, len) : NULL;
	n->decimals = field->point ? 0 : (size_t)field->decimals;
	if (point) {
		n->decimals = (size_t)(start + len - point - 1);
		memmove(point, point + 1, n->decimals);
		len--;
	}
	for (size_t i = 0; i < len; i++)
		if (start[i] < '0' || start[i] > '9')
			return fault(error, "a character of it is no digit");
	if (!len)
		return fault(error, "there is no digit in it");
	memcpy(n->digits, start, len);
	n->count = len;
	return 0;
}

/* Digits alone, or with the sign where the layout has it: what most numbers are, and the encoder writes. */
static bool is_plain(const struct layout *layout, const struct field *field, struct span bytes, struct number *n)
{
	bool sign = field->sign != SIGN_NONE;

	if (field->point || field->pad != '0' || bytes.len <= sign)
		return false;
	if (sign) {
		size_t at = field->sign == SIGN_LEADING ? 0 : bytes.len - 1;
		char c = (char)layout->set.ascii[(unsigned char)bytes.data[at]];

		if (c != '+' && c != '-')
			return false;
		n->negative = c == '-';
		bytes = span_make(bytes.data + (field->sign == SIGN_LEADING), bytes.len - 1);
	}
	for (size_t i = 0; i < bytes.len; i++) {
		char c = (char)layout->set.ascii[(unsigned char)bytes.data[i]];

		if (c < '0' || c > '9') {
			n->negative = false;
			return false;
		}
		n->digits[i] = c;
	}
	n->count = bytes.len;
	n->decimals = (size_t)field->decimals;
	return true;
}

/* Whether it would be written in another way. */
static bool differs(const struct layout *layout, const struct field *field, struct span bytes, const struct buf *text,
		    size_t from)
{
	struct buf again;
	bool same;

	buf_init(&again, 2 * DIGITS);
	same = !fixed_number_write(layout, field, span_make(text->data + from, text->len - from), &again, NULL) &&
	       span_equal(buf_view(&again), bytes);
	buf_free(&again);
	return !same;
}

int fixed_number_read(const struct layout *layout, const struct field *field, struct span bytes, struct buf *text,
		      bool *unusual, struct error *error)
{
	struct number n = {.decimals = (size_t)field->decimals};
	size_t from = text->len;
	bool plain = false;
	int failed = 0;

	*unusual = false;
	if (field->type == FIELD_PACKED)
		failed = read_packed(field, bytes, &n, unusual, error);
	else if (field->type == FIELD_BINARY)
		failed = read_binary(field, bytes, &n);
	else if (field->type == FIELD_ZONED)
		failed = read_zoned(layout, field, bytes, &n, unusual, error);
	else if (!(plain = is_plain(layout, field, bytes, &n)))
		failed = read_digits(layout, field, bytes, &n, error);
	if (failed)
		return -1;
	n.digits[n.count] = '\0';
	put_number(&n, text);
	if (field->digits && n.count - strspn(n.digits, "0") > field->digits)
		*unusual = true; /* its bytes have room for more than its picture says */
	if (plain)
		*unusual = n.negative && is_zero(&n);
	else if (field->type == FIELD_NUMBER)
		*unusual = differs(layout, field, bytes, text, from);
	return 0;
}

/* ---- to bytes */
/* [-+]digits[.digits], with as many decimals as the field has. */
static int parse(const struct field *field, struct span text, struct number *n, struct error *error)
{
	const char *p = text.data, *end = text.data + text.len;
	bool behind = false, any = false;
	size_t decimals = 0;

	n->decimals = (size_t)field->decimals;
	if (p < end && (*p == '-' || *p == '+'))
		n->negative = *p++ == '-';
	for (; p < end; p++) {
		if (*p == '.' && !behind) {
			behind = true;
			continue;
		}
		if (*p < '0' || *p > '9')
			return fault(error, "the value is no decimal number");
		any = true;
		if (behind && decimals == n->decimals && field->point && !field->decimals && decimals < DIGITS - 2)
			n->decimals++;
		if (behind && decimals++ >= n->decimals) {
			if (*p != '0')
				return fault(error, "the value has more decimals than the field");
			continue;
		}
		if (*p == '0' && !n->count)
			continue;
		if (n->count == DIGITS - 2)
			return fault(error, "the value has too many digits");
		n->digits[n->count++] = *p;
	}
	if (!any)
		return fault(error, "the value is no decimal number");
	for (; decimals < n->decimals && n->count && n->count < DIGITS - 2; decimals++)
		n->digits[n->count++] = '0';
	if (n->count && decimals < n->decimals)
		return fault(error, "the value has too many digits");
	n->digits[n->count] = '\0';
	return 0;
}

static int too_long(struct error *error)
{
	return error_set(error, ERROR_REJECT, "fixed-width.length", "the value does not fit into the field");
}

static int write_packed(const struct field *field, const struct number *n, struct buf *bytes, struct error *error)
{
	size_t room = 2 * field->length - 1, at = 0;
	char halves[2 * DIGITS];

	if (n->count > room)
		return too_long(error);
	while (at < room - n->count)
		halves[at++] = 0;
	for (size_t i = 0; i < n->count; i++)
		halves[at++] = (char)(n->digits[i] - '0');
	halves[at] = field->sign == SIGN_NONE ? 15 : n->negative && n->count ? 13 : 12;
	for (size_t i = 0; i < field->length; i++)
		buf_char(bytes, (char)(halves[2 * i] << 4 | halves[2 * i + 1]));
	return 0;
}

static int write_binary(const struct field *field, const struct number *n, struct buf *bytes, struct error *error)
{
	bool is_signed = field->sign != SIGN_NONE;
	unsigned bits = (unsigned)(8 * field->length) - is_signed;
	uint64_t most = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1, value = 0;
	char out[8];

	for (size_t i = 0; i < n->count; i++) {
		uint64_t digit = (uint64_t)(n->digits[i] - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return too_long(error);
		value = value * 10 + digit;
	}
	if (value > most + (is_signed && n->negative))
		return too_long(error);
	if (n->negative)
		value = ~value + 1;
	for (size_t i = 0; i < field->length; i++)
		out[field->little ? i : field->length - 1 - i] = (char)(value >> (8 * i));
	return buf_append(bytes, out, field->length);
}

static void put_zoned_digit(const struct layout *layout, const struct field *field, const struct number *n, char digit,
			    struct buf *bytes)
{
	static const char signs[2][11] = {"{ABCDEFGHI", "}JKLMNOPQR"};
	bool negative = n->negative && n->count;

	if (field->sign == SIGN_NONE)
		buf_char(bytes, (char)layout->set.byte_of[(uint8_t)digit]);
	else if (layout->set.byte_of['0'] == 0xf0)
		buf_char(bytes, (char)((negative ? 0xd0 : 0xc0) | (digit - '0')));
	else
		buf_char(bytes, (char)layout->set.byte_of[(uint8_t)signs[negative][digit - '0']]);
}

static int write_zoned(const struct layout *layout, const struct field *field, const struct number *n,
		       struct buf *bytes, struct error *error)
{
	if (n->count > field->length)
		return too_long(error);
	for (size_t i = 0; i < field->length; i++) {
		size_t zeros = field->length - n->count;
		char digit = i < zeros ? '0' : n->digits[i - zeros];

		if (i == (field->sign == SIGN_LEADING ? 0 : field->length - 1))
			put_zoned_digit(layout, field, n, digit, bytes);
		else
			buf_char(bytes, (char)layout->set.byte_of[(uint8_t)digit]);
	}
	return 0;
}

/* Digits with the point that stands there: at least one in front of it. */
static size_t spell(const struct field *field, const struct number *n, char out[2 * DIGITS])
{
	size_t at = 0, whole = n->count > n->decimals ? n->count - n->decimals : 0;

	if (!field->point) {
		memcpy(out, n->digits, n->count);
		if (!n->count)
			out[at] = '0';
		return n->count ? n->count : 1;
	}
	memcpy(out, n->digits, whole);
	at = whole;
	if (!whole)
		out[at++] = '0';
	if (n->decimals) {
		out[at++] = field->point;
		for (size_t i = n->count - whole; i < n->decimals; i++)
			out[at++] = '0';
		memcpy(out + at, n->digits + whole, n->count - whole);
		at += n->count - whole;
	}
	return at;
}

static int write_digits(const struct layout *layout, const struct field *field, const struct number *n,
			struct buf *bytes, struct error *error)
{
	bool sign = field->sign == SIGN_LEADING || field->sign == SIGN_TRAILING, negative = n->negative && n->count;
	char text[2 * DIGITS], all[2 * DIGITS];
	size_t len = spell(field, n, text), room = field->length - sign, at = 0;

	if (len > room)
		return too_long(error);
	if (field->sign == SIGN_LEADING && field->pad == '0')
		all[at++] = negative ? '-' : '+';
	while (at + len + (sign && !(field->sign == SIGN_LEADING && field->pad == '0')) < field->length)
		all[at++] = field->pad;
	if (field->sign == SIGN_LEADING && field->pad != '0')
		all[at++] = negative ? '-' : '+';
	memcpy(all + at, text, len);
	at += len;
	if (field->sign == SIGN_TRAILING)
		all[at++] = negative ? '-' : '+';
	for (size_t i = 0; i < at; i++)
		buf_char(bytes, (char)layout->set.byte_of[(uint8_t)all[i]]);
	return 0;
}

int fixed_number_write(const struct layout *layout, const struct field *field, struct span text, struct buf *bytes,
		       struct error *error)
{
	struct number n = {0};

	if (parse(field, text, &n, error))
		return -1;
	if (field->digits && n.count > field->digits)
		return too_long(error);
	if (field->sign == SIGN_NONE && n.negative && n.count)
		return fault(error, "the value is negative, and the field has no sign");
	if (field->type == FIELD_PACKED)
		return write_packed(field, &n, bytes, error);
	if (field->type == FIELD_BINARY)
		return write_binary(field, &n, bytes, error);
	if (field->type == FIELD_ZONED)
		return write_zoned(layout, field, &n, bytes, error);
	return write_digits(layout, field, &n, bytes, error);
}
