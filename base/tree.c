/* JSON texts. See tree.h. */
#include "config.h"
#include "base/tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- writing */
struct writer {
	struct buf *buf;
	unsigned flags;
};

static void write_value(const struct writer *, const json_t *, int indent);

static void write_string(struct buf *buf, struct span text)
{
	size_t from = 0;

	buf_char(buf, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		const char *name = c == '"'    ? "\\\""
				   : c == '\\' ? "\\\\"
				   : c == '\n' ? "\\n"
				   : c == '\t' ? "\\t"
				   : c == '\r' ? "\\r"
					       : NULL;

		if (c >= 0x20 && !name)
			continue;
		buf_append(buf, text.data + from, i - from);
		from = i + 1;
		if (name)
			buf_text(buf, name);
		else
			buf_printf(buf, "\\u%04x", c);
	}
	buf_append(buf, text.data + from, text.len - from);
	buf_char(buf, '"');
}

static void write_real(struct buf *buf, double value)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_text(buf, text);
	if (!strpbrk(text, ".eE"))
		buf_text(buf, ".0");
}

static void new_line(const struct writer *writer, int indent)
{
	if (!(writer->flags & TREE_PRETTY))
		return;
	buf_char(writer->buf, '\n');
	for (int i = 0; i < indent; i++)
		buf_append(writer->buf, "  ", 2);
}

static void write_array(const struct writer *writer, const json_t *array, int indent)
{
	size_t n = json_array_size(array);

	buf_char(writer->buf, '[');
	for (size_t i = 0; i < n && !writer->buf->full; i++) {
		if (i)
			buf_char(writer->buf, ',');
		new_line(writer, indent + 1);
		write_value(writer, json_array_get(array, i), indent + 1);
	}
	if (n)
		new_line(writer, indent);
	buf_char(writer->buf, ']');
}

struct member {
	struct span key;
	const json_t *value;
};

static int by_key(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = memcmp(x->key.data, y->key.data, x->key.len < y->key.len ? x->key.len : y->key.len);

	return order ? order : (x->key.len > y->key.len) - (x->key.len < y->key.len);
}

static void write_member(const struct writer *writer, size_t i, struct span key, const json_t *value, int indent)
{
	if (i)
		buf_char(writer->buf, ',');
	new_line(writer, indent + 1);
	write_string(writer->buf, key);
	buf_text(writer->buf, writer->flags & TREE_PRETTY ? ": " : ":");
	write_value(writer, value, indent + 1);
}

static void write_sorted(const struct writer *writer, json_t *object, size_t n, int indent)
{
	struct member *members = mem_alloc(n * sizeof *members);
	size_t i = 0;

	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at), i++)
		members[i] = (struct member){span_make(json_object_iter_key(at), json_object_iter_key_len(at)),
					     json_object_iter_value(at)};
	qsort(members, n, sizeof *members, by_key);
	for (i = 0; i < n && !writer->buf->full; i++)
		write_member(writer, i, members[i].key, members[i].value, indent);
	free(members);
}

static void write_object(const struct writer *writer, const json_t *object, int indent)
{
	json_t *same = (json_t *)(uintptr_t)object; /* jansson iterates only over what it may change */
	size_t n = json_object_size(object), i = 0;

	buf_char(writer->buf, '{');
	if (writer->flags & TREE_SORTED)
		write_sorted(writer, same, n, indent);
	else
		for (void *at = json_object_iter(same); at && !writer->buf->full; at = json_object_iter_next(same, at))
			write_member(writer, i++, span_make(json_object_iter_key(at), json_object_iter_key_len(at)),
				     json_object_iter_value(at), indent);
	if (n)
		new_line(writer, indent);
	buf_char(writer->buf, '}');
}

