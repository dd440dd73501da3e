/* The JSON of what was read of an XML document. See xml.h, and docs/formats.md for the two forms. */
#include "config.h"
#include "transformers/xml/xml.h"

/* The children of an element that have one name, or its texts. */
struct xml_group {
	const struct xml_name *name; /* NULL: the texts */
	const struct xml_part **parts;
	size_t count, filled;
	bool listed;
	struct xml_group *next;
};

struct writer {
	struct buf *out;
	struct arena *arena; /* for groups; forgotten with the writer */
	uint64_t stamp;
	bool keep_space;
};

/* ---- strings */
static void write_escape(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		buf_append(out, "\\\"", 2);
		break;
	case '\\':
		buf_append(out, "\\\\", 2);
		break;
	case '\n':
		buf_append(out, "\\n", 2);
		break;
	case '\r':
		buf_append(out, "\\r", 2);
		break;
	case '\t':
		buf_append(out, "\\t", 2);
		break;
	default:
		buf_printf(out, "\\u%04x", c);
	}
}

static void write_chars(struct buf *out, struct span text)
{
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_append(out, text.data + from, i - from);
		write_escape(out, c);
		from = i + 1;
	}
	if (text.len > from)
		buf_append(out, text.data + from, text.len - from);
}

static void write_string(struct buf *out, struct span text)
{
	buf_char(out, '"');
	write_chars(out, text);
	buf_char(out, '"');
}

static void write_key(struct buf *out, const char *name, size_t len)
{
	buf_char(out, '"');
	buf_append(out, name, len); /* a name of XML has nothing to escape */
	buf_append(out, "\":", 2);
}

/* ---- the exact form */
static void write_exact(struct writer *, const struct xml_part *);

static void write_exact_list(struct writer *writer, const struct xml_part *first)
{
	buf_char(writer->out, '[');
	for (const struct xml_part *part = first; part; part = part->next) {
		if (part != first)
			buf_char(writer->out, ',');
		write_exact(writer, part);
	}
	buf_char(writer->out, ']');
}

static void write_exact_element(struct writer *writer, const struct xml_part *part)
{
	struct buf *out = writer->out;

	buf_text(out, "{\"name\":\"");
	buf_append(out, part->name->text, part->name->len);
	buf_char(out, '"');
	for (size_t i = 0; i < part->attributes_count; i++) {
		buf_text(out, i ? "," : ",\"attributes\":{");
		write_key(out, part->attributes[i].name, strlen(part->attributes[i].name));
		write_string(out, part->attributes[i].value);
	}
	if (part->attributes_count)
		buf_char(out, '}');
	if (part->first) {
		buf_text(out, ",\"children\":");
		write_exact_list(writer, part->first);
	}
	buf_char(out, '}');
}

static void write_member(struct buf *out, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", key);
	write_string(out, span_of(value));
}

static void write_exact(struct writer *writer, const struct xml_part *part)
{
	struct buf *out = writer->out;

	switch (part->kind) {
	case XML_IS_ELEMENT:
		write_exact_element(writer, part);
		return;
	case XML_IS_TEXT:
		write_string(out, part->text);
		return;
	case XML_IS_COMMENT:
		buf_text(out, "{\"comment\":");
		write_string(out, part->text);
		break;
	case XML_IS_INSTRUCTION:
		buf_text(out, "{\"instruction\":");
		write_string(out, span_of(part->target));
		if (part->text.data) {
			buf_text(out, ",\"data\":");
			write_string(out, part->text);
		}
		break;
	case XML_IS_DOCTYPE:
		buf_text(out, "{\"doctype\":");
		write_string(out, span_of(part->target));
		write_member(out, "public", part->public_id);
		write_member(out, "system", part->system_id);
		break;
	}
	buf_char(out, '}');
}

/* ---- the plain form */
static bool is_mixed(const struct writer *writer, const struct xml_part *element)
{
	if (writer->keep_space || element->preserve)
		return true;
	for (const struct xml_part *part = element->first; part; part = part->next)
		if (part->kind == XML_IS_TEXT && !part->blank)
			return true;
	return false;
}

struct grouped {
	struct xml_group *first, *texts;
	size_t members; /* of the order */
	bool scattered; /* the groups one behind the other are not the order of the document */
};

static struct xml_group *group_of(struct writer *writer, struct grouped *grouped, const struct xml_part *part,
				  struct xml_group ***end)
{
	struct xml_group *group = part->kind == XML_IS_TEXT            ? grouped->texts
				  : part->name->stamp == writer->stamp ? part->name->group
								       : NULL;

	if (group)
		return group;
	group = arena_alloc(writer->arena, sizeof *group);
	if (part->kind == XML_IS_TEXT) {
		grouped->texts = group;
	} else {
		group->name = part->name;
		part->name->stamp = writer->stamp;
		part->name->group = group;
	}
	**end = group;
	*end = &group->next;
	return group;
}

static bool counts(const struct xml_part *part, bool mixed)
{
	return part->kind == XML_IS_ELEMENT || (part->kind == XML_IS_TEXT && mixed);
}

