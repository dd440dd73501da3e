/* Words and brackets of jq. See expression_scan.h. */
#include "config.h"
#include "base/expression_scan.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_wordy(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

static bool push(struct scan *scan, char what)
{
	if (scan->depth == SCAN_DEPTH)
		return false;
	scan->stack[scan->depth++] = what;
	return true;
}

static char peek(const struct scan *scan, size_t ahead)
{
	return scan->at + ahead < scan->text.len ? scan->text.data[scan->at + ahead] : '\0';
}

/* One step inside a string; false: too deep. */
static bool step_string(struct scan *scan)
{
	char c = scan->text.data[scan->at++];

	if (c == '"') {
		scan->depth--;
	} else if (c == '\\' && scan->at < scan->text.len) {
		c = scan->text.data[scan->at++];
		if (c == '(')
			return push(scan, '\\');
	}
	if (c == '\n')
		scan->line++;
	return true;
}

static void take_word(struct scan *scan, struct span *word)
{
	size_t start = scan->at++;

	while (is_wordy(peek(scan, 0)) ||
	       (peek(scan, 0) == ':' && peek(scan, 1) == ':' && is_letter(peek(scan, 2)) && ++scan->at))
		scan->at++;
	*word = span_make(scan->text.data + start, scan->at - start);
}

enum scan_token scan_next(struct scan *scan, struct span *word)
{
	if (!scan->line)
		scan->line = 1;
	while (scan->at < scan->text.len) {
		char c = peek(scan, 0);

		if (scan->depth && scan->stack[scan->depth - 1] == '"') {
			if (!step_string(scan))
				return SCAN_DEEP;
			continue;
		}
		if (is_letter(c) || (strchr("$.@", c) && c && is_letter(peek(scan, 1)))) {
			take_word(scan, word);
			return SCAN_WORD;
		}
		if (c == '#') {
			while (scan->at < scan->text.len && peek(scan, 0) != '\n')
				scan->at++;
			continue;
		}
		scan->at++;
		if (c == '\n')
			scan->line++;
		if ((c == '"' || c == '(') && !push(scan, c))
			return SCAN_DEEP;
		if (c == ')' && scan->depth-- == 0) {
			scan->depth = 0;
			return SCAN_CLOSE;
		}
	}
	return SCAN_END;
}
