/* Dictionaries: segments, composites, data elements and codes of a version of a standard. See edi_grammar.h. */
#include "config.h"
#include "transformers/edi/edi_grammar_private.h"

#include <ctype.h>
#include <stdio.h>

/* ---- codes */
static uint64_t head_of(const char *text, size_t len)
{
	uint64_t head = 0;

	memcpy(&head, text, len < 8 ? len : 8);
	return head;
}

const struct edi_code *edi_code_find(const struct edi_codes *codes, const char *text, size_t len)
{
	uint64_t head = head_of(text, len);

	for (size_t i = edi_code_slot(head, len);; i++) {
		const struct edi_code *code = &codes->table[i & codes->mask];

		if (!code->text)
			return NULL;
		if (code->head == head && code->len == len && (len <= 8 || !memcmp(code->text, text, len)))
			return code;
	}
}

static void add_code(struct edi_codes *codes, const char *text, size_t len, const char *title)
{
	uint64_t head = head_of(text, len);
	size_t i = edi_code_slot(head, len);

	if (edi_code_find(codes, text, len))
		return;
	while (codes->table[i & codes->mask].text)
		i++;
	codes->table[i & codes->mask] = (struct edi_code){head, text, title, (uint32_t)len};
	codes->count++;
}

static const struct edi_codes *list_of(struct edi_library *library, const struct edi_dictionary *dictionary,
				       const struct node *name)
{
	for (; dictionary; dictionary = dictionary->behind) {
		struct edi_dictionary *mine = (struct edi_dictionary *)dictionary;
		struct edi_known *known = mine->lists;
		const struct node *list;
		char key[EDI_NAME_MAX + 1];

		snprintf(key, sizeof key, "%.*s", SPAN_ARGS(name->text));
		while (known && strcmp(known->name, key) != 0)
			known = known->next;
		if (known)
			return known->what;
		list = node_find(dictionary->codes, key);
		if (!list)
			continue;
		known = arena_alloc(library->arena, sizeof *known);
		*known = (struct edi_known){arena_strdup(library->arena, key), NULL, mine->lists};
		mine->lists = known;
		if (list->type == NODE_SCALAR)
			EDI_COMPLAIN(library, list, "grammar.codes", "a list of codes is a list, or a map of codes");
		else
			known->what = edi_codes_read(library, dictionary, list, NULL);
		return known->what;
	}
	EDI_COMPLAIN(library, name, "grammar.codes", "there is no list of codes `%.*s`", SPAN_ARGS(name->text));
	return NULL;
}

const struct edi_codes *edi_codes_read(struct edi_library *library, const struct edi_dictionary *dictionary,
				       const struct node *node, const struct edi_codes *with)
{
	struct edi_codes *codes;
	size_t room = 4;

	if (node->type == NODE_SCALAR)
		return list_of(library, dictionary, node);
	codes = arena_alloc(library->arena, sizeof *codes);
	while (room < 2 * (node->count + (with ? with->count : 0)))
		room *= 2;
	codes->mask = room - 1;
	codes->table = arena_alloc(library->arena, room * sizeof *codes->table);
	for (size_t i = 0; with && i <= with->mask; i++)
		if (with->table[i].text)
			add_code(codes, with->table[i].text, with->table[i].len, with->table[i].title);
	for (size_t i = 0; i < node->count; i++) {
		const struct node *code = node->type == NODE_MAP ? &node->pairs[i].key : node->items[i];
		const struct node *title = node->type == NODE_MAP ? node->pairs[i].value : NULL;

		if (code->type != NODE_SCALAR || !code->text.len || (title && title->type != NODE_SCALAR)) {
			EDI_COMPLAIN(library, code, "grammar.codes", "a code is a text, and its meaning one, too");
			continue;
		}
		add_code(codes, arena_span(library->arena, code->text).data, code->text.len,
			 title ? arena_span(library->arena, title->text).data : NULL);
	}
	return codes;
}

