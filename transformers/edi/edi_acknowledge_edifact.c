/* CONTRL. See edi_acknowledge.h.
 *
 * What is acknowledged is not named below what names it: UCM and UCF tell of what was refused, and a UCF of what holds
 * such a message. Elements are counted with the segment's tag as 1. */
#include "config.h"
#include "transformers/edi/edi_acknowledge.h"

#include <stdio.h>
#include <stdlib.h>

#define REFUSED "4"
#define ACKNOWLEDGED "7" /* and the level below, but for what is refused there */
#define RECEIVED "8"
#define ERRORS_MAX 99  /* UCD below one UCS */
#define TAG_ELEMENT 1u /* the first element behind it is the second */

static bool is_four(const struct edi_acknowledge *a)
{
	return strcmp(edi_answer_text(a->interchange, "version"), "4") >= 0;
}

static json_t *header_element_new(const json_t *facts, size_t n)
{
	json_t *element = json_array_get(json_object_get(facts, "header"), n);

	return element ? json_incref(element) : json_string("");
}

/* 0085, 0013 and S011 behind an action; element: of that service segment, from 1; 0: none. */
static void add_error(json_t *segment, const char *code, const char *tag, unsigned element)
{
	json_array_append_new(segment, json_string(code));
	json_array_append_new(segment, json_string(tag));
	if (element)
		json_array_append_new(segment, json_sprintf("%u", element + TAG_ELEMENT));
}

/* What is wrong with an envelope: its trailer's count, the number in it, or the trailer itself. */
static void add_envelope_error(json_t *segment, enum edi_kind kind, const char *open, const char *close)
{
	const char *code = edi_kinds[kind].contrl;

	code = code ? code : "18";
	if (kind == EDI_KIND_COUNT)
		add_error(segment, code, close, 1);
	else if (kind == EDI_KIND_CONTROL)
		add_error(segment, code, close, 2);
	else if (kind == EDI_KIND_TRUNCATED)
		add_error(segment, code, close, 0);
	else
		add_error(segment, code, open, 0);
}

/* ---- the interchange */
static void write_answer(struct edi_acknowledge *a, json_t *uci)
{
	struct buf below = a->segments;

	buf_init(&a->segments, below.max);
	edi_answer_put_take(a, uci);
	if (below.len)
		buf_char(&a->segments, ',');
	buf_span(&a->segments, buf_view(&below));
	a->segments.full |= below.full;
	buf_free(&below);
	edi_answer_line_take(a, NULL,
			     json_pack("{s:s,s:s,s:s,s:s}", "type", "CONTRL", "version", is_four(a) ? "4" : "2",
				       "release", is_four(a) ? "1" : "2", "agency", "UN"));
	a->answered = true;
	a->control++;
}

static json_t *uci_new(const struct edi_acknowledge *a, const char *action)
{
	return json_pack("[s,s,o,o,s]", "UCI", edi_answer_text(a->interchange, "control"),
			 header_element_new(a->interchange, 2), header_element_new(a->interchange, 3), action);
}

void edi_answer_edifact_interchange(struct edi_acknowledge *a, const struct error *why)
{
	json_t *uci;

	if (!why)
		return;
	uci = uci_new(a, REFUSED);
	add_envelope_error(uci, edi_kind_of(why->code), "UNB", "UNZ");
	write_answer(a, uci);
}

/* An interchange of acknowledgements is not answered; an empty one is. */
void edi_answer_edifact_end(struct edi_acknowledge *a)
{
	if (a->answered || !a->received)
		return;
	if (a->receipt)
		buf_reset(&a->segments);
	write_answer(a, uci_new(a, a->receipt ? RECEIVED : ACKNOWLEDGED));
}

/* ---- groups */
static json_t *ucf_new(const struct edi_acknowledge *a, const char *action)
{
	return json_pack("[s,s,o,o,s]", is_four(a) ? "UCG" : "UCF", edi_answer_text(a->group, "control"),
			 header_element_new(a->group, 2), header_element_new(a->group, 3), action);
}

void edi_answer_edifact_group(struct edi_acknowledge *a, const struct edi_group_fault *fault)
{
	json_t *ucf;

	a->group_told = false;
	if (!fault)
		return;
	a->received++; /* it holds something, or should */
	ucf = ucf_new(a, REFUSED);
	if (edi_kind_of(fault->why.code) == EDI_KIND_CONTROL && !*edi_answer_text(a->group, "control"))
		add_error(ucf, "13", "UNG", 5);
	else
		add_envelope_error(ucf, edi_kind_of(fault->why.code), "UNG", "UNE");
	edi_answer_put_take(a, ucf);
}

/* ---- messages */
/* Of the message as a whole: in UCM, which has room for one. */
static bool is_of_message(const struct edi_finding *finding)
{
	return edi_kinds[finding->kind].ak502 || !finding->segment;
}

