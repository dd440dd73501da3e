/* Grammars: YAML to a tree of segments and loops. See edi_grammar.h; docs/grammars.md is the form. */
#include "config.h"
#include "transformers/edi/edi_grammar_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/yaml.h"

#define FILES_MAX 50 /* that one step reads, with those that these name */

/* ---- files */
static const struct node *read_source(struct edi_library *library, struct edi_source *source, struct place asked)
{
	const struct transformer_context *context = library->context;
	const struct span *text = context->file ? context->file(context->site, "edi", source->name) : NULL;
	const char *file = arena_printf(library->arena, "edi/%s", source->name);
	struct yaml_documents documents = {0};

	if (!text) {
		finding_add(library->findings, asked, SEVERITY_ERROR, "grammar.file", "there is no edi/%s",
			    source->name);
		return NULL;
	}
	if (yaml_read(library->arena, library->findings, file, *text, NULL, &documents))
		return NULL;
	if (documents.count == 1 && documents.items[0]->type == NODE_MAP)
		return documents.items[0];
	finding_add(library->findings, (struct place){file, 1, 1}, SEVERITY_ERROR, "grammar.form",
		    "a file of edi/ is one map: a dictionary, a grammar or an overlay");
	return NULL;
}

struct edi_source *edi_source_get(struct edi_library *library, const char *name, struct place asked)
{
	struct edi_source *source = library->sources;

	while (source && strcmp(source->name, name) != 0)
		source = source->next;
	if (source)
		return source;
	if (library->files++ == FILES_MAX) {
		finding_add(library->findings, asked, SEVERITY_ERROR, "grammar.limit",
			    "more than %d files of edi/ are read", FILES_MAX);
		return NULL;
	}
	source = arena_alloc(library->arena, sizeof *source);
	*source = (struct edi_source){.name = arena_strdup(library->arena, name), .next = library->sources};
	library->sources = source;
	source->root = read_source(library, source, asked);
	return source;
}

/* ---- small things */
void edi_check_keys(struct edi_library *library, const struct node *map, const char *keys)
{
	for (size_t i = 0; i < map->count; i++) {
		struct span key = map->pairs[i].key.text;
		const char *p = keys;
		bool known = false;

		while (!known && p) {
			known = !strncmp(p, key.data, key.len) && (p[key.len] == '|' || !p[key.len]);
			p = strchr(p, '|');
			p = p ? p + 1 : NULL;
		}
		if (!known)
			EDI_COMPLAIN(library, &map->pairs[i].key, "grammar.key", "there is no key `%.*s` here, only %s",
				     SPAN_ARGS(key), keys);
	}
}

const char *edi_text_of(struct edi_library *library, const struct node *map, const char *key, bool needed)
{
	const struct node *node = node_find(map, key);

	if (node && node->type == NODE_SCALAR && node->text.len)
		return arena_span(library->arena, node->text).data;
	if (node || needed)
		EDI_COMPLAIN(library, node ? node : map, "grammar.form", "`%s` is a text", key);
	return NULL;
}

size_t edi_words(struct edi_library *library, const struct node *node, struct span *words, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; node->type == NODE_SCALAR && i < node->text.len && n < most;) {
		size_t from;

		while (i < node->text.len && isspace((unsigned char)node->text.data[i]))
			i++;
		from = i;
		while (i < node->text.len && !isspace((unsigned char)node->text.data[i]))
			i++;
		if (i > from)
			words[n++] = span_make(node->text.data + from, i - from);
	}
	if (!n)
		EDI_COMPLAIN(library, node, "grammar.form", "here is a line of words, as in `N1 M 1`");
	return n;
}

bool edi_use_of(struct span text, enum edi_use *use)
{
	*use = span_is(text, "M") ? EDI_MANDATORY : span_is(text, "never") ? EDI_NEVER : EDI_OPTIONAL;
	return *use != EDI_OPTIONAL || span_is(text, "O") || span_is(text, "C") || span_is(text, "X");
}

static bool number_of(struct span text, uint32_t *number)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.data[i]))
			return false;
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	}
	*number = (uint32_t)value;
	return text.len && text.len <= 9;
}

bool edi_max_of(struct span text, uint32_t *max)
{
	if (span_is(text, ">1")) {
		*max = 0;
		return true;
	}
	return number_of(text, max) && *max;
}

bool edi_size_of(struct span text, uint32_t *min, uint32_t *max)
{
	const char *dots = text.len ? memmem(text.data, text.len, "..", 2) : NULL;
	size_t n = dots ? (size_t)(dots - text.data) : 0;

	return dots && number_of(span_make(text.data, n), min) &&
	       number_of(span_make(dots + 2, text.len - n - 2), max) && *min <= *max && *max;
}