/* ---- data elements */
static bool type_of(struct span text, struct edi_data *data)
{
	static const struct {
		const char *word;
		enum edi_type type;
	} types[] = {{"AN", EDI_TYPE_TEXT}, {"ID", EDI_TYPE_TEXT}, {"an", EDI_TYPE_TEXT},
		     {"a", EDI_TYPE_ALPHA}, {"DT", EDI_TYPE_DATE}, {"TM", EDI_TYPE_TIME},
		     {"R", EDI_TYPE_REAL},  {"n", EDI_TYPE_REAL},  {"B", EDI_TYPE_BINARY}};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (span_is(text, types[i].word)) {
			data->type = types[i].type;
			return true;
		}
	if (!text.len || text.len > 2 || text.data[0] != 'N' ||
	    (text.len == 2 && !isdigit((unsigned char)text.data[1])))
		return false;
	data->type = EDI_TYPE_IMPLIED;
	data->decimals = text.len == 2 ? (uint8_t)(text.data[1] - '0') : 0;
	return true;
}

struct element { /* as it stands in a dictionary */
	struct edi_data data;
	const char *name; /* or NULL */
};

static void read_element(struct edi_library *library, const struct edi_dictionary *dictionary, const struct node *node,
			 struct element *element)
{
	const struct node *type, *size, *codes, *open;
	struct edi_codes *copy;

	if (node->type != NODE_MAP) {
		EDI_COMPLAIN(library, node, "grammar.form", "a data element is a map with title, type and size");
		return;
	}
	edi_check_keys(library, node, "title|type|size|codes|open|name|note");
	element->data.title = edi_text_of(library, node, "title", true);
	element->name = edi_text_of(library, node, "name", false);
	type = node_find(node, "type");
	size = node_find(node, "size");
	codes = node_find(node, "codes");
	open = node_find(node, "open");
	if (!type || type->type != NODE_SCALAR || !type_of(type->text, &element->data))
		EDI_COMPLAIN(library, type ? type : node, "grammar.type",
			     "the type is one of AN ID DT TM R N0 to N9 B, or of a n an");
	if (!size || size->type != NODE_SCALAR || !edi_size_of(size->text, &element->data.min, &element->data.max))
		EDI_COMPLAIN(library, size ? size : node, "grammar.size", "the size is MIN..MAX, as in 1..35");
	if (codes)
		element->data.codes = edi_codes_read(library, dictionary, codes, NULL);
	if (!element->data.codes || !open || open->type != NODE_SCALAR || !span_is(open->text, "true"))
		return;
	copy = arena_alloc(library->arena, sizeof *copy);
	*copy = *element->data.codes;
	copy->open = true;
	element->data.codes = copy;
}

static const struct element *element_of(struct edi_library *library, struct edi_dictionary *dictionary,
					const char *number)
{
	for (; dictionary; dictionary = dictionary->behind) {
		struct edi_known *known = dictionary->data;
		const struct node *node;
		struct element *element;

		while (known && strcmp(known->name, number) != 0)
			known = known->next;
		if (known)
			return known->what;
		node = node_find(dictionary->elements, number);
		if (!node)
			continue;
		element = arena_alloc(library->arena, sizeof *element);
		element->data.number = arena_strdup(library->arena, number);
		read_element(library, dictionary, node, element);
		known = arena_alloc(library->arena, sizeof *known);
		*known = (struct edi_known){element->data.number, element, dictionary->data};
		dictionary->data = known;
		return element;
	}
	return NULL;
}

static const struct node *composite_of(const struct edi_dictionary *dictionary, const char *name)
{
	const struct node *node = NULL;

	for (; dictionary && !node; dictionary = dictionary->behind)
		node = node_find(dictionary->composites, name);
	return node;
}

/* ---- places in segments and composites */
static const char *words_of_title(struct arena *arena, const char *title)
{
	char name[EDI_NAME_MAX + 1];
	size_t n = 0;

	for (const char *p = title; *p && n < EDI_NAME_MAX; p++) {
		if (isalnum((unsigned char)*p))
			name[n++] = (char)tolower((unsigned char)*p);
		else if (n && name[n - 1] != '-' && *p != '\'')
			name[n++] = '-';
	}
	while (n && name[n - 1] == '-')
		n--;
	name[n] = '\0';
	return arena_strdup(arena, n ? name : "element");
}

static bool is_taken(const struct edi_slot *slots, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (slots[i].name && edi_same_key(slots[i].name, name))
			return true;
	return false;
}

static const char *free_name(struct arena *arena, const struct edi_slot *slots, size_t n, const char *name)
{
	const char *tried = name;

	for (int i = 2; is_taken(slots, n, tried); i++)
		tried = arena_printf(arena, "%s-%d", name, i);
	return tried;
}

