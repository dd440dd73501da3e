/* Functions over texts (F&O 7). Characters are those of Unicode. Upper and lower case are known of the Latin, Greek and
 * Cyrillic letters. */
#include "config.h"
#include <math.h>

#include "base/utf8.h"
#include "transformers/xpath/xpath_private.h"

#define FN(name)                                                                                                       \
	static int name(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,         \
			struct xpath_seq *args, struct xpath_seq *out)

static int give_text(struct xpath_run *run, struct xpath_seq *out, const char *text, size_t len)
{
	*out = xpath_one(run, xpath_of_text(span_make(text ? text : "", len)));
	return xpath_tick(run, len / 64);
}

/* As a text; no value is an empty one. What is no text is not made one (3.1.5), as other readers of rules do not. */
static int text_of(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *arg, struct span *text)
{
	*text = SPAN_LITERAL("");
	if (xpath_atoms(run, arg))
		return -1;
	if (arg->count > 1)
		return xpath_fault(run, "%s() takes one value, and there are %zu", expr->builtin->name, arg->count);
	if (!arg->count)
		return 0;
	if (arg->items[0].type != XPATH_UNTYPED && arg->items[0].type != XPATH_STRING)
		return xpath_fault(run, "%s() takes a text, and not %s", expr->builtin->name,
				   xpath_type_name(arg->items[0].type));
	*text = arg->items[0].text;
	return xpath_tick(run, text->len / 64);
}

/* The argument, or the text of the context where there is none. */
static int subject(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		   struct xpath_seq *args, struct span *text)
{
	if (expr->count)
		return text_of(run, expr, &args[0], text);
	if (focus->none)
		return xpath_fault(run, "there is no context here, as in the body of a function");
	*text = xpath_text_of(run, &focus->item);
	return xpath_tick(run, text->len / 64);
}

static size_t character(struct span text)
{
	size_t n = utf8_character(text);

	return n ? n : 1;
}

