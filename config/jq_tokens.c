/* A jq program as tokens. See jq_tokens.h. */
#include "config.h"
#include "config/jq_tokens.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/expression_spread.h"

#define DEPTH_MAX 100

static void add(struct jq_tokens *tokens, enum jq_kind kind, struct span text, size_t offset)
{
	tokens->list = mem_grow(tokens->list, &tokens->capacity, tokens->count + 1, sizeof *tokens->list);
	tokens->list[tokens->count++] = (struct jq_token){kind, text, offset};
}

static enum jq_kind kind_of(struct span text)
{
	char c = text.data[0];

	if (isalpha((unsigned char)c) || c == '_')
		return JQ_WORD;
	if (isdigit((unsigned char)c) || (c == '.' && text.len > 1 && isdigit((unsigned char)text.data[1])))
		return JQ_NUMBER;
	if (text.len < 2)
		return JQ_MARK;
	if (c == '.' && text.data[1] != '.')
		return JQ_FIELD;
	return c == '$' ? JQ_VARIABLE : c == '@' ? JQ_FORMAT : JQ_MARK;
}

static size_t read_program(struct jq_tokens *, struct span, size_t at, int depth);

/* From behind the quote. */
static size_t read_string(struct jq_tokens *tokens, struct span text, size_t at, int depth)
{
	size_t start = at, first = tokens->count;

	add(tokens, JQ_STRING, SPAN_NONE, at - 1);
	while (at < text.len && text.data[at] != '"') {
		if (text.data[at] == '\\' && at + 1 < text.len && text.data[at + 1] == '(') {
			tokens->list[first].kind = JQ_OPEN;
			at = read_program(tokens, text, at + 2, depth + 1);
			add(tokens, JQ_NEXT, SPAN_NONE, at);
			continue;
		}
		at += text.data[at] == '\\' ? 2 : 1;
	}
	if (at >= text.len) {
		tokens->lost = true;
		return text.len;
	}
	if (tokens->list[first].kind == JQ_OPEN)
		add(tokens, JQ_CLOSE, SPAN_NONE, at);
	else
		tokens->list[first].text = span_make(text.data + start, at - start);
	return at + 1;
}

/* To the end, or within a string to behind the bracket that ends its interpolation. */
static size_t read_program(struct jq_tokens *tokens, struct span text, size_t at, int depth)
{
	size_t brackets = 0;

	if (depth > DEPTH_MAX) {
		tokens->lost = true;
		return text.len;
	}
	while (at < text.len && !tokens->lost) {
		char c = text.data[at];
		size_t end;

		if (isspace((unsigned char)c)) {
			at++;
		} else if (c == '#') {
			while (at < text.len && text.data[at] != '\n')
				at++;
		} else if (c == '"') {
			at = read_string(tokens, text, at + 1, depth);
		} else if (c == ')' && brackets == 0 && depth > 0) {
			return at + 1;
		} else {
			struct span token;
			enum jq_kind kind;

			end = spread_token_end(text, at);
			token = span_make(text.data + at, end - at);
			kind = kind_of(token);
			brackets += c == '(';
			brackets -= c == ')' && brackets > 0;
			if (kind == JQ_FIELD || kind == JQ_VARIABLE || kind == JQ_FORMAT)
				token = span_make(token.data + 1, token.len - 1);
			add(tokens, kind, token, at);
			at = end;
		}
	}
	tokens->lost = tokens->lost || depth > 0;
	return at;
}

void jq_tokens_read(struct jq_tokens *tokens, struct span program)
{
	*tokens = (struct jq_tokens){0};
	read_program(tokens, program, 0, 0);
	add(tokens, JQ_END, SPAN_NONE, program.len);
}

void jq_tokens_free(struct jq_tokens *tokens)
{
	free(tokens->list);
}