void edi_slot_label(struct arena *arena, struct edi_slot *slot, const char *position)
{
	slot->by_name = edi_label(arena, slot->name, "");
	slot->by_position = edi_label(arena, position, "");
	slot->iso_name = edi_label(arena, slot->name, "_iso");
	slot->iso_position = edi_label(arena, position, "_iso");
	slot->raw_name = edi_label(arena, slot->name, "_raw");
	slot->raw_position = edi_label(arena, position, "_raw");
}

static enum edi_iso iso_of(const struct edi_slot *slots, size_t i)
{
	const struct edi_data *data = &slots[i].data;

	if (data->type == EDI_TYPE_DATE || data->type == EDI_TYPE_TIME)
		return data->type == EDI_TYPE_DATE ? EDI_ISO_DATE : EDI_ISO_TIME;
	if (i && !strcmp(data->number, "1251") && slots[i - 1].data.number && !strcmp(slots[i - 1].data.number, "1250"))
		return EDI_ISO_BEFORE;
	return strcmp(data->number, "2380") ? EDI_ISO_NONE : EDI_ISO_BEHIND;
}

static size_t read_slots(struct edi_library *, struct edi_dictionary *, const struct node *list, struct edi_slot *,
			 const char *tag, const char *composite);

static void read_parts(struct edi_library *library, struct edi_dictionary *dictionary, const struct node *node,
		       struct edi_slot *slot, const char *position)
{
	const struct node *list = node->type == NODE_MAP ? node_find(node, "elements") : NULL;
	struct edi_slot parts[EDI_SLOTS_MAX] = {{0}};

	if (!list || list->type != NODE_LIST) {
		EDI_COMPLAIN(library, node, "grammar.form", "a composite is a map with a list of elements");
		return;
	}
	slot->parts_count = read_slots(library, dictionary, list, parts, position, slot->composite);
	slot->parts = arena_alloc(library->arena, (slot->parts_count + 1) * sizeof *parts);
	memcpy(slot->parts, parts, slot->parts_count * sizeof *parts);
	for (size_t i = 0; i < slot->parts_count; i++)
		if (parts[i].use == EDI_MANDATORY)
			slot->needed |= (uint64_t)1 << i;
}

/* What the place holds: a data element, or a composite. Its name and title; NULL: neither, which was said. */
static const char *fill_slot(struct edi_library *library, struct edi_dictionary *dictionary, const struct node *node,
			     struct span reference, struct edi_slot *slot, const char *position, bool composites)
{
	char name[12];
	const struct element *element;
	const struct node *composite;
	const char *given;

	snprintf(name, sizeof name, "%.*s", reference.len < sizeof name ? (int)reference.len : 0, reference.data);
	element = element_of(library, dictionary, name);
	if (element) {
		slot->data = element->data;
		return element->name ? element->name
				     : words_of_title(library->arena, element->data.title ? element->data.title : "");
	}
	composite = composites ? composite_of(dictionary, name) : NULL;
	if (!composite) {
		EDI_COMPLAIN(library, node, "grammar.element", "there is no data element%s `%.*s`",
			     composites ? " or composite" : "", SPAN_ARGS(reference));
		return NULL;
	}
	slot->composite = arena_strdup(library->arena, name);
	read_parts(library, dictionary, composite, slot, position);
	given = edi_text_of(library, composite, "name", false);
	if (given)
		return given;
	given = edi_text_of(library, composite, "title", true);
	return words_of_title(library->arena, given ? given : name);
}

static void read_slot(struct edi_library *library, struct edi_dictionary *dictionary, const struct node *node,
		      struct edi_slot *slots, size_t i, const char *position, bool composites)
{
	struct edi_slot *slot = &slots[i];
	struct span words[5];
	size_t n = edi_words(library, node, words, 5), next = 2;
	const char *name;

