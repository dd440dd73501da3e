/* Tokens of jq 1.6. See expression_marks_private.h. */
#include "config.h"
#include "base/expression_marks_private.h"

#include <ctype.h>

char marks_at(const struct parser *p, size_t i)
{
	return i < p->text.len ? p->text.data[i] : '\0';
}

static bool wordy(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool letter(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

static size_t skip_blank(const struct parser *p, size_t i)
{
	for (;;) {
		while (i < p->text.len && isspace((unsigned char)marks_at(p, i)))
			i++;
		if (marks_at(p, i) != '#' || i >= p->text.len)
			return i;
		while (i < p->text.len && marks_at(p, i) != '\n')
			i++;
	}
}

static size_t end_of_number(const struct parser *p, size_t i)
{
	while (isdigit((unsigned char)marks_at(p, i)) || marks_at(p, i) == '.')
		i++;
	if ((marks_at(p, i) == 'e' || marks_at(p, i) == 'E') &&
	    (isdigit((unsigned char)marks_at(p, i + 1)) ||
	     ((marks_at(p, i + 1) == '-' || marks_at(p, i + 1) == '+') && isdigit((unsigned char)marks_at(p, i + 2)))))
		for (i += 2; isdigit((unsigned char)marks_at(p, i));)
			i++;
	return i;
}

static size_t end_of_sign(const struct parser *p, size_t i)
{
	static const char *const signs[] = {
		"?//", "//=", "!=", "==", "//", "|=", "+=", "-=", "*=", "/=", "%=", "<=", ">=", "..", NULL};

	for (size_t s = 0; signs[s]; s++) {
		size_t n = strlen(signs[s]);

		if (i + n <= p->text.len && !memcmp(p->text.data + i, signs[s], n))
			return i + n;
	}
	return i + 1;
}

static size_t end_of_word(const struct parser *p, size_t i)
{
	while (wordy(marks_at(p, i)) ||
	       (marks_at(p, i) == ':' && marks_at(p, i + 1) == ':' && letter(marks_at(p, i + 2)) && ++i))
		i++;
	return i;
}

/* Goes on behind byte i. */
void marks_next_from(struct parser *p, size_t i)
{
	char c;

	p->start = i = skip_blank(p, i);
	c = marks_at(p, i);
	p->end = i + 1;
	if (i >= p->text.len) {
		p->token = T_END;
		p->end = i;
	} else if (letter(c)) {
		p->token = T_WORD;
		p->end = end_of_word(p, i);
	} else if (c == '.' && letter(marks_at(p, i + 1))) {
		p->token = T_FIELD;
		for (i++; wordy(marks_at(p, i)); i++)
			;
		p->end = i;
	} else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)marks_at(p, i + 1)))) {
		p->token = T_NUMBER;
		p->end = end_of_number(p, i);
	} else if (c == '$' && letter(marks_at(p, skip_blank(p, i + 1)))) {
		p->token = T_VARIABLE;
		p->end = end_of_word(p, skip_blank(p, i + 1));
	} else if (c == '@' && wordy(marks_at(p, i + 1))) {
		p->token = T_FORMAT;
		for (i++; wordy(marks_at(p, i)); i++)
			;
		p->end = i;
	} else if (c == '"') {
		p->token = T_STRING;
	} else {
		p->token = T_SIGN;
		p->end = end_of_sign(p, i);
	}
}

void marks_next(struct parser *p)
{
	p->last = p->end;
	marks_next_from(p, p->end);
}
