/* TRADACOMS (GS1 UK): STX, MHD, MTR, END, with batches (BAT, EOB). A segment's name is followed by =, and the
 * separators are always the same. See edi.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#include <stdio.h>

/* ---- the header */
static int start(struct edi_scan *scan, uint64_t offset, struct edi_start *start, struct error *why,
		 struct error *error)
{
	struct edi_syntax *syntax = &scan->syntax;
	struct span got, control;

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
	if (edi_take_header(scan, got, start, why))
		return 0;
	edi_syntax_ready(syntax);
	control = edi_component(syntax, edi_element(syntax, start->header, 5), 1);
	if (control.len && control.len <= 35)
		return 1;
	error_set(why, ERROR_REJECT, "tradacoms.control", "STX has no transmission reference of 1 to 35 characters");
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
	struct span control = edi_component(syntax, edi_element(syntax, segment, 1), 1);

	if (level == EDI_GROUP && control.len <= 35)
		return 0;
	if (level == EDI_GROUP)
		return error_set(why, ERROR_REJECT, "tradacoms.control", "the number of BAT is longer than 35 digits");
	if (!control.len || control.len > 12)
		return error_set(why, ERROR_REJECT, "tradacoms.control", "MHD has no number of 1 to 12 digits");
	if (!edi_component(syntax, edi_element(syntax, segment, 2), 1).len)
		return error_set(why, ERROR_REJECT, "tradacoms.control", "MHD does not say which message it is");
	return 0;
}

/* ---- facts */
/* The code, or where there is none the name. */
static void party(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span element)
{
	struct span code = edi_component(syntax, element, 1);

	edi_write_fact(out, name, syntax, code.len ? code : edi_component(syntax, element, 2));
}

static void facts(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct buf *out)
{
	struct span type = edi_element(syntax, segment, 2);

	switch (level) {
	case EDI_INTERCHANGE:
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 5), 1));
		party(out, "sender", syntax, edi_element(syntax, segment, 2));
		party(out, "receiver", syntax, edi_element(syntax, segment, 3));
		edi_write_fact(out, "syntax", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		edi_write_fact(out, "version", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 2));
		if (edi_element(syntax, segment, 7).len)
			edi_write_fact(out, "application", syntax,
				       edi_component(syntax, edi_element(syntax, segment, 7), 1));
		break;
	case EDI_GROUP:
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		break;
	case EDI_TRANSACTION:
		edi_write_fact(out, "type", syntax, edi_component(syntax, type, 1));
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		if (edi_component(syntax, type, 2).len)
			edi_write_fact(out, "version", syntax, edi_component(syntax, type, 2));
		break;
	}
}

/* MHD=1+ORDERS:9, of plain elements. */
static bool plain(const struct edi_syntax *syntax, struct span segment)
{
	size_t elements = 0, components = 0;

	if (segment.len < 5 || segment.data[3] != syntax->tag || segment.data[segment.len - 1] == ':')
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

/* ---- encoding */
static void put_party(json_t *stx, size_t element, const json_t *facts, const char *name)
{
	const char *fact = edi_fact(facts, name), *code = edi_header_text(stx, element, 1);

	if (!*code)
		code = edi_header_text(stx, element, 2);
	if (fact && strcmp(fact, code))
		edi_header_set(stx, element, json_string(fact));
}

static int fill_stx(struct edi_encoder *encoder, json_t *stx, const json_t *facts, struct error *error)
{
	char date[24], hour[24];

	edi_date(encoder, "%y%m%d", date);
	edi_date(encoder, "%H%M%S", hour);
	if (!edi_has_header(facts))
		edi_header_set(stx, 1, json_pack("[s,s]", "ANA", "1"));
	put_party(stx, 2, facts, "sender");
	put_party(stx, 3, facts, "receiver");
	if (!edi_has_header(facts))
		edi_header_set(stx, 4, json_pack("[s,s]", date, hour));
	edi_header_fact(stx, 5, facts, "control");
	edi_header_fact(stx, 7, facts, "application");
	if (*edi_header_text(stx, 5, 1))
		return 0;
	return error_set(error, ERROR_REJECT, "tradacoms.control",
			 "there is no `control`, the sender's transmission reference");
}

static int fill_mhd(struct edi_encoder *encoder, json_t *mhd, const json_t *facts, struct error *error)
{
	const char *type = edi_fact(facts, "type"), *version = edi_fact(facts, "version");
	char control[24];

	snprintf(control, sizeof control, "%llu", (unsigned long long)encoder->interchange.state.all);
	edi_header_fact(mhd, 1, facts, "control");
	edi_header_default(mhd, 1, control);
	if (type &&
	    (strcmp(type, edi_header_text(mhd, 2, 1)) || (version && strcmp(version, edi_header_text(mhd, 2, 2)))))
		edi_header_set(mhd, 2, version ? json_pack("[s,s]", type, version) : json_string(type));
	if (*edi_header_text(mhd, 2, 1))
		return 0;
	return error_set(error, ERROR_REJECT, "tradacoms.control", "there is no `type` of the message");
}

static int put_open(struct edi_encoder *encoder, enum edi_level level, json_t *facts, char control[EDI_CONTROL_MAX],
		    struct error *error)
{
	json_t *header = edi_header_new(facts, edi_tradacoms.open[level]);
	int failed = 0;

	if (level == EDI_INTERCHANGE)
		failed = fill_stx(encoder, header, facts, error);
	else if (level == EDI_GROUP)
		edi_header_fact(header, 1, facts, "control");
	else
		failed = fill_mhd(encoder, header, facts, error);
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(header, edi_tradacoms.control[level], 1));
	failed = failed || edi_put_segment(&encoder->sink, header, false, error);
	json_decref(header);
	return failed;
}

const struct edi_dialect edi_tradacoms = {
	.name = "tradacoms",
	.open = {"STX", "BAT", "MHD"},
	.close = {"END", "EOB", "MTR"},
	.type = 2,
	.control = {5, 1, 1},
	.close_count = 1,
	.transaction = "message",
	.start = start,
	.find = find,
	.service = service,
	.check_open = check_open,
	.facts = facts,
	.plain = plain,
	.put_open = put_open,
};