	slot->max = 1;
	if (!n)
		return;
	if (n < 2 || n > 4 || !edi_use_of(words[1], &slot->use)) {
		EDI_COMPLAIN(library, node, "grammar.use",
			     "a place is ELEMENT USE [MAX] [NAME], as in 353 M 1 purpose");
		return;
	}
	if (n > 2 && edi_max_of(words[2], &slot->max))
		next = 3;
	name = fill_slot(library, dictionary, node, words[0], slot, position, composites);
	if (!name)
		return;
	if (next < n && (!edi_is_name(words[next]) || next + 1 < n)) {
		EDI_COMPLAIN(library, node, "grammar.name",
			     "`%.*s` is no name of small letters, digits and -, at most %d", SPAN_ARGS(words[next]),
			     EDI_NAME_MAX);
		return;
	}
	if (next < n) {
		name = arena_span(library->arena, words[next]).data;
		if (is_taken(slots, i, name))
			EDI_COMPLAIN(library, node, "grammar.name", "two places have the name `%s`", name);
	}
	slot->name = free_name(library->arena, slots, i, name);
	edi_slot_label(library->arena, slot, position);
}

static size_t read_slots(struct edi_library *library, struct edi_dictionary *dictionary, const struct node *list,
			 struct edi_slot *slots, const char *tag, const char *composite)
{
	size_t n = list->count < EDI_SLOTS_MAX ? list->count : EDI_SLOTS_MAX;
	bool edifact = dictionary->of && !strncmp(dictionary->of, "edifact", 7);

	if (list->count > EDI_SLOTS_MAX)
		EDI_COMPLAIN(library, list, "grammar.limit", "there are more than %d places", EDI_SLOTS_MAX);
	for (size_t i = 0; i < n; i++) {
		char position[24];

		snprintf(position, sizeof position, composite ? "%s-%zu" : "%s%02zu", tag, i + 1);
		read_slot(library, dictionary, list->items[i], slots, i, position, !composite);
		if (!slots[i].name) /* it was told; what follows needs something here */
			slots[i] = (struct edi_slot){.name = "", .max = 1, .data = {.number = "", .max = UINT32_MAX}};
	}
	for (size_t i = 0; i < n; i++)
		if (!slots[i].parts && slots[i].data.number) {
			slots[i].iso = iso_of(slots, i);
			slots[i].single = slots[i].max == 1;
			slots[i].plain = slots[i].iso == EDI_ISO_NONE && !slots[i].data.decimals &&
					 (slots[i].data.type != EDI_TYPE_REAL || !edifact);
		}
	return n;
}

/* ---- segments */
static bool read_rule(const struct node *node, size_t slots, struct edi_rule *rule)
{
	struct span text = node->type == NODE_SCALAR ? node->text : SPAN_NONE;

	if (text.len < 5 || !(text.len & 1) || text.len > 1 + 2 * EDI_RULE_MAX || !memchr("PRECL", text.data[0], 5))
		return false;
	rule->kind = text.data[0];
	for (size_t i = 1; i < text.len; i += 2) {
		int at = isdigit((unsigned char)text.data[i]) && isdigit((unsigned char)text.data[i + 1])
				 ? (text.data[i] - '0') * 10 + text.data[i + 1] - '0'
				 : 0;

		if (at < 1 || (size_t)at > slots)
			return false;
		rule->at[rule->count++] = (uint8_t)at;
		rule->bits |= (uint64_t)1 << (at - 1);
	}
	rule->first = (uint64_t)1 << (rule->at[0] - 1);
	return true;
}

static void read_rules(struct edi_library *library, const struct node *list, struct edi_form *form)
{
	if (!list)
		return;
	if (list->type != NODE_LIST) {
		EDI_COMPLAIN(library, list, "grammar.rule", "the rules are a list, as in [P0304, R0102]");
		return;
	}
	form->rules = arena_alloc(library->arena, (list->count + 1) * sizeof *form->rules);
	for (size_t i = 0; i < list->count; i++) {
		struct edi_rule rule = {0};

		if (read_rule(list->items[i], form->slots_count, &rule))
			form->rules[form->rules_count++] = rule;
		else
			EDI_COMPLAIN(library, list->items[i], "grammar.rule",
				     "a rule is one of P R E C L and two digits for each of its elements, which the "
				     "segment must have, as in P0304");
	}
}

