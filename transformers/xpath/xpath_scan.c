/* The words of XPath expressions: blanks, comments, symbols and names. They are taken from the text as the grammar asks
 * for them, since a name like `div` or `*` is an operator only where one may stand. */
#include "config.h"
#include <ctype.h>
#include <stdio.h>

#include "transformers/xpath/xpath_private.h"

void *xpath_wrong(struct xpath_parser *parser, const char *format, ...)
{
	char what[300];
	va_list arguments;
	size_t left = parser->at < parser->text.len ? parser->text.len - parser->at : 0;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	if (left)
		error_set(parser->error, ERROR_REJECT, "xpath.syntax", "%s, at character %zu, before `%.*s`", what,
			  parser->at + 1, (int)(left > 30 ? 30 : left), parser->text.data + parser->at);
	else
		error_set(parser->error, ERROR_REJECT, "xpath.syntax", "%s, at its end", what);
	return NULL;
}

static char at(const struct xpath_parser *parser, size_t ahead)
{
	return parser->at + ahead < parser->text.len ? parser->text.data[parser->at + ahead] : '\0';
}

static void comment(struct xpath_parser *parser)
{
	int open = 0;

	do {
		if (at(parser, 0) == '(' && at(parser, 1) == ':') {
			open++;
			parser->at += 2;
		} else if (at(parser, 0) == ':' && at(parser, 1) == ')') {
			open--;
			parser->at += 2;
		} else {
			parser->at++;
		}
	} while (open && parser->at < parser->text.len);
}

void xpath_blanks(struct xpath_parser *parser)
{
	for (;;) {
		char c = at(parser, 0);

		if (c == '(' && at(parser, 1) == ':')
			comment(parser);
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			parser->at++;
		else
			return;
	}
}

bool xpath_symbol(struct xpath_parser *parser, const char *symbol)
{
	size_t n = strlen(symbol);

	xpath_blanks(parser);
	if (parser->text.len - parser->at < n || memcmp(parser->text.data + parser->at, symbol, n) != 0)
		return false;
	parser->at += n;
	return true;
}

static bool starts_name(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(char c)
{
	return starts_name(c) || isdigit((unsigned char)c) || c == '-' || c == '.';
}

struct span xpath_ncname(struct xpath_parser *parser)
{
	size_t start = parser->at;

	if (!starts_name(at(parser, 0)))
		return span_make(parser->text.data + start, 0);
	while (is_name(at(parser, 0)))
		parser->at++;
	return span_make(parser->text.data + start, parser->at - start);
}

bool xpath_qname(struct xpath_parser *parser, struct span *prefix, struct span *local)
{
	size_t start = parser->at;

	*prefix = SPAN_NONE;
	*local = xpath_ncname(parser);
	if (!local->len)
		return false;
	if (at(parser, 0) == ':' && starts_name(at(parser, 1))) {
		*prefix = *local;
		parser->at++;
		*local = xpath_ncname(parser);
	} else if (at(parser, 0) == ':' && at(parser, 1) != ':') {
		parser->at = start;
		return false;
	}
	return true;
}

bool xpath_word(struct xpath_parser *parser, const char *word)
{
	size_t start;

	xpath_blanks(parser);
	start = parser->at;
	if (span_is(xpath_ncname(parser), word))
		return true;
	parser->at = start;
	return false;
}

bool xpath_word_then(struct xpath_parser *parser, const char *word, const char *next)
{
	size_t start, behind;

	xpath_blanks(parser);
	start = parser->at;
	if (xpath_word(parser, word)) {
		behind = parser->at;
		if (isalpha((unsigned char)next[0]) ? xpath_word(parser, next) : xpath_symbol(parser, next)) {
			parser->at = behind;
			return true;
		}
	}
	parser->at = start;
	return false;
}
