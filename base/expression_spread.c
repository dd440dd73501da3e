/* A jq program with every token on a line of its own. See expression_spread.h; tokens are those of jq 1.6's lexer. */
#include "config.h"
#include "base/expression_spread.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"

#define SHOWN_MAX 30
#define DEPTH_MAX 200 /* of interpolations; deeper ones are spread as if they were text */

static bool wordy(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static char at(struct span text, size_t i)
{
	return i < text.len ? text.data[i] : '\0';
}

static size_t word_end(struct span text, size_t i)
{
	while (wordy(at(text, i)) || (at(text, i) == ':' && at(text, i + 1) == ':' && wordy(at(text, i + 2))))
		i += at(text, i) == ':' ? 2 : 1;
	return i;
}

static size_t number_end(struct span text, size_t i)
{
	while (isdigit((unsigned char)at(text, i)) || at(text, i) == '.')
		i++;
	if ((at(text, i) | 32) == 'e' &&
	    (isdigit((unsigned char)at(text, i + 1)) ||
	     ((at(text, i + 1) == '-' || at(text, i + 1) == '+') && isdigit((unsigned char)at(text, i + 2)))))
		for (i += 2; isdigit((unsigned char)at(text, i));)
			i++;
	return i;
}

size_t spread_token_end(struct span text, size_t i)
{
	static const char *const marks[] = {
		"?//=", "?//", "//=", "//", "==", "!=", "<=", ">=", "|=", "+=", "-=", "*=", "/=", "%=", ".."};
	struct span rest = span_make(text.data + i, text.len - i);
	char c = at(text, i);

	if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)at(text, i + 1))))
		return number_end(text, i);
	if (wordy(c))
		return word_end(text, i);
	if (strchr(".$@", c) && c && wordy(at(text, i + 1)))
		return word_end(text, i + 1);
	for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
		if (span_starts(rest, marks[k]))
			return i + strlen(marks[k]);
	}
	for (i++; i < text.len && ((unsigned char)text.data[i] & 0xc0) == 0x80;)
		i++;
	return i;
}

static void new_line(struct spread *spread, size_t offset)
{
	spread->offsets = mem_grow(spread->offsets, &spread->capacity, spread->lines + 1, sizeof *spread->offsets);
	spread->offsets[spread->lines++] = offset;
}

static void put(struct spread *spread, struct span text, size_t from, size_t to)
{
	if (spread->lines > 0)
		buf_char(&spread->text, '\n');
	new_line(spread, from);
	buf_append(&spread->text, text.data + from, to - from);
	spread->end = to;
}

/* The text of a string from i on, to its end or to an interpolation; returns where it goes on. */
static size_t put_string(struct spread *spread, struct span text, size_t i, bool *interpolates)
{
	*interpolates = false;
	while (i < text.len) {
		char c = text.data[i++];

		buf_char(&spread->text, c);
		if (c == '\n')
			new_line(spread, i);
		if (c == '"')
			break;
		if (c != '\\' || i == text.len)
			continue;
		buf_char(&spread->text, text.data[i]);
		if (text.data[i++] == '(') {
			*interpolates = true;
			break;
		}
	}
	spread->end = i;
	return i;
}

void spread_make(struct spread *spread, struct span text)
{
	size_t depth = 0, brackets[DEPTH_MAX + 1] = {0}; /* open brackets in each interpolation */
	bool interpolates;

	*spread = (struct spread){0};
	buf_init(&spread->text, 4 * text.len + 16);
	for (size_t i = 0; i < text.len;) {
		char c = text.data[i];
		size_t end;

		if (strchr(" \t\r\n", c) && c) {
			i++;
			continue;
		}
		if (c == '#') {
			while (i < text.len && text.data[i] != '\n')
				i++;
			continue;
		}
		end = c == '"' ? i + 1 : spread_token_end(text, i);
		put(spread, text, i, end);
		i = end;
		brackets[depth] += c == '(';
		if (c == ')' && brackets[depth] > 0)
			brackets[depth]--;
		else if (c == ')' && depth > 0)
			depth--, c = '"'; /* back in the string around it */
		if (c != '"')
			continue;
		i = put_string(spread, text, i, &interpolates);
		if (interpolates && depth < DEPTH_MAX)
			brackets[++depth] = 0;
	}
}

void spread_free(struct spread *spread)
{
	buf_free(&spread->text);
	free(spread->offsets);
}

struct span spread_token(struct span text, size_t offset)
{
	size_t end = offset < text.len ? spread_token_end(text, offset) : offset;

	if (at(text, offset) == '"')
		while (end < text.len && end - offset < SHOWN_MAX && text.data[end - 1] != '\n' &&
		       !(end > offset + 1 && text.data[end - 1] == '"' && text.data[end - 2] != '\\'))
			end++;
	if (end - offset > SHOWN_MAX)
		end = offset + SHOWN_MAX;
	while (end > offset && end < text.len && ((unsigned char)text.data[end] & 0xc0) == 0x80)
		end--;
	while (end > offset && text.data[end - 1] == '\n')
		end--;
	return span_make(text.data + offset, end - offset);
}
