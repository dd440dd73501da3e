/* X12 (X12.5, X12.6): ISA, GS, ST, SE, GE, IEA. See edi.h; x12_isa.c has the separators. */
#include "config.h"
#include "transformers/edi/x12.h"

#include "transformers/edi/edi_encode.h"

#define ISA13_MAX 35 /* nine digits; others send more */

static bool is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			return false;
	return true;
}

static int start(struct edi_scan *scan, uint64_t offset, struct edi_start *start, struct error *why,
		 struct error *error)
{
	struct span got, control;

	if (window_get(&scan->window, offset, X12_ISA_SEEN, &got, error))
		return -1;
	if (!span_starts(got, "ISA") || got.len < 4) {
		error_set(why, ERROR_REJECT, "x12.junk", "there is no X12 at byte %llu: an interchange starts with ISA",
			  (unsigned long long)offset);
		return 0;
	}
	start->offset = start->una_end = start->header_from = offset;
	start->charset = NULL;
	if (x12_read_isa(got, start, &scan->syntax, why))
		return 0;
	control = edi_trimmed(edi_element(&scan->syntax, start->header, 13));
	if (control.len <= ISA13_MAX && is_ascii(control))
		return 1;
	error_set(why, ERROR_REJECT, "x12.control",
		  "the control number in ISA13 has more than %d characters, or one that is none of ASCII", ISA13_MAX);
	return 0;
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
	struct span type = edi_component(syntax, edi_element(syntax, segment, 1), 1), control;

	control = edi_component(syntax, edi_element(syntax, segment, level == EDI_GROUP ? 6 : 2), 1);
	if (level == EDI_GROUP) {
		if (control.len && control.len <= 9 && is_ascii(control))
			return 0;
		return error_set(why, ERROR_REJECT, "x12.control", "it has no control number of 1 to 9 digits in GS06");
	}
	/* It should have four digits at least; many have fewer. */
	if (type.len == 3 && is_ascii(type) && control.len && control.len <= 9 && is_ascii(control))
		return 0;
	return error_set(why, ERROR_REJECT, "x12.control",
			 "ST has no type of three digits, or no control number of 4 to 9 digits");
}

/* ---- facts */
static void party(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span isa, int number)
{
	struct span qualifier = edi_trimmed(edi_element(syntax, isa, number)),
		    id = edi_trimmed(edi_element(syntax, isa, number + 1));
	struct buf text;

	buf_init(&text, EDI_HEADER_MAX);
	buf_span(&text, qualifier);
	buf_char(&text, ':');
	buf_span(&text, id);
	edi_write_fact(out, name, syntax, buf_view(&text));
	buf_free(&text);
}

static void facts(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct buf *out)
{
	switch (level) {
	case EDI_INTERCHANGE:
		edi_write_fact(out, "control", syntax, edi_trimmed(edi_element(syntax, segment, 13)));
		party(out, "sender", syntax, segment, 5);
		party(out, "receiver", syntax, segment, 7);
		edi_write_fact(out, "version", syntax, edi_trimmed(edi_element(syntax, segment, 12)));
		edi_write_fact(out, "usage", syntax, edi_trimmed(edi_element(syntax, segment, 15)));
		if (!x12_isa_is_fixed(syntax, segment))
			buf_text(out, "\"fixed\":false,");
		break;
	case EDI_GROUP:
		edi_write_fact(out, "code", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 6), 1));
		edi_write_fact(out, "version", syntax, edi_component(syntax, edi_element(syntax, segment, 8), 1));
		break;
	case EDI_TRANSACTION:
		edi_write_fact(out, "type", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 2), 1));
		if (edi_element(syntax, segment, 3).len)
			edi_write_fact(out, "convention", syntax,
				       edi_component(syntax, edi_element(syntax, segment, 3), 1));
		break;
	}
}

/* ST*850*0001 or ST*850*0001*convention, of plain elements; the encoder makes four digits of fewer. */
static bool plain(const struct edi_syntax *syntax, struct span segment)
{
	size_t elements = 0;

	if (edi_element(syntax, segment, 2).len < 4)
		return false;

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
	.close_count = 1,
	.close_control = 2,
	.numeric_control = true,
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
