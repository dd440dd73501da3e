/* `balance` of a grammar: what must agree. See edi_grammar.h. */
#include "config.h"
#include "transformers/edi/edi_grammar_private.h"

#include <ctype.h>

#define WITHIN_OF_PRODUCTS 5000 /* half a cent */

struct reading {
	struct edi_library *library;
	struct edi_grammar *grammar;
	const struct node *at; /* the text in hand */
	struct edi_balance *balance;
	uint8_t group; /* of the terms in hand */
};

static void complain(struct reading *r)
{
	struct span text = r->at->type == NODE_SCALAR ? r->at->text : span_of("it");

	EDI_COMPLAIN(r->library, r->at, "grammar.balance",
		     "`%.*s` is no term of this grammar; one is PO1, PO102, lines/IT102*IT104, or "
		     "`-SAC05 when SAC01=A|B`",
		     SPAN_ARGS(text));
}

static struct span cut(struct span *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
	size_t n = end ? (size_t)(end - rest->data) : rest->len;
	struct span first = span_make(rest->data, n);

	*rest = end ? span_make(end + 1, rest->len - n - 1) : SPAN_NONE;
	return first;
}

static void keep(struct reading *r, const struct edi_term *term, struct edi_node *node)
{
	if (r->balance->terms_count == EDI_TERMS_MAX) {
		EDI_COMPLAIN(r->library, r->at, "grammar.limit", "a balance has more than %d terms", EDI_TERMS_MAX);
		return;
	}
	r->balance->terms[r->balance->terms_count] = *term;
	r->balance->terms[r->balance->terms_count++].node = node;
	node->terms = true;
}

/* Elements of the same segment: "IT104" or "MOA01-1". */
static bool same_segment(const struct edi_node *node, struct span text, uint8_t *element, uint8_t *component)
{
	struct edi_node root = {.children = (struct edi_node *[]){(struct edi_node *)node}, .count = 1};
	unsigned e, c;

	if (!edi_element_find(&root, text, &e, &c) || !e)
		return false;
	*element = (uint8_t)e;
	*component = (uint8_t)c;
	return true;
}

/* A path, or a tag wherever it is, /TXI02 being one outside loops: `into` gets what it means. */
static size_t meanings(struct edi_node *from, struct span path, struct edi_node **into, size_t most, unsigned *element,
		       unsigned *component)
{
	bool bare = !path.len || !memchr(path.data, '/', path.len), outside = span_starts(path, "/");
	struct edi_node *node =
		edi_element_find(from, span_make(path.data + outside, path.len - outside), element, component);
	size_t n = 0;

	if (node && node != from)
		into[n++] = node;
	for (size_t i = 0; bare && i < from->count && n < most; i++)
		if (from->children[i]->loop) {
			unsigned e, c;
			size_t more = meanings(from->children[i], path, into + n, most - n, &e, &c);

			if (more) {
				*element = e;
				*component = c;
			}
			n += more;
		}
	return n;
}

static bool read_condition(struct reading *r, struct span text, struct edi_term *term, const struct edi_node *node)
{
	struct span name;

	if (!text.len)
		return true;
	if (!span_starts(text, "when "))
		return false;
	text = span_make(text.data + 5, text.len - 5);
	name = cut(&text, '=');
	if (!text.len || !same_segment(node, name, &term->element_when, &term->component_when))
		return false;
	term->when = arena_span(r->library->arena, text).data;
	return true;
}

static void read_term(struct reading *r)
{
	struct edi_node *nodes[EDI_TERMS_MAX];
	struct span text = r->at->type == NODE_SCALAR ? r->at->text : SPAN_NONE, path, by;
	bool minus = text.len && text.data[0] == '-';
	unsigned element = 0, component = 0;
	size_t n;

	if (minus)
		text = span_make(text.data + 1, text.len - 1);
	path = cut(&text, ' ');
	by = path;
	path = cut(&by, '*');
	n = path.len ? meanings(&r->grammar->root, path, nodes, EDI_TERMS_MAX, &element, &component) : 0;
	if (!n || (r->balance->sum && !element)) {
		complain(r);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct edi_term term = {.element = (uint8_t)element,
					.component = (uint8_t)component,
					.minus = minus,
					.group = r->group};

		if ((by.len && (!element || !same_segment(nodes[i], by, &term.element_by, &term.component_by))) ||
		    (text.len && nodes[i]->loop) || !read_condition(r, text, &term, nodes[i])) {
			complain(r);
			return;
		}
		keep(r, &term, nodes[i]);
	}
}

static void read_is(struct reading *r, const struct node *is)
{
	struct edi_term *term = &r->balance->is;
	struct edi_node *nodes[1];
	struct span text = is->type == NODE_SCALAR ? is->text : SPAN_NONE, path = cut(&text, ' ');
	unsigned element = 0, component = 0;

	r->at = is;
	if (!path.len || !meanings(&r->grammar->root, path, nodes, 1, &element, &component) || !element ||
	    !read_condition(r, text, term, nodes[0])) {
		complain(r);
		return;
	}
	term->node = nodes[0];
	term->element = (uint8_t)element;
	term->component = (uint8_t)component;
	nodes[0]->terms = true;
	if (span_starts(path, "/"))
		path = span_make(path.data + 1, path.len - 1);
	r->balance->is_says = arena_span(r->library->arena, path).data;
}

