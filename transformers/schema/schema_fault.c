/* What is wrong, in sentences for people. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/finding.h"
#include "base/tree.h"
#include "base/utf8.h"

#define POINTER_MAX 16384
#define SHOWN_MAX 60 /* bytes of a value that a sentence shows */
#define LIST_MAX 200 /* bytes of a list of values */

/* ---- places */
void pointer_put(struct buf *pointer, struct span token)
{
	buf_char(pointer, '/');
	for (size_t i = 0; i < token.len; i++) {
		if (token.data[i] == '~')
			buf_text(pointer, "~0");
		else if (token.data[i] == '/')
			buf_text(pointer, "~1");
		else
			buf_char(pointer, token.data[i]);
	}
}

static void put_spot(struct buf *pointer, const struct spot *spot)
{
	if (!spot->up)
		return;
	put_spot(pointer, spot->up);
	if (spot->key)
		pointer_put(pointer, span_make(spot->key, spot->len));
	else
		buf_printf(pointer, "/%zu", spot->index);
}

static void put_rule(struct buf *pointer, const struct rule *rule)
{
	if (!rule->parent) {
		const char *address = rule->resource && !rule->resource->main ? rule->resource->uri : "";

		buf_text(pointer, address + (strncmp(address, SCHEMA_CONTRACT, strlen(SCHEMA_CONTRACT))
						     ? 0
						     : strlen(SCHEMA_CONTRACT)));
		buf_printf(pointer, "#%s", rule->start ? rule->start : "");
		return;
	}
	put_rule(pointer, rule->parent);
	pointer_put(pointer, span_of(rule->keyword));
	if (rule->key)
		pointer_put(pointer, span_of(rule->key));
	else if (rule->index >= 0)
		buf_printf(pointer, "/%ld", rule->index);
}

static char *take(struct buf *text)
{
	return text->data ? buf_take(text) : mem_strdup("");
}

char *rule_pointer(const struct rule *rule, const char *keyword)
{
	struct buf pointer;

	buf_init(&pointer, POINTER_MAX);
	put_rule(&pointer, rule);
	if (keyword)
		pointer_put(&pointer, span_of(keyword));
	return take(&pointer);
}

/* ---- faults */
void fault_put(struct schema_faults *faults, char *instance, char *schema, const char *keyword, char *message)
{
	if (faults->count < SCHEMA_FAULTS_MAX) {
		faults->list[faults->count++] = (struct schema_fault){instance, schema, keyword, message};
		return;
	}
	faults->more = true;
	free(instance);
	free(schema);
	free(message);
}

void schema_faults_free(struct schema_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		free(faults->list[i].instance);
		free(faults->list[i].schema);
		free(faults->list[i].message);
	}
	*faults = (struct schema_faults){.count = 0};
}

json_t *schema_faults_json_new(const struct schema_faults *faults)
{
	json_t *list = json_array();

	for (size_t i = 0; i < faults->count; i++) {
		const struct schema_fault *fault = &faults->list[i];

		json_array_append_new(list,
				      json_pack("{s:s s:s s:s s:s}", "instance", fault->instance, "schema",
						fault->schema, "keyword", fault->keyword, "message", fault->message));
	}
	return list;
}

static bool add_fault(struct check *check, const struct rule *rule, const char *keyword, const struct spot *spot,
		      struct buf *message)
{
	struct buf pointer, clean;

	buf_init(&pointer, POINTER_MAX);
	put_spot(&pointer, spot);
	buf_init(&clean, message->max * 4);
	utf8_clean(&clean, buf_view(message));
	buf_free(message);
	fault_put(check->faults, take(&pointer), rule_pointer(rule, keyword),
		  keyword         ? keyword
		  : rule->keyword ? rule->keyword
				  : "",
		  take(&clean));
	return false;
}

static void begin(const struct check *check, struct buf *message)
{
	buf_init(message, 2000);
	if (check->naming)
		buf_text(message, "has a name that may not stand here: it ");
}

bool check_fault(struct check *check, const struct rule *rule, const char *keyword, const struct spot *spot,
		 const char *format, ...)
{
	struct buf message;
	char text[800];
	va_list args;

	if (!check->faults)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	begin(check, &message);
	buf_text(&message, text);
	return add_fault(check, rule, keyword, spot, &message);
}

static void put_place(struct schema_faults *faults, const struct rule *rule, const char *keyword, const char *format,
		      va_list args)
{
	char text[800], *pointer = rule_pointer(rule, keyword), *hash = strchr(pointer, '#');

	vsnprintf(text, sizeof text, format, args);
	fault_put(faults, mem_strdup(hash ? hash + 1 : pointer), pointer, keyword ? keyword : "",
		  mem_printf("%s%s%s%s", keyword ? "`" : "", keyword ? keyword : "", keyword ? "` " : "", text));
}

void compile_fault(struct compile *compile, const struct rule *rule, const char *keyword, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_place(compile->faults, rule, keyword, format, args);
	va_end(args);
}

void compile_doubt(struct compile *compile, const struct rule *rule, const char *keyword, const char *format, ...)
{
	va_list args;

	if (!compile->doubts)
		return;
	va_start(args, format);
	put_place(compile->doubts, rule, keyword, format, args);
	va_end(args);
}

/* ---- values, as a sentence shows them */
static void put_clipped(struct buf *message, struct span text, size_t max)
{
	size_t n = text.len < max ? text.len : max;

	while (n < text.len && n && (text.data[n] & 0xc0) == 0x80)
		n--;
	buf_append(message, text.data, n);
	if (n < text.len)
		buf_text(message, "…");
}

static void put_json(struct buf *message, const json_t *value, size_t max)
{
	struct buf text;

	buf_init(&text, 64 * 1024);
	tree_write(&text, value, 0);
	put_clipped(message, buf_view(&text), max);
	buf_free(&text);
}

