/* Values of XPath: atoms, casts, comparisons, sums. XQuery 1.0 and XPath 2.0 Functions and Operators, 6, 10 and 17. */
#include "config.h"
#include <math.h>
#include <stdio.h>

#include "transformers/xpath/xpath_private.h"

struct xpath_item *xpath_items(struct xpath_run *run, size_t count)
{
	return arena_alloc(run->arena, (count + 1) * sizeof(struct xpath_item));
}

struct xpath_seq xpath_one(struct xpath_run *run, struct xpath_item item)
{
	struct xpath_seq seq = {xpath_items(run, 1), 1};

	seq.items[0] = item;
	return seq;
}

struct xpath_item xpath_of_text(struct span text)
{
	return (struct xpath_item){.type = XPATH_STRING, .text = text};
}

struct xpath_item xpath_of_truth(bool truth)
{
	return (struct xpath_item){.type = XPATH_BOOLEAN, .truth = truth};
}

struct xpath_item xpath_of_int(int64_t value)
{
	return (struct xpath_item){.type = XPATH_INTEGER, .decimal = xpath_decimal_of(value)};
}

struct xpath_item xpath_of_real(double value)
{
	return (struct xpath_item){.type = XPATH_DOUBLE, .real = value};
}

struct xpath_item xpath_of_decimal(struct xpath_decimal value, enum xpath_type type)
{
	return (struct xpath_item){.type = type, .decimal = value};
}

bool xpath_is_number(const struct xpath_item *item)
{
	return item->type == XPATH_INTEGER || item->type == XPATH_DECIMAL || item->type == XPATH_DOUBLE;
}

double xpath_real_of(const struct xpath_item *item)
{
	return item->type == XPATH_DOUBLE ? item->real : xpath_decimal_double(item->decimal);
}

const char *xpath_type_name(enum xpath_type type)
{
	static const char *const names[] = {"item()",     "node()",      "xs:untypedAtomic", "xs:string",
					    "xs:boolean", "xs:integer",  "xs:decimal",       "xs:double",
					    "xs:date",    "xs:dateTime", "xs:time"};

	return names[type];
}

struct span xpath_text_of(struct xpath_run *run, const struct xpath_item *item)
{
	char text[XPATH_NUMBER_TEXT];

	switch (item->type) {
	case XPATH_ANY:
		return SPAN_LITERAL("");
	case XPATH_NODE:
		run->work += (run->tree->nodes[item->node].end - item->node) / 8; /* the next tick judges it */
		return xpath_tree_value(run->tree, item->node, run->arena);
	case XPATH_UNTYPED:
	case XPATH_STRING:
		return item->text;
	case XPATH_BOOLEAN:
		return item->truth ? SPAN_LITERAL("true") : SPAN_LITERAL("false");
	case XPATH_INTEGER:
	case XPATH_DECIMAL:
		xpath_decimal_text(item->decimal, text);
		break;
	case XPATH_DOUBLE:
		xpath_double_text(item->real, text);
		break;
	case XPATH_DATE:
	case XPATH_DATETIME:
	case XPATH_TIME:
		xpath_date_text(item, text);
		break;
	}
	return arena_span(run->arena, span_of(text));
}

struct xpath_item xpath_atom(struct xpath_run *run, const struct xpath_item *item)
{
	enum xpath_kind kind;

	if (item->type != XPATH_NODE)
		return *item;
	kind = run->tree->nodes[item->node].kind;
	return (struct xpath_item){.type = kind == XPATH_COMMENT || kind == XPATH_INSTRUCTION ? XPATH_STRING
											      : XPATH_UNTYPED,
				   .text = xpath_text_of(run, item)};
}

int xpath_atoms(struct xpath_run *run, struct xpath_seq *seq)
{
	struct xpath_seq atoms = {NULL, seq->count};
	bool any = false;

	for (size_t i = 0; i < seq->count && !any; i++)
		any = seq->items[i].type == XPATH_NODE;
	if (!any)
		return 0;
	if (xpath_tick(run, seq->count))
		return -1;
	atoms.items = xpath_items(run, seq->count);
	for (size_t i = 0; i < seq->count; i++)
		atoms.items[i] = xpath_atom(run, &seq->items[i]);
	*seq = atoms;
	return 0;
}