static struct edi_form *read_form(struct edi_library *library, struct edi_dictionary *dictionary,
				  const struct pair *pair)
{
	struct edi_form *form = arena_alloc(library->arena, sizeof *form);
	const struct node *node = pair->value, *list;
	struct edi_slot slots[EDI_SLOTS_MAX] = {{0}};
	struct span tag = pair->key.text;

	if (tag.len < 2 || tag.len > 3) {
		EDI_COMPLAIN(library, &pair->key, "grammar.segment", "a segment's tag has two or three characters");
		return NULL;
	}
	memcpy(form->tag, tag.data, tag.len);
	form->key = edi_key(tag.data, tag.len);
	list = node->type == NODE_MAP ? node_find(node, "elements") : NULL;
	if (!list || list->type != NODE_LIST) {
		EDI_COMPLAIN(library, node, "grammar.form", "a segment is a map with a list of elements");
		return NULL;
	}
	edi_check_keys(library, node, "name|title|elements|rules|note");
	form->name = edi_text_of(library, node, "name", false);
	form->title = edi_text_of(library, node, "title", true);
	if (!form->name)
		form->name = words_of_title(library->arena, form->title ? form->title : form->tag);
	form->slots_count = read_slots(library, dictionary, list, slots, form->tag, NULL);
	form->slots = arena_alloc(library->arena, (form->slots_count + 1) * sizeof *slots);
	memcpy(form->slots, slots, form->slots_count * sizeof *slots);
	for (size_t i = 0; i < form->slots_count; i++)
		if (slots[i].use == EDI_MANDATORY)
			form->needed |= (uint64_t)1 << i;
	read_rules(library, node_find(node, "rules"), form);
	return form;
}

const struct edi_form *edi_form_find(const struct edi_dictionary *dictionary, uint32_t key)
{
	for (; dictionary; dictionary = dictionary->behind)
		for (size_t i = 0; i < dictionary->forms_count; i++)
			if (dictionary->forms[i]->key == key)
				return dictionary->forms[i];
	return NULL;
}

static const struct node *map_of(struct edi_library *library, const struct node *root, const char *key)
{
	const struct node *node = node_find(root, key);

	if (!node || node->type == NODE_MAP)
		return node;
	EDI_COMPLAIN(library, node, "grammar.form", "`%s` is a map", key);
	return NULL;
}

struct edi_dictionary *edi_dictionary_new(struct edi_library *library, const char *file, const struct node *root,
					  struct edi_dictionary *behind, const char *of)
{
	struct edi_dictionary *dictionary = arena_alloc(library->arena, sizeof *dictionary);

	*dictionary = (struct edi_dictionary){.file = file,
					      .of = of,
					      .segments = map_of(library, root, "segments"),
					      .composites = map_of(library, root, "composites"),
					      .elements = map_of(library, root, "elements"),
					      .codes = map_of(library, root, "codes"),
					      .behind = behind};
	if (!dictionary->segments)
		return dictionary;
	dictionary->forms = arena_alloc(library->arena, (dictionary->segments->count + 1) * sizeof(struct edi_form *));
	for (size_t i = 0; i < dictionary->segments->count; i++) {
		struct edi_form *form = read_form(library, dictionary, &dictionary->segments->pairs[i]);

		if (form)
			dictionary->forms[dictionary->forms_count++] = form;
	}
	return dictionary;
}

/* Those that no segment uses are read as well: a mistake in them is one. */
static void read_rest(struct edi_library *library, struct edi_dictionary *dictionary)
{
	const struct node *elements = dictionary->elements, *codes = dictionary->codes;
	char name[12];

	for (size_t i = 0; elements && i < elements->count; i++) {
		struct span number = elements->pairs[i].key.text;

		snprintf(name, sizeof name, "%.*s", number.len < sizeof name ? (int)number.len : 0, number.data);
		if (!element_of(library, dictionary, name))
			EDI_COMPLAIN(library, &elements->pairs[i].key, "grammar.element",
				     "the number of a data element has at most 11 characters");
	}
	for (size_t i = 0; codes && i < codes->count; i++)
		list_of(library, dictionary, &codes->pairs[i].key);
}

struct edi_dictionary *edi_dictionary_get(struct edi_library *library, const char *name, struct place asked)
{
	struct edi_source *source = edi_source_get(library, name, asked);
	const char *of;

	if (!source || !source->root)
		return NULL;
	if (source->dictionary)
		return source->dictionary;
	edi_check_keys(library, source->root, "dictionary|source|left-out|segments|composites|elements|codes");
	of = edi_text_of(library, source->root, "dictionary", true);
	if (!of)
		return NULL;
	source->dictionary = edi_dictionary_new(library, source->name, source->root, NULL, of);
	read_rest(library, source->dictionary);
	return source->dictionary;
}
