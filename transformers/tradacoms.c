/* TRADACOMS (GS1 UK): STX, MHD, MTR, END, with batches (BAT, EOB). A segment's name is followed by =, and the
 * separators are always the same. See edi.h. */
#include "config.h"
#include "transformers/edi.h"

#include "transformers/format.h"

/* ---- the header */
static bool collect(struct span got, const struct edi_syntax *syntax, struct edi_start *start)
{
	bool released = false;
	size_t n = 0;

	for (size_t i = 0; i < got.len && n < EDI_HEADER_MAX; i++) {
		char c = got.data[i];

		if (c == '\r' || c == '\n')
			continue;
		start->text[n] = c;
		if (!released && c == syntax->terminator) {
			start->header = span_make(start->text, n);
			start->end = start->header_from + i + 1;
			return true;
		}
		released = !released && c == syntax->release;
		n++;
	}
	return false;
}

static int start(struct edi_scan *scan, uint64_t offset, struct edi_start *start, struct error *why,
		 struct error *error)
{
	struct edi_syntax *syntax = &scan->syntax;
	struct span got;

	if (window_get(&scan->window, offset, EDI_HEADER_MAX + 64, &got, error))
		return -1;
	if (got.len > EDI_HEADER_MAX + 64)
		got.len = EDI_HEADER_MAX + 64;
	if (!span_starts(got, "STX=")) {
		error_set(why, ERROR_REJECT, "tradacoms.junk",
			  "there is no TRADACOMS at byte %llu: a transmission starts with STX=",
			  (unsigned long long)offset);
		return 0;
	}
	memset(syntax, 0, sizeof *syntax);
	syntax->tag = '=';
	syntax->element = '+';
	syntax->component = ':';
	syntax->release = '?';
	syntax->terminator = '\'';
	start->offset = start->una_end = start->header_from = offset;
	start->charset = NULL;
	if (collect(got, syntax, start))
		return 1;
	if (got.len < EDI_HEADER_MAX)
		error_set(why, ERROR_REJECT, "tradacoms.truncated", "the document ends within STX");
	else
		error_set(why, ERROR_REJECT, "tradacoms.limit",
			  "STX is longer than %d bytes: its terminator may be missing", EDI_HEADER_MAX);
	return 0;
}

static size_t find(struct span bytes)
{
	const char *at = bytes.len >= 4 ? memmem(bytes.data, bytes.len, "STX=", 4) : NULL;

	return at ? (size_t)(at - bytes.data) : bytes.len;
}

static bool service(const struct edi_syntax *syntax, struct span segment)
{
	return false;
}

static int check_open(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct error *why)
{
	struct span control = edi_element(syntax, segment, 1);

	if (level == EDI_GROUP)
		return 0;
	if (!control.len || control.len > 12)
		return error_set(why, ERROR_REJECT, "tradacoms.control", "MHD has no number of 1 to 12 digits");
	if (!edi_component(syntax, edi_element(syntax, segment, 2), 1).len)
		return error_set(why, ERROR_REJECT, "tradacoms.control", "MHD does not say which message it is");
	return 0;
}

/* ---- facts */
static void fact(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span value)
{
	buf_printf(out, "\"%s\":", name);
	edi_write_text(out, syntax, value);
	buf_char(out, ',');
}

/* The code, or where there is none the name. */
static void party(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span element)
{
	struct span code = edi_component(syntax, element, 1);

	fact(out, name, syntax, code.len ? code : edi_component(syntax, element, 2));
}

static void facts(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct buf *out)
{
	struct span type = edi_element(syntax, segment, 2);

	switch (level) {
	case EDI_INTERCHANGE:
		fact(out, "control", syntax, edi_element(syntax, segment, 5));
		party(out, "sender", syntax, edi_element(syntax, segment, 2));
		party(out, "receiver", syntax, edi_element(syntax, segment, 3));
		fact(out, "syntax", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		fact(out, "version", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 2));
		if (edi_element(syntax, segment, 7).len)
			fact(out, "application", syntax, edi_element(syntax, segment, 7));
		break;
	case EDI_GROUP:
		fact(out, "control", syntax, edi_element(syntax, segment, 1));
		break;
	case EDI_TRANSACTION:
		fact(out, "type", syntax, edi_component(syntax, type, 1));
		fact(out, "control", syntax, edi_element(syntax, segment, 1));
		if (edi_component(syntax, type, 2).len)
			fact(out, "version", syntax, edi_component(syntax, type, 2));
		break;
	}
}

/* MHD=1+ORDERS:9, of plain elements. */
static bool plain(const struct edi_syntax *syntax, struct span segment)
{
	size_t elements = 0, components = 0;

	if (segment.len < 5 || segment.data[segment.len - 1] == ':')
		return false;
	for (size_t i = 4; i < segment.len; i++) {
		uint8_t class = syntax->class[(uint8_t)segment.data[i]];

		elements += class == EDI_ELEMENT;
		components += class == EDI_COMPONENT;
		if ((class != EDI_TEXT && class != EDI_ELEMENT && class != EDI_COMPONENT) ||
		    (class == EDI_COMPONENT && !elements))
			return false;
	}
	return elements == 1 && components <= 1;
}

const struct edi_dialect edi_tradacoms = {
	.name = "tradacoms",
	.open = {"STX", "BAT", "MHD"},
	.close = {"END", "EOB", "MTR"},
	.control = {5, 1, 1},
	.transaction = "message",
	.start = start,
	.find = find,
	.service = service,
	.check_open = check_open,
	.facts = facts,
	.plain = plain,
};

static int run(const struct decode_settings *settings, struct item *item, struct out *out, struct error *error)
{
	return edi_read(&edi_tradacoms, settings->charset, item, out, error);
}

const struct decode_format decode_tradacoms = {"tradacoms", "TRADACOMS transmissions, a message each", run};