/* Which children have a name in common; names remember their group while it is done. */
static struct grouped group_children(struct writer *writer, const struct xml_part *element, bool mixed)
{
	struct grouped grouped = {0};
	struct xml_group **end = &grouped.first, *last = NULL, *group;

	writer->stamp++;
	for (const struct xml_part *part = element->first; part; part = part->next) {
		if (!counts(part, mixed))
			continue;
		group = group_of(writer, &grouped, part, &end);
		if (group != last && group->count)
			grouped.scattered = true;
		group->count++;
		group->listed |= part->listed;
		grouped.members++;
		last = group;
	}
	for (group = grouped.first; group; group = group->next)
		group->parts = arena_alloc(writer->arena, group->count * sizeof *group->parts);
	for (const struct xml_part *part = element->first; part; part = part->next) {
		if (!counts(part, mixed))
			continue;
		group = part->kind == XML_IS_TEXT ? grouped.texts : part->name->group;
		group->parts[group->filled++] = part;
	}
	return grouped;
}

static void write_value(struct writer *, const struct xml_part *);

static void write_group(struct writer *writer, const struct xml_group *group)
{
	bool array = group->listed || group->count > 1;

	if (group->name)
		write_key(writer->out, group->name->text, group->name->len);
	else
		buf_text(writer->out, "\"#text\":");
	if (array)
		buf_char(writer->out, '[');
	for (size_t i = 0; i < group->count; i++) {
		if (i)
			buf_char(writer->out, ',');
		if (group->name)
			write_value(writer, group->parts[i]);
		else
			write_string(writer->out, group->parts[i]->text);
	}
	if (array)
		buf_char(writer->out, ']');
}

static void write_order(struct writer *writer, const struct xml_part *element, bool mixed)
{
	bool first = true;

	buf_text(writer->out, "\"#order\":[");
	for (const struct xml_part *part = element->first; part; part = part->next) {
		if (!counts(part, mixed))
			continue;
		buf_text(writer->out, first ? "\"" : ",\"");
		if (part->kind == XML_IS_TEXT)
			buf_text(writer->out, "#text");
		else
			buf_append(writer->out, part->name->text, part->name->len);
		buf_char(writer->out, '"');
		first = false;
	}
	buf_char(writer->out, ']');
}

/* Comments may lie between them. */
static void write_texts(struct writer *writer, const struct xml_part *element)
{
	buf_char(writer->out, '"');
	for (const struct xml_part *part = element->first; part; part = part->next)
		if (part->kind == XML_IS_TEXT)
			write_chars(writer->out, part->text);
	buf_char(writer->out, '"');
}

static bool has(const struct xml_part *element, enum xml_kind kind)
{
	for (const struct xml_part *part = element->first; part; part = part->next)
		if (part->kind == kind)
			return true;
	return false;
}

static void separate(struct buf *out, bool *any)
{
	if (*any)
		buf_char(out, ',');
	*any = true;
}

static void write_members(struct writer *writer, const struct xml_part *element, bool any)
{
	bool mixed = is_mixed(writer, element);
	struct grouped grouped = group_children(writer, element, mixed);

	for (const struct xml_group *group = grouped.first; group; group = group->next) {
		separate(writer->out, &any);
		write_group(writer, group);
	}
	if (grouped.scattered) {
		separate(writer->out, &any);
		write_order(writer, element, mixed);
	}
}

static void write_value(struct writer *writer, const struct xml_part *element)
{
	struct buf *out = writer->out;
	bool any = false, elements = has(element, XML_IS_ELEMENT);

	if (!elements && !element->attributes_count) {
		write_texts(writer, element);
		return;
	}
	buf_char(out, '{');
	for (size_t i = 0; i < element->attributes_count; i++) {
		separate(out, &any);
		buf_text(out, "\"@");
		buf_text(out, element->attributes[i].name);
		buf_text(out, "\":");
		write_string(out, element->attributes[i].value);
	}
	if (elements) {
		write_members(writer, element, any);
	} else if (has(element, XML_IS_TEXT)) {
		separate(out, &any);
		buf_text(out, "\"#text\":");
		write_texts(writer, element);
	}
	buf_char(out, '}');
}

static const struct xml_part *root_of(const struct xml_item *item)
{
	const struct xml_part *part = item->first;

	while (part->kind != XML_IS_ELEMENT)
		part = part->next;
	return part;
}

int xml_write_json(const struct xml_format *format, const struct xml_item *item, struct buf *out)
{
	struct writer writer = {.out = out, .arena = arena_new(), .keep_space = format->settings->space};
	const struct xml_part *root = root_of(item);

	/* Stamps of another item must not count. */
	writer.stamp = item->serial << 32;
	buf_char(out, '{');
	if (format->settings->form == XML_FORM_EXACT) {
		buf_text(out, "\"#document\":");
		write_exact_list(&writer, item->first);
	} else {
		write_key(out, root->name->text, root->name->len);
		write_value(&writer, root);
	}
	buf_char(out, '}');
	arena_free(writer.arena);
	return out->full ? -1 : 0;
}
