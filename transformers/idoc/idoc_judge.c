/* An IDoc held against its layout: how often segments stand where, in which order, and, of XML, what flat files tell
 * while they are read. See idoc.h. */
#include "config.h"
#include "transformers/idoc/idoc.h"

#include <stdio.h>

#define PATH_MAX_TOLD 200

static const struct idoc_segment idoc_unknown = {.type = ""};

struct judging {
	const struct idoc *idoc;
	const char *idoctyp; /* of the control record, or NULL */
	unsigned what;
	char path[PATH_MAX_TOLD];
	struct error *why;
};

static int fault(const struct judging *j, const char *code, const char *type, const char *what)
{
	error_set(j->why, ERROR_REJECT, code, "%s%s%s: %s", j->path, *j->path ? "/" : "", type, what);
	return error_place(j->why, "%s%s%s", j->path, *j->path ? "/" : "", type);
}

/* Of another type that is named, too. */
static bool is_other(const struct judging *j, const struct idoc_segment *segment)
{
	return j->idoctyp && segment->idoc && strcmp(j->idoctyp, segment->idoc) != 0;
}

/* ---- how often */
static int judge_count(const struct judging *j, const struct idoc_segment *segment, size_t n)
{
	char text[120];

	if (is_other(j, segment))
		return 0;
	if (n < segment->min) {
		snprintf(text, sizeof text, "there are %zu of it, and at least %zu must be", n, segment->min);
		return fault(j, "idoc.missing", segment->type, n ? text : "it must be there");
	}
	if (segment->max && n > segment->max) {
		snprintf(text, sizeof text, "there are %zu of it, and at most %zu may be", n, segment->max);
		return fault(j, "idoc.repeat", segment->type, text);
	}
	return 0;
}

static int judge_children(const struct judging *j, const json_t *object, const struct idoc_segment *of)
{
	const struct idoc_segment *child = of ? of->child : j->idoc->layout.child;

	for (; child; child = child->next)
		if (judge_count(j, child, json_array_size(json_object_get(object, child->type))))
			return -1;
	return 0;
}

/* ---- in which order */
/* The first segment from `from` on of this type, and, when that is told, of the same file as another. */
static const struct idoc_segment *behind(const struct judging *j, const struct idoc_segment *from, const char *type,
					 const struct idoc_segment *other)
{
	while (from && (strcmp(from->type, type) != 0 || is_other(j, from) || (other && other->file != from->file)))
		from = from->next;
	return from;
}

/* Where the last one stands among its layout's; of each file, as an extension does not say where in its type it is. */
struct ordered {
	const struct idoc_segment *first, *at[IDOC_FILES_MAX];
};

static int judge_place(const struct judging *j, struct ordered *ordered, const char *type)
{
	const struct idoc_segment *known = behind(j, ordered->first, type, NULL), *found;
	char text[120];

	if (!known || known->file >= IDOC_FILES_MAX)
		return 0; /* unknown, or not of this place */
	found = behind(j, ordered->at[known->file] ? ordered->at[known->file] : known, type, known);
	if (found) {
		ordered->at[known->file] = found;
		return 0;
	}
	snprintf(text, sizeof text, "it stands behind %.30s, and belongs in front of it",
		 ordered->at[known->file]->type);
	return fault(j, "idoc.order", type, text);
}

static int judge_order(const struct judging *j, const json_t *object, const struct idoc_segment *of)
{
	struct ordered ordered = {.first = of ? of->child : j->idoc->layout.child};
	const json_t *order = json_object_get(object, "#order");
	const char *type;
	json_t *list;

	if (json_is_array(order)) {
		for (size_t i = 0; i < json_array_size(order); i++) {
			type = json_string_value(json_array_get(order, i));
			if (type && judge_place(j, &ordered, type))
				return -1;
		}
		return 0;
	}
	json_object_foreach((json_t *)(uintptr_t)object, type, list)
		if (json_is_array(list) && type[0] != '#' && judge_place(j, &ordered, type))
			return -1;
	return 0;
}

/* ---- what stands in a segment */
static size_t characters(const json_t *text)
{
	const char *bytes = json_string_value(text);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(text); i++)
		n += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return n;
}

static int judge_field(const struct judging *j, const struct idoc_segment *known, const char *name, const json_t *value)
{
	char text[160];

	for (size_t i = 0; i < known->fields_count; i++) {
		if (strcmp(known->fields[i].name, name) != 0)
			continue;
		if (characters(value) <= known->fields[i].length)
			return 0;
		snprintf(text, sizeof text, "%.60s has %zu characters, and room for %zu", name, characters(value),
			 known->fields[i].length);
		return fault(j, "idoc.length", known->type, text);
	}
	snprintf(text, sizeof text, "the layout has no field %.60s", name);
	return fault(j, "idoc.field", known->type, text);
}

static int judge_content(const struct judging *j, const char *type, const struct idoc_segment *known,
			 const struct idoc_segment *above, const json_t *object)
{
	const char *name;
	json_t *value;

	if (!known)
		return j->idoc->settings->unknown == IDOC_REJECT ? fault(j, "idoc.segment", type, "no layout has it")
								 : 0;
	if (known->parent && (!above || strcmp(above->type, known->parent) != 0))
		return fault(j, "idoc.parent", type, "it does not stand below the segment that the layout says");
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
		if (json_is_string(value) && judge_field(j, known, name, value))
			return -1;
	return 0;
}

static int judge_object(struct judging *j, const json_t *object, const struct idoc_segment *of, size_t depth)
{
	size_t end = strlen(j->path), i;
	const char *type;
	json_t *list, *segment;

	if (depth > IDOC_DEPTH_MAX)
		return fault(j, "idoc.too-large", "", "segments are nested more than 20 deep");
	if ((j->what & IDOC_STRUCTURE) && (judge_children(j, object, of) || judge_order(j, object, of)))
		return -1;
	json_object_foreach((json_t *)(uintptr_t)object, type, list) {
		const struct idoc_segment *known = NULL;

		if (!json_is_array(list) || type[0] == '#')
			continue;
		known = idoc_segment_find(&j->idoc->layout, span_of(type));
		json_array_foreach(list, i, segment) {
			if ((j->what & IDOC_CONTENT) && judge_content(j, type, known, of, segment))
				return -1;
			snprintf(j->path + end, sizeof j->path - end, "%s%s[%zu]", end ? "/" : "", type, i + 1);
			/* Below one that no layout has nothing is known. */
			if ((known || (j->what & IDOC_CONTENT)) &&
			    judge_object(j, segment, known ? known : &idoc_unknown, depth + 1))
				return -1;
			j->path[end] = '\0';
		}
	}
	return 0;
}

int idoc_judge(const struct idoc *idoc, const json_t *tree, unsigned what, struct error *why)
{
	struct judging j = {.idoc = idoc,
			    .idoctyp = json_string_value(json_object_get(json_object_get(tree, "control"), "IDOCTYP")),
			    .what = what | (idoc->settings->check ? IDOC_STRUCTURE : 0),
			    .why = why};

	return j.what ? judge_object(&j, json_object_get(tree, "data"), NULL, 0) : 0;
}
