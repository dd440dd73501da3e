/* The operators that take one value on each side: sums, single comparisons, ranges. */
#include "config.h"
#include "transformers/xpath/xpath_private.h"

#define RANGE_MAX 1000000

/* At most one atomic value. */
static int one(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
	       struct xpath_seq *out)
{
	if (xpath_eval(run, expr, focus, out) || xpath_atoms(run, out))
		return -1;
	return out->count > 1 ? xpath_fault(run, "%zu values where an operator takes one", out->count) : 0;
}

int xpath_eval_arithmetic(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
			  struct xpath_seq *out)
{
	struct xpath_seq left, right;
	struct xpath_item item;

	if (one(run, expr->kids[0], focus, &left) || one(run, expr->kids[1], focus, &right))
		return -1;
	*out = (struct xpath_seq){NULL, 0};
	if (!left.count || !right.count)
		return 0;
	if (xpath_arithmetic(run, expr->sub, left.items[0], right.items[0], &item))
		return -1;
	*out = xpath_one(run, item);
	return 0;
}

int xpath_eval_negate(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		      struct xpath_seq *out)
{
	struct xpath_item item;

	if (one(run, expr->kids[0], focus, out))
		return -1;
	if (!out->count)
		return 0;
	item = out->items[0];
	if (item.type == XPATH_UNTYPED && xpath_cast(run, item, XPATH_DOUBLE, false, &item))
		return -1;
	if (!xpath_is_number(&item))
		return xpath_fault(run, "%s has no sign", xpath_type_name(item.type));
	if (expr->sub && item.type == XPATH_DOUBLE)
		item.real = -item.real;
	else if (expr->sub)
		item.decimal.value = -item.decimal.value;
	*out = xpath_one(run, item);
	return 0;
}

int xpath_eval_single(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		      struct xpath_seq *out)
{
	struct xpath_seq left, right;
	int order;

	if (one(run, expr->kids[0], focus, &left) || one(run, expr->kids[1], focus, &right))
		return -1;
	*out = (struct xpath_seq){NULL, 0};
	if (!left.count || !right.count)
		return 0;
	if (xpath_compare(run, left.items[0], right.items[0], false, &order))
		return -1;
	*out = xpath_one(run, xpath_of_truth(order == 2 ? expr->sub == XPATH_NE
							: xpath_holds((enum xpath_comparison)expr->sub, order)));
	return 0;
}

int xpath_eval_nodes(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	struct xpath_seq left, right;

	if (xpath_eval(run, expr->kids[0], focus, &left) || xpath_eval(run, expr->kids[1], focus, &right) ||
	    xpath_nodes_only(run, &left, "is, << and >>") || xpath_nodes_only(run, &right, "is, << and >>"))
		return -1;
	*out = (struct xpath_seq){NULL, 0};
	if (!left.count || !right.count)
		return 0;
	if (left.count > 1 || right.count > 1)
		return xpath_fault(run, "several nodes where is, << and >> take one");
	*out = xpath_one(run, xpath_of_truth(xpath_holds((enum xpath_comparison)expr->sub,
							 xpath_by_order(&left.items[0], &right.items[0]))));
	return 0;
}

int xpath_eval_range(struct xpath_run *run, const struct xpath_expr *expr, const struct xpath_focus *focus,
		     struct xpath_seq *out)
{
	struct xpath_seq ends[2];
	int64_t values[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		struct xpath_item item;

		if (one(run, expr->kids[i], focus, &ends[i]))
			return -1;
		*out = (struct xpath_seq){NULL, 0};
		if (!ends[i].count)
			return 0;
		item = ends[i].items[0];
		if (item.type != XPATH_INTEGER && item.type != XPATH_UNTYPED)
			return xpath_fault(run, "`to` goes from one integer to another, and there is %s",
					   xpath_type_name(item.type));
		if (xpath_cast(run, item, XPATH_INTEGER, false, &item))
			return -1;
		if (!xpath_decimal_int(item.decimal, &values[i]) || values[i] > INT32_MAX || values[i] < INT32_MIN)
			return xpath_fault(run, "`to` goes too far");
	}
	if (values[1] < values[0])
		return 0;
	out->count = (size_t)(values[1] - values[0]) + 1;
	if (out->count > RANGE_MAX)
		return xpath_fault(run, "`to` goes too far");
	if (xpath_tick(run, out->count))
		return -1;
	out->items = xpath_items(run, out->count);
	for (size_t i = 0; i < out->count; i++)
		out->items[i] = xpath_of_int(values[0] + (int64_t)i);
	return 0;
}