static void write_value(const struct writer *writer, const json_t *value, int indent)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: write_object(writer, value, indent); break;
	case JSON_ARRAY: write_array(writer, value, indent); break;
	case JSON_STRING:
		write_string(writer->buf, span_make(json_string_value(value), json_string_length(value)));
		break;
	case JSON_INTEGER: buf_printf(writer->buf, "%lld", (long long)json_integer_value(value)); break;
	case JSON_REAL: write_real(writer->buf, json_real_value(value)); break;
	case JSON_TRUE: buf_text(writer->buf, "true"); break;
	case JSON_FALSE: buf_text(writer->buf, "false"); break;
	case JSON_NULL: buf_text(writer->buf, "null"); break;
	}
}

int tree_write(struct buf *buf, const json_t *tree, unsigned flags)
{
	struct writer writer = {buf, flags};

	write_value(&writer, tree, 0);
	return buf->full ? -1 : 0;
}

/* ---- reading */
struct where {
	int line, column;
};

static struct where where_is(struct span text, size_t at)
{
	struct where where = {1, 1};

	for (size_t i = 0; i < at && i < text.len; i++) {
		if (text.data[i] == '\n')
			where = (struct where){where.line + 1, 1};
		else if ((text.data[i] & 0xc0) != 0x80)
			where.column++;
	}
	return where;
}

static int refuse(struct error *error, const char *code, struct span text, size_t at, const char *what)
{
	struct where where = where_is(text, at);

	error_set(error, ERROR_REJECT, code, "%s at line %d, column %d (byte %zu)", what, where.line, where.column, at);
	return error_place(error, "line %d, column %d (byte %zu)", where.line, where.column, at);
}

/* jansson's own limit of depth is higher, it has none of values, and a bracket costs it much more than it costs us. */
static int check_size(struct span text, struct error *error)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > TREE_DEPTH_MAX)
				return refuse(error, "json.depth", text, i, "nested more than 512 deep");
			values++;
		} else if (c == ',') {
			values++;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		}
	}
	if (values > TREE_VALUES_MAX)
		return error_set(error, ERROR_REJECT, "json.too-large",
				 "%zu values, the limit of one tree is %d: split it before it is sent", values,
				 TREE_VALUES_MAX);
	return 0;
}

static int unreadable(struct error *error, const char *what)
{
	error_set(error, ERROR_REJECT, "json.encoding", "%s", what);
	return error_place(error, "byte 0");
}

static int check_start(struct span text, size_t *skip, struct error *error)
{
	size_t i = 0;

	if (text.len >= 2 && (!memcmp(text.data, "\xff\xfe", 2) || !memcmp(text.data, "\xfe\xff", 2)))
		return unreadable(error, "this is UTF-16; JSON is exchanged as UTF-8 (RFC 8259, section 8.1)");
	if (text.len >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3))
		i = *skip = 3;
	while (i < text.len && strchr(" \t\r\n", text.data[i]) && text.data[i])
		i++;
	if (i == text.len) {
		error_set(error, ERROR_REJECT, "json.empty", "there is no JSON: %s",
			  text.len ? "only white space" : "the document is empty");
		return error_place(error, "byte %zu", text.len);
	}
	if (text.len >= 2 && (!text.data[0] || !text.data[1]))
		return unreadable(error, "this is binary, or UTF-16 or UTF-32 text; JSON is exchanged as UTF-8");
	return check_size(text, error);
}

static void explain(struct span text, size_t skipped, const json_error_t *why, struct error *error)
{
	enum json_error_code code = json_error_code(why);
	size_t at = skipped + (why->position > 0 ? (size_t)why->position - 1 : 0);
	bool nul = code == json_error_null_character;

	refuse(error,
	       code == json_error_invalid_utf8       ? "json.encoding"
	       : code == json_error_duplicate_key    ? "json.duplicate"
	       : code == json_error_numeric_overflow ? "json.number"
	       : nul                                 ? "json.character"
						     : "json.syntax",
	       text, at, nul ? "a text contains \\u0000, which is not accepted" : why->text);
}

json_t *tree_parse_new(struct span text, struct error *error)
{
	json_error_t why;
	size_t skipped = 0;
	json_t *tree;

	if (check_start(text, &skipped, error))
		return NULL;
	tree = json_loadb(text.data + skipped, text.len - skipped, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!tree)
		explain(text, skipped, &why, error);
	return tree;
}
