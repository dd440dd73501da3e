/* Functions over numbers, sequences and nodes (F&O 6, 14, 15), and the list of all. */
#include "config.h"
#include <math.h>

#include "transformers/xpath/xpath_private.h"

#define FN(name)                                                                                                       \
	static int name(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,         \
			struct xpath_seq *args, struct xpath_seq *out)

static int give(struct xpath_run *run, struct xpath_seq *out, struct xpath_item item)
{
	*out = xpath_one(run, item);
	return 0;
}

/* The argument, or the context where there is none. */
static int subject(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		   struct xpath_seq *args, struct xpath_seq *of)
{
	if (!expr->count && focus->none)
		return xpath_fault(run, "there is no context here, as in the body of a function");
	*of = expr->count ? args[0] : xpath_one(run, focus->item);
	return of->count > 1
		       ? xpath_fault(run, "%s() takes one value, and there are %zu", expr->builtin->name, of->count)
		       : 0;
}

/* ---- truth */
FN(fn_true)
{
	return give(run, out, xpath_of_truth(true));
}

FN(fn_false)
{
	return give(run, out, xpath_of_truth(false));
}

FN(fn_boolean)
{
	bool truth;

	return xpath_truth(run, &args[0], &truth) || give(run, out, xpath_of_truth(truth)) ? -1 : 0;
}

FN(fn_not)
{
	bool truth;

	return xpath_truth(run, &args[0], &truth) || give(run, out, xpath_of_truth(!truth)) ? -1 : 0;
}

FN(fn_exists)
{
	return give(run, out, xpath_of_truth(args[0].count > 0));
}

FN(fn_empty)
{
	return give(run, out, xpath_of_truth(args[0].count == 0));
}

/* ---- places and counts */
FN(fn_position)
{
	return give(run, out, xpath_of_int((int64_t)focus->position));
}

FN(fn_last)
{
	return give(run, out, xpath_of_int((int64_t)focus->size));
}

FN(fn_count)
{
	return give(run, out, xpath_of_int((int64_t)args[0].count));
}

/* ---- numbers */
FN(fn_number)
{
	struct xpath_seq of;
	struct xpath_item item;

	if (subject(run, expr, focus, args, &of) || xpath_atoms(run, &of))
		return -1;
	if (!of.count || xpath_cast(run, of.items[0], XPATH_DOUBLE, true, &item))
		item = xpath_of_real((double)NAN);
	return give(run, out, item);
}

/* Its number; 1: there is none. */
static int number_of(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *args,
		     struct xpath_item *item)
{
	if (xpath_atoms(run, &args[0]))
		return -1;
	if (!args[0].count)
		return 1;
	if (args[0].count > 1)
		return xpath_fault(run, "%s() takes one value, and there are %zu", expr->builtin->name, args[0].count);
	*item = args[0].items[0];
	if (item->type == XPATH_UNTYPED && xpath_cast(run, *item, XPATH_DOUBLE, false, item))
		return -1;
	if (!xpath_is_number(item))
		return xpath_fault(run, "%s() takes a number, and not %s", expr->builtin->name,
				   xpath_type_name(item->type));
	return 0;
}

static int rounded(struct xpath_run *run, const struct xpath_expr *expr, struct xpath_seq *args, struct xpath_seq *out,
		   enum xpath_rounding how)
{
	struct xpath_item item;
	int none = number_of(run, expr, args, &item);

	if (none)
		return none < 0 ? -1 : 0;
	if (item.type != XPATH_DOUBLE)
		item.decimal = xpath_decimal_round(item.decimal, 0, how);
	else if (how == XPATH_ROUND && fabs(item.real) < 4503599627370496.0) /* beyond, all are whole */
		item.real = item.real < 0 && item.real >= -0.5
				    ? -0.0
				    : floor(item.real) + (item.real - floor(item.real) >= 0.5);
	else if (how != XPATH_ROUND)
		item.real = how == XPATH_FLOOR ? floor(item.real) : ceil(item.real);
	return give(run, out, item);
}

FN(fn_round)
{
	return rounded(run, expr, args, out, XPATH_ROUND);
}

FN(fn_floor)
{
	return rounded(run, expr, args, out, XPATH_FLOOR);
}

FN(fn_ceiling)
{
	return rounded(run, expr, args, out, XPATH_CEILING);
}

FN(fn_abs)
{
	struct xpath_item item;
	int none = number_of(run, expr, args, &item);

	if (none)
		return none < 0 ? -1 : 0;
	if (item.type == XPATH_DOUBLE)
		item.real = fabs(item.real);
	else if (item.decimal.value < 0)
		item.decimal.value = -item.decimal.value;
	return give(run, out, item);
}

