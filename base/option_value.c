/* Scalars of option tables. See option_value.h. */
#include "config.h"
#include "base/option_value.h"

#include <ctype.h>
#include <strings.h>

#include "base/clock.h"

#define SHOWN_MAX 60
#define CHOICES_MAX 64

const char *option_shown(struct arena *arena, struct span text)
{
	size_t n = text.len;
	char *copy;

	if (n > SHOWN_MAX)
		for (n = SHOWN_MAX; n && ((unsigned char)text.data[n] & 0xc0) == 0x80;)
			n--;
	copy = arena_printf(arena, "%.*s%s", (int)n, text.data ? text.data : "", n < text.len ? "…" : "");
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return copy;
}

int option_scalar(struct option_context *context, const struct option *option, const struct node *node,
		  const char *expected)
{
	if (node->type != NODE_SCALAR)
		return option_fault(context, node->place, "option.type", "`%s` must be %s, not a %s", option->name,
				    expected, node->type == NODE_MAP ? "map" : "list");
	if (node->text.len && memchr(node->text.data, '\0', node->text.len))
		return option_fault(context, node->place, "option.type", "`%s` holds a zero character", option->name);
	return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */
static int parse_digits(struct span *in, uint64_t *value)
{
	size_t n = 0;

	*value = 0;
	for (; n < in->len && isdigit((unsigned char)in->data[n]); n++) {
		unsigned digit = (unsigned)(in->data[n] - '0');

		if (*value > ((uint64_t)INT64_MAX - digit) / 10)
			return -1;
		*value = *value * 10 + digit;
	}
	*in = span_make(in->data + n, in->len - n);
	return n ? 0 : -1;
}

static int parse_int(struct span text, int64_t *value)
{
	bool negative = text.len && text.data[0] == '-';
	uint64_t n;

	if (negative)
		text = span_make(text.data + 1, text.len - 1);
	if (parse_digits(&text, &n) || text.len)
		return -1;
	*value = negative ? -(int64_t)n : (int64_t)n;
	return 0;
}

static const struct {
	const char *name;
	uint64_t bytes;
} sizes[] = {
	{"", 1},
	{"B", 1},
	{"KB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"TB", 1000000000000},
	{"KiB", 1u << 10},
	{"MiB", 1u << 20},
	{"GiB", 1u << 30},
	{"TiB", (uint64_t)1 << 40},
};

static int parse_size(struct span text, int64_t *value)
{
	uint64_t n;

	if (parse_digits(&text, &n))
		return -1;
	if (text.len && text.data[0] == ' ')
		text = span_make(text.data + 1, text.len - 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		if (!span_is(text, sizes[i].name))
			continue;
		if (n > INT64_MAX / sizes[i].bytes)
			return -1;
		*value = (int64_t)(n * sizes[i].bytes);
		return 0;
	}
	return -1;
}

static int parse_rate(struct span text, int64_t *value)
{
	return text.len > 2 && !memcmp(text.data + text.len - 2, "/s", 2)
		       ? parse_size(span_make(text.data, text.len - 2), value)
		       : -1;
}

static int parse_bool(struct span text, int64_t *value)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < 6; i++)
		if (text.len == strlen(words[i]) && !strncasecmp(text.data, words[i], text.len)) {
			*value = i & 1;
			return 0;
		}
	return -1;
}

typedef int parse_fn(struct span, int64_t *);

/* "least..most"; either side may be missing. Written by us, so what cannot be read is not a limit. */
static bool in_range(const char *range, parse_fn *parse, int64_t value)
{
	const char *dots = range ? strstr(range, "..") : NULL;
	int64_t limit;

	if (!dots)
		return true;
	if (!parse(span_make(range, (size_t)(dots - range)), &limit) && value < limit)
		return false;
	return parse(span_of(dots + 2), &limit) || value <= limit;
}

static int number(struct option_context *context, const struct option *option, const struct node *node, parse_fn *parse,
		  const char *expected, int64_t *value)
{
	if (option_scalar(context, option, node, expected))
		return -1;
	if (parse(node->text, value))
		return option_fault(context, node->place, "option.type", "`%s` must be %s, not `%s`", option->name,
				    expected, option_shown(context->arena, node->text));
	if (!in_range(option->range, parse, *value))
		return option_fault(context, node->place, "option.range", "`%s` must be in %s, not `%s`", option->name,
				    option->range, option_shown(context->arena, node->text));
	return 0;
}

/* ---- choices ----------------------------------------------------------------------------------------------------- */
static size_t choices(struct arena *arena, const char *range, const char **names)
{
	size_t n = 0;

	while (range && n < CHOICES_MAX) {
		size_t len = strcspn(range, "|");

		names[n++] = arena_span(arena, span_make(range, len)).data;
		range = range[len] ? range + len + 1 : NULL;
	}
	return n;
}

static int choice(struct option_context *context, const struct option *option, const struct node *node, int *value)
{
	const char *names[CHOICES_MAX], *near;
	size_t n = choices(context->arena, option->range, names);

	if (option_scalar(context, option, node, "one word"))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (span_is(node->text, names[i])) {
			*value = (int)i;
			return 0;
		}
	near = nearest_name(node->text, names, n);
	return option_fault(context, node->place, "option.enum", "`%s` must be one of %s, not `%s`" NEAR, option->name,
			    option->range, option_shown(context->arena, node->text), NEAR_ARGS(near));
}

static int text(struct option_context *context, const struct option *option, const struct node *node,
		const char **value)
{
	if (option_scalar(context, option, node, "a text"))
		return -1;
	*value = arena_span(context->arena, node->text).data;
	return 0;
}

int option_value(struct option_context *context, const struct option *option, const struct node *node, void *field)
{
	int64_t value = 0;

	switch (option->type) {
	case OPTION_INT:
		if (number(context, option, node, parse_int, "a whole number", &value))
			return -1;
		*(int64_t *)field = value;
		return 0;
	case OPTION_SIZE:
		if (number(context, option, node, parse_size, "a size such as 512, 64KiB or 10MB", &value))
			return -1;
		*(uint64_t *)field = (uint64_t)value;
		return 0;
	case OPTION_RATE:
		if (number(context, option, node, parse_rate, "bytes a second such as 2MB/s or 512KiB/s", &value))
			return -1;
		*(uint64_t *)field = (uint64_t)value;
		return 0;
	case OPTION_DURATION:
		if (number(context, option, node, duration_parse, "a duration such as 250ms, 90s, 1h30m or 5d", &value))
			return -1;
		*(int64_t *)field = value;
		return 0;
	case OPTION_BOOL:
		if (number(context, option, node, parse_bool, "true or false", &value))
			return -1;
		*(bool *)field = value != 0;
		return 0;
	case OPTION_ENUM:
		return choice(context, option, node, field);
	default:
		return text(context, option, node, field);
	}
}