/* "0.05" in millionths. */
static bool read_within(struct span text, int64_t *within)
{
	int64_t value = 0;
	int decimals = -1;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '.' && decimals < 0 && i) {
			decimals = 0;
			continue;
		}
		if (!isdigit((unsigned char)text.data[i]) || decimals == 6 || i > 14)
			return false;
		value = value * 10 + (text.data[i] - '0');
		decimals += decimals >= 0;
	}
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 6; decimals++)
		value *= 10;
	*within = value;
	return text.len != 0;
}

static void read_terms(struct reading *r, const struct node *of)
{
	for (size_t i = 0; i < (of->type == NODE_LIST ? of->count : 1); i++) {
		r->at = of->type == NODE_LIST ? of->items[i] : of;
		read_term(r);
	}
}

/* A list of terms, or lists of terms, that may count: each as a whole, or not at all. */
static void read_maybe(struct reading *r, const struct node *maybe)
{
	if (maybe->type != NODE_LIST || !r->balance->sum || !maybe->count || maybe->count > EDI_MAYBE_MAX) {
		EDI_COMPLAIN(r->library, maybe, "grammar.balance",
			     "`maybe` of a sum is a list of at most %d terms, or lists of terms", EDI_MAYBE_MAX);
		return;
	}
	for (size_t i = 0; i < maybe->count; i++) {
		r->group = (uint8_t)(i + 1);
		read_terms(r, maybe->items[i]);
	}
	r->group = 0;
	r->balance->maybes = (unsigned)maybe->count;
}

/* `lines/IT105=PE|ST`: where it says something else, the balance is not judged; `SAC05=any`: nor where it says nothing.
 * A tag alone is wherever it stands. */
static void read_only_one(struct reading *r, const struct node *only)
{
	struct span text = only->type == NODE_SCALAR ? only->text : SPAN_NONE, path = cut(&text, '=');
	struct edi_term term = {.only = true};
	struct edi_node *nodes[EDI_TERMS_MAX];
	unsigned element = 0, component = 0;
	size_t n = text.len && path.len ? meanings(&r->grammar->root, path, nodes, EDI_TERMS_MAX, &element, &component)
					: 0;

	r->at = only;
	if (!n || !element) {
		complain(r);
		return;
	}
	term.element_when = (uint8_t)element;
	term.component_when = (uint8_t)component;
	term.needed = span_is(text, "any");
	term.when = term.needed ? NULL : arena_span(r->library->arena, text).data;
	for (size_t i = 0; i < n; i++)
		keep(r, &term, nodes[i]);
}

/* `hash: yes`. */
static void read_hash(struct reading *r, const struct node *hash)
{
	r->balance->hash = hash->type == NODE_SCALAR && span_is(hash->text, "yes");
	if (!r->balance->sum || (!r->balance->hash && !(hash->type == NODE_SCALAR && span_is(hash->text, "no"))))
		EDI_COMPLAIN(r->library, hash, "grammar.balance", "`hash` of a sum is yes or no");
}

static void read_only(struct reading *r, const struct node *only)
{
	for (size_t i = 0; only->type == NODE_LIST && i < only->count; i++)
		read_only_one(r, only->items[i]);
	if (only->type != NODE_LIST)
		read_only_one(r, only);
}

static void read_what(struct reading *r, const struct node *map)
{
	const struct node *of = node_find(map, "of"), *is = node_find(map, "is"), *within = node_find(map, "within");

	if (map->type == NODE_MAP)
		edi_check_keys(r->library, map, "of|maybe|only|is|within|hash|note");
	if (!of || !is) {
		EDI_COMPLAIN(r->library, map, "grammar.balance", "a balance is {count: {of: …, is: …}} or {sum: …}");
		return;
	}
	read_terms(r, of);
	if (of->type == NODE_LIST && of->count == 1)
		of = of->items[0];
	if (of->type == NODE_SCALAR)
		r->balance->says = arena_span(r->library->arena, of->text).data;
	if (node_find(map, "maybe"))
		read_maybe(r, node_find(map, "maybe"));
	if (node_find(map, "only"))
		read_only(r, node_find(map, "only"));
	if (node_find(map, "hash"))
		read_hash(r, node_find(map, "hash"));
	read_is(r, is);
	if (!within)
		r->balance->each = WITHIN_OF_PRODUCTS;
	else if (within->type != NODE_SCALAR || !read_within(within->text, &r->balance->within))
		EDI_COMPLAIN(r->library, within, "grammar.balance", "`within` is a number, as in 0.05");
}

void edi_balances_read(struct edi_library *library, struct edi_grammar *grammar, const struct node *balances)
{
	size_t room = grammar->balances_count;
	struct edi_balance *list;

	if (balances->type != NODE_LIST || balances->count + room > EDI_BALANCES_MAX) {
		EDI_COMPLAIN(library, balances, "grammar.balance", "`balance` is a list of at most %d rules",
			     EDI_BALANCES_MAX);
		return;
	}
	list = arena_alloc(library->arena, (room + balances->count + 1) * sizeof *list);
	if (room)
		memcpy(list, grammar->balances, room * sizeof *list);
	grammar->balances = list;
	for (size_t i = 0; i < balances->count; i++) {
		const struct node *item = balances->items[i];
		const struct node *count = node_find(item, "count"), *sum = node_find(item, "sum");
		struct reading r = {library, grammar, item, &list[grammar->balances_count], 0};

		if (item->type != NODE_MAP || item->count != 1 || (!count && !sum)) {
			EDI_COMPLAIN(library, item, "grammar.balance",
				     "a balance is {count: {of: …, is: …}} or {sum: {of: …, is: …}}");
			continue;
		}
		r.balance->sum = sum != NULL;
		read_what(&r, sum ? sum : count);
		grammar->balances_count++;
	}
}