bool edi_is_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!(name.data[i] >= 'a' && name.data[i] <= 'z') && !isdigit((unsigned char)name.data[i]) &&
		    name.data[i] != '-')
			return false;
	return name.len && name.len <= EDI_NAME_MAX;
}

/* unit-2 and unit2 are both unit2 there. */
bool edi_same_key(const char *a, const char *b)
{
	for (;; a++, b++) {
		bool up_a = *a == '-' && a[1], up_b = *b == '-' && b[1];

		a += up_a;
		b += up_b;
		if ((up_a ? toupper((unsigned char)*a) : *a) != (up_b ? toupper((unsigned char)*b) : *b))
			return false;
		if (!*a)
			return true;
	}
}

/* `unit-price` is the key unitPrice, which jq takes without quotes; a position TAG04-1 is TAG04_1. */
struct edi_label edi_label(struct arena *arena, const char *name, const char *behind)
{
	size_t room = strlen(name) + strlen(behind) + EDI_LABEL_SLACK, n = 0;
	bool words = *name >= 'a' && *name <= 'z';
	char *text = arena_alloc(arena, room);

	text[n++] = '"';
	for (; *name; name++) {
		if (*name == '-' && words && name[1])
			text[n++] = (char)toupper((unsigned char)*++name);
		else
			text[n++] = *name == '-' ? '_' : *name;
	}
	n += (size_t)snprintf(text + n, room - n, "%s\":\"", behind);
	return (struct edi_label){text, n - 1};
}

/* ---- the structure */
void edi_node_insert(struct edi_library *library, struct edi_node *parent, size_t at, struct edi_node *node)
{
	struct edi_node **children = arena_alloc(library->arena, (parent->count + 2u) * sizeof(struct edi_node *));

	if (at)
		memcpy(children, parent->children, at * sizeof(struct edi_node *));
	children[at] = node;
	if (at < parent->count)
		memcpy(children + at + 1, parent->children + at, (parent->count - at) * sizeof(struct edi_node *));
	parent->children = children;
	parent->count++;
}

static void read_structure(struct edi_library *library, struct edi_grammar *grammar, const struct node *list,
			   struct edi_node *parent)
{
	if (!list || list->type != NODE_LIST || !list->count) {
		if (list)
			EDI_COMPLAIN(library, list, "grammar.form", "the structure is a list of segments and loops");
		return;
	}
	for (size_t i = 0; i < list->count && grammar->nodes < EDI_NODES_MAX; i++) {
		struct edi_node *node = edi_node_read(library, grammar, list->items[i], parent);

		if (node)
			edi_node_insert(library, parent, parent->count, node);
	}
}

static bool read_use(struct edi_library *library, const struct node *node, struct edi_node *into)
{
	struct span words[3];
	size_t n = edi_words(library, node, words, 3);

	into->max = 1;
	if (n >= 1 && n <= 2 && edi_use_of(words[0], &into->use) && (n == 1 || edi_max_of(words[1], &into->max)))
		return true;
	if (n)
		EDI_COMPLAIN(library, node, "grammar.use", "the use of a loop is USE [MAX], as in `O 200`");
	return false;
}

static struct edi_node *read_loop(struct edi_library *library, struct edi_grammar *grammar, const struct node *map,
				  struct edi_node *node)
{
	const struct node *use = node_find(map, "use"), *structure = node_find(map, "structure");
	const struct edi_node *first;

	edi_check_keys(library, map, "loop|use|structure|title|note");
	node->loop = true;
	node->name = edi_text_of(library, map, "loop", true);
	if (node->name && !edi_is_name(span_of(node->name)))
		EDI_COMPLAIN(library, node_find(map, "loop"), "grammar.name",
			     "`%s` is no name of small letters, digits and -, at most %d", node->name, EDI_NAME_MAX);
	if (!use || !structure) {
		EDI_COMPLAIN(library, map, "grammar.form", "a loop has a name, its use and its structure");
		return NULL;
	}
	read_use(library, use, node);
	if (node->depth >= EDI_DEPTH_MAX) {
		EDI_COMPLAIN(library, map, "grammar.limit", "loops lie within loops deeper than %d", EDI_DEPTH_MAX);
		return NULL;
	}
	read_structure(library, grammar, structure, node);
	first = node->count ? node->children[0] : NULL;
	if (!first || first->loop || first->use != EDI_MANDATORY || first->max != 1) {
		EDI_COMPLAIN(library, structure, "grammar.loop", "a loop begins with a segment that is M 1");
		return NULL;
	}
	node->key = first->key;
	return node->name ? node : NULL;
}

