/* ISA, GS and ST for the encoder. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#include <stdio.h>

#include "transformers/edi/x12.h"

static bool is_party(const json_t *isa, size_t element, const char *party)
{
	struct span qualifier = edi_trimmed(span_of(edi_header_text(isa, element, 1))),
		    id = edi_trimmed(span_of(edi_header_text(isa, element + 1, 1)));

	return !strncmp(party, qualifier.data, qualifier.len) && party[qualifier.len] == ':' &&
	       span_equal(id, span_of(party + qualifier.len + 1));
}

static void put_party(json_t *isa, size_t element, const char *party)
{
	char qualifier[40];
	const char *id = edi_party(party, qualifier);

	if (is_party(isa, element, party))
		return;
	edi_header_set(isa, element, json_string(*qualifier ? qualifier : "ZZ"));
	edi_header_set(isa, element + 1, json_string(id));
}

/* So many digits at least, with zeros in front where it is a shorter number. */
static void put_control(json_t *header, size_t element, const char *control, size_t digits)
{
	char text[40], is[40];
	size_t n = strlen(control);

	snprintf(is, sizeof is, "%.39s", edi_header_text(header, element, 1));
	if (span_equal(edi_trimmed(span_of(is)), edi_trimmed(span_of(control))))
		return;
	if (n < digits && strspn(control, "0123456789") == n)
		snprintf(text, sizeof text, "%.*s%s", (int)(digits - n), "000000000", control);
	else
		snprintf(text, sizeof text, "%.39s", control);
	edi_header_set(header, element, json_string(text));
}

static void fill_isa(struct edi_encoder *encoder, json_t *isa, const json_t *facts)
{
	const struct edi_syntax *syntax = &encoder->sink.syntax;
	char date[24], hour[24], separator[2] = {syntax->component, '\0'};

	if (edi_fact(facts, "sender"))
		put_party(isa, 5, edi_fact(facts, "sender"));
	if (edi_fact(facts, "receiver"))
		put_party(isa, 7, edi_fact(facts, "receiver"));
	edi_header_fact(isa, 12, facts, "version");
	if (edi_fact(facts, "control"))
		put_control(isa, 13, edi_fact(facts, "control"), 9);
	edi_header_fact(isa, 15, facts, "usage");
	if (syntax->component)
		edi_header_set(isa, 16, json_string(separator));
	separator[0] = syntax->repetition;
	if (syntax->repetition)
		edi_header_set(isa, 11, json_string(separator));
	if (edi_has_header(facts))
		return;
	edi_date(encoder, "%y%m%d", date);
	edi_date(encoder, "%H%M", hour);
	edi_header_default(isa, 1, "00");
	edi_header_default(isa, 3, "00");
	edi_header_default(isa, 9, date);
	edi_header_default(isa, 10, hour);
	edi_header_default(isa, 11, "U");
	edi_header_default(isa, 12, "00401");
	edi_header_default(isa, 14, "0");
	edi_header_default(isa, 15, "P");
}

/* Components and repetitions are none in ISA; its separators stand in it as they are. */
static int put_element(struct edi_sink *sink, size_t i, struct span text, struct error *error)
{
	struct edi_syntax was = sink->syntax;
	int failed;

	if (i == 16 || (i == 11 && text.len == 1 && *text.data == was.repetition))
		return buf_span(sink->out, text);
	sink->syntax.component = sink->syntax.repetition = '\0';
	failed = edi_put_text(sink, text, error);
	sink->syntax = was;
	return failed;
}

static int put_isa(struct edi_encoder *encoder, json_t *isa, bool fixed, struct error *error)
{
	struct buf *out = encoder->out;

	for (size_t i = 0; i < X12_ISA_ELEMENTS; i++) {
		size_t length = x12_isa_lengths[i];
		const char *text = edi_header_text(isa, i, 1);
		size_t from, n;

		if (i)
			buf_char(out, encoder->sink.syntax.element);
		from = out->len;
		if (put_element(&encoder->sink, i, span_of(text), error))
			return error_wrap(error, "ISA%02zu", i);
		n = out->len - from;
		if (i == 13 && (!n || (n > length && fixed)))
			return error_set(error, ERROR_REJECT, "x12.control",
					 "there is no `control`, a number of at most nine digits");
		if (n > length && fixed)
			return error_set(error, ERROR_REJECT, "x12.isa", "ISA%02zu is longer than its %zu characters",
					 i, length);
		for (; n < length && fixed; n++)
			buf_char(out, ' ');
	}
	edi_put_end(&encoder->sink);
	return 0;
}

