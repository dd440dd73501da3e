/* ISA, the header of an X12 interchange (X12.5). It has a fixed length, and the separators are taken from its places.
 * Partners also send it with elements that are too short or too long: then its sixteen elements are counted, and what
 * stands behind them is believed when a segment follows that may follow ISA. */
#include "config.h"
#include "transformers/edi/x12.h"

#include <ctype.h>

#define ISA_LENGTH 106
#define ISA_MAX 1000 /* of one that has not its length */

const uint8_t x12_isa_lengths[X12_ISA_ELEMENTS] = {3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1};

static bool is_separator(char c)
{
	return c && !isalnum((unsigned char)c) && c != ' ' && (unsigned char)c < 0x80;
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

bool x12_isa_is_fixed(const struct edi_syntax *syntax, struct span isa)
{
	for (int i = 0; i < X12_ISA_ELEMENTS; i++)
		if (edi_element(syntax, isa, i).len != x12_isa_lengths[i])
			return false;
	return true;
}

/* What has been read of it: its text without the line ends of a file that was wrapped. */
struct isa {
	struct span got;
	char *text;
	size_t n, used; /* of the text, up to the terminator; of the bytes, behind it */
	char component, terminator;
};

/* 106 characters. The terminator itself may be a line end. False: separators are not at their places, or at others. */
static bool take_fixed(struct isa *isa)
{
	struct span got = isa->got;
	int separators = 0;

	isa->n = 0;
	for (isa->used = 0; isa->used < got.len && isa->n < ISA_LENGTH; isa->used++)
		if (isa->n == ISA_LENGTH - 1 || !is_line_end(got.data[isa->used]))
			isa->text[isa->n++] = got.data[isa->used];
	if (isa->n < ISA_LENGTH)
		return false;
	isa->component = isa->text[ISA_LENGTH - 2];
	isa->terminator = isa->text[--isa->n];
	for (size_t i = 0; i < isa->n; i++)
		separators += isa->text[i] == isa->text[3];
	for (size_t i = 1, at = 3; i < X12_ISA_ELEMENTS; at += 1 + x12_isa_lengths[i++])
		if (isa->text[at] != isa->text[3])
			return false;
	return separators == 16;
}

/* Up to the sixteenth separator. */
static bool take_elements(struct isa *isa)
{
	struct span got = isa->got;
	int separators = 0;

	isa->n = 0;
	for (isa->used = 0; isa->used < got.len && isa->used < ISA_MAX && separators < 16; isa->used++) {
		if (is_line_end(got.data[isa->used]))
			continue;
		isa->text[isa->n++] = got.data[isa->used];
		separators += got.data[isa->used] == got.data[3];
	}
	return separators == 16;
}

/* A segment that may come behind ISA stands there, blanks and line ends before it aside. */
static bool is_followed(const struct isa *isa, size_t at)
{
	static const char *const names[] = {"GS", "IEA", "TA1", "TA3", "ISB", "ISE", "ISR"};
	struct span rest;

	while (at < isa->got.len && edi_is_filler(isa->got.data[at]))
		at++;
	rest = span_make(isa->got.data + at, isa->got.len - at);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (span_starts(rest, names[i]) && rest.len > strlen(names[i]) &&
		    rest.data[strlen(names[i])] == isa->got.data[3])
			return true;
	return false;
}

/* The first line behind here ends with this character. */
static bool line_ends_with(const struct isa *isa, size_t at, char c)
{
	const char *p = isa->got.data + at, *end = isa->got.data + isa->got.len;

	while (p < end && !isalnum((unsigned char)*p))
		p++;
	while (p < end && !is_line_end(*p))
		p++;
	return p < end && p[-1] == c;
}

/* Behind the sixteenth separator: component separator and terminator; or, without the first, a blank or nothing. */
static bool take_end(struct isa *isa)
{
	const char *p = isa->got.data + isa->used;
	char first = isa->got.len > isa->used ? p[0] : '\0', second = isa->got.len > isa->used + 1 ? p[1] : '\0';
	bool two = (first == ' ' || (is_separator(first) && !is_line_end(first))) && is_separator(second) &&
		   second != first && is_followed(isa, isa->used + 2);

	/* ~ and a line end: is the line end the terminator, or ~ with nothing in front of it? */
	if (two && is_line_end(second) && first != ' ' && line_ends_with(isa, isa->used + 2, first))
		two = false;
	if (!two && (!is_separator(first) || !is_followed(isa, isa->used + 1)))
		return false;
	isa->component = two && first != ' ' ? first : '\0';
	isa->terminator = two ? second : first;
	if (memchr(isa->text, isa->terminator, isa->n)) /* more than one segment */
		return false;
	if (two)
		isa->text[isa->n++] = first;
	isa->used += two ? 2 : 1;
	return true;
}

static int check_separators(const struct edi_syntax *syntax, struct span isa, struct error *why)
{
	char c = syntax->component, t = syntax->terminator, e = syntax->element;

	if (memchr(isa.data, t, isa.len))
		return error_set(why, ERROR_REJECT, "x12.separator",
				 "the segment terminator stands within ISA, which is then no segment");
	if (isa.len && !isa.data[isa.len - 1])
		return error_set(why, ERROR_REJECT, "x12.separator", "the last element of ISA is a zero byte");
	if (!is_separator(e) || (c && !is_separator(c)) || !is_separator(t))
		return error_set(why, ERROR_REJECT, "x12.separator",
				 "a separator in ISA is a letter, a digit, a blank or no ASCII character");
	if (e == c || e == t || c == t ||
	    (syntax->repetition && (syntax->repetition == e || syntax->repetition == c || syntax->repetition == t)))
		return error_set(why, ERROR_REJECT, "x12.separator", "two separators in ISA are the same character");
	return 0;
}

/* From version 00402 on ISA11 is the repetition separator; U before, and where somebody left it so. */
static void read_repetition(struct edi_syntax *syntax, struct span header)
{
	struct span repetition = edi_element(syntax, header, 11), version = edi_element(syntax, header, 12);

	if (repetition.len == 1 && is_separator(*repetition.data) && *repetition.data != syntax->component &&
	    version.len >= 5 && memcmp(version.data, "00402", 5) >= 0)
		syntax->repetition = *repetition.data;
}

int x12_read_isa(struct span got, struct edi_start *start, struct edi_syntax *syntax, struct error *why)
{
	struct isa isa = {.got = got, .text = start->text}, counted = isa;
	bool fixed = take_fixed(&isa), doubtful = !fixed || is_line_end(isa.terminator) ||
						  !is_separator(isa.terminator) || !is_separator(isa.component);

	if (doubtful && !take_elements(&counted) && isa.n < ISA_LENGTH - 1)
		return error_set(why, ERROR_REJECT, "x12.truncated", "the document ends within ISA");
	if (doubtful && is_separator(got.data[3]) && take_end(&counted))
		isa = counted;
	else if (!fixed)
		return error_set(why, ERROR_REJECT, "x12.isa",
				 "ISA has neither its fixed length of 106, nor sixteen elements and then its "
				 "separators and GS");
	start->text[isa.n] = isa.terminator;
	start->header = span_make(start->text, isa.n);
	start->end = start->offset + isa.used;
	memset(syntax, 0, sizeof *syntax);
	syntax->element = syntax->tag = got.data[3];
	syntax->component = isa.component;
	syntax->terminator = isa.terminator;
	read_repetition(syntax, start->header);
	return check_separators(syntax, span_make(got.data, isa.used - 1), why);
}
