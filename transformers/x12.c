/* X12 (X12.5, X12.6): ISA, GS, ST, SE, GE, IEA. The separators stand in ISA, which has a fixed length. See edi.h. */
#include "config.h"
#include "transformers/edi_encode.h"

#include <ctype.h>

#include "transformers/edi_decode.h"
#include "transformers/format.h"

#define ISA_LENGTH 106

/* ---- the interchange header: fixed places, from which the separators are taken (X12.5) */
static bool is_separator(char c)
{
	return c && !isalnum((unsigned char)c) && c != ' ' && (unsigned char)c < 0x80;
}

/* 106 characters, not counting the line ends of a file that was wrapped. The terminator itself may be a line end. */
static size_t collect(struct span from, char into[ISA_LENGTH], size_t *used)
{
	size_t n = 0, i = 0;

	for (; i < from.len && n < ISA_LENGTH; i++)
		if (n == ISA_LENGTH - 1 || (from.data[i] != '\r' && from.data[i] != '\n'))
			into[n++] = from.data[i];
	*used = i;
	return n;
}

static int read_separators(struct edi_syntax *syntax, const char *isa, struct error *why)
{
	static const uint8_t places[] = {3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103};
	char repetition = isa[82];

	for (size_t i = 0; i < sizeof places; i++)
		if (isa[places[i]] != isa[3])
			return error_set(why, ERROR_REJECT, "x12.isa",
					 "the ISA segment does not have its fixed length of 106: no separator at its "
					 "character %d",
					 places[i] + 1);
	memset(syntax, 0, sizeof *syntax);
	syntax->element = syntax->tag = isa[3];
	syntax->component = isa[104];
	syntax->terminator = isa[105];
	syntax->repetition = memcmp(isa + 84, "00402", 5) >= 0 && is_separator(repetition) ? repetition : '\0';
	if (!is_separator(syntax->element) || !is_separator(syntax->component) || !is_separator(syntax->terminator))
		return error_set(why, ERROR_REJECT, "x12.separator",
				 "a separator in ISA is a letter, a digit, a blank or no ASCII character");
	if (syntax->element == syntax->component || syntax->element == syntax->terminator ||
	    syntax->component == syntax->terminator ||
	    (syntax->repetition && (syntax->repetition == syntax->element || syntax->repetition == syntax->component ||
				    syntax->repetition == syntax->terminator)))
		return error_set(why, ERROR_REJECT, "x12.separator", "two separators in ISA are the same character");
	return 0;
}

static int start(struct edi_scan *scan, uint64_t offset, struct edi_start *start, struct error *why,
		 struct error *error)
{
	struct span got;
	size_t used;

	if (window_get(&scan->window, offset, ISA_LENGTH + 16, &got, error))
		return -1;
	if (got.len < 3 || memcmp(got.data, "ISA", 3)) {
		error_set(why, ERROR_REJECT, "x12.junk", "there is no X12 at byte %llu: an interchange starts with ISA",
			  (unsigned long long)offset);
		return 0;
	}
	start->offset = start->una_end = start->header_from = offset;
	start->charset = NULL;
	if (collect(got, start->text, &used) < ISA_LENGTH) {
		error_set(why, ERROR_REJECT, "x12.truncated", "the document ends within ISA");
		return 0;
	}
	start->header = span_make(start->text, ISA_LENGTH - 1);
	start->end = offset + used;
	return read_separators(&scan->syntax, start->text, why) ? 0 : 1;
}

static size_t find(struct span bytes)
{
	const char *at = bytes.len >= 3 ? memmem(bytes.data, bytes.len, "ISA", 3) : NULL;

	return at ? (size_t)(at - bytes.data) : bytes.len;
}

static bool service(const struct edi_syntax *syntax, struct span segment)
{
	return edi_is(syntax, segment, "TA1") || edi_is(syntax, segment, "TA3") || edi_is(syntax, segment, "ISB") ||
	       edi_is(syntax, segment, "ISE") || edi_is(syntax, segment, "ISR");
}

static int check_open(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct error *why)
{
	struct span type = edi_element(syntax, segment, 1), control = edi_element(syntax, segment, 2);

	if (level == EDI_GROUP) {
		control = edi_element(syntax, segment, 6);
		if (control.len && control.len <= 9)
			return 0;
		return error_set(why, ERROR_REJECT, "x12.control", "it has no control number of 1 to 9 digits in GS06");
	}
	if (type.len == 3 && control.len >= 4 && control.len <= 9)
		return 0;
	return error_set(why, ERROR_REJECT, "x12.control",
			 "ST has no type of three digits, or no control number of 4 to 9 digits");
}

/* ---- facts */
static struct span trimmed(struct span text)
{
	while (text.len && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

static void fact(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span value)
{
	buf_char(out, '"');
	buf_text(out, name);
	buf_text(out, "\":");
	edi_write_text(out, syntax, value);
	buf_char(out, ',');
}

static void party(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span isa, int number)
{
	struct span qualifier = trimmed(edi_element(syntax, isa, number)),
		    id = trimmed(edi_element(syntax, isa, number + 1));
	struct buf text;

	buf_init(&text, 64);
	buf_span(&text, qualifier);
	buf_char(&text, ':');
	buf_span(&text, id);
	fact(out, name, syntax, buf_view(&text));
	buf_free(&text);
}

static void facts(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct buf *out)
{
	switch (level) {
	case EDI_INTERCHANGE:
		fact(out, "control", syntax, trimmed(edi_element(syntax, segment, 13)));
		party(out, "sender", syntax, segment, 5);
		party(out, "receiver", syntax, segment, 7);
		fact(out, "version", syntax, trimmed(edi_element(syntax, segment, 12)));
		fact(out, "usage", syntax, trimmed(edi_element(syntax, segment, 15)));
		break;
	case EDI_GROUP:
		fact(out, "code", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 6), 1));
		fact(out, "version", syntax, edi_component(syntax, edi_element(syntax, segment, 8), 1));
		break;
	case EDI_TRANSACTION:
		fact(out, "type", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 2), 1));
		if (edi_element(syntax, segment, 3).len)
			fact(out, "convention", syntax, edi_component(syntax, edi_element(syntax, segment, 3), 1));
		break;
	}
}

/* ST*850*0001 or ST*850*0001*convention, of plain elements. */
static bool plain(const struct edi_syntax *syntax, struct span segment)
{
	size_t elements = 0;

	for (size_t i = 0; i < segment.len; i++) {
		uint8_t class = syntax->class[(uint8_t)segment.data[i]];

		elements += class == EDI_ELEMENT;
		if (class != EDI_ELEMENT && class != EDI_TEXT)
			return false;
	}
	return elements == 2 || (elements == 3 && segment.data[segment.len - 1] != syntax->element);
}

const struct edi_dialect edi_x12 = {
	.name = "x12",
	.open = {"ISA", "GS", "ST"},
	.close = {"IEA", "GE", "SE"},
	.type = 1,
	.control = {13, 6, 2},
	.close_control = true,
	.groups_needed = true,
	.binary = true,
	.fixed_header = true,
	.transaction = "transaction",
	.start = start,
	.find = find,
	.service = service,
	.check_open = check_open,
	.facts = facts,
	.plain = plain,
	.put_open = x12_put_open,
};

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	return edi_run(&edi_x12, self, item, out, error);
}

const struct decode_format decode_x12 = {
	.name = "x12",
	.help = "ASC X12 interchanges, a transaction set each",
	.more = EDI_DECODE_MORE,
	.check = edi_check,
	.run = run,
};
