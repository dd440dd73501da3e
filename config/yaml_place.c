/* Where a byte of a value stands in its YAML file; with yaml.c the fence around libyaml. See yaml.h.
 *
 * Nothing is kept for this while a file is read: findings are rare, and reading the file once more is cheap. The value
 * is laid along its source: what folding, quoting and indentation left out is blanks, except for escapes. */
#include "config.h"
#include "config/yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <yaml.h>

struct scalar {
	struct span source, value; /* the whole file; the value before variables are replaced (owned) */
	size_t at;                 /* of its first character in the source */
	yaml_scalar_style_t style;
};

static size_t line_start(struct span source, size_t line)
{
	const char *at = source.data, *end = at + source.len, *next;

	for (size_t i = 1; i < line && at; i++) {
		next = memchr(at, '\n', (size_t)(end - at));
		at = next ? next + 1 : NULL;
	}
	return at ? (size_t)(at - source.data) : source.len;
}

/* Line and column, from 0 as libyaml counts them, to a byte. */
static size_t byte_of(struct span source, size_t line, size_t column)
{
	size_t i = line_start(source, line + 1);

	while (column > 0 && i < source.len) {
		i++;
		while (i < source.len && ((unsigned char)source.data[i] & 0xc0) == 0x80)
			i++;
		column--;
	}
	return i;
}

static struct place place_of(struct span source, const char *file, size_t byte)
{
	struct place place = {file, 1, 1};

	for (size_t i = 0; i < byte && i < source.len; i++) {
		if (source.data[i] == '\n') {
			place.line++;
			place.column = 1;
		} else {
			place.column += ((unsigned char)source.data[i] & 0xc0) != 0x80;
		}
	}
	return place;
}

struct place yaml_block_place(struct span source, struct place place)
{
	size_t at = line_start(source, (size_t)place.line + 1);

	if (at >= source.len)
		return place;
	place.line++;
	place.column = 1;
	for (; at < source.len && source.data[at] == ' '; at++)
		place.column++;
	return place;
}

static bool is_block(yaml_scalar_style_t style)
{
	return style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
}

static bool starts_at(struct span source, const yaml_event_t *event, struct place start)
{
	struct place place = {start.file, (int)event->start_mark.line + 1, (int)event->start_mark.column + 1};

	if (event->type != YAML_SCALAR_EVENT)
		return false;
	if (is_block(event->data.scalar.style))
		place = yaml_block_place(source, place);
	return place.line == start.line && place.column == start.column;
}

static bool find_scalar(struct scalar *scalar, struct place start)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool found = false, more = true;

	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory */
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)scalar->source.data, scalar->source.len);
	while (more && !found && yaml_parser_parse(&parser, &event)) {
		more = event.type != YAML_STREAM_END_EVENT;
		found = starts_at(scalar->source, &event, start);
		if (found) {
			size_t n = event.data.scalar.length;
			char *copy = mem_alloc(n + 1);

			memcpy(copy, event.data.scalar.value, n);
			scalar->value = span_make(copy, n);
			scalar->style = event.data.scalar.style;
			scalar->at = is_block(scalar->style)
					     ? byte_of(scalar->source, (size_t)start.line - 1, 0)
					     : byte_of(scalar->source, event.start_mark.line, event.start_mark.column);
		}
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return found;
}

/* The length of an escape in the source, and of what it stands for. */
static size_t escape(struct span source, size_t at, size_t *bytes)
{
	char c = at + 1 < source.len ? source.data[at + 1] : 0;
	size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	char text[9] = "";
	unsigned long code;

	*bytes = c == 'N' || c == '_' ? 2 : c == 'L' || c == 'P' ? 3 : c == '\n' ? 0 : 1;
	if (digits == 0 || at + 2 + digits > source.len)
		return 2;
	memcpy(text, source.data + at + 2, digits);
	code = strtoul(text, NULL, 16);
	*bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	return 2 + digits;
}

/* Fills where[i] with the source's byte for each byte of the value, and where[len] with the one behind it. */
static void lay(const struct scalar *scalar, size_t *where)
{
	struct span source = scalar->source, value = scalar->value;
	bool twice = scalar->style == YAML_SINGLE_QUOTED_SCALAR_STYLE,
	     escapes = scalar->style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	size_t at = scalar->at + (twice || escapes), bytes, length;

	for (size_t i = 0; i < value.len;) {
		bool blank = isspace((unsigned char)value.data[i]);

		while (at < source.len && !blank && isspace((unsigned char)source.data[at]))
			at++;
		if (escapes && at < source.len && source.data[at] == '\\') {
			length = escape(source, at, &bytes);
			for (size_t k = 0; k < bytes && i < value.len; k++)
				where[i++] = at;
			at += length;
			continue;
		}
		where[i] = at;
		if (at < source.len && (!blank || isspace((unsigned char)source.data[at])))
			at += twice && value.data[i] == '\'' ? 2 : 1;
		i++;
	}
	where[value.len] = at;
}

/* From an offset in the value with its variables replaced to the one before: what a variable brought is at its `$`. */
static size_t before_variables(struct span value, const struct yaml_variables *variables, size_t offset)
{
	size_t raw = 0, now = 0, length, bytes;

	while (raw < value.len && now < offset) {
		struct span rest = span_make(value.data + raw, value.len - raw);

		if (variables && span_starts(rest, "$${")) {
			length = 3, bytes = 2;
		} else if (!variables || !span_starts(rest, "${") ||
			   !yaml_variable_length(rest, variables, &length, &bytes)) {
			length = 1, bytes = 1;
		}
		if (now + bytes > offset)
			return raw;
		now += bytes;
		raw += length;
	}
	return raw;
}

bool yaml_place_within(struct span source, struct place start, size_t offset, const struct yaml_variables *variables,
		       struct place *into)
{
	struct scalar scalar = {.source = source};
	size_t *where, raw, byte;

	if (!source.data || source.len > YAML_SIZE_MAX || !find_scalar(&scalar, start))
		return false;
	where = mem_alloc((scalar.value.len + 1) * sizeof *where);
	lay(&scalar, where);
	raw = before_variables(scalar.value, variables, offset);
	byte = where[raw];
	if (raw > 0 && (raw >= scalar.value.len || isspace((unsigned char)scalar.value.data[raw])))
		byte = where[raw - 1] + 1; /* right behind what is there, not at the next line's start */
	*into = place_of(source, start.file, byte);
	free(where);
	free((void *)scalar.value.data);
	return true;
}