struct edi_node *edi_node_read(struct edi_library *library, struct edi_grammar *grammar, const struct node *item,
			       struct edi_node *parent)
{
	struct edi_node *node = arena_alloc(library->arena, sizeof *node);
	struct span words[5];
	size_t n;

	*node = (struct edi_node){.parent = parent, .depth = (uint16_t)(parent->depth + 1), .max = 1};
	if (++grammar->nodes == EDI_NODES_MAX)
		EDI_COMPLAIN(library, item, "grammar.limit", "there are more than %d segments and loops",
			     EDI_NODES_MAX);
	if (item->type == NODE_MAP)
		return read_loop(library, grammar, item, node);
	n = edi_words(library, item, words, 5);
	if (!n)
		return NULL;
	if (n < 3 || n > 4 || !edi_use_of(words[1], &node->use) || !edi_max_of(words[2], &node->max)) {
		EDI_COMPLAIN(library, item, "grammar.use", "a segment is TAG USE MAX [NAME], as in `REF O >1`");
		return NULL;
	}
	node->key = words[0].len <= 3 ? edi_key(words[0].data, words[0].len) : 0;
	node->form = node->key ? edi_form_find(grammar->dictionary, node->key) : NULL;
	if (!node->form) {
		EDI_COMPLAIN(library, item, "grammar.segment", "the dictionary has no segment `%.*s`",
			     SPAN_ARGS(words[0]));
		return NULL;
	}
	if (n == 4 && !edi_is_name(words[3]))
		EDI_COMPLAIN(library, item, "grammar.name",
			     "`%.*s` is no name of small letters, digits and -, at most %d", SPAN_ARGS(words[3]),
			     EDI_NAME_MAX);
	else if (n == 4)
		node->name = arena_span(library->arena, words[3]).data;
	return node;
}

/* ---- finding places in it */
static struct edi_node *child_of(struct edi_node *parent, struct span name)
{
	for (size_t i = 0; i < parent->count; i++)
		if (parent->children[i]->name && span_is(name, parent->children[i]->name))
			return parent->children[i];
	for (size_t i = 0; i < parent->count; i++)
		if (!parent->children[i]->loop && span_is(name, parent->children[i]->form->tag))
			return parent->children[i];
	return NULL;
}

struct edi_node *edi_node_find(struct edi_node *root, struct span path)
{
	while (root && path.len) {
		const char *slash = memchr(path.data, '/', path.len);
		size_t n = slash ? (size_t)(slash - path.data) : path.len;

		root = child_of(root, span_make(path.data, n));
		path = slash ? span_make(slash + 1, path.len - n - 1) : SPAN_NONE;
	}
	return root;
}

struct edi_node *edi_element_find(struct edi_node *root, struct span path, unsigned *element, unsigned *component)
{
	struct edi_node *node = edi_node_find(root, path);
	const struct edi_form *form;
	size_t n = path.len;

	*element = *component = 0;
	if (node)
		return node;
	while (n && isdigit((unsigned char)path.data[n - 1]))
		n--;
	if (n && n < path.len && path.len - n <= 2 && path.data[n - 1] == '-') {
		*component = (unsigned)atoi(path.data + n);
		path.len = n - 1;
	}
	if (path.len < 4 || !isdigit((unsigned char)path.data[path.len - 1]) ||
	    !isdigit((unsigned char)path.data[path.len - 2]))
		return NULL;
	*element = (unsigned)(path.data[path.len - 2] - '0') * 10 + (unsigned)(path.data[path.len - 1] - '0');
	path.len -= 2;
	node = edi_node_find(root, path);
	form = node && !node->loop ? node->form : NULL;
	if (!form || !*element || *element > form->slots_count || *component > form->slots[*element - 1].parts_count)
		return NULL;
	return node;
}

/* ---- when all of it was read */
static const char *free_name(struct arena *arena, const struct edi_node *parent, size_t n, const char *name)
{
	const char *tried = name;
	size_t again = 1;

	for (size_t i = 0; i < n; i++)
		if (parent->children[i]->name && edi_same_key(parent->children[i]->name, tried)) {
			tried = arena_printf(arena, "%s-%zu", name, ++again);
			i = (size_t)-1;
		}
	return tried;
}

