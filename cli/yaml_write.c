/* Writing YAML. See yaml_write.h. */
#include "config.h"
#include "cli/yaml_write.h"

#include <stdlib.h>
#include <strings.h>

#include "base/tree.h"
#include "base/utf8.h"

#define INLINE_MAX 90

static void spaces(struct buf *out, size_t n)
{
	while (n--)
		buf_char(out, ' ');
}

static bool is_date(struct span text)
{
	static const char form[] = "dddd-dd-dd";

	for (size_t i = 0; i < text.len && i < 10; i++)
		if (form[i] == 'd' ? text.data[i] < '0' || text.data[i] > '9' : text.data[i] != form[i])
			return false;
	return text.len == 10;
}

/* The number of the character here if YAML does not have it in a file, or may take it for the end of a line: those that
 * control, U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF. -1: it is none of them. */
static int strange(struct span text, size_t i)
{
	const unsigned char *at = (const unsigned char *)text.data + i;
	size_t left = text.len - i;

	if (at[0] < 0x20 || at[0] == 0x7f)
		return at[0];
	if (left >= 2 && at[0] == 0xc2 && at[1] < 0xa0)
		return at[1];
	if (left >= 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
		return 0x2000 + (at[2] & 0x3f);
	if (left >= 3 && at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf)
		return 0xfeff;
	return left >= 3 && at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe ? 0xff40 + at[2] : -1;
}

/* Would a plain scalar be read as something else, by us or by anybody's YAML? */
static bool plain_is_safe(struct span text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "~", "y", "n"};
	static const char starts[] = "!&*-?|>%@`\"'#,[]{}:=+.0123456789 ";
	bool date = is_date(text);
	bool path = text.len > 1 && text.data[0] == '.' && strncasecmp(text.data, ".inf", 4) != 0 &&
		    strncasecmp(text.data, ".nan", 4) != 0 && !strchr("0123456789.", text.data[1]);

	if (!text.len || (strchr(starts, text.data[0]) && !date && !path) || text.data[text.len - 1] == ' ' ||
	    text.data[text.len - 1] == ':')
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (text.len == strlen(words[i]) && !strncasecmp(text.data, words[i], text.len))
			return false;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f || strchr("{}[],`\"'\\", text.data[i]) ||
		    (text.data[i] == ':' && i + 1 < text.len && text.data[i + 1] == ' ') ||
		    (text.data[i] == '#' && i && text.data[i - 1] == ' '))
			return false;
	return true;
}

static bool needs_escapes(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (strange(text, i) >= 0)
			return true;
	return false;
}

static void put_escaped(struct buf *out, struct span text)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		int code = strange(text, i);

		if (code == '\n' || code == '\t' || code == '\r')
			buf_text(out, code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r");
		else if (code >= 0)
			buf_printf(out, "\\u%04x", (unsigned)code);
		else if (text.data[i] == '"' || text.data[i] == '\\')
			buf_printf(out, "\\%c", text.data[i]);
		else
			buf_char(out, text.data[i]);
		i += code < 0x80 ? 0 : code < 0x100 ? 1 : 2;
	}
	buf_char(out, '"');
}

void yaml_write_text(struct buf *out, struct span text)
{
	bool escapes = needs_escapes(text);

	if (!escapes && plain_is_safe(text)) {
		buf_span(out, text);
	} else if (escapes) {
		put_escaped(out, text);
	} else {
		buf_char(out, '\'');
		for (size_t i = 0; i < text.len; i++) {
			if (text.data[i] == '\'')
				buf_char(out, '\'');
			buf_char(out, text.data[i]);
		}
		buf_char(out, '\'');
	}
}

static struct span text_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

static void put_scalar(struct buf *out, const json_t *value)
{
	if (json_is_string(value))
		yaml_write_text(out, text_of(value));
	else
		tree_write(out, value, 0);
}

