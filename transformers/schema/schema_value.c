/* Values as JSON Schema compares them: 1 and 1.0 are the same, decimals are what was written. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TWICE_WORK_MAX 5000000

/* ---- numbers */
static int compare_mixed(json_int_t whole, double real)
{
	if (isnan(real) || real >= 9223372036854775808.0)
		return -1;
	if (real < -9223372036854775808.0)
		return 1;
	if (whole != (json_int_t)real)
		return whole < (json_int_t)real ? -1 : 1;
	/* Equal but for what follows the point. */
	return real > trunc(real) ? -1 : real < trunc(real);
}

int number_compare(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return (json_integer_value(a) > json_integer_value(b)) -
		       (json_integer_value(a) < json_integer_value(b));
	if (json_is_integer(a))
		return compare_mixed(json_integer_value(a), json_real_value(b));
	if (json_is_integer(b))
		return -compare_mixed(json_integer_value(b), json_real_value(a));
	return (json_real_value(a) > json_real_value(b)) - (json_real_value(a) < json_real_value(b));
}

bool number_is_whole(const json_t *value)
{
	double real;

	if (!json_is_real(value))
		return json_is_integer(value);
	real = json_real_value(value);
	return trunc(real) == real;
}

/* digits × 10^exponent, the fewest digits that read back as the same number: what somebody wrote. */
struct decimal {
	uint64_t digits;
	int exponent;
};

static struct decimal decimal_of(const json_t *value)
{
	struct decimal decimal = {0, 0};
	char text[40];

	if (json_is_integer(value)) {
		json_int_t whole = json_integer_value(value);

		decimal.digits = whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole;
		return decimal;
	}
	for (int digits = 14; digits <= 16; digits++) {
		snprintf(text, sizeof text, "%.*e", digits, fabs(json_real_value(value)));
		if (strtod(text, NULL) == fabs(json_real_value(value)))
			break;
	}
	for (const char *p = text; *p && *p != 'e'; p++)
		if (*p >= '0' && *p <= '9') {
			decimal.digits = decimal.digits * 10 + (uint64_t)(*p - '0');
			decimal.exponent -= strchr(text, '.') && p > strchr(text, '.');
		}
	decimal.exponent += strchr(text, 'e') ? atoi(strchr(text, 'e') + 1) : 0;
	while (decimal.digits && decimal.digits % 10 == 0) {
		decimal.digits /= 10;
		decimal.exponent++;
	}
	return decimal;
}

bool number_is_multiple(const json_t *value, const json_t *of)
{
	struct decimal a, b;
	unsigned __int128 rest;
	int shift;

	if (json_is_integer(value) && json_is_integer(of))
		return json_integer_value(value) % json_integer_value(of) == 0;
	if (json_is_real(value) && !isfinite(json_real_value(value)))
		return false;
	a = decimal_of(value);
	b = decimal_of(of);
	shift = a.exponent - b.exponent;
	if (!a.digits || !b.digits)
		return !a.digits;
	/* 10^shift × a divisible by b; or a by 10^-shift × b */
	rest = a.digits % b.digits;
	for (int i = 0; i < shift && rest; i++)
		rest = rest * 10 % b.digits;
	if (shift >= 0)
		return !rest;
	while (shift < 0 && b.digits <= a.digits / 10) {
		b.digits *= 10;
		shift++;
	}
	return !shift && a.digits % b.digits == 0;
}

/* ---- equality */
static bool same_members(const json_t *a, const json_t *b)
{
	json_t *same = (json_t *)(uintptr_t)a; /* jansson iterates only over what it may change */

	if (json_object_size(a) != json_object_size(b))
		return false;
	for (void *at = json_object_iter(same); at; at = json_object_iter_next(same, at)) {
		const json_t *other = json_object_getn(b, json_object_iter_key(at), json_object_iter_key_len(at));

		if (!other || !value_same(json_object_iter_value(at), other))
			return false;
	}
	return true;
}

bool value_same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return number_compare(a, b) == 0;
	if (json_typeof(a) != json_typeof(b))
		return false;
	switch (json_typeof(a)) {
	case JSON_OBJECT:
		return same_members(a, b);
	case JSON_ARRAY:
		if (json_array_size(a) != json_array_size(b))
			return false;
		for (size_t i = 0; i < json_array_size(a); i++)
			if (!value_same(json_array_get(a, i), json_array_get(b, i)))
				return false;
		return true;
	case JSON_STRING:
		return json_string_length(a) == json_string_length(b) &&
		       !memcmp(json_string_value(a), json_string_value(b), json_string_length(a));
	default:
		return true;
	}
}

/* The same for what value_same finds the same. */
static uint64_t hash_value(const json_t *value)
{
	json_t *same = (json_t *)(uintptr_t)value;
	uint64_t hash = (uint64_t)json_typeof(value) + 1;
	double real;

	switch (json_typeof(value)) {
	case JSON_OBJECT: /* in any order */
		for (void *at = json_object_iter(same); at; at = json_object_iter_next(same, at))
			hash += (hash_value(json_object_iter_value(at)) ^
				 member_hash(json_object_iter_key(at), json_object_iter_key_len(at))) *
				0x9e3779b97f4a7c15u;
		break;
	case JSON_ARRAY:
		for (size_t i = 0; i < json_array_size(value); i++)
			hash = (hash * 31 + hash_value(json_array_get(value, i))) * 0x9e3779b97f4a7c15u;
		break;
	case JSON_STRING:
		hash = member_hash(json_string_value(value), json_string_length(value)) * 0x9e3779b97f4a7c15u;
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		real = json_number_value(value) + 0.0; /* -0.0, too */
		memcpy(&hash, &real, sizeof hash);
		hash *= 0x9e3779b97f4a7c15u;
		break;
	default:
		break;
	}
	return hash ^ hash >> 29;
}

struct hashed {
	uint64_t hash;
	size_t at;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash) : (x->at > y->at) - (x->at < y->at);
}

static int twice_among(const json_t *array, const struct hashed *list, size_t n, size_t *first, size_t *second)
{
	size_t work = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n && list[j].hash == list[i].hash; j++) {
			if (++work > TWICE_WORK_MAX) /* hashes that somebody made alike */
				return -1;
			if (!value_same(json_array_get(array, list[i].at), json_array_get(array, list[j].at)))
				continue;
			*first = list[i].at;
			*second = list[j].at;
			return 1;
		}
	return 0;
}

int value_twice(const json_t *array, size_t *first, size_t *second)
{
	size_t n = json_array_size(array);
	struct hashed few[32], *list = n > 32 ? mem_alloc(n * sizeof *list) : few;
	int result;

	for (size_t i = 0; i < n; i++)
		list[i] = (struct hashed){hash_value(json_array_get(array, i)), i};
	qsort(list, n, sizeof *list, by_hash);
	result = twice_among(array, list, n, first, second);
	if (list != few)
		free(list);
	return result;
}

size_t text_length(const json_t *string)
{
	const char *text = json_string_value(string);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(string); i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}