static const char *free_tag(struct arena *arena, const struct edi_node *parent, size_t n)
{
	const struct edi_node *node = parent->children[n];
	size_t before = 0;

	for (size_t i = 0; i < n; i++)
		before += !parent->children[i]->loop && parent->children[i]->key == node->key;
	return before ? arena_printf(arena, "%s-%zu", node->form->tag, before + 1) : node->form->tag;
}

static void finish(struct edi_library *library, struct edi_node *parent, const struct node *file)
{
	struct arena *arena = library->arena;
	uint32_t *keys = arena_alloc(arena, (parent->count + 8u) * sizeof *keys);
	uint8_t *uses = arena_alloc(arena, parent->count + 8u);

	for (size_t i = 0; i < parent->count; i++) {
		struct edi_node *node = parent->children[i];

		for (size_t k = 0; k < i && node->name; k++)
			if (parent->children[k]->name && edi_same_key(parent->children[k]->name, node->name)) {
				EDI_COMPLAIN(library, file, "grammar.name", "two things of a loop are called `%s`",
					     node->name);
				break;
			}
		keys[i] = node->key;
		uses[i] = (uint8_t)node->use;
		node->index = (uint16_t)i;
		node->parent = parent;
	}
	for (size_t i = 0; i < parent->count; i++) {
		struct edi_node *node = parent->children[i];

		if (!node->name)
			node->name = free_name(arena, parent, parent->count, node->form->name);
		node->by_name = edi_label(arena, node->name, "");
		node->by_position = node->loop ? node->by_name : edi_label(arena, free_tag(arena, parent, i), "");
		if (node->loop)
			finish(library, node, file);
	}
	parent->keys = keys;
	parent->uses = uses;
	for (uint32_t i = 0; i < parent->count; i++)
		if (uses[i] == EDI_MANDATORY)
			parent->needed_until = i + 1;
}

/* "x12 004010 850", "edifact D 96A ORDERS" */
static void read_what(struct edi_library *library, struct edi_grammar *grammar, const struct node *root)
{
	const struct node *node = node_find(root, "grammar");
	struct span words[5] = {SPAN_NONE};
	size_t n = node ? edi_words(library, node, words, 5) : 0;
	bool edifact = n && span_is(words[0], "edifact");

	if (!node || n != (edifact ? 4 : 3) || (!edifact && !span_is(words[0], "x12"))) {
		EDI_COMPLAIN(library, node ? node : root, "grammar.what",
			     "`grammar` says for what it is, as in `x12 004010 850` or `edifact D 96A ORDERS`");
		return;
	}
	grammar->format = edifact ? "edifact" : "x12";
	grammar->version = edifact ? arena_printf(library->arena, "%.*s %.*s", SPAN_ARGS(words[1]), SPAN_ARGS(words[2]))
				   : arena_span(library->arena, words[1]).data;
	grammar->type = arena_span(library->arena, words[n - 1]).data;
}

static int build(struct edi_library *library, struct edi_grammar *grammar, struct edi_source *source);

static int build_overlay(struct edi_library *library, struct edi_grammar *grammar, struct edi_source *source,
			 const struct node *extends)
{
	const char *name = edi_text_of(library, source->root, "extends", true);
	struct edi_source *base = name ? edi_source_get(library, name, extends->place) : NULL;
	struct edi_grammar own = {0};
	int failed;

	if (!base || !base->root)
		return -1;
	if (base->open) {
		EDI_COMPLAIN(library, extends, "grammar.file", "edi/%s extends itself", name);
		return -1;
	}
	failed = build(library, grammar, base);
	if (failed)
		return -1;
	read_what(library, &own, source->root);
	if (own.type && (strcmp(own.format, grammar->format) || strcmp(own.version, grammar->version) ||
			 strcmp(own.type, grammar->type)))
		EDI_COMPLAIN(library, node_find(source->root, "grammar"), "grammar.what",
			     "edi/%s is for %s %s %s, and this must be, too", name, grammar->format, grammar->version,
			     grammar->type);
	grammar->overlay = true;
	grammar->file = source->name;
	grammar->dictionary =
		edi_dictionary_new(library, source->name, source->root, grammar->dictionary, grammar->dictionary->of);
	if (node_find(source->root, "change"))
		edi_changes_apply(library, grammar, node_find(source->root, "change"));
	return 0;
}

