/* Building the parts of an item from what the reader of XML comes upon. See xml_read.h. */
#include "config.h"
#include "transformers/xml/xml_read.h"

#include "base/tree.h"

#define NODES_MAX (TREE_VALUES_MAX / 2)

bool xml_is_idle(struct xml_reading *read, size_t bytes)
{
	if (read->stopped || !read->in_item || read->spoilt)
		return true;
	read->held += bytes;
	if (read->held > read->max)
		xml_spoil(read, "xml.too-large",
			  read->format->each ? "the element passes the limit of one tree"
					     : "the document passes the limit of one tree: split it with `each`");
	else if (read->nodes > NODES_MAX)
		xml_spoil(read, "xml.too-large", "more than a million elements and texts: split them with `each`");
	return read->spoilt || read->stopped;
}

/* ---- names */
static struct xml_name *name_new(struct xml_reading *read, const char *prefix, const char *local,
				 struct xml_name **slot)
{
	struct xml_name *name;

	if (++read->names_count > XML_NAMES_MAX) {
		xml_give_up(read, "xml.names", "there are more than 20,000 different names");
		return NULL;
	}
	name = arena_alloc(read->names_arena, sizeof *name);
	name->prefix = prefix;
	name->local = local;
	name->text = prefix ? arena_printf(read->names_arena, "%s:%s", prefix, local) : local;
	name->len = (uint32_t)strlen(name->text);
	name->next = *slot;
	*slot = name;
	return name;
}

/* The parser gives equal names at equal addresses. NULL: told to stop. */
static struct xml_name *name_of(struct xml_reading *read, const char *prefix, const char *local)
{
	uintptr_t hash = ((uintptr_t)local >> 2) * 31 + ((uintptr_t)prefix >> 2);
	struct xml_name **slot = &read->names[(hash ^ (hash >> 12)) % XML_NAME_SLOTS];

	for (struct xml_name *name = *slot; name; name = name->next)
		if (name->local == local && name->prefix == prefix)
			return name;
	return name_new(read, prefix, local, slot);
}

/* ---- building */
struct xml_part *xml_append(struct xml_reading *read, enum xml_kind kind)
{
	struct xml_part *part = arena_alloc(read->arena, sizeof *part), *up = read->open;

	part->kind = kind;
	part->parent = up;
	read->nodes++;
	if (!up && read->prolog_last)
		read->prolog_last->next = part;
	else if (!up)
		read->item.first = part;
	else if (up->last)
		up->last->next = part;
	else
		up->first = part;
	if (up)
		up->last = part;
	else
		read->prolog_last = part;
	return part;
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != ' ' && text.data[i] != '\n' && text.data[i] != '\t' && text.data[i] != '\r')
			return false;
	return true;
}

/* The text in front of what comes now. */
void xml_end_text(struct xml_reading *read)
{
	struct xml_part *part;

	if (!read->text.len)
		return;
	if (read->open && !xml_is_idle(read, sizeof *part)) {
		part = xml_append(read, XML_IS_TEXT);
		part->text = arena_span(read->arena, buf_view(&read->text));
		part->blank = is_blank(part->text);
	}
	buf_reset(&read->text);
}

static const char *declared_name(struct xml_reading *read, const char *prefix)
{
	return prefix ? arena_printf(read->arena, "xmlns:%s", prefix) : "xmlns";
}

static void add_attribute(struct xml_reading *read, struct xml_part *part, const char *name, struct span value)
{
	if (xml_is_idle(read, sizeof *part->attributes + strlen(name) + value.len))
		return;
	part->attributes[part->attributes_count++] = (struct xml_attribute){name, arena_span(read->arena, value)};
}

/* The name of an attribute without its prefix, unless another has that. */
static const char *local_name(struct xml_reading *read, const struct xml_part *part, const char *prefix,
			      const char *local)
{
	for (size_t i = 0; i < part->attributes_count; i++)
		if (!strcmp(part->attributes[i].name, local))
			return arena_printf(read->arena, "%s:%s", prefix ? prefix : "_", local);
	return arena_strdup(read->arena, local);
}

static bool is_declared(const unsigned char **namespaces, int count, const char *prefix)
{
	for (int i = 0; i < count; i++) {
		const char *own = (const char *)namespaces[2 * i];

		if (own == prefix || (own && prefix && !strcmp(own, prefix)))
			return true;
	}
	return false;
}

static bool is_inner(const struct xml_reading *read, size_t at)
{
	for (size_t i = at + 1; i < read->declared_count; i++)
		if (read->declared[i].prefix == read->declared[at].prefix)
			return false;
	return true;
}

/* An item is a document of its own: it takes along what was declared around it. */
static void add_outer_namespaces(struct xml_reading *read, struct xml_part *part, const unsigned char **namespaces,
				 int count)
{
	for (size_t i = 0; i < read->declared_count; i++)
		if (is_inner(read, i) && !is_declared(namespaces, count, read->declared[i].prefix))
			add_attribute(read, part, declared_name(read, read->declared[i].prefix),
				      span_of(read->declared[i].uri));
}

void xml_build(struct xml_reading *read, const char *prefix, const char *local, const unsigned char **namespaces,
	       int namespaces_count, const unsigned char **attributes, int attributes_count)
{
	bool as_written = read->format->settings->names == XML_NAMES_QUALIFIED;
	bool outer = read->depth == read->item_depth;
	size_t room = (size_t)(namespaces_count + attributes_count) + (outer ? read->declared_count : 0);
	struct xml_name *name = name_of(read, as_written ? prefix : NULL, local);
	struct xml_part *part;

	if (!name || xml_is_idle(read, sizeof *part + name->len))
		return;
	part = xml_append(read, XML_IS_ELEMENT);
	part->name = name;
	part->preserve = read->preserve[read->depth - 1];
	part->attributes = arena_alloc(read->arena, room * sizeof *part->attributes);
	for (size_t i = 0; i < read->format->arrays_count && !part->listed; i++)
		part->listed = xml_path_matches(&read->format->arrays[i], read->places, read->depth);
	for (int i = 0; i < namespaces_count && as_written; i++)
		add_attribute(read, part, declared_name(read, (const char *)namespaces[2 * i]),
			      span_of(namespaces[2 * i + 1] ? (const char *)namespaces[2 * i + 1] : ""));
	if (outer && as_written)
		add_outer_namespaces(read, part, namespaces, namespaces_count);
	for (int i = 0; i < attributes_count; i++) {
		const char *own = (const char *)attributes[5 * i], *of = (const char *)attributes[5 * i + 1];
		const unsigned char *value = attributes[5 * i + 3];

		add_attribute(read, part,
			      !as_written ? local_name(read, part, of, own)
			      : of        ? arena_printf(read->arena, "%s:%s", of, own)
					  : arena_strdup(read->arena, own),
			      span_make(value, (size_t)(attributes[5 * i + 4] - value)));
	}
	read->open = part;
}
