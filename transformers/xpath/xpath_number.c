/* Exact decimals in 128 bits, and doubles as texts. See xpath_number.h. */
#include "config.h"
#include "transformers/xpath/xpath_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MAX 38
#define QUOTIENT_SCALE 18

__extension__ typedef unsigned __int128 xpath_unsigned;

static xpath_wide power(int n)
{
	xpath_wide value = 1;

	while (n-- > 0)
		value *= 10;
	return value;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span text)
{
	while (text.len && is_blank(text.data[0]))
		text = span_make(text.data + 1, text.len - 1);
	while (text.len && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

static struct xpath_decimal tidy(struct xpath_decimal decimal)
{
	while (decimal.scale > 0 && decimal.value % 10 == 0) {
		decimal.value /= 10;
		decimal.scale--;
	}
	return decimal;
}

struct xpath_decimal xpath_decimal_of(int64_t value)
{
	return (struct xpath_decimal){value, 0};
}

/* So many digits are exact, and with them no sum below can leave 128 bits unseen. */
static bool fits(xpath_wide value)
{
	return value < power(DIGITS_MAX) && value > -power(DIGITS_MAX);
}

/* value * 10^n; false when it does not fit. */
static bool shift(xpath_wide *value, int n)
{
	while (n-- > 0)
		if (__builtin_mul_overflow(*value, (xpath_wide)10, value))
			return false;
	return true;
}

bool xpath_decimal_read(struct span text, struct xpath_decimal *decimal)
{
	bool minus, point = false, digits = false;
	struct xpath_decimal read = {0, 0};
	size_t zeros = 0; /* behind the point, not taken yet */

	text = trim(text);
	minus = text.len && text.data[0] == '-';
	for (size_t i = text.len && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		digits = true;
		if (point && c == '0') {
			zeros++;
			continue;
		}
		if (zeros + (size_t)read.scale > XPATH_SCALE_MAX || !shift(&read.value, (int)zeros + 1) ||
		    __builtin_add_overflow(read.value, (xpath_wide)(c - '0'), &read.value))
			return false;
		read.scale += point ? (int)zeros + 1 : 0;
		zeros = 0;
		if (read.scale > XPATH_SCALE_MAX)
			return false;
	}
	if (minus)
		read.value = -read.value;
	*decimal = read;
	return digits && fits(read.value);
}

bool xpath_decimal_from(double value, struct xpath_decimal *decimal)
{
	char text[XPATH_NUMBER_TEXT];

	if (!isfinite(value) || fabs(value) > 1e37)
		return false;
	snprintf(text, sizeof text, "%.*f", fabs(value) >= 1e8 ? 8 : 29, value);
	return xpath_decimal_read(span_of(text), decimal);
}

double xpath_decimal_double(struct xpath_decimal decimal)
{
	char text[XPATH_NUMBER_TEXT];

	if (!decimal.scale && decimal.value > -(1LL << 53) && decimal.value < (1LL << 53))
		return (double)(int64_t)decimal.value;
	xpath_decimal_text(decimal, text);
	return strtod(text, NULL);
}

void xpath_decimal_text(struct xpath_decimal decimal, char text[XPATH_NUMBER_TEXT])
{
	char digits[64];
	int n = 0, at = 0;
	xpath_unsigned value = decimal.value < 0 ? -(xpath_unsigned)decimal.value : (xpath_unsigned)decimal.value;

	do {
		digits[n++] = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (value);
	while (n <= decimal.scale)
		digits[n++] = '0';
	if (decimal.value < 0)
		text[at++] = '-';
	while (n > 0) {
		if (n == decimal.scale)
			text[at++] = '.';
		text[at++] = digits[--n];
	}
	text[at] = '\0';
}

bool xpath_decimal_whole(struct xpath_decimal decimal)
{
	return decimal.scale == 0;
}

bool xpath_decimal_int(struct xpath_decimal decimal, int64_t *value)
{
	if (decimal.scale || decimal.value > INT64_MAX || decimal.value < INT64_MIN)
		return false;
	*value = (int64_t)decimal.value;
	return true;
}

int xpath_decimal_compare(struct xpath_decimal a, struct xpath_decimal b)
{
	xpath_wide whole_a = a.value / power(a.scale), whole_b = b.value / power(b.scale), rest_a, rest_b;
	int scale = a.scale > b.scale ? a.scale : b.scale;

	if (whole_a != whole_b)
		return whole_a < whole_b ? -1 : 1;
	rest_a = a.value % power(a.scale) * power(scale - a.scale);
	rest_b = b.value % power(b.scale) * power(scale - b.scale);
	return rest_a < rest_b ? -1 : rest_a > rest_b;
}

static bool align(struct xpath_decimal *a, struct xpath_decimal *b)
{
	int scale = a->scale > b->scale ? a->scale : b->scale;

	if (!shift(&a->value, scale - a->scale) || !shift(&b->value, scale - b->scale))
		return false;
	a->scale = b->scale = scale;
	return true;
}

bool xpath_decimal_add(struct xpath_decimal a, struct xpath_decimal b, struct xpath_decimal *sum)
{
	if (!align(&a, &b) || __builtin_add_overflow(a.value, b.value, &sum->value))
		return false;
	sum->scale = a.scale;
	*sum = tidy(*sum);
	return fits(sum->value);
}

bool xpath_decimal_multiply(struct xpath_decimal a, struct xpath_decimal b, struct xpath_decimal *product)
{
	if (__builtin_mul_overflow(a.value, b.value, &product->value))
		return false;
	product->scale = a.scale + b.scale;
	*product = tidy(*product);
	return product->scale <= XPATH_SCALE_MAX && fits(product->value);
}

/* As it is done on paper, digit by digit, until nothing is left over or there are digits enough. */
bool xpath_decimal_divide(struct xpath_decimal a, struct xpath_decimal b, struct xpath_decimal *quotient)
{
	bool minus = (a.value < 0) != (b.value < 0);
	xpath_wide of = a.value < 0 ? -a.value : a.value, by = b.value < 0 ? -b.value : b.value, rest, value;
	int scale = a.scale - b.scale;

	if (of < 0 || by < 0 || by > power(DIGITS_MAX - 1))
		return false;
	value = of / by;
	rest = of % by;
	while (scale < QUOTIENT_SCALE && (rest || scale < 0)) {
		xpath_wide longer = value;

		rest *= 10;
		if (!shift(&longer, 1) || __builtin_add_overflow(longer, rest / by, &longer)) {
			if (scale < 0)
				return false;
			rest /= 10;
			break;
		}
		value = longer;
		rest %= by;
		scale++;
	}
	if (rest > by / 2 && value < power(DIGITS_MAX))
		value++;
	*quotient = tidy((struct xpath_decimal){minus ? -value : value, scale});
	return quotient->scale <= XPATH_SCALE_MAX;
}

bool xpath_decimal_idivide(struct xpath_decimal a, struct xpath_decimal b, struct xpath_decimal *quotient)
{
	if (!align(&a, &b))
		return false;
	*quotient = (struct xpath_decimal){b.value == -1 ? -a.value : a.value / b.value, 0};
	return true;
}

bool xpath_decimal_modulo(struct xpath_decimal a, struct xpath_decimal b, struct xpath_decimal *rest)
{
	if (!align(&a, &b))
		return false;
	*rest = tidy((struct xpath_decimal){b.value == -1 ? 0 : a.value % b.value, a.scale});
	return true;
}

struct xpath_decimal xpath_decimal_round(struct xpath_decimal decimal, int digits, enum xpath_rounding how)
{
	int drop = decimal.scale - digits;
	xpath_wide unit, value, rest, twice;

	if (drop <= 0)
		return decimal;
	if (drop > DIGITS_MAX - 1)
		return xpath_decimal_of(0);
	unit = power(drop);
	value = decimal.value / unit;
	rest = decimal.value % unit;
	if (rest < 0) { /* so that value is the floor */
		rest += unit;
		value--;
	}
	twice = rest > unit - rest ? 1 : rest == unit - rest ? 0 : -1;
	if (rest && (how == XPATH_CEILING ||
		     (how != XPATH_FLOOR && (twice > 0 || (twice == 0 && (how == XPATH_ROUND || value % 2))))))
		value++;
	if (digits < 0)
		return (struct xpath_decimal){value * power(-digits), 0};
	return tidy((struct xpath_decimal){value, digits});
}

/* ---- doubles */
bool xpath_double_read(struct span text, double *value)
{
	char copy[XPATH_NUMBER_TEXT];
	bool digits = false, exponent = false;

	text = trim(text);
	*value = NAN;
	if (span_is(text, "NaN"))
		return true;
	if (span_is(text, "INF") || span_is(text, "-INF")) {
		*value = text.data[0] == '-' ? -INFINITY : INFINITY;
		return true;
	}
	if (!text.len || text.len >= sizeof copy)
		return false;
	for (size_t i = 0, points = 0; i < text.len; i++) {
		char c = text.data[i];
		bool sign = (c == '+' || c == '-') && (i == 0 || strchr("eE", text.data[i - 1]));

		if (c >= '0' && c <= '9')
			digits = true;
		else if ((c == 'e' || c == 'E') && digits && !exponent)
			exponent = true, digits = false;
		else if (c == '.' && !exponent && !points)
			points++;
		else if (!sign)
			return false;
	}
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (digits)
		*value = strtod(copy, NULL);
	return digits;
}

/* The shortest text that is read as the same number again. */
static void shortest(double value, char *text, size_t size)
{
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, size, "%.*e", digits - 1, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

void xpath_double_text(double value, char text[XPATH_NUMBER_TEXT])
{
	char digits[64], *exponent;
	double size = fabs(value);
	int power_of_ten;

	if (isnan(value) || isinf(value) || value == 0) {
		snprintf(text, XPATH_NUMBER_TEXT, "%s",
			 isnan(value)     ? "NaN"
			 : isinf(value)   ? value < 0 ? "-INF" : "INF"
			 : signbit(value) ? "-0"
					  : "0");
		return;
	}
	shortest(value, digits, sizeof digits);
	exponent = strchr(digits, 'e');
	power_of_ten = atoi(exponent + 1);
	if (size >= 1e-6 && size < 1e6) {
		int count = (int)(exponent - digits) - (value < 0) - (strchr(digits, '.') != NULL);
		int behind = count - 1 - power_of_ten;

		snprintf(text, XPATH_NUMBER_TEXT, "%.*f", behind > 0 ? behind : 0, value);
		return;
	}
	*exponent = '\0';
	snprintf(text, XPATH_NUMBER_TEXT, "%s%sE%d", digits, strchr(digits, '.') ? "" : ".0", power_of_ten);
}
