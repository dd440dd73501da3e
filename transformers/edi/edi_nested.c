/* Loops of the nested form, and the segments in them, in the grammar's order. See edi_nested.h. */
#include "config.h"
#include "transformers/edi/edi_nested.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/finding.h"
#include "base/tree.h"

#define PATH_MAX_BYTES 4096
#define KNOWN_SHOWN 10

/* ---- what people are told */
int edi_nesting_refuse(struct edi_nesting *n, const char *kind, const char *key, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return edi_fault(n->error, n->sink->dialect, kind, "%.*s%s%.60s: %s", SPAN_ARGS(buf_view(&n->path)),
			 key ? "." : "", key ? key : "", text);
}

static char *text_of_label(const struct edi_label *label)
{
	return mem_span_dup(span_make(label->text + 1, label->len - 3));
}

int edi_nesting_unknown(struct edi_nesting *n, const char *key, const char *where, const struct edi_label **labels,
			size_t count)
{
	char **names = mem_alloc((count + 1) * sizeof *names);
	const char *near;
	struct buf all;
	int result;

	buf_init(&all, 2048);
	for (size_t i = 0; i < count; i++) {
		names[i] = text_of_label(labels[i]);
		if (i < KNOWN_SHOWN)
			buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	if (count > KNOWN_SHOWN)
		buf_printf(&all, " and %zu more", count - KNOWN_SHOWN);
	near = nearest_name(span_of(key), (const char *const *)names, count);
	if (near)
		result =
			edi_nesting_refuse(n, "document", key, "there is no such member in %s of %s; the nearest is %s",
					   where, n->grammar->file, near);
	else
		result = edi_nesting_refuse(n, "document", key, "there is no such member in %s of %s; there are %.*s",
					    where, n->grammar->file, SPAN_ARGS(buf_view(&all)));
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	buf_free(&all);
	return result;
}

/* ---- small things */
bool edi_label_is(const struct edi_label *label, const char *key, size_t len)
{
	return label->len == len + 3 && !memcmp(label->text + 1, key, len);
}

static bool is_nothing(const json_t *value, int depth)
{
	const json_t *item;
	const char *key;
	size_t i;

	if (!value || json_is_null(value))
		return true;
	if (json_is_string(value))
		return !json_string_length(value);
	if ((!json_is_array(value) && !json_is_object(value)) || depth > 3)
		return false;
	json_array_foreach(value, i, item)
		if (!is_nothing(item, depth + 1))
			return false;
	json_object_foreach((json_t *)(uintptr_t)value, key, item)
		if (!is_nothing(item, depth + 1))
			return false;
	return true;
}

bool edi_is_nothing(const json_t *value)
{
	return is_nothing(value, 0);
}

/* A loop or segment that does not come: null, or an empty list. */
static bool is_absent(const json_t *value)
{
	return !value || json_is_null(value) || (json_is_array(value) && !json_array_size(value));
}

static size_t push(struct edi_nesting *n, const struct edi_label *label, size_t index, bool list)
{
	size_t was = n->path.len;

	buf_printf(&n->path, ".%.*s", (int)label->len - 3, label->text + 1);
	if (list)
		buf_printf(&n->path, "[%zu]", index);
	return was;
}

static void pop(struct edi_nesting *n, size_t was)
{
	n->path.len = was;
	n->path.full = false;
}

/* ---- segments that the structure had no place for, by their number */
static int put_unplaced(struct edi_nesting *n, bool all)
{
	const json_t *item;

	while ((item = json_array_get(n->unplaced, n->unplaced_next)) != NULL) {
		const json_t *number = json_array_get(item, 0), *segment = json_array_get(item, 1);

		if (!json_is_integer(number) || !json_is_array(segment))
			return edi_fault(n->error, n->sink->dialect, "document",
					 "unplaced[%zu]: it is no array of a segment's number and the segment",
					 n->unplaced_next);
		/* The opening segment is number 1. */
		if (!all && json_integer_value(number) > (json_int_t)n->place->segment + 2)
			return 0;
		if (edi_put_segment(n->sink, segment, false, n->error))
			return error_wrap(n->error, "unplaced[%zu]", n->unplaced_next);
		n->place->segment++;
		n->unplaced_next++;
	}
	return 0;
}

/* ---- loops */
static int unknown_child(struct edi_nesting *n, const struct edi_node *loop, const char *key)
{
	const struct edi_label **labels = mem_alloc((loop->count + 1u) * sizeof *labels);
	char where[EDI_NAME_MAX + 16];
	int result;

	for (uint32_t i = 0; i < loop->count; i++)
		labels[i] = &loop->children[i]->by_name;
	snprintf(where, sizeof where, loop->parent ? "the loop %s" : "the document%s", loop->parent ? loop->name : "");
	result = edi_nesting_unknown(n, key, where, labels, loop->count);
	free(labels);
	return result;
}

/* Which child a key means; the count: none. Keys come in the grammar's order as a rule. */
static uint32_t child_of(const struct edi_node *loop, const char *key, uint32_t from)
{
	size_t len = strlen(key);

	for (uint32_t k = 0; k < loop->count; k++) {
		uint32_t i = from + k < loop->count ? from + k : from + k - loop->count;
		const struct edi_node *child = loop->children[i];

		if (edi_label_is(&child->by_name, key, len) || edi_label_is(&child->by_position, key, len))
			return i;
	}
	return loop->count;
}

static int sort_members(struct edi_nesting *n, const struct edi_node *loop, const json_t *object, const json_t **values)
{
	const json_t *value;
	const char *key;
	uint32_t at = 0;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		at = child_of(loop, key, at);
		if (at == loop->count)
			return unknown_child(n, loop, key);
		if (is_absent(value))
			continue;
		if (values[at])
			return edi_nesting_refuse(n, "document", key, "it is given by its name and by its position");
		values[at] = value;
	}
	return 0;
}