static int put_interchange(struct edi_encoder *encoder, json_t *facts, char control[EDI_CONTROL_MAX],
			   struct error *error)
{
	json_t *isa = edi_header_new(facts, "ISA");
	int failed;

	fill_isa(encoder, isa, facts);
	failed = put_isa(encoder, isa, !json_is_false(json_object_get(facts, "fixed")), error);
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(isa, 13, 1));
	for (size_t n = strlen(control); n && control[n - 1] == ' '; n--)
		control[n - 1] = '\0';
	snprintf(encoder->sender, sizeof encoder->sender, "%.*s", (int)strcspn(edi_header_text(isa, 6, 1), " "),
		 edi_header_text(isa, 6, 1));
	snprintf(encoder->receiver, sizeof encoder->receiver, "%.*s", (int)strcspn(edi_header_text(isa, 8, 1), " "),
		 edi_header_text(isa, 8, 1));
	json_decref(isa);
	return failed;
}

static int put_group(struct edi_encoder *encoder, json_t *facts, char control[EDI_CONTROL_MAX], struct error *error)
{
	json_t *gs = edi_header_new(facts, "GS");
	char date[24], hour[24];
	int failed = 0;

	edi_date(encoder, "%Y%m%d", date);
	edi_date(encoder, "%H%M", hour);
	edi_header_fact(gs, 1, facts, "code");
	edi_header_fact(gs, 2, facts, "sender");
	edi_header_fact(gs, 3, facts, "receiver");
	if (!edi_has_header(facts)) {
		edi_header_default(gs, 2, encoder->sender);
		edi_header_default(gs, 3, encoder->receiver);
		edi_header_default(gs, 4, date);
		edi_header_default(gs, 5, hour);
		edi_header_default(gs, 7, "X");
	}
	edi_header_fact(gs, 6, facts, "control");
	edi_header_fact(gs, 8, facts, "version");
	if ((!*edi_header_text(gs, 1, 1) && !edi_has_header(facts)) || !*edi_header_text(gs, 6, 1) ||
	    strlen(edi_header_text(gs, 6, 1)) > 9)
		failed = error_set(error, ERROR_REJECT, "x12.control",
				   "there is no `code` (PO, IN …), or no `control` of 1 to 9 digits");
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(gs, 6, 1));
	failed = failed || edi_put_segment(&encoder->sink, gs, false, error);
	json_decref(gs);
	return failed;
}

static int put_transaction(struct edi_encoder *encoder, json_t *facts, char control[EDI_CONTROL_MAX],
			   struct error *error)
{
	json_t *st = edi_header_new(facts, "ST");
	char number[24];
	int failed = 0;

	snprintf(number, sizeof number, "%04llu", (unsigned long long)encoder->group.state.count);
	edi_header_fact(st, 1, facts, "type");
	if (edi_fact(facts, "control"))
		put_control(st, 2, edi_fact(facts, "control"), 4);
	edi_header_default(st, 2, number);
	edi_header_fact(st, 3, facts, "convention");
	if (strlen(edi_header_text(st, 1, 1)) != 3 || !*edi_header_text(st, 2, 1) ||
	    strlen(edi_header_text(st, 2, 1)) > 9)
		failed = error_set(error, ERROR_REJECT, "x12.control",
				   "there is no `type` of three digits, or `control` has not 4 to 9 digits");
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(st, 2, 1));
	failed = failed || edi_put_segment(&encoder->sink, st, false, error);
	json_decref(st);
	return failed;
}

int x12_put_open(struct edi_encoder *encoder, enum edi_level level, json_t *facts, char control[EDI_CONTROL_MAX],
		 struct error *error)
{
	switch (level) {
	case EDI_INTERCHANGE:
		return put_interchange(encoder, facts, control, error);
	case EDI_GROUP:
		return put_group(encoder, facts, control, error);
	default:
		return put_transaction(encoder, facts, control, error);
	}
}