FN(fn_round_half_to_even)
{
	struct xpath_item item, digits = xpath_of_int(0);
	struct xpath_decimal decimal;
	int64_t places = 0;
	int none;

	if (expr->count > 1 && (xpath_atoms(run, &args[1]) || args[1].count != 1 ||
				xpath_cast(run, args[1].items[0], XPATH_INTEGER, false, &digits)))
		return args[1].count == 1 ? -1 : xpath_fault(run, "round-half-to-even() takes one precision");
	none = number_of(run, expr, args, &item);
	if (none)
		return none < 0 ? -1 : 0;
	if (!xpath_decimal_int(digits.decimal, &places) || places > XPATH_SCALE_MAX || places < -XPATH_SCALE_MAX)
		return xpath_fault(run, "round-half-to-even() takes a precision of at most %d", XPATH_SCALE_MAX);
	if (item.type != XPATH_DOUBLE)
		item.decimal = xpath_decimal_round(item.decimal, (int)places, XPATH_HALF_EVEN);
	else if (xpath_decimal_from(item.real, &decimal))
		item.real = xpath_decimal_double(xpath_decimal_round(decimal, (int)places, XPATH_HALF_EVEN));
	return give(run, out, item);
}

/* ---- over many */
static int add_up(struct xpath_run *run, struct xpath_seq *of, struct xpath_item *sum)
{
	for (size_t i = 0; i < of->count; i++) {
		struct xpath_item item = of->items[i];

		if (item.type == XPATH_UNTYPED && xpath_cast(run, item, XPATH_DOUBLE, false, &item))
			return -1;
		if (i == 0)
			*sum = item;
		if (!xpath_is_number(&item))
			return xpath_fault(run, "%s cannot be summed up", xpath_type_name(item.type));
		if (i && xpath_arithmetic(run, '+', *sum, item, sum))
			return -1;
	}
	return xpath_tick(run, of->count);
}

FN(fn_sum)
{
	struct xpath_item sum = xpath_of_int(0);

	if (xpath_atoms(run, &args[0]))
		return -1;
	if (!args[0].count && expr->count > 1) {
		*out = args[1];
		return 0;
	}
	return add_up(run, &args[0], &sum) || give(run, out, sum) ? -1 : 0;
}

FN(fn_avg)
{
	struct xpath_item sum;

	if (xpath_atoms(run, &args[0]))
		return -1;
	if (!args[0].count)
		return 0;
	if (add_up(run, &args[0], &sum) || xpath_arithmetic(run, '/', sum, xpath_of_int((int64_t)args[0].count), &sum))
		return -1;
	return give(run, out, sum);
}

static int extreme(struct xpath_run *run, struct xpath_seq *of, struct xpath_seq *out, int sign)
{
	struct xpath_item best = {.type = XPATH_ANY};

	if (xpath_atoms(run, of) || xpath_tick(run, of->count))
		return -1;
	for (size_t i = 0; i < of->count; i++) {
		struct xpath_item item = of->items[i];
		int order;

		if (item.type == XPATH_UNTYPED && xpath_cast(run, item, XPATH_DOUBLE, false, &item))
			return -1;
		if (i == 0) {
			best = item;
			continue;
		}
		if (xpath_compare(run, item, best, false, &order))
			return -1;
		if (order == sign || (order == 2 && item.type == XPATH_DOUBLE && isnan(item.real)))
			best = item;
	}
	return of->count ? give(run, out, best) : 0;
}

FN(fn_max)
{
	return extreme(run, &args[0], out, 1);
}

FN(fn_min)
{
	return extreme(run, &args[0], out, -1);
}

/* Equal as distinct-values and index-of see it: what cannot be compared differs. */
static bool same(struct xpath_run *run, const struct xpath_item *a, const struct xpath_item *b)
{
	struct error *before = run->error, ignored;
	bool numbers = xpath_is_number(a) && xpath_is_number(b);
	int order = 1;

	if (numbers && isnan(xpath_real_of(a)) && isnan(xpath_real_of(b)))
		return true;
	run->error = &ignored;
	if (xpath_compare(run, *a, *b, false, &order))
		order = 1;
	run->error = before;
	return order == 0;
}

FN(fn_distinct_values)
{
	size_t n = 0;

	if (xpath_atoms(run, &args[0]))
		return -1;
	out->items = xpath_items(run, args[0].count);
	for (size_t i = 0; i < args[0].count; i++) {
		size_t j = 0;

		if (xpath_tick(run, n))
			return -1;
		while (j < n && !same(run, &out->items[j], &args[0].items[i]))
			j++;
		if (j == n)
			out->items[n++] = args[0].items[i];
	}
	out->count = n;
	return 0;
}

