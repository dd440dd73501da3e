/* ISA, GS and ST for the encoder. See edi_encode.h. */
#include "config.h"
#include "transformers/edi_encode.h"

#include <stdio.h>

static const uint8_t lengths[] = {3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1};

static void put_party(json_t *isa, size_t element, const char *party)
{
	char qualifier[40], is[120];
	const char *id = edi_party(party, qualifier);

	snprintf(is, sizeof is, "%.30s:%.80s", edi_header_text(isa, element, 1), edi_header_text(isa, element + 1, 1));
	for (size_t n = strlen(is); n && is[n - 1] == ' '; n--)
		is[n - 1] = '\0';
	if (!strcmp(is, party))
		return;
	edi_header_set(isa, element, json_string(*qualifier ? qualifier : "ZZ"));
	edi_header_set(isa, element + 1, json_string(id));
}

/* Nine digits, with zeros in front where it is a shorter number. */
static void put_control(json_t *isa, const char *control)
{
	char text[40], is[40];

	snprintf(is, sizeof is, "%.39s", edi_header_text(isa, 13, 1));
	for (size_t n = strlen(is); n && is[n - 1] == ' '; n--)
		is[n - 1] = '\0';
	if (!strcmp(is, control))
		return;
	if (strlen(control) < 9 && strspn(control, "0123456789") == strlen(control))
		snprintf(text, sizeof text, "%.*s%s", (int)(9 - strlen(control)), "000000000", control);
	else
		snprintf(text, sizeof text, "%.39s", control);
	edi_header_set(isa, 13, json_string(text));
}

static void fill_isa(struct edi_encoder *encoder, json_t *isa, const json_t *facts)
{
	const struct edi_syntax *syntax = &encoder->sink.syntax;
	char date[24], hour[24], separator[2] = {syntax->component, '\0'};

	edi_date(encoder, "%y%m%d", date);
	edi_date(encoder, "%H%M", hour);
	edi_header_default(isa, 1, "00");
	edi_header_default(isa, 3, "00");
	if (edi_fact(facts, "sender"))
		put_party(isa, 5, edi_fact(facts, "sender"));
	if (edi_fact(facts, "receiver"))
		put_party(isa, 7, edi_fact(facts, "receiver"));
	edi_header_default(isa, 9, date);
	edi_header_default(isa, 10, hour);
	edi_header_fact(isa, 12, facts, "version");
	edi_header_default(isa, 12, "00401");
	if (edi_fact(facts, "control"))
		put_control(isa, edi_fact(facts, "control"));
	edi_header_default(isa, 14, "0");
	edi_header_fact(isa, 15, facts, "usage");
	edi_header_default(isa, 15, "P");
	edi_header_set(isa, 16, json_string(separator));
	separator[0] = syntax->repetition;
	if (syntax->repetition)
		edi_header_set(isa, 11, json_string(separator));
	edi_header_default(isa, 11, "U");
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

static int put_isa(struct edi_encoder *encoder, json_t *isa, struct error *error)
{
	struct buf *out = encoder->out;

	for (size_t i = 0; i < sizeof lengths; i++) {
		const char *text = edi_header_text(isa, i, 1);
		size_t from, n;

		if (i)
			buf_char(out, encoder->sink.syntax.element);
		from = out->len;
		if (put_element(&encoder->sink, i, span_of(text), error))
			return error_wrap(error, "ISA%02zu", i);
		n = out->len - from;
		if (n > lengths[i] || (i == 13 && !n))
			return error_set(error, ERROR_REJECT, i == 13 ? "x12.control" : "x12.isa",
					 i == 13 ? "there is no `control`, a number of at most nine digits"
						 : "ISA%02zu is longer than its %u characters",
					 i, lengths[i]);
		for (; n < lengths[i]; n++)
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
	failed = put_isa(encoder, isa, error);
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
	if (json_array_size(gs) < 8) {
		edi_header_default(gs, 2, encoder->sender);
		edi_header_default(gs, 3, encoder->receiver);
		edi_header_default(gs, 4, date);
		edi_header_default(gs, 5, hour);
		edi_header_default(gs, 7, "X");
	}
	edi_header_fact(gs, 6, facts, "control");
	edi_header_fact(gs, 8, facts, "version");
	if (!*edi_header_text(gs, 1, 1) || !*edi_header_text(gs, 6, 1) || strlen(edi_header_text(gs, 6, 1)) > 9)
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
	edi_header_fact(st, 2, facts, "control");
	edi_header_default(st, 2, number);
	edi_header_fact(st, 3, facts, "convention");
	if (strlen(edi_header_text(st, 1, 1)) != 3 || strlen(edi_header_text(st, 2, 1)) < 4 ||
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