static bool is_flat(const json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)value, key, child) {
		if ((json_is_object(child) && json_object_size(child)) ||
		    (json_is_array(child) && json_array_size(child)) ||
		    (json_is_string(child) && needs_escapes(text_of(child))))
			return false;
	}
	json_array_foreach(value, i, child)
		if (json_is_object(child) || json_is_array(child) ||
		    (json_is_string(child) && needs_escapes(text_of(child))))
			return false;
	return true;
}

static void put_inline(struct buf *out, const json_t *value)
{
	bool object = json_is_object(value);
	const char *key;
	json_t *child;
	size_t i, n = 0;

	buf_char(out, object ? '{' : '[');
	json_object_foreach((json_t *)(uintptr_t)value, key, child) {
		buf_text(out, n++ ? ", " : "");
		yaml_write_text(out, span_of(key));
		buf_text(out, ": ");
		json_is_object(child) || json_is_array(child) ? put_inline(out, child) : put_scalar(out, child);
	}
	json_array_foreach(value, i, child) {
		buf_text(out, n++ ? ", " : "");
		put_scalar(out, child);
	}
	buf_char(out, object ? '}' : ']');
}

/* Lines as they stand, where YAML can keep them so. */
static bool put_lines(struct buf *out, struct span text, size_t indent)
{
	if (!memchr(text.data ? text.data : "", '\n', text.len) || text.data[0] == ' ' || text.data[0] == '\n' ||
	    !utf8_is_clean(text))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '\n' && strange(text, i) >= 0)
			return false;
	buf_text(out, text.data[text.len - 1] != '\n'                   ? " |-\n"
		      : text.len > 1 && text.data[text.len - 2] == '\n' ? " |+\n"
									: " |\n");
	for (size_t at = 0; at < text.len;) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		size_t n = end ? (size_t)(end - text.data) - at : text.len - at;

		if (n)
			spaces(out, indent);
		buf_append(out, text.data + at, n);
		buf_char(out, '\n');
		at += n + 1;
	}
	return true;
}

static bool put_short(struct buf *out, const json_t *value, size_t indent)
{
	struct buf text;
	bool fits;

	if (!is_flat(value))
		return false;
	buf_init(&text, INLINE_MAX + 1);
	put_inline(&text, value);
	fits = !text.full && text.len + indent < INLINE_MAX;
	if (fits) {
		buf_char(out, ' ');
		buf_span(out, buf_view(&text));
		buf_char(out, '\n');
	}
	buf_free(&text);
	return fits;
}

/* A map as an item of a list: its first key beside the dash. */
static void put_item(struct buf *out, const json_t *item, size_t indent)
{
	const char *key;
	json_t *value;
	bool first = true;

	json_object_foreach((json_t *)(uintptr_t)item, key, value) {
		if (first)
			buf_char(out, ' ');
		else
			spaces(out, indent);
		first = false;
		yaml_write_pair(out, key, value, indent);
	}
}

static void put_block(struct buf *out, const json_t *value, size_t indent)
{
	const char *key;
	json_t *child;
	size_t i;

	buf_char(out, '\n');
	json_object_foreach((json_t *)(uintptr_t)value, key, child) {
		spaces(out, indent);
		yaml_write_pair(out, key, child, indent);
	}
	json_array_foreach(value, i, child) {
		spaces(out, indent);
		buf_char(out, '-');
		if (!json_object_size(child))
			yaml_write_value(out, child, indent + 2);
		else if (!put_short(out, child, indent + 2))
			put_item(out, child, indent + 2);
	}
}

void yaml_write_value(struct buf *out, const json_t *value, size_t indent)
{
	if (json_is_string(value) && put_lines(out, text_of(value), indent))
		return;
	if (!json_is_object(value) && !json_is_array(value)) {
		buf_char(out, ' ');
		put_scalar(out, value);
		buf_char(out, '\n');
	} else if (!put_short(out, value, indent)) {
		put_block(out, value, indent);
	}
}

void yaml_write_pair(struct buf *out, const char *key, const json_t *value, size_t indent)
{
	yaml_write_text(out, span_of(key));
	buf_char(out, ':');
	yaml_write_value(out, value, indent + 2);
}