FN(fn_index_of)
{
	if (xpath_atoms(run, &args[0]) || xpath_atoms(run, &args[1]) || xpath_tick(run, args[0].count))
		return -1;
	if (args[1].count != 1)
		return xpath_fault(run, "index-of() looks for one value");
	out->items = xpath_items(run, args[0].count);
	for (size_t i = 0; i < args[0].count; i++)
		if (same(run, &args[0].items[i], &args[1].items[0]))
			out->items[out->count++] = xpath_of_int((int64_t)i + 1);
	return 0;
}

FN(fn_reverse)
{
	size_t n = args[0].count;

	out->items = xpath_items(run, n);
	for (size_t i = 0; i < n; i++)
		out->items[i] = args[0].items[n - 1 - i];
	out->count = n;
	return xpath_tick(run, n);
}

/* A number of one argument, as a double. */
static int real(struct xpath_run *run, struct xpath_seq *arg, double *value)
{
	struct xpath_item item;

	if (xpath_atoms(run, arg))
		return -1;
	if (arg->count != 1)
		return xpath_fault(run, "a number is missing");
	if (xpath_cast(run, arg->items[0], XPATH_DOUBLE, false, &item))
		return -1;
	*value = item.real;
	return 0;
}

FN(fn_subsequence)
{
	double start, length = (double)INFINITY;

	if (real(run, &args[1], &start) || (expr->count > 2 && real(run, &args[2], &length)))
		return -1;
	start = floor(start + 0.5);
	length = floor(length + 0.5);
	out->items = xpath_items(run, args[0].count);
	for (size_t i = 0; i < args[0].count; i++)
		if ((double)(i + 1) >= start && (double)(i + 1) < start + length)
			out->items[out->count++] = args[0].items[i];
	return xpath_tick(run, args[0].count);
}

FN(fn_remove)
{
	double place;

	if (real(run, &args[1], &place))
		return -1;
	out->items = xpath_items(run, args[0].count);
	for (size_t i = 0; i < args[0].count; i++)
		if ((double)(i + 1) != place)
			out->items[out->count++] = args[0].items[i];
	return xpath_tick(run, args[0].count);
}

FN(fn_one)
{
	size_t n = args[0].count;
	char kind = expr->builtin->name[0]; /* zero-or-one, one-or-more, exactly-one */

	if (kind == 'z' ? n > 1 : kind == 'o' ? n < 1 : n != 1)
		return xpath_fault(run, "%s(): there are %zu values", expr->builtin->name, n);
	*out = args[0];
	return 0;
}

FN(fn_data)
{
	*out = args[0];
	return xpath_atoms(run, out);
}

FN(fn_unordered)
{
	*out = args[0];
	return 0;
}

/* ---- nodes */
static int node_of(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		   struct xpath_seq *args, const struct xpath_node **node)
{
	struct xpath_seq of;

	*node = NULL;
	if (subject(run, expr, focus, args, &of))
		return -1;
	if (of.count && of.items[0].type != XPATH_NODE)
		return xpath_fault(run, "%s() takes a node", expr->builtin->name);
	if (of.count)
		*node = &run->tree->nodes[of.items[0].node];
	return 0;
}

FN(fn_name)
{
	const struct xpath_node *node;
	const struct xpath_name *name;
	char kind = expr->builtin->name[0]; /* name, local-name, namespace-uri */
	bool uri = expr->builtin->name[4] == 's';

	if (node_of(run, expr, focus, args, &node))
		return -1;
	name = node ? &run->tree->names[node->name] : &run->tree->names[0];
	if (uri)
		return give(run, out, xpath_of_text(name->uri.len ? name->uri : SPAN_LITERAL("")));
	if (kind == 'n' && name->prefix.len) {
		char *whole = arena_printf(run->arena, "%.*s:%.*s", SPAN_ARGS(name->prefix), SPAN_ARGS(name->local));

		return give(run, out, xpath_of_text(span_of(whole)));
	}
	return give(run, out, xpath_of_text(name->local.len ? name->local : SPAN_LITERAL("")));
}

FN(fn_root)
{
	struct xpath_seq of;

	if (subject(run, expr, focus, args, &of))
		return -1;
	if (!of.count)
		return 0;
	if (of.items[0].type != XPATH_NODE)
		return xpath_fault(run, "root() takes a node");
	return give(run, out,
		    (struct xpath_item){.type = XPATH_NODE, .node = xpath_tree_root(run->tree, of.items[0].node)});
}

FN(fn_current)
{
	return give(run, out, (struct xpath_item){.type = XPATH_NODE, .node = run->current});
}

FN(fn_generate_id)
{
	struct xpath_seq of;

	if (subject(run, expr, focus, args, &of))
		return -1;
	if (!of.count || of.items[0].type != XPATH_NODE)
		return of.count ? xpath_fault(run, "generate-id() takes a node")
				: give(run, out, xpath_of_text(SPAN_LITERAL("")));
	return give(run, out, xpath_of_text(span_of(arena_printf(run->arena, "n%u", of.items[0].node))));
}

