/* Overlays: what a partner's companion guide changes of a grammar. See edi_grammar.h. */
#include "config.h"
#include "transformers/edi/edi_grammar_private.h"

/* The segment's own copy of what the dictionary says, so that only this place of it changes. */
static struct edi_form *own_form(struct edi_library *library, struct edi_node *node)
{
	struct edi_form *form = arena_alloc(library->arena, sizeof *form);

	*form = *node->form;
	form->slots = arena_alloc(library->arena, (form->slots_count + 1) * sizeof *form->slots);
	memcpy(form->slots, node->form->slots, form->slots_count * sizeof *form->slots);
	node->form = form;
	return form;
}

static struct edi_slot *own_slot(struct edi_library *library, struct edi_form *form, unsigned element,
				 unsigned component)
{
	struct edi_slot *slot = &form->slots[element - 1], *parts;

	if (!component)
		return slot;
	parts = arena_alloc(library->arena, (slot->parts_count + 1) * sizeof *parts);
	memcpy(parts, slot->parts, slot->parts_count * sizeof *parts);
	slot->parts = parts;
	return &parts[component - 1];
}

static void change_codes(struct edi_library *library, struct edi_grammar *grammar, const struct node *map,
			 struct edi_slot *slot)
{
	const struct node *codes = node_find(map, "codes"), *more = node_find(map, "add-codes");
	const struct edi_codes *was = slot->data.codes;

	if ((!codes && !more) || slot->parts)
		return;
	if (codes)
		was = edi_codes_read(library, grammar->dictionary, codes, NULL);
	/* A place that has no list takes any code already. */
	if (more && was && more->type != NODE_SCALAR)
		was = edi_codes_read(library, grammar->dictionary, more, was);
	else if (more && more->type == NODE_SCALAR)
		EDI_COMPLAIN(library, more, "grammar.codes", "codes to add are a list, or a map of codes");
	slot->data.codes = was;
	slot->data.guide_codes = codes != NULL;
}

static void change_use(struct edi_library *library, const struct node *map, enum edi_use *use, bool *guide)
{
	const struct node *node = node_find(map, "use");

	if (!node)
		return;
	if (node->type != NODE_SCALAR || !edi_use_of(node->text, use)) {
		EDI_COMPLAIN(library, node, "grammar.use", "the use is M, O, C or never");
		return;
	}
	*guide = true;
}

static void change_max(struct edi_library *library, const struct node *map, uint32_t *max)
{
	const struct node *node = node_find(map, "max");

	if (node && (node->type != NODE_SCALAR || !edi_max_of(node->text, max)))
		EDI_COMPLAIN(library, node, "grammar.use", "`max` is a number, or >1 for any");
}

static void set_bit(uint64_t *bits, unsigned place, bool on)
{
	uint64_t bit = (uint64_t)1 << (place - 1);

	*bits = on ? *bits | bit : *bits & ~bit;
}

static void change_element(struct edi_library *library, struct edi_grammar *grammar, const struct node *map,
			   struct edi_node *node, unsigned element, unsigned component)
{
	struct edi_form *form = own_form(library, node);
	struct edi_slot *slot = own_slot(library, form, element, component);
	const struct node *size = node_find(map, "size");

	edi_check_keys(library, map, "at|use|max|size|codes|add-codes|note");
	change_use(library, map, &slot->use, &slot->guide);
	change_max(library, map, &slot->max);
	slot->single = !slot->parts && slot->max == 1;
	change_codes(library, grammar, map, slot);
	if (component)
		set_bit(&form->slots[element - 1].needed, component, slot->use == EDI_MANDATORY);
	else
		set_bit(&form->needed, element, slot->use == EDI_MANDATORY);
	if (!size)
		return;
	if (size->type != NODE_SCALAR || !edi_size_of(size->text, &slot->data.min, &slot->data.max))
		EDI_COMPLAIN(library, size, "grammar.size", "the size is MIN..MAX, as in 1..35");
	slot->data.guide_size = true;
}

static void change_at(struct edi_library *library, struct edi_grammar *grammar, const struct node *map,
		      const struct node *at)
{
	unsigned element = 0, component = 0;
	struct edi_node *node =
		at->type == NODE_SCALAR ? edi_element_find(&grammar->root, at->text, &element, &component) : NULL;

	if (!node || node == &grammar->root) {
		EDI_COMPLAIN(library, at, "grammar.path",
			     "the grammar has no such place; a path is names of loops and a segment's tag, as in "
			     "parties/N1, or parties/N104 for an element, or REF04-1 for a component");
		return;
	}
	if (element) {
		change_element(library, grammar, map, node, element, component);
		return;
	}
	edi_check_keys(library, map, "at|use|max|note");
	change_use(library, map, &node->use, &node->guide);
	change_max(library, map, &node->max);
	if (!node->loop && node->parent->loop && node->parent->children[0] == node &&
	    (node->use != EDI_MANDATORY || node->max != 1))
		EDI_COMPLAIN(library, at, "grammar.loop",
			     "a loop begins with a segment that is M 1; change the loop itself");
}

static void change_add(struct edi_library *library, struct edi_grammar *grammar, const struct node *map,
		       const struct node *beside, bool after)
{
	const struct node *add = node_find(map, "add");
	struct edi_node *there = beside->type == NODE_SCALAR ? edi_node_find(&grammar->root, beside->text) : NULL,
			*node;
	size_t at = 0;

	edi_check_keys(library, map, "after|before|add|note");
	if (!there || there == &grammar->root) {
		EDI_COMPLAIN(library, beside, "grammar.path", "the grammar has no such segment or loop");
		return;
	}
	if (!after && there->parent->loop && there->parent->children[0] == there) {
		EDI_COMPLAIN(library, beside, "grammar.loop", "nothing stands before the first segment of a loop");
		return;
	}
	if (!add) {
		EDI_COMPLAIN(library, map, "grammar.form", "`add` says what, as in 'ZZ1 O 1'");
		return;
	}
	node = edi_node_read(library, grammar, add, there->parent);
	if (!node)
		return;
	node->guide = true;
	while (there->parent->children[at] != there)
		at++;
	edi_node_insert(library, there->parent, at + after, node);
}

void edi_changes_apply(struct edi_library *library, struct edi_grammar *grammar, const struct node *changes)
{
	if (changes->type != NODE_LIST) {
		EDI_COMPLAIN(library, changes, "grammar.form", "`change` is a list of {at: …} and {after: …, add: …}");
		return;
	}
	for (size_t i = 0; i < changes->count; i++) {
		const struct node *map = changes->items[i];
		const struct node *at = node_find(map, "at"), *after = node_find(map, "after"),
				  *before = node_find(map, "before");

		if (!at + !after + !before != 2) {
			EDI_COMPLAIN(library, map, "grammar.form",
				     "a change is {at: PATH, …}, or {after: PATH, add: …}, or {before: PATH, add: …}");
			continue;
		}
		if (at)
			change_at(library, grammar, map, at);
		else
			change_add(library, grammar, map, after ? after : before, after != NULL);
	}
}