static const char *code_of(const struct edi_finding *finding)
{
	const char *code = edi_kinds[finding->kind].contrl;

	return code ? code : "18";
}

static void put_message(struct edi_acknowledge *a, const struct edi_transaction_facts *facts,
			const struct edi_finding *const *list, size_t count)
{
	static const char *const names[] = {"type", "version", "release", "agency", "association"};
	json_t *transaction = json_loadb(facts->facts.data ? facts->facts.data : "", facts->facts.len, 0, NULL),
	       *type = json_array(), *ucm;
	size_t last = 1;

	for (size_t i = 0; i < 5; i++) {
		const char *text = edi_answer_text(transaction, names[i]);

		json_array_append_new(type, json_string(text));
		last = *text ? i + 1 : last;
	}
	while (json_array_size(type) > last)
		json_array_remove(type, json_array_size(type) - 1);
	ucm = json_pack("[s,s,o,s]", "UCM", facts->control, type, REFUSED);
	for (size_t i = 0; i < count && ucm; i++) {
		if (!is_of_message(list[i]))
			continue;
		if (list[i]->kind == EDI_KIND_GRAMMAR)
			add_error(ucm, code_of(list[i]), "UNH", 2);
		else if (list[i]->kind == EDI_KIND_CONTROL && list[i]->segment <= 1)
			add_error(ucm, "13", "UNH", *facts->control ? 2 : 1);
		else
			add_envelope_error(ucm, list[i]->kind, "UNH", "UNT");
		break;
	}
	edi_answer_put_take(a, ucm);
	json_decref(transaction);
}

/* The same for a package (UCM of syntax version 4): its reference and what it refers to stand behind the error. */
static void put_package(struct edi_acknowledge *a, const struct edi_transaction_facts *facts)
{
	json_t *package = json_loadb(facts->facts.data ? facts->facts.data : "", facts->facts.len, 0, NULL),
	       *ucm = json_pack("[s,s,s,s]", "UCM", "", "", REFUSED);

	if (facts->own)
		add_envelope_error(ucm, facts->own->kind, "UNO", "UNP");
	while (json_array_size(ucm) < 7)
		json_array_append_new(ucm, json_string(""));
	json_array_append_new(ucm, json_string(facts->control));
	json_array_append_new(ucm, header_element_new(package, 2));
	edi_answer_put_take(a, ucm);
	json_decref(package);
}

/* A missing segment is told by the last one in front of it. */
static uint32_t position_of(const struct edi_finding *finding)
{
	bool missing = finding->kind == EDI_KIND_SEGMENT_MISSING || finding->kind == EDI_KIND_LOOP_MISSING;

	return missing && finding->segment > 1 ? finding->segment - 1 : finding->segment;
}

static void put_element(struct edi_acknowledge *a, const struct edi_finding *finding)
{
	json_t *position = json_pack("[o]", json_sprintf("%u", finding->element + TAG_ELEMENT));

	if (finding->component || (finding->repetition > 1 && is_four(a)))
		json_array_append_new(position,
				      finding->component ? json_sprintf("%u", finding->component) : json_string(""));
	if (finding->repetition > 1 && is_four(a))
		json_array_append_new(position, json_sprintf("%u", finding->repetition));
	edi_answer_put_take(a, json_pack("[s,s,o]", "UCD", code_of(finding), position));
}

static size_t put_segment(struct edi_acknowledge *a, const struct edi_finding *const *list, size_t count)
{
	size_t n = 1, notes = 0;

	while (n < count && list[n]->segment == list[0]->segment)
		n++;
	for (size_t i = 0; i < n; i++)
		if (!is_of_message(list[i]) && !list[i]->element)
			edi_answer_put_take(a, json_pack("[s,o,s]", "UCS", json_sprintf("%u", position_of(list[i])),
							 code_of(list[i])));
	for (size_t i = 0; i < n; i++) {
		if (is_of_message(list[i]) || !list[i]->element)
			continue;
		if (!(notes++ % ERRORS_MAX))
			edi_answer_put_take(a, json_pack("[s,o]", "UCS", json_sprintf("%u", list[i]->segment)));
		put_element(a, list[i]);
	}
	return n;
}

void edi_answer_edifact_transaction(struct edi_acknowledge *a, const struct edi_transaction_facts *facts)
{
	const struct edi_finding **list;
	size_t count;

	if (!strcmp(facts->type, "CONTRL"))
		return;
	a->received++;
	if (edi_answer_verdict(a, facts) != EDI_REFUSED)
		return;
	if (a->group && !a->group_told)
		edi_answer_put_take(a, ucf_new(a, ACKNOWLEDGED));
	a->group_told = true;
	if (facts->package) {
		put_package(a, facts);
		return;
	}
	list = edi_answer_findings_new(facts, &count);
	put_message(a, facts, list, count);
	for (size_t i = 0; i < count;)
		i += put_segment(a, list + i, count - i);
	free(list);
}
