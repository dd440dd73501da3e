/* matches, replace, tokenize (F&O 7.6), by the patterns that contracts use: what the two languages write alike is
 * taken over, what differs is rewritten, and what only XPath knows is refused. */
#include "config.h"
#include <ctype.h>

#include "transformers/schema/schema_pattern.h"
#include "transformers/xpath/xpath_private.h"

#define REWRITTEN_MAX (PATTERN_MAX * 4)

/* ---- patterns */
/* Behind a backslash. NULL, or what is wrong. */
static const char *escape(struct buf *into, char c, bool class)
{
	switch (c) {
	case 'd':
		buf_text(into, "\\p{Nd}");
		return NULL;
	case 'D':
		buf_text(into, "\\P{Nd}");
		return NULL;
	case 's':
		buf_text(into, class ? " \\t\\n\\r" : "[ \\t\\n\\r]");
		return NULL;
	case 'S':
		buf_text(into, "[^ \\t\\n\\r]");
		return class ? "\\S inside [ ] is not known here" : NULL;
	case 'w':
		buf_text(into, class ? "\\p{L}\\p{M}\\p{N}\\p{S}" : "[\\p{L}\\p{M}\\p{N}\\p{S}]");
		return NULL;
	case 'W':
		buf_text(into, class ? "\\p{P}\\p{Z}\\p{C}" : "[\\p{P}\\p{Z}\\p{C}]");
		return NULL;
	default:
		buf_char(into, '\\');
		buf_char(into, c);
		return isalnum((unsigned char)c) && !strchr("nrtpP123456789", c)
			       ? "a letter behind a backslash is not known here"
			       : NULL;
	}
}

static const char *rewrite(struct span text, bool any, bool loose, struct buf *into)
{
	bool class = false;
	const char *wrong = NULL;

	for (size_t i = 0; i < text.len && !wrong; i++) {
		char c = text.data[i], after = i + 1 < text.len ? text.data[i + 1] : '\0';

		if (c == '\\') {
			wrong = after ? escape(into, after, class) : "a backslash at its end";
			i++;
		} else if (class) {
			if (c == '[')
				wrong = "[ inside [ ] is not known here";
			class = c != ']';
			buf_char(into, c);
		} else if (c == '[') {
			class = true;
			buf_char(into, c);
			if (after == '^') {
				buf_char(into, after);
				i++;
			}
		} else if (c == '(' && after == '?') {
			wrong = "(? is not known here";
		} else if (c == '.') {
			buf_text(into, any ? "[\\s\\S]" : "[^\\n]");
		} else if (!loose || !strchr(" \t\r\n", c)) {
			buf_char(into, c);
		}
	}
	return wrong;
}

struct pattern *xpath_pattern_new(struct span text, struct span flags, struct error *error)
{
	struct pattern *pattern = NULL;
	const char *wrong = NULL;
	struct buf into;

	for (size_t i = 0; i < flags.len; i++)
		if (!strchr("smix", flags.data[i])) {
			error_set(error, ERROR_REJECT, "xpath.syntax", "`%c` is no flag of a regular expression",
				  isprint((unsigned char)flags.data[i]) ? flags.data[i] : '?');
			return NULL;
		}
	if (!flags.data)
		flags = SPAN_LITERAL("");
	buf_init(&into, REWRITTEN_MAX);
	wrong = rewrite(text, memchr(flags.data, 's', flags.len) != NULL, memchr(flags.data, 'x', flags.len) != NULL,
			&into);
	if (wrong)
		error_set(error, ERROR_REJECT, "xpath.syntax", "the regular expression: %s", wrong);
	else
		pattern = pattern_new_flags(buf_view(&into), memchr(flags.data, 'i', flags.len) != NULL,
					    memchr(flags.data, 'm', flags.len) != NULL, error);
	buf_free(&into);
	return pattern;
}

/* ---- what the functions share */
struct use {
	struct span text, replacement;
	const struct pattern *pattern;
};

static int text_arg(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *arg, struct span *text)
{
	*text = SPAN_LITERAL("");
	if (xpath_atoms(run, arg))
		return -1;
	if (arg->count > 1)
		return xpath_fault(run, "%s() takes one value, and there are %zu", expr->builtin->name, arg->count);
	if (arg->count && arg->items[0].type != XPATH_UNTYPED && arg->items[0].type != XPATH_STRING)
		return xpath_fault(run, "%s() takes a text, and not %s", expr->builtin->name,
				   xpath_type_name(arg->items[0].type));
	if (arg->count && arg->items[0].text.len)
		*text = arg->items[0].text;
	return 0;
}

static int made_pattern(struct xpath_run *run, struct span text, struct span flags, const struct pattern **pattern)
{
	struct error why;

	if (run->pattern && span_equal(run->pattern_text, text) && span_equal(run->pattern_flags, flags)) {
		*pattern = run->pattern;
		return 0;
	}
	if (xpath_tick(run, 1000 + text.len))
		return -1;
	pattern_free(run->pattern);
	run->pattern = xpath_pattern_new(text, flags, &why);
	if (!run->pattern)
		return xpath_fault(run, "%.250s", why.text);
	run->pattern_text = arena_span(run->lasting, text);
	run->pattern_flags = arena_span(run->lasting, flags);
	*pattern = run->pattern;
	return 0;
}

