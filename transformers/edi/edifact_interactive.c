/* Interactive EDIFACT (ISO 9735-3): UIB, UIH, UIT, UIZ, as health care (SCRIPT) and travel send it. Nothing of its
 * trailers must be there, and what they say stands the other way round. See edi.h. */
#include "config.h"
#include "transformers/edi/edifact.h"

#include <stdio.h>

enum { DIALOGUE = 2, TRANSACTION = 3, SENDER = 6, RECEIVER = 7, DATE = 8, TEST = 10 }; /* elements of UIB */

static int check_open(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct error *why)
{
	if (edi_component(syntax, edi_element(syntax, segment, 1), 1).len && edi_element(syntax, segment, 2).len <= 35)
		return 0;
	return error_set(why, ERROR_REJECT, "edifact.control",
			 "UIH does not say which message it is, or its reference is longer than 35 characters");
}

/* ---- facts */
static void facts(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct buf *out)
{
	static const char *const names[] = {"type", "version", "release", "function", "agency", "association"};
	struct span first = edi_element(syntax, segment, 1),
		    control = edi_component(syntax, edi_element(syntax, segment, 2), 1);

	if (level == EDI_TRANSACTION) {
		edi_write_fact(out, "type", syntax, edi_component(syntax, first, 1));
		edi_write_fact(out, "control", syntax, control);
		for (int i = 1; i < 6; i++)
			edifact_fact_if(out, names[i], syntax, edi_component(syntax, first, i + 1));
		return;
	}
	if (!control.len)
		control = edi_component(syntax, edi_element(syntax, segment, TRANSACTION), 1);
	edi_write_fact(out, "control", syntax, control);
	edifact_party(out, "sender", syntax, edi_element(syntax, segment, SENDER));
	edifact_party(out, "receiver", syntax, edi_element(syntax, segment, RECEIVER));
	edi_write_fact(out, "syntax", syntax, edi_component(syntax, first, 1));
	edi_write_fact(out, "version", syntax, edi_component(syntax, first, 2));
	buf_printf(out, "\"interactive\":true,\"usage\":\"%s\",",
		   span_is(edi_component(syntax, edi_element(syntax, segment, TEST), 1), "1") ? "T" : "P");
}

/* Its header always stands in the line. */
static bool plain(const struct edi_syntax *syntax, struct span segment)
{
	return false;
}

/* ---- encoding */
static void fill_uib(struct edi_encoder *encoder, json_t *uib, const json_t *facts)
{
	static const char *const names[] = {"syntax", "version"};
	const char *control = edi_fact(facts, "control");
	char date[24], hour[24];

	edi_date(encoder, "%Y%m%d", date);
	edi_date(encoder, "%H%M%S", hour);
	if (!edi_has_header(facts))
		edi_header_set(uib, 1, json_pack("[s,s]", "UNOC", "4"));
	edifact_put_names(uib, 1, facts, names, 2);
	if (control && !*edi_header_text(uib, DIALOGUE, 1))
		edi_header_fact(uib, TRANSACTION, facts, "control");
	else
		edi_header_fact(uib, DIALOGUE, facts, "control");
	edifact_put_party(uib, SENDER, facts, "sender");
	edifact_put_party(uib, RECEIVER, facts, "receiver");
	if (!edi_has_header(facts))
		edi_header_set(uib, DATE, json_pack("[s,s]", date, hour));
}

static int fill_uih(struct edi_encoder *encoder, json_t *uih, const json_t *facts, struct error *error)
{
	static const char *const names[] = {"type", "version", "release", "function", "agency", "association"};
	char control[24];

	snprintf(control, sizeof control, "%llu", (unsigned long long)encoder->interchange.state.all);
	edi_header_fact(uih, 2, facts, "control");
	if (!edi_has_header(facts))
		edi_header_default(uih, 2, control);
	edifact_put_names(uih, 1, facts, names, 6);
	if (*edi_header_text(uih, 1, 1))
		return 0;
	return error_set(error, ERROR_REJECT, "edifact.control", "there is no `type` of the message");
}

static int put_open(struct edi_encoder *encoder, enum edi_level level, json_t *facts, char control[EDI_CONTROL_MAX],
		    struct error *error)
{
	json_t *header = edi_header_new(facts, edi_interactive.open[level]);
	int failed = 0;

	if (level == EDI_INTERCHANGE) {
		edifact_put_una(encoder, facts);
		fill_uib(encoder, header, facts);
	} else {
		failed = fill_uih(encoder, header, facts, error);
	}
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(header, edi_interactive.control[level], 1));
	failed = failed || edi_put_segment(&encoder->sink, header, false, error);
	json_decref(header);
	return failed;
}

const struct edi_dialect edi_interactive = {
	.name = "edifact",
	.open = {"UIB", NULL, "UIH"},
	.close = {"UIZ", NULL, "UIT"},
	.type = 1,
	.control = {DIALOGUE, 0, 2},
	.close_count = 2,
	.close_control = 1,
	.close_loose = true,
	.una = true,
	.transaction = "message",
	.start = edifact_start,
	.find = edifact_find,
	.service = edifact_service,
	.check_open = check_open,
	.facts = facts,
	.plain = plain,
	.put_open = put_open,
};