static int put_loop(struct edi_nesting *, const struct edi_node *, const json_t *object);

static int put_one(struct edi_nesting *n, const struct edi_node *child, const json_t *value)
{
	if (!json_is_object(value))
		return edi_nesting_refuse(n, "document", NULL, "a %s is an object", child->loop ? "loop" : "segment");
	if (child->loop)
		return put_loop(n, child, value);
	if (put_unplaced(n, false) || edi_put_form(n, child->form, value))
		return -1;
	n->place->segment++;
	return 0;
}

static int put_child(struct edi_nesting *n, const struct edi_node *child, const json_t *value)
{
	bool list = json_is_array(value);
	size_t count = list ? json_array_size(value) : 1;
	int failed = 0;

	if (child->max == 1 && count > 1)
		return edi_nesting_refuse(n, "document", child->name, "it may come once, and there are %zu of it",
					  count);
	for (size_t i = 0; !failed && i < count; i++) {
		size_t was = push(n, &child->by_name, i, list);

		failed = put_one(n, child, list ? json_array_get(value, i) : value);
		pop(n, was);
	}
	return failed;
}

static int put_loop(struct edi_nesting *n, const struct edi_node *loop, const json_t *object)
{
	const json_t **values = mem_alloc((loop->count + 1u) * sizeof *values);
	int failed = sort_members(n, loop, object, values);

	/* Without it the others would be read as parts of what stands in front. */
	if (!failed && loop->parent && !values[0])
		failed = edi_nesting_refuse(n, "document", loop->children[0]->name,
					    "the loop begins with this segment, %s, and it is not there",
					    loop->children[0]->form->tag);
	for (uint32_t i = 0; !failed && i < loop->count; i++)
		if (values[i])
			failed = put_child(n, loop->children[i], values[i]);
	free(values);
	return failed;
}

int edi_put_document(struct edi_sink *sink, const struct edi_grammar *grammar, const json_t *document,
		     const json_t *unplaced, struct edi_place *place, struct error *error)
{
	struct edi_nesting n = {.sink = sink, .grammar = grammar, .unplaced = unplaced, .place = place, .error = error};
	int failed;

	*place = (struct edi_place){0};
	buf_init(&n.path, PATH_MAX_BYTES);
	buf_text(&n.path, "document");
	if (!json_is_object(document) || (unplaced && !json_is_array(unplaced)))
		failed =
			edi_fault(error, sink->dialect, "document", "`document` is an object, and `unplaced` an array");
	else
		failed = put_loop(&n, &grammar->root, document) || put_unplaced(&n, true) ? -1 : 0;
	buf_free(&n.path);
	return failed;
}

/* ---- a line */
static int parse(const struct edi_encoder *encoder, struct span text, json_t **tree, struct error *error)
{
	*tree = NULL;
	if (!text.len)
		return 0;
	*tree = tree_parse_new(text, error);
	return *tree ? 0 : -1;
}

/* As the reader has it: the first six of GS08, "D 96A" of UNH. */
static void version_of(const struct edi_encoder *encoder, const json_t *group, const json_t *transaction, char into[48])
{
	const char *version = edi_fact(encoder->dialect == &edi_x12 ? group : transaction, "version"),
		   *release = edi_fact(transaction, "release");

	if (encoder->dialect != &edi_x12)
		snprintf(into, 48, "%.20s %.20s", version ? version : "", release ? release : "");
	else
		snprintf(into, 48, "%.6s", version ? version : edi_header_text(json_object_get(group, "header"), 8, 1));
}

static const struct edi_grammar *grammar_of(struct edi_encoder *encoder, const json_t *group, const json_t *transaction,
					    struct span file, struct error *error)
{
	const char *type = edi_fact(transaction, "type");
	const struct edi_grammar *grammar = NULL;
	char version[48];

	error_clear(error);
	version_of(encoder, group, transaction, version);
	type = type ? type : "";
	if (file.len > 2)
		file = span_make(file.data + 1, file.len - 2); /* without its quotes */
	if (encoder->grammars)
		grammar = edi_grammars_named(encoder->grammars, span_of(version), span_of(type), file);
	if (encoder->grammars && !grammar)
		grammar =
			edi_grammars_find(encoder->grammars, span_of(version), span_of(type), encoder->by_hand, error);
	if (!grammar && error->class == ERROR_NONE)
		edi_fault(error, encoder->dialect, "grammar",
			  "there is no grammar for %.40s %.40s, by which a nested document is written: %s", version,
			  type,
			  encoder->by_hand ? "name it with --set grammars=FILE" : "name one in `grammars` of the step");
	return grammar;
}

int edi_put_nested(struct edi_encoder *encoder, const struct edi_nested_line *line, struct edi_place *place,
		   struct error *error)
{
	json_t *group = NULL, *transaction = NULL, *document = NULL, *unplaced = NULL;
	const struct edi_grammar *grammar = NULL;
	int failed =
		parse(encoder, line->group, &group, error) || parse(encoder, line->transaction, &transaction, error) ||
		parse(encoder, line->document, &document, error) || parse(encoder, line->unplaced, &unplaced, error);

	if (!failed && !line->transaction.len)
		failed = edi_fault(error, encoder->dialect, "document", "a line with a `document` has a `transaction`");
	if (!failed)
		grammar = grammar_of(encoder, group, transaction, line->grammar, error);
	if (grammar)
		failed = edi_put_document(&encoder->sink, grammar, document, unplaced, place, error);
	json_decref(group);
	json_decref(transaction);
	json_decref(document);
	json_decref(unplaced);
	return grammar && !failed ? 0 : -1;
}