/* The effective boolean value (2.4.3). */
int xpath_truth(struct xpath_run *run, const struct xpath_seq *seq, bool *truth)
{
	const struct xpath_item *first = seq->items;

	if (!seq->count || first->type == XPATH_NODE) {
		*truth = seq->count > 0;
		return 0;
	}
	if (seq->count > 1)
		return xpath_fault(run, "several values, the first of them %s, are neither true nor false",
				   xpath_type_name(first->type));
	switch (first->type) {
	case XPATH_BOOLEAN:
		*truth = first->truth;
		return 0;
	case XPATH_UNTYPED:
	case XPATH_STRING:
		*truth = first->text.len > 0;
		return 0;
	case XPATH_DOUBLE:
		*truth = first->real != 0 && !isnan(first->real);
		return 0;
	case XPATH_INTEGER:
	case XPATH_DECIMAL:
		*truth = first->decimal.value != 0;
		return 0;
	default:
		return xpath_fault(run, "%s is neither true nor false", xpath_type_name(first->type));
	}
}

/* ---- casts */
static bool text_to(struct span text, enum xpath_type type, struct xpath_item *out)
{
	switch (type) {
	case XPATH_BOOLEAN:
		while (text.len && strchr(" \t\r\n", text.data[0]))
			text = span_make(text.data + 1, text.len - 1);
		while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
			text.len--;
		out->truth = span_is(text, "true") || span_is(text, "1");
		return out->truth || span_is(text, "false") || span_is(text, "0");
	case XPATH_INTEGER:
		return !memchr(text.data ? text.data : "", '.', text.len) && xpath_decimal_read(text, &out->decimal);
	case XPATH_DECIMAL:
		return xpath_decimal_read(text, &out->decimal);
	case XPATH_DOUBLE:
		return xpath_double_read(text, &out->real);
	case XPATH_DATE:
	case XPATH_DATETIME:
	case XPATH_TIME:
		return xpath_date_read(text, type, out) == 0;
	default:
		return false;
	}
}

static bool number_to(const struct xpath_item *item, enum xpath_type type, struct xpath_item *out)
{
	switch (type) {
	case XPATH_BOOLEAN:
		out->truth =
			item->type == XPATH_DOUBLE ? item->real != 0 && !isnan(item->real) : item->decimal.value != 0;
		return true;
	case XPATH_DOUBLE:
		out->real = xpath_real_of(item);
		return true;
	case XPATH_INTEGER:
	case XPATH_DECIMAL:
		if (item->type == XPATH_DOUBLE) {
			if (!xpath_decimal_from(type == XPATH_INTEGER ? trunc(item->real) : item->real, &out->decimal))
				return false;
		} else {
			out->decimal = item->decimal;
		}
		if (type == XPATH_INTEGER)
			out->decimal = xpath_decimal_round(out->decimal, 0,
							   out->decimal.value < 0 ? XPATH_CEILING : XPATH_FLOOR);
		return true;
	default:
		return false;
	}
}

static bool value_to(const struct xpath_item *item, enum xpath_type type, struct xpath_item *out)
{
	if (item->type == XPATH_BOOLEAN) {
		out->truth = item->truth;
		if (type == XPATH_DOUBLE)
			out->real = item->truth;
		else
			out->decimal = xpath_decimal_of(item->truth);
		return type >= XPATH_BOOLEAN && type <= XPATH_DOUBLE;
	}
	if (item->type >= XPATH_DATE) {
		int64_t shift = item->zone * 60000000LL, local = item->time + shift, day = 86400000000LL,
			of_day = (local % day + day) % day;

		*out = *item;
		out->type = type;
		if (item->type == XPATH_DATETIME && type == XPATH_DATE)
			out->time = local - of_day - shift;
		else if (item->type == XPATH_DATETIME && type == XPATH_TIME)
			out->time = of_day - shift;
		else
			return item->type == XPATH_DATE && type == XPATH_DATETIME;
		return true;
	}
	return number_to(item, type, out);
}