/* ---- dates */
FN(fn_current_date)
{
	struct xpath_item now = {.type = XPATH_DATETIME, .time = run->now_ms * 1000, .zoned = true};

	if (expr->builtin->name[12] != 'T' && xpath_cast(run, now, XPATH_DATE, false, &now))
		return -1;
	return give(run, out, now);
}

/* year-from-date … day-from-dateTime: of the text, whose places are fixed. */
FN(fn_part_of_date)
{
	char kind = expr->builtin->name[0], text[XPATH_NUMBER_TEXT];
	bool time = strstr(expr->builtin->name, "Time") != NULL;
	struct xpath_item item;
	size_t at = kind == 'y' ? 0 : kind == 'm' ? 5 : 8;
	struct xpath_decimal value;

	if (xpath_atoms(run, &args[0]) || !args[0].count)
		return args[0].count ? -1 : 0;
	if (args[0].count > 1)
		return xpath_fault(run, "%s() takes one value", expr->builtin->name);
	item = args[0].items[0];
	if (item.type == XPATH_UNTYPED && xpath_cast(run, item, time ? XPATH_DATETIME : XPATH_DATE, false, &item))
		return -1;
	if (item.type != (time ? XPATH_DATETIME : XPATH_DATE))
		return xpath_fault(run, "%s() takes a date, and not %s", expr->builtin->name,
				   xpath_type_name(item.type));
	xpath_date_text(&item, text);
	if (!xpath_decimal_read(span_make(text + at, kind == 'y' ? 4 : 2), &value))
		return xpath_fault(run, "a date is out of range");
	return give(run, out, xpath_of_decimal(value, XPATH_INTEGER));
}

const struct xpath_builtin xpath_builtins_other[] = {
	{"abs", 1, 1, fn_abs, 0},
	{"avg", 1, 1, fn_avg, 0},
	{"boolean", 1, 1, fn_boolean, 't'},
	{"ceiling", 1, 1, fn_ceiling, 0},
	{"count", 1, 1, fn_count, 0},
	{"current", 0, 0, fn_current, 'c'},
	{"current-date", 0, 0, fn_current_date, 0},
	{"current-dateTime", 0, 0, fn_current_date, 0},
	{"data", 1, 1, fn_data, 0},
	{"day-from-date", 1, 1, fn_part_of_date, 0},
	{"day-from-dateTime", 1, 1, fn_part_of_date, 0},
	{"distinct-values", 1, 1, fn_distinct_values, 0},
	{"empty", 1, 1, fn_empty, 't'},
	{"exactly-one", 1, 1, fn_one, 0},
	{"exists", 1, 1, fn_exists, 't'},
	{"false", 0, 0, fn_false, 't'},
	{"floor", 1, 1, fn_floor, 0},
	{"generate-id", 0, 1, fn_generate_id, 'f'},
	{"index-of", 2, 2, fn_index_of, 0},
	{"last", 0, 0, fn_last, 'p'},
	{"local-name", 0, 1, fn_name, 'f'},
	{"max", 1, 1, fn_max, 0},
	{"min", 1, 1, fn_min, 0},
	{"month-from-date", 1, 1, fn_part_of_date, 0},
	{"month-from-dateTime", 1, 1, fn_part_of_date, 0},
	{"name", 0, 1, fn_name, 'f'},
	{"namespace-uri", 0, 1, fn_name, 'f'},
	{"not", 1, 1, fn_not, 't'},
	{"number", 0, 1, fn_number, 'f'},
	{"one-or-more", 1, 1, fn_one, 0},
	{"position", 0, 0, fn_position, 'p'},
	{"remove", 2, 2, fn_remove, 0},
	{"reverse", 1, 1, fn_reverse, 0},
	{"root", 0, 1, fn_root, 'f'},
	{"round", 1, 1, fn_round, 0},
	{"round-half-to-even", 1, 2, fn_round_half_to_even, 0},
	{"subsequence", 2, 3, fn_subsequence, 0},
	{"sum", 1, 2, fn_sum, 0},
	{"true", 0, 0, fn_true, 't'},
	{"unordered", 1, 1, fn_unordered, 0},
	{"year-from-date", 1, 1, fn_part_of_date, 0},
	{"year-from-dateTime", 1, 1, fn_part_of_date, 0},
	{"zero-or-one", 1, 1, fn_one, 0},
	{NULL, 0, 0, NULL, 0},
};

const struct xpath_builtin *xpath_builtin_find(struct span name)
{
	for (const struct xpath_builtin *one = xpath_builtins_other; one->name; one++)
		if (span_is(name, one->name))
			return one;
	for (const struct xpath_builtin *one = xpath_builtins_text; one->name; one++)
		if (span_is(name, one->name))
			return one;
	return NULL;
}
