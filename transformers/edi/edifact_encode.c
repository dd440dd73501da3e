/* UNA, UNB, UNG and UNH for the encoder. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edifact.h"

#include <stdio.h>

void edifact_put_una(struct edi_encoder *encoder, const json_t *facts)
{
	const struct edi_syntax *syntax = &encoder->sink.syntax;
	const char *una = edi_fact(facts, "una");
	bool usual = syntax->element == '+' && syntax->component == ':' && syntax->release == '?' &&
		     syntax->terminator == '\'' && (!syntax->repetition || syntax->repetition == '*');
	char reserved = una && strlen(una) == 6 ? una[4] : ' ';

	if (!una && (usual || syntax->element == '\x1d'))
		return;
	buf_printf(encoder->out, "UNA%c%c%c%c%c", syntax->component, syntax->element, syntax->decimal,
		   syntax->release ? syntax->release : ' ', syntax->repetition ? syntax->repetition : reserved);
	edi_put_end(&encoder->sink);
}

static json_t *party_new(const char *party)
{
	char qualifier[40];
	const char *id = edi_party(party, qualifier);

	return *qualifier ? json_pack("[s,s]", id, qualifier) : json_string(id);
}

void edifact_put_party(json_t *header, size_t element, const json_t *facts, const char *name)
{
	const char *fact = edi_fact(facts, name), *id = edi_header_text(header, element, 1),
		   *qualifier = edi_header_text(header, element, 2);
	size_t n = strlen(qualifier);

	if (!fact || (!n && !strcmp(fact, id)) ||
	    (n && !strncmp(fact, qualifier, n) && fact[n] == ':' && !strcmp(fact + n + 1, id)))
		return;
	edi_header_set(header, element, party_new(fact));
}

/* Components that facts name; the list as it was where it says the same. */
void edifact_put_names(json_t *header, size_t element, const json_t *facts, const char *const *names, size_t n)
{
	json_t *list = json_array();
	size_t last = 0;
	bool same = true;

	for (size_t i = 0; i < n; i++) {
		const char *fact = edi_fact(facts, names[i]), *is = edi_header_text(header, element, i + 1);

		same = same && (!fact || !strcmp(fact, is));
		json_array_append_new(list, json_string(fact ? fact : is));
		if (fact || *is)
			last = i + 1;
	}
	while (json_array_size(list) > last)
		json_array_remove(list, json_array_size(list) - 1);
	if (same && json_array_size(header) > element)
		json_decref(list);
	else
		edi_header_set(header, element, list);
}

static int fill_unb(struct edi_encoder *encoder, json_t *unb, const json_t *facts, struct error *error)
{
	static const char *const names[] = {"syntax", "version"};
	const char *usage = edi_fact(facts, "usage");
	char date[24], hour[24];

	if (!edi_has_header(facts))
		edi_header_set(unb, 1, json_pack("[s,s]", "UNOC", "3"));
	edifact_put_names(unb, 1, facts, names, 2);
	edifact_put_party(unb, 2, facts, "sender");
	edifact_put_party(unb, 3, facts, "receiver");
	edi_date(encoder, *edi_header_text(unb, 1, 2) >= '4' ? "%Y%m%d" : "%y%m%d", date);
	edi_date(encoder, "%H%M", hour);
	if (!edi_has_header(facts))
		edi_header_set(unb, 4, json_pack("[s,s]", date, hour));
	edi_header_fact(unb, 5, facts, "control");
	edi_header_fact(unb, 7, facts, "application");
	if (usage && !strcmp(usage, "T") && strcmp(edi_header_text(unb, 11, 1), "1"))
		edi_header_set(unb, 11, json_string("1"));
	if (*edi_header_text(unb, 5, 1))
		return 0;
	return error_set(error, ERROR_REJECT, "edifact.control", "there is no `control`, the interchange's reference");
}

static int fill_ung(struct edi_encoder *encoder, json_t *ung, const json_t *facts, struct error *error)
{
	static const char *const names[] = {"version", "release"};
	char date[24], hour[24];

	edi_date(encoder, "%y%m%d", date);
	edi_date(encoder, "%H%M", hour);
	edi_header_fact(ung, 1, facts, "code");
	edifact_put_party(ung, 2, facts, "sender");
	edifact_put_party(ung, 3, facts, "receiver");
	if (!edi_has_header(facts)) {
		edi_header_default(ung, 2, encoder->sender);
		edi_header_default(ung, 3, encoder->receiver);
		edi_header_set(ung, 4, json_pack("[s,s]", date, hour));
		edi_header_default(ung, 6, "UN");
	}
	edi_header_fact(ung, 5, facts, "control");
	if (edi_fact(facts, "version"))
		edifact_put_names(ung, 8, facts, names, 2);
	if (*edi_header_text(ung, 5, 1))
		return 0;
	return error_set(error, ERROR_REJECT, "edifact.control", "there is no `control`, the group's reference");
}

static int fill_unh(struct edi_encoder *encoder, json_t *unh, const json_t *facts, struct error *error)
{
	static const char *const names[] = {"type", "version", "release", "agency", "association"};
	char control[24];

	snprintf(control, sizeof control, "%llu", (unsigned long long)encoder->interchange.state.all);
	edi_header_fact(unh, 1, facts, "control");
	edi_header_default(unh, 1, control);
	edifact_put_names(unh, 2, facts, names, 5);
	if (*edi_header_text(unh, 2, 1))
		return 0;
	return error_set(error, ERROR_REJECT, "edifact.control", "there is no `type` of the message");
}

int edifact_put_open(struct edi_encoder *encoder, enum edi_level level, json_t *facts, char control[EDI_CONTROL_MAX],
		     struct error *error)
{
	json_t *header = edi_header_new(facts, edi_edifact.open[level]);
	int failed;

	if (level == EDI_INTERCHANGE) {
		edifact_put_una(encoder, facts);
		failed = fill_unb(encoder, header, facts, error);
		encoder->packages = *edi_header_text(header, 1, 2) >= '4';
		snprintf(encoder->sender, sizeof encoder->sender, "%.39s", edi_header_text(header, 2, 1));
		snprintf(encoder->receiver, sizeof encoder->receiver, "%.39s", edi_header_text(header, 3, 1));
	} else {
		failed = level == EDI_GROUP ? fill_ung(encoder, header, facts, error)
					    : fill_unh(encoder, header, facts, error);
	}
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(header, edi_edifact.control[level], 1));
	failed = failed || edi_put_segment(&encoder->sink, header, false, error);
	json_decref(header);
	return failed;
}