int xpath_cast(struct xpath_run *run, struct xpath_item item, enum xpath_type type, bool quiet, struct xpath_item *out)
{
	struct span text;
	bool good;

	if (item.type == type) {
		*out = item;
		return 0;
	}
	if (type == XPATH_STRING || type == XPATH_UNTYPED) {
		*out = (struct xpath_item){.type = type, .text = xpath_text_of(run, &item)};
		return 0;
	}
	*out = (struct xpath_item){.type = type};
	good = item.type == XPATH_UNTYPED || item.type == XPATH_STRING ? text_to(item.text, type, out)
								       : value_to(&item, type, out);
	out->type = type;
	if (good)
		return 0;
	if (quiet)
		return 1;
	text = xpath_text_of(run, &item);
	return xpath_fault(run, "`%.*s` is no %s", (int)(text.len > 60 ? 60 : text.len), text.data,
			   xpath_type_name(type));
}

/* ---- comparisons */
bool xpath_holds(enum xpath_comparison comparison, int order)
{
	switch (comparison) {
	case XPATH_EQ:
		return order == 0;
	case XPATH_NE:
		return order != 0;
	case XPATH_LT:
		return order == -1;
	case XPATH_LE:
		return order == -1 || order == 0;
	case XPATH_GT:
		return order == 1;
	case XPATH_GE:
		return order == 1 || order == 0;
	}
	return false;
}

static int order_of_text(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.data, b.data, n) : 0;

	if (!order)
		return a.len < b.len ? -1 : a.len > b.len;
	return order < 0 ? -1 : 1;
}

static int order_of_numbers(const struct xpath_item *a, const struct xpath_item *b)
{
	double x, y;

	if (a->type != XPATH_DOUBLE && b->type != XPATH_DOUBLE)
		return xpath_decimal_compare(a->decimal, b->decimal);
	x = xpath_real_of(a);
	y = xpath_real_of(b);
	return isnan(x) || isnan(y) ? 2 : x < y ? -1 : x > y;
}

/* General comparisons make an untyped value what the other is (3.5.2), all others a text. */
static int adjust(struct xpath_run *run, struct xpath_item *item, const struct xpath_item *other, bool general)
{
	enum xpath_type type;

	if (item->type != XPATH_UNTYPED)
		return 0;
	type = !general || other->type == XPATH_UNTYPED ? XPATH_STRING
	       : xpath_is_number(other)                 ? XPATH_DOUBLE
							: other->type;
	return xpath_cast(run, *item, type, false, item);
}

int xpath_compare(struct xpath_run *run, struct xpath_item a, struct xpath_item b, bool general, int *order)
{
	struct xpath_item one = a;

	if (adjust(run, &a, &b, general) || adjust(run, &b, &one, general))
		return -1;
	if (xpath_is_number(&a) && xpath_is_number(&b))
		*order = order_of_numbers(&a, &b);
	else if (a.type != b.type)
		return xpath_fault(run, "%s cannot be compared with %s", xpath_type_name(a.type),
				   xpath_type_name(b.type));
	else if (a.type == XPATH_STRING)
		*order = order_of_text(a.text, b.text);
	else if (a.type == XPATH_BOOLEAN)
		*order = (int)a.truth - (int)b.truth;
	else
		*order = a.time < b.time ? -1 : a.time > b.time;
	return 0;
}

int xpath_general(struct xpath_run *run, enum xpath_comparison comparison, struct xpath_seq left,
		  struct xpath_seq right, bool *found)
{
	*found = false;
	if (xpath_atoms(run, &left) || xpath_atoms(run, &right))
		return -1;
	for (size_t i = 0; i < left.count; i++) {
		if (xpath_tick(run, right.count))
			return -1;
		for (size_t j = 0; j < right.count; j++) {
			int order;

			if (xpath_compare(run, left.items[i], right.items[j], true, &order))
				return -1;
			if (order == 2 ? comparison == XPATH_NE : xpath_holds(comparison, order)) {
				*found = true;
				return 0;
			}
		}
	}
	return 0;
}

/* ---- sums */
static int reals(struct xpath_run *run, int op, double a, double b, struct xpath_item *out)
{
	double value = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : op == 'm' ? fmod(a, b) : a / b;
	struct xpath_decimal whole;

	*out = xpath_of_real(value);
	if (op != 'i')
		return 0;
	if (!xpath_decimal_from(trunc(value), &whole))
		return xpath_fault(run, "a number cannot be divided so that a whole one remains");
	*out = xpath_of_decimal(whole, XPATH_INTEGER);
	return 0;
}

