/* Texts with $(.jq) in them. See expression.h. */
#include "config.h"
#include "base/expression.h"

#include "base/expression_scan.h"

#define VALUE_MAX (1024u * 1024)

struct part {
	struct span fixed;             /* when there is no expression */
	struct expression *expression;
};

struct template {
	struct span source;
	struct part *parts;
	size_t count;
	struct span constant; /* all of it, when no part has an expression */
	bool is_constant;
};

static struct part *part_add(struct template *template, struct arena *arena, size_t *capacity)
{
	if (template->count == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 4;
		struct part *parts = arena_alloc(arena, more * sizeof *parts);

		if (template->count)
			memcpy(parts, template->parts, template->count * sizeof *parts);
		template->parts = parts;
		*capacity = more;
	}
	return &template->parts[template->count++];
}

/* The length of the expression that starts at `at`, up to its closing bracket; -1 when it has none. */
static long length_of(struct span text, size_t at)
{
	struct scan scan = {.text = span_make(text.data + at, text.len - at)};
	struct span word;
	enum scan_token token;

	while ((token = scan_next(&scan, &word)) == SCAN_WORD)
		;
	return token == SCAN_CLOSE ? (long)scan.at - 1 : -1;
}

struct template *template_new(struct arena *arena, struct span text, struct place place, struct findings *findings)
{
	struct template *template = arena_alloc(arena, sizeof *template);
	size_t at = 0, from = 0, capacity = 0;

	text = template->source = arena_span(arena, text);
	template->is_constant = true;
	while (at < text.len) {
		struct span rest = span_make(text.data + at, text.len - at);

		if (span_starts(rest, "$$(")) { /* the text up to and with one `$`, then goes on at the bracket */
			part_add(template, arena, &capacity)->fixed = span_make(text.data + from, at + 1 - from);
			from = at + 2;
			at += 3;
		} else if (span_starts(rest, "$(")) {
			long n = length_of(text, at + 2);

			if (n < 0) {
				finding_add_within(
					findings, place_within(place, text, at), place, at, SEVERITY_ERROR,
					"template.open",
					"$( has no closing bracket; write $$( for the characters themselves");
				return NULL;
			}
			if (at > from)
				part_add(template, arena, &capacity)->fixed = span_make(text.data + from, at - from);
			part_add(template, arena, &capacity)->expression = expression_new_within(
				arena, span_make(text.data + at + 2, (size_t)n), place, at + 2);
			template->is_constant = false;
			at += 3 + (size_t)n;
			from = at;
		} else {
			at++;
		}
	}
	if (at > from)
		part_add(template, arena, &capacity)->fixed = span_make(text.data + from, at - from);
	if (template->is_constant) {
		struct buf all;

		buf_init(&all, text.len);
		for (size_t i = 0; i < template->count; i++)
			buf_span(&all, template->parts[i].fixed);
		template->constant = arena_span(arena, buf_view(&all));
		buf_free(&all);
	}
	return template;
}

bool template_constant(const struct template *template, struct span *text)
{
	if (template->is_constant && text)
		*text = template->constant;
	return template->is_constant;
}

struct span template_source(const struct template *template)
{
	return template->source;
}

void template_drop(struct template *template)
{
	for (size_t i = 0; template && i < template->count; i++)
		expression_drop(template->parts[i].expression);
}

void template_each(const struct template *template, void (*each)(void *, struct expression *), void *arg)
{
	for (size_t i = 0; i < template->count; i++)
		if (template->parts[i].expression)
			each(arg, template->parts[i].expression);
}

int template_check(struct template *template, struct findings *findings)
{
	int failed = 0;

	for (size_t i = 0; i < template->count; i++)
		if (template->parts[i].expression && expression_check(template->parts[i].expression, findings))
			failed = -1;
	return failed;
}

static int render_value(struct expression *expression, const struct expression_input *input, template_escape_fn *escape,
			struct buf *out, struct error *error)
{
	struct buf value;
	int failed;

	if (!escape)
		return expression_text(expression, input, out, error);
	buf_init(&value, VALUE_MAX);
	failed = expression_text(expression, input, &value, error);
	if (!failed)
		failed = escape(out, buf_view(&value), error);
	buf_free(&value);
	return failed;
}

int template_render(struct template *template, const struct expression_input *input, template_escape_fn *escape,
		    struct buf *out, struct error *error)
{
	for (size_t i = 0; i < template->count; i++) {
		struct part *part = &template->parts[i];

		if (part->expression) {
			if (render_value(part->expression, input, escape, out, error))
				return -1;
		} else if (buf_span(out, part->fixed)) {
			return error_set(error, ERROR_REJECT, "template.too-large", "the text passes %zu bytes",
					 out->max);
		}
	}
	return 0;
}