static int build_grammar(struct edi_library *library, struct edi_grammar *grammar, struct edi_source *source)
{
	const struct node *structure = node_find(source->root, "structure"),
			  *named = node_find(source->root, "dictionary");
	const char *name = edi_text_of(library, source->root, "dictionary", true);
	struct edi_dictionary *dictionary = name ? edi_dictionary_get(library, name, named->place) : NULL;
	const char *of = dictionary ? dictionary->of : NULL;

	read_what(library, grammar, source->root);
	if (!dictionary || !grammar->type)
		return -1;
	if (strncmp(of, grammar->format, strlen(grammar->format)) || !strstr(of, grammar->version))
		EDI_COMPLAIN(library, named, "grammar.what", "edi/%s is the dictionary of %s", name, of);
	grammar->file = source->name;
	grammar->dictionary = edi_dictionary_new(library, source->name, source->root, dictionary, of);
	if (!structure) {
		EDI_COMPLAIN(library, source->root, "grammar.form",
			     "a grammar has a structure, or extends one that has");
		return -1;
	}
	read_structure(library, grammar, structure, &grammar->root);
	return 0;
}

static void read_unit(struct edi_library *library, struct edi_grammar *grammar, const struct node *item)
{
	struct span path = item->type == NODE_SCALAR ? item->text : SPAN_NONE;
	unsigned element = 0, component = 0;
	struct edi_node *node = edi_element_find(&grammar->root, path, &element, &component);
	struct edi_unit *unit = &grammar->units[grammar->units_count];

	if (!node || node->loop || !element || component) {
		EDI_COMPLAIN(library, item, "grammar.unit",
			     "`%.*s` is no element of a segment of this grammar, as lines/PO101 is one",
			     SPAN_ARGS(path));
		return;
	}
	if (grammar->units_count == EDI_UNITS_MAX) {
		EDI_COMPLAIN(library, item, "grammar.limit", "there are more than %d units", EDI_UNITS_MAX);
		return;
	}
	node->unit = true;
	*unit = (struct edi_unit){.node = node, .element = (uint8_t)element};
	snprintf(unit->says, sizeof unit->says, "%.3s%02u", node->form->tag, element % 100);
	/* Those of inner loops go behind those of outer ones. */
	for (; unit > grammar->units && unit[-1].node->depth > unit->node->depth; unit--) {
		struct edi_unit other = unit[-1];

		unit[-1] = *unit;
		*unit = other;
	}
	grammar->units_count++;
}

/* `units: [BEG03, lines/PO101]`; an overlay's go in place of those that it extends. */
static void read_units(struct edi_library *library, struct edi_grammar *grammar, const struct node *list)
{
	if (list->type != NODE_LIST || !list->count) {
		EDI_COMPLAIN(library, list, "grammar.form",
			     "`units` is a list of elements, as in [BEG03, lines/PO101]");
		return;
	}
	grammar->units_count = 0;
	for (size_t i = 0; i < list->count; i++)
		read_unit(library, grammar, list->items[i]);
}

static int build(struct edi_library *library, struct edi_grammar *grammar, struct edi_source *source)
{
	const struct node *extends = node_find(source->root, "extends"), *balance = node_find(source->root, "balance");
	size_t errors = library->findings->errors;
	int failed;

	edi_check_keys(library, source->root,
		       extends ? "grammar|title|source|left-out|extends|change|balance|units|segments|composites|"
				 "elements|codes"
			       : "grammar|title|source|left-out|dictionary|structure|balance|units|segments|composites|"
				 "elements|codes");
	source->open = true;
	failed = extends ? build_overlay(library, grammar, source, extends) : build_grammar(library, grammar, source);
	source->open = false;
	grammar->title = edi_text_of(library, source->root, "title", false);
	/* What they name may not be there for another reason. */
	if (!failed && balance && library->findings->errors == errors)
		edi_balances_read(library, grammar, balance);
	if (!failed && node_find(source->root, "units") && library->findings->errors == errors)
		read_units(library, grammar, node_find(source->root, "units"));
	return failed;
}

struct edi_grammar *edi_grammar_read(struct edi_library *library, const char *name, struct place asked)
{
	struct edi_source *source = edi_source_get(library, name, asked);
	struct edi_grammar *grammar = arena_alloc(library->arena, sizeof *grammar);
	size_t errors = library->findings->errors;

	if (!source || !source->root || build(library, grammar, source))
		return NULL;
	finish(library, &grammar->root, source->root);
	return library->findings->errors == errors ? grammar : NULL;
}

void edi_file_read(struct edi_library *library, const char *name)
{
	struct place place = {arena_printf(library->arena, "edi/%s", name), 1, 1};
	struct edi_source *source = edi_source_get(library, name, place);

	if (!source || !source->root)
		return;
	if (node_find(source->root, "dictionary") && !node_find(source->root, "grammar"))
		edi_dictionary_get(library, name, place);
	else
		edi_grammar_read(library, name, place);
}