static void put_value(const struct check *check, struct buf *message, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		buf_text(message, "an object");
		return;
	case JSON_ARRAY:
		buf_text(message, "a list");
		return;
	case JSON_NULL:
		buf_text(message, "null");
		return;
	case JSON_TRUE:
		buf_text(message, "true");
		return;
	case JSON_FALSE:
		buf_text(message, "false");
		return;
	case JSON_STRING:
		buf_text(message, "the text");
		break;
	default:
		buf_text(message, check->secret ? "a number" : "the number");
		break;
	}
	if (check->secret)
		return;
	buf_char(message, ' ');
	put_json(message, value, SHOWN_MAX);
}

bool fault_type(struct check *check, const struct rule *rule, const char *keyword, unsigned types, const json_t *value,
		const struct spot *spot)
{
	static const char *const words[] = {"null",     "true or false", "an object",     "a list",
					    "a number", "a text",        "a whole number"};
	static const enum kind order[] = {KIND_OBJECT, KIND_ARRAY,   KIND_STRING, KIND_INTEGER,
					  KIND_NUMBER, KIND_BOOLEAN, KIND_NULL};
	unsigned left = types;
	struct buf message;

	if (!check->faults)
		return false;
	begin(check, &message);
	buf_text(&message, "must be ");
	for (size_t n = 0; left; n++) {
		unsigned kind = order[n];

		if (!(left & 1u << kind))
			continue;
		left &= ~(1u << kind);
		buf_printf(&message, "%s%s", words[kind], !left ? "" : left & (left - 1) ? ", " : " or ");
	}
	buf_text(&message, ", is ");
	put_value(check, &message, value);
	return add_fault(check, rule, keyword, spot, &message);
}

bool fault_enum(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot)
{
	const char *near = NULL;
	size_t n = json_array_size(rule->enumeration);
	struct buf message, list;

	if (!check->faults)
		return false;
	if (json_is_string(value) && !check->secret && json_string_length(value) < SHOWN_MAX)
		near = nearest_name(span_of(json_string_value(value)), rule->texts, rule->texts_count);
	buf_init(&list, 64 * 1024);
	for (size_t i = 0; i < n && list.len < LIST_MAX + 1; i++) {
		buf_text(&list, i ? ", " : "");
		put_json(&list, json_array_get(rule->enumeration, i), SHOWN_MAX);
	}
	begin(check, &message);
	buf_text(&message, n == 1 ? "must be " : n ? "must be one of " : "may have no value");
	put_clipped(&message, buf_view(&list), LIST_MAX);
	buf_free(&list);
	buf_text(&message, ", is ");
	put_value(check, &message, value);
	if (near)
		buf_printf(&message, NEAR, NEAR_ARGS(near));
	return add_fault(check, rule, "enum", spot, &message);
}

bool fault_const(struct check *check, const struct rule *rule, const json_t *value, const struct spot *spot)
{
	struct buf message;

	if (!check->faults)
		return false;
	begin(check, &message);
	buf_text(&message, "must be ");
	put_json(&message, rule->constant, LIST_MAX);
	buf_text(&message, ", is ");
	put_value(check, &message, value);
	return add_fault(check, rule, "const", spot, &message);
}

bool fault_bound(struct check *check, const struct rule *rule, const char *keyword, const json_t *bound,
		 const json_t *value, const struct spot *spot)
{
	const char *how = !strcmp(keyword, "minimum")            ? "at least "
			  : !strcmp(keyword, "maximum")          ? "at most "
			  : !strcmp(keyword, "exclusiveMinimum") ? "more than "
			  : !strcmp(keyword, "exclusiveMaximum") ? "less than "
								 : "a multiple of ";
	struct buf message;

	if (!check->faults)
		return false;
	begin(check, &message);
	buf_printf(&message, "must be %s", how);
	put_json(&message, bound, SHOWN_MAX);
	buf_text(&message, ", is ");
	put_value(check, &message, value);
	return add_fault(check, rule, keyword, spot, &message);
}

bool fault_text(struct check *check, const struct rule *rule, const char *keyword, const json_t *value,
		const struct spot *spot)
{
	const struct text_rules *text = rule->text;
	double bound = !strcmp(keyword, "minLength") ? text->min : text->max;
	struct buf message;

	if (!check->faults)
		return false;
	begin(check, &message);
	if (!strcmp(keyword, "pattern")) {
		buf_text(&message, "must match ");
		put_clipped(&message, span_of(pattern_text(text->pattern)), LIST_MAX);
	} else if (!strcmp(keyword, "format")) {
		buf_printf(&message, "must be %s", text->format->words);
	} else {
		buf_printf(&message, "must have at %s %.0f character%s, has %zu",
			   !strcmp(keyword, "minLength") ? "least" : "most", bound, bound == 1 ? "" : "s",
			   text_length(value));
		return add_fault(check, rule, keyword, spot, &message);
	}
	buf_text(&message, ", is ");
	put_value(check, &message, value);
	return add_fault(check, rule, keyword, spot, &message);
}

bool fault_member(struct check *check, const struct rule *rule, const char *keyword, const struct object_rules *object,
		  const struct spot *spot)
{
	const char *names[256], *near;
	size_t n = 0;

	if (!check->faults)
		return false;
	for (size_t i = 0; i < object->members_count && n < 256; i++)
		if (object->members[i].rule)
			names[n++] = object->members[i].key;
	near = spot->len < 100 ? nearest_name(span_make(spot->key, spot->len), names, n) : NULL;
	return check_fault(check, rule, keyword, spot, "is not allowed here" NEAR, NEAR_ARGS(near));
}