static uint32_t code_of(struct span text, size_t *n)
{
	const unsigned char *s = (const unsigned char *)text.data;

	*n = character(text);
	switch (*n) {
	case 2:
		return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
	case 3:
		return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
	case 4:
		return (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
	default:
		return s[0];
	}
}

static size_t put_code(char *to, uint32_t code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static struct span rest(struct span text, size_t n)
{
	return span_make(text.data + n, text.len - n);
}

static size_t length_of(struct span text)
{
	size_t count = 0;

	for (; text.len; count++)
		text = rest(text, character(text));
	return count;
}

static const char *find(struct span text, struct span what)
{
	if (!what.len)
		return text.data ? text.data : "";
	for (size_t i = 0; i + what.len <= text.len; i++)
		if (text.data[i] == what.data[0] && !memcmp(text.data + i, what.data, what.len))
			return text.data + i;
	return NULL;
}

/* ---- making texts */
FN(fn_string)
{
	struct span text = SPAN_LITERAL("");

	if (!expr->count && focus->none)
		return xpath_fault(run, "there is no context here, as in the body of a function");
	if (expr->count && args[0].count > 1)
		return xpath_fault(run, "string() takes one value, and there are %zu", args[0].count);
	if (!expr->count)
		text = xpath_text_of(run, &focus->item);
	else if (args[0].count)
		text = xpath_text_of(run, &args[0].items[0]);
	return give_text(run, out, text.data, text.len);
}

static int join(struct xpath_run *run, const struct span *parts, size_t count, struct span between,
		struct xpath_seq *out)
{
	size_t size = 0, at = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		size += parts[i].len + between.len;
	if (xpath_tick(run, size / 16))
		return -1;
	text = arena_alloc(run->arena, size + 1);
	for (size_t i = 0; i < count; i++) {
		if (i && between.len) {
			memcpy(text + at, between.data, between.len);
			at += between.len;
		}
		if (parts[i].len)
			memcpy(text + at, parts[i].data, parts[i].len);
		at += parts[i].len;
	}
	return give_text(run, out, text, at);
}

FN(fn_concat)
{
	struct span *parts = arena_alloc(run->arena, expr->count * sizeof *parts);

	for (size_t i = 0; i < expr->count; i++) {
		if (args[i].count > 1)
			return xpath_fault(run, "concat() takes one value each, and there are %zu", args[i].count);
		parts[i] = args[i].count ? xpath_text_of(run, &args[i].items[0]) : SPAN_LITERAL("");
	}
	return join(run, parts, expr->count, SPAN_NONE, out);
}

FN(fn_string_join)
{
	struct span *parts, between = SPAN_NONE;

	if (expr->count > 1 && text_of(run, expr, &args[1], &between))
		return -1;
	parts = arena_alloc(run->arena, (args[0].count + 1) * sizeof *parts);
	for (size_t i = 0; i < args[0].count; i++)
		parts[i] = xpath_text_of(run, &args[0].items[i]);
	return join(run, parts, args[0].count, between, out);
}

static int position_of(struct xpath_run *run, struct xpath_seq *arg, double *value)
{
	struct xpath_item item;

	if (xpath_atoms(run, arg))
		return -1;
	if (arg->count != 1)
		return xpath_fault(run, "substring() takes one number");
	if (xpath_cast(run, arg->items[0], XPATH_DOUBLE, false, &item))
		return -1;
	*value = floor(item.real + 0.5);
	return 0;
}

FN(fn_substring)
{
	struct span text;
	double start, end = (double)INFINITY, place = 1;
	size_t from = 0, at = 0, to = 0;
	bool begun = false;

	if (text_of(run, expr, &args[0], &text) || position_of(run, &args[1], &start))
		return -1;
	if (expr->count > 2) {
		if (position_of(run, &args[2], &end))
			return -1;
		end += start;
	}
	for (; at < text.len; place++) {
		size_t n = character(rest(text, at));

		if (place >= start && place < end) {
			if (!begun)
				from = at;
			begun = true;
			to = at + n;
		}
		at += n;
	}
	return give_text(run, out, text.data ? text.data + from : "", to - from);
}

FN(fn_string_length)
{
	struct span text;

	if (subject(run, expr, focus, args, &text))
		return -1;
	*out = xpath_one(run, xpath_of_int((int64_t)length_of(text)));
	return 0;
}

FN(fn_normalize_space)
{
	struct span text;
	char *made;
	size_t n = 0;

	if (subject(run, expr, focus, args, &text))
		return -1;
	made = arena_alloc(run->arena, text.len + 1);
	for (size_t i = 0; i < text.len; i++) {
		bool blank = strchr(" \t\r\n", text.data[i]) != NULL && text.data[i];

		if (!blank)
			made[n++] = text.data[i];
		else if (n && made[n - 1] != ' ')
			made[n++] = ' ';
	}
	if (n && made[n - 1] == ' ')
		n--;
	return give_text(run, out, made, n);
}

/* ---- case */
static bool is_pair(uint32_t code) /* letters that alternate, the capital first, on even numbers */
{
	return (code >= 0x100 && code <= 0x137 && code != 0x130 && code != 0x131) || (code >= 0x14a && code <= 0x177) ||
	       (code >= 0x218 && code <= 0x21f) || (code >= 0x460 && code <= 0x481) ||
	       (code >= 0x48a && code <= 0x4bf) || (code >= 0x4d0 && code <= 0x52f) ||
	       (code >= 0x1e00 && code <= 0x1e95) || (code >= 0x1ea0 && code <= 0x1eff);
}

static bool is_odd_pair(uint32_t code) /* the same, on odd numbers */
{
	return (code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17e);
}

static uint32_t to_upper(uint32_t code)
{
	if ((code >= 'a' && code <= 'z') || (code >= 0xe0 && code <= 0xfe && code != 0xf7) ||
	    (code >= 0x3b1 && code <= 0x3cb && code != 0x3c2) || (code >= 0x430 && code <= 0x44f))
		return code - 0x20;
	if (code >= 0x450 && code <= 0x45f)
		return code - 0x50;
	if (is_pair(code))
		return code & ~1u;
	if (is_odd_pair(code))
		return code % 2 ? code : code - 1;
	return code == 0xff                     ? 0x178
	       : code == 0x3c2                  ? 0x3a3
	       : code == 0x3ac                  ? 0x386
	       : code >= 0x3ad && code <= 0x3af ? code - 37
	       : code == 0x3cc                  ? 0x38c
	       : code == 0x3cd || code == 0x3ce ? code - 63
	       : code == 0x131                  ? 'I'
						: code;
}

static uint32_t to_lower(uint32_t code)
{
	if ((code >= 'A' && code <= 'Z') || (code >= 0xc0 && code <= 0xde && code != 0xd7) ||
	    (code >= 0x391 && code <= 0x3ab && code != 0x3a2) || (code >= 0x410 && code <= 0x42f))
		return code + 0x20;
	if (code >= 0x400 && code <= 0x40f)
		return code + 0x50;
	if (is_pair(code))
		return code | 1u;
	if (is_odd_pair(code))
		return code % 2 ? code + 1 : code;
	return code == 0x178                    ? 0xff
	       : code == 0x386                  ? 0x3ac
	       : code >= 0x388 && code <= 0x38a ? code + 37
	       : code == 0x38c                  ? 0x3cc
	       : code == 0x38e || code == 0x38f ? code + 63
						: code;
}

FN(fn_case)
{
	bool upper = expr->builtin->name[0] == 'u';
	struct span text;
	char *made;
	size_t n = 0, size;

	if (text_of(run, expr, &args[0], &text))
		return -1;
	made = arena_alloc(run->arena, text.len * 2 + 5);
	for (; text.len; text = rest(text, size)) {
		uint32_t code = code_of(text, &size);

		if (code == 0xdf && upper) { /* sharp s */
			made[n++] = 'S';
			made[n++] = 'S';
		} else {
			n += put_code(made + n, upper ? to_upper(code) : to_lower(code));
		}
	}
	return give_text(run, out, made, n);
}

FN(fn_translate)
{
	struct span text, from, to;
	char *made;
	size_t n = 0, size;

	if (text_of(run, expr, &args[0], &text) || text_of(run, expr, &args[1], &from) ||
	    text_of(run, expr, &args[2], &to) || xpath_tick(run, text.len * (from.len + 1) / 16))
		return -1;
	made = arena_alloc(run->arena, text.len * 4 + 1);
	for (; text.len; text = rest(text, size)) {
		struct span old = from, new = to;

		size = character(text);
		while (old.len && !(old.len >= size && !memcmp(old.data, text.data, size))) {
			old = rest(old, character(old));
			if (new.len)
				new = rest(new, character(new));
		}
		if (!old.len) {
			memcpy(made + n, text.data, size);
			n += size;
		} else if (new.len) {
			memcpy(made + n, new.data, character(new));
			n += character(new);
		}
	}
	return give_text(run, out, made, n);
}

/* ---- parts */
FN(fn_contains)
{
	char kind = expr->builtin->name[0]; /* contains, starts-with, ends-with */
	struct span text, what;
	bool truth;

	if (text_of(run, expr, &args[0], &text) || text_of(run, expr, &args[1], &what))
		return -1;
	if (kind == 'c')
		truth = find(text, what) != NULL;
	else
		truth = text.len >= what.len &&
			span_equal(span_make(kind == 's' ? text.data : text.data + text.len - what.len, what.len),
				   what);
	*out = xpath_one(run, xpath_of_truth(truth));
	return 0;
}

FN(fn_substring_side)
{
	bool before = expr->builtin->name[10] == 'b';
	struct span text, what;
	const char *at;
	size_t front;

	if (text_of(run, expr, &args[0], &text) || text_of(run, expr, &args[1], &what))
		return -1;
	at = find(text, what);
	if (!at)
		return give_text(run, out, "", 0);
	front = text.len ? (size_t)(at - text.data) : 0;
	return before ? give_text(run, out, text.data, front)
		      : give_text(run, out, at + what.len, text.len - front - what.len);
}

FN(fn_compare)
{
	struct xpath_seq *one = &args[0], *two = &args[1];
	struct span a, b;
	int order;

	if (text_of(run, expr, one, &a) || text_of(run, expr, two, &b))
		return -1;
	if (!one->count || !two->count)
		return 0;
	if (xpath_compare(run, xpath_of_text(a), xpath_of_text(b), false, &order))
		return -1;
	*out = xpath_one(run, expr->builtin->name[2] == 'd' ? xpath_of_truth(order == 0) : xpath_of_int(order));
	return 0;
}

FN(fn_to_codepoints)
{
	struct span text;
	size_t size;

	if (text_of(run, expr, &args[0], &text) || xpath_tick(run, text.len))
		return -1;
	out->items = xpath_items(run, text.len);
	for (; text.len; text = rest(text, size))
		out->items[out->count++] = xpath_of_int(code_of(text, &size));
	return 0;
}

FN(fn_from_codepoints)
{
	char *made;
	size_t n = 0;

	if (xpath_atoms(run, &args[0]) || xpath_tick(run, args[0].count))
		return -1;
	made = arena_alloc(run->arena, args[0].count * 4 + 1);
	for (size_t i = 0; i < args[0].count; i++) {
		struct xpath_item item;
		int64_t code;

		if (xpath_cast(run, args[0].items[i], XPATH_INTEGER, false, &item))
			return -1;
		if (!xpath_decimal_int(item.decimal, &code) || code < 1 || code > 0x10ffff ||
		    (code >= 0xd800 && code < 0xe000))
			return xpath_fault(run, "a number names no character");
		n += put_code(made + n, (uint32_t)code);
	}
	return give_text(run, out, made, n);
}

const struct xpath_builtin xpath_builtins_text[] = {
	{"codepoint-equal", 2, 2, fn_compare, 0},
	{"codepoints-to-string", 1, 1, fn_from_codepoints, 0},
	{"compare", 2, 2, fn_compare, 0},
	{"concat", 2, -1, fn_concat, 0},
	{"contains", 2, 2, fn_contains, 't'},
	{"ends-with", 2, 2, fn_contains, 't'},
	{"lower-case", 1, 1, fn_case, 0},
	{"matches", 2, 3, xpath_fn_matches, 'r'},
	{"normalize-space", 0, 1, fn_normalize_space, 'f'},
	{"replace", 3, 4, xpath_fn_replace, 'r'},
	{"starts-with", 2, 2, fn_contains, 't'},
	{"string", 0, 1, fn_string, 'f'},
	{"string-join", 1, 2, fn_string_join, 0},
	{"string-length", 0, 1, fn_string_length, 'f'},
	{"string-to-codepoints", 1, 1, fn_to_codepoints, 0},
	{"substring", 2, 3, fn_substring, 0},
	{"substring-after", 2, 2, fn_substring_side, 0},
	{"substring-before", 2, 2, fn_substring_side, 0},
	{"tokenize", 2, 3, xpath_fn_tokenize, 'r'},
	{"translate", 3, 3, fn_translate, 0},
	{"upper-case", 1, 1, fn_case, 0},
	{NULL, 0, 0, NULL, 0},
};