int xpath_arithmetic(struct xpath_run *run, int op, struct xpath_item a, struct xpath_item b, struct xpath_item *out)
{
	bool integers, good = false;
	struct xpath_decimal value = {0, 0};

	if ((a.type == XPATH_UNTYPED && xpath_cast(run, a, XPATH_DOUBLE, false, &a)) ||
	    (b.type == XPATH_UNTYPED && xpath_cast(run, b, XPATH_DOUBLE, false, &b)))
		return -1;
	if (!xpath_is_number(&a) || !xpath_is_number(&b))
		return xpath_fault(run, "%s and %s cannot be calculated with", xpath_type_name(a.type),
				   xpath_type_name(b.type));
	if (a.type == XPATH_DOUBLE || b.type == XPATH_DOUBLE)
		return reals(run, op, xpath_real_of(&a), xpath_real_of(&b), out);
	if (strchr("/im", op) && b.decimal.value == 0)
		return xpath_fault(run, "a division by zero");
	integers = a.type == XPATH_INTEGER && b.type == XPATH_INTEGER;
	switch (op) {
	case '-':
		b.decimal.value = -b.decimal.value;
		/* fall through */
	case '+':
		good = xpath_decimal_add(a.decimal, b.decimal, &value);
		break;
	case '*':
		good = xpath_decimal_multiply(a.decimal, b.decimal, &value);
		break;
	case '/':
		integers = false;
		good = xpath_decimal_divide(a.decimal, b.decimal, &value);
		break;
	case 'i':
		integers = true;
		good = xpath_decimal_idivide(a.decimal, b.decimal, &value);
		break;
	default:
		good = xpath_decimal_modulo(a.decimal, b.decimal, &value);
		break;
	}
	if (!good)
		return xpath_fault(run, "a number has more digits than can be calculated with");
	*out = xpath_of_decimal(value, integers ? XPATH_INTEGER : XPATH_DECIMAL);
	return 0;
}

/* ---- types of sequences */
static bool is_of(struct xpath_run *run, const struct xpath_item *item, const struct xpath_seqtype *type)
{
	if (type->type == XPATH_ANY)
		return true;
	if (type->type == XPATH_NODE)
		return item->type == XPATH_NODE &&
		       xpath_matches(run, &type->test,
				     run->tree->nodes[item->node].kind == XPATH_ATTRIBUTE ? XPATH_ATTRIBUTES
											  : XPATH_SELF,
				     item->node);
	return item->type == type->type || (item->type == XPATH_INTEGER && type->type == XPATH_DECIMAL);
}

static bool fits_times(size_t count, char times)
{
	return times == '*' || (times == '?' && count <= 1) || (times == '+' && count >= 1) ||
	       (times == '1' && count == 1) || (times == '0' && count == 0);
}

bool xpath_instance(struct xpath_run *run, const struct xpath_seq *seq, const struct xpath_seqtype *type)
{
	if (!fits_times(seq->count, type->times))
		return false;
	for (size_t i = 0; i < seq->count; i++)
		if (!is_of(run, &seq->items[i], type))
			return false;
	return true;
}

/* The function conversion rules (3.1.5). */
int xpath_convert(struct xpath_run *run, struct xpath_seq *seq, const struct xpath_seqtype *type, const char *what)
{
	if (type->type > XPATH_NODE) {
		struct xpath_seq made = {NULL, seq->count};

		if (xpath_atoms(run, seq))
			return -1;
		made.items = xpath_items(run, seq->count);
		for (size_t i = 0; i < seq->count; i++) {
			const struct xpath_item *item = &seq->items[i];
			bool promote = type->type == XPATH_DOUBLE && xpath_is_number(item);

			made.items[i] = *item;
			if ((item->type == XPATH_UNTYPED || promote) &&
			    xpath_cast(run, *item, type->type, false, &made.items[i]))
				return -1;
		}
		*seq = made;
	}
	if (xpath_instance(run, seq, type))
		return 0;
	return xpath_fault(run, "%s is %zu value%s%s%s where %s%.1s is asked for", what, seq->count,
			   seq->count == 1 ? "" : "s", seq->count ? ", the first " : "",
			   seq->count ? xpath_type_name(seq->items[0].type) : "", xpath_type_name(type->type),
			   type->times == '1' ? "" : &type->times);
}