static int prepare(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *args, struct use *use)
{
	size_t most = (size_t)expr->builtin->most;
	struct span pattern, flags = SPAN_NONE;

	if (text_arg(run, expr, &args[0], &use->text) || text_arg(run, expr, &args[1], &pattern) ||
	    (most == 4 && text_arg(run, expr, &args[2], &use->replacement)) ||
	    (expr->count == most && text_arg(run, expr, &args[most - 1], &flags)))
		return -1;
	use->pattern = expr->pattern;
	return expr->pattern ? 0 : made_pattern(run, pattern, flags, &use->pattern);
}

static int find(struct xpath_run *run, const struct use *use, size_t from, size_t places[PATTERN_PLACES])
{
	size_t work = 0;
	int found = pattern_find(use->pattern, use->text, from, places, &work);

	if (xpath_tick(run, work))
		return -1;
	return found < 0 ? xpath_fault(run, "a text is too long for a regular expression, or the work too much")
			 : found;
}

static int never_empty(struct xpath_run *run, const struct xpath_expr *expr, const struct use *use)
{
	struct use empty = {.text = SPAN_LITERAL(""), .pattern = use->pattern};
	size_t places[PATTERN_PLACES];
	int found = find(run, &empty, 0, places);

	return found <= 0 ? found
			  : xpath_fault(run, "%s(): the regular expression matches nothing at all, too",
					expr->builtin->name);
}

/* ---- the functions */
int xpath_fn_matches(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *args, struct xpath_seq *out)
{
	size_t places[PATTERN_PLACES];
	struct use use = {.pattern = NULL};
	int found;

	if (prepare(run, expr, args, &use))
		return -1;
	found = find(run, &use, 0, places);
	if (found < 0)
		return -1;
	*out = xpath_one(run, xpath_of_truth(found));
	return 0;
}

int xpath_fn_tokenize(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		      struct xpath_seq *args, struct xpath_seq *out)
{
	size_t places[PATTERN_PLACES], from = 0, capacity = 0;
	struct use use = {.pattern = NULL};
	int found = 1;

	if (prepare(run, expr, args, &use) || never_empty(run, expr, &use))
		return -1;
	if (!use.text.len)
		return 0;
	while (found) {
		found = find(run, &use, from, places);
		if (found < 0)
			return -1;
		if (out->count >= capacity) {
			struct xpath_item *items;

			capacity = capacity ? capacity * 2 : 8;
			items = xpath_items(run, capacity);
			if (out->count)
				memcpy(items, out->items, out->count * sizeof *items);
			out->items = items;
		}
		out->items[out->count++] =
			xpath_of_text(span_make(use.text.data + from, (found ? places[0] : use.text.len) - from));
		if (found && places[1] == places[0])
			return xpath_fault(run, "tokenize(): the regular expression matches nothing at all, too");
		from = places[1];
	}
	return 0;
}

static int put_replacement(struct xpath_run *run, const struct use *use, const size_t *places, struct buf *into)
{
	struct span with = use->replacement;

	for (size_t i = 0; i < with.len; i++) {
		char c = with.data[i], after = i + 1 < with.len ? with.data[i + 1] : '\0';

		if (c == '\\' && (after == '\\' || after == '$')) {
			buf_char(into, after);
			i++;
		} else if (c == '$' && isdigit((unsigned char)after)) {
			size_t at = (size_t)(after - '0') * 2;

			if (places[at] != PATTERN_NOWHERE)
				buf_append(into, use->text.data + places[at], places[at + 1] - places[at]);
			i++;
		} else if (c == '\\' || c == '$') {
			return xpath_fault(run, "replace(): in what replaces, \\ stands before \\ or $, and $ before a "
						"digit");
		} else {
			buf_char(into, c);
		}
	}
	return 0;
}

int xpath_fn_replace(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *args, struct xpath_seq *out)
{
	size_t places[PATTERN_PLACES], from = 0;
	struct use use = {.pattern = NULL};
	struct buf made;
	int found, failed = 0;

	if (prepare(run, expr, args, &use) || never_empty(run, expr, &use))
		return -1;
	buf_init(&made, 16u << 20);
	while (!failed && (found = find(run, &use, from, places)) != 0) {
		if (found < 0 || places[1] == places[0]) {
			failed = found < 0 ? -1 : xpath_fault(run, "replace(): an empty match");
			break;
		}
		buf_append(&made, use.text.data + from, places[0] - from);
		failed = put_replacement(run, &use, places, &made);
		from = places[1];
	}
	buf_append(&made, use.text.data + from, use.text.len - from);
	if (!failed && made.full)
		failed = xpath_fault(run, "replace(): the result is too long");
	if (!failed)
		*out = xpath_one(run,
				 xpath_of_text(made.len ? arena_span(run->arena, buf_view(&made)) : SPAN_LITERAL("")));
	buf_free(&made);
	return failed;
}
