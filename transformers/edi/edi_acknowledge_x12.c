/* 997, 999 and TA1. See edi_acknowledge.h. */
#include "config.h"
#include "transformers/edi/edi_acknowledge.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IMPLEMENTATION "005010X231A1" /* the guide of 999 */
#define NOTES_MAX 99                  /* AK4 below one AK3 */
#define NUMBERS_OURS 9901             /* elements from here on have numbers of the dictionaries, not the standard */
#define ID_MAX 15                     /* ISA06 and ISA08 */
#define CODES_MAX 5                   /* of AK5 and AK9 */

struct codes {
	const char *list[CODES_MAX];
	size_t count;
};

static void add_code(struct codes *codes, const char *code)
{
	for (size_t i = 0; i < codes->count; i++)
		if (!strcmp(codes->list[i], code))
			return;
	if (codes->count < CODES_MAX)
		codes->list[codes->count++] = code;
}

static void put_codes_take(struct edi_acknowledge *a, json_t *segment, const struct codes *codes)
{
	for (size_t i = 0; i < codes->count; i++)
		json_array_append_new(segment, json_string(codes->list[i]));
	edi_answer_put_take(a, segment);
}

static bool is_999(const struct edi_acknowledge *a)
{
	return a->answer == EDI_ANSWER_999;
}

/* The group's version as the first six of GS08: "004010"; what it was before that has no release. */
static const char *version_of(const struct edi_acknowledge *a, char version[8])
{
	snprintf(version, 8, "%.6s", edi_answer_text(a->group, "version"));
	if (strlen(version) != 6 || strspn(version, "0123456789") != 6)
		snprintf(version, 8, "004010");
	return version;
}

static bool is_since(const struct edi_acknowledge *a, const char *since)
{
	char version[8];

	return is_999(a) || strcmp(version_of(a, version), since) >= 0;
}

/* ---- TA1 */
static void put_ta1(struct edi_acknowledge *a, const char *result, const char *note)
{
	edi_answer_put_take(a, json_pack("[s,s,s,s,s,s]", "TA1", edi_answer_text(a->interchange, "control"),
					 edi_answer_element(a->interchange, 9, 1),
					 edi_answer_element(a->interchange, 10, 1), result, note));
	edi_answer_line_take(a, NULL, NULL);
	a->answered = true;
	a->group_control = a->control++;
}

/* The separator of components stands in ISA16, which some leave empty; positions of components need one. */
static void need_component(json_t *separators)
{
	static const char choices[] = ">:<|^";
	const char *is = edi_answer_text(separators, "component"), *value;
	const char *name;
	json_t *each;

	if (*is)
		return;
	for (const char *c = choices; *c; c++) {
		bool taken = false;

		json_object_foreach(separators, name, each) {
			value = json_string_value(each);
			taken = taken || (value && *value == *c);
		}
		if (taken)
			continue;
		json_object_set_new(separators, "component", json_stringn(c, 1));
		return;
	}
}

void edi_answer_x12_interchange(struct edi_acknowledge *a, const struct error *why)
{
	const char *note = why ? edi_kinds[edi_kind_of(why->code)].ta105 : NULL;

	a->group_key[0] = '\0';
	/* Who writes identifiers that are too long for ISA's widths is answered in the same way. */
	if (strlen(edi_answer_element(a->interchange, 6, 1)) > ID_MAX ||
	    strlen(edi_answer_element(a->interchange, 8, 1)) > ID_MAX)
		json_object_set_new(a->ours, "fixed", json_false());
	need_component(json_object_get(a->ours, "separators"));
	if (why)
		put_ta1(a, "R", note ? note : "024");
}

/* It has a group, or nothing at all, so it is no answer itself. */
static void answer_interchange(struct edi_acknowledge *a)
{
	bool fixed = !json_is_false(json_object_get(a->interchange, "fixed"));

	if (a->answered || (a->answer != EDI_ANSWER_TA1 && strcmp(edi_answer_element(a->interchange, 14, 1), "1")))
		return;
	put_ta1(a, fixed ? "A" : "E", fixed ? "000" : "022");
}

void edi_answer_x12_empty(struct edi_acknowledge *a)
{
	answer_interchange(a);
}

/* ---- AK1 to AK9 */
static uint64_t claimed(const struct edi_group_fault *fault)
{
	size_t n = strspn(fault->claimed, "0123456789");

	return n && n < 7 ? strtoull(fault->claimed, NULL, 10) : fault->transactions;
}

static json_t *group_of(struct edi_acknowledge *a)
{
	const char *version = IMPLEMENTATION, *sender = edi_answer_element(a->group, 3, 1),
		   *receiver = edi_answer_element(a->group, 2, 1);
	char own[8], key[sizeof a->group_key], date[16] = "", hour[8] = "";
	time_t seconds = (time_t)(a->time_ms / 1000);
	struct tm tm;

	if (!is_999(a))
		version = version_of(a, own);
	snprintf(key, sizeof key, "%s/%s/%s", version, sender, receiver);
	if (strcmp(key, a->group_key) != 0) { /* one more group of the answer */
		if (!a->answered)
			a->group_control = a->control++;
		else if (*a->group_key)
			a->group_control++;
		memcpy(a->group_key, key, sizeof key);
	}
	a->answered = true;
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof date, "%Y%m%d", &tm);
	strftime(hour, sizeof hour, "%H%M", &tm);
	return json_pack("{s:s,s:o,s:s,s:[s,s,s,s,s,s,o,s,s]}", "code", "FA", "control",
			 json_sprintf("%llu", (unsigned long long)a->group_control), "version", version, "header", "GS",
			 "FA", sender, receiver, date + (strcmp(version, "004010") < 0 ? 2 : 0), hour,
			 json_sprintf("%llu", (unsigned long long)a->group_control), "X", version);
}

static void end_group(struct edi_acknowledge *a, const char *result, uint64_t included, const struct codes *codes)
{
	json_t *ak9 = json_pack("[s,s,o,o,o]", "AK9", result, json_sprintf("%llu", (unsigned long long)included),
				json_sprintf("%llu", (unsigned long long)a->received),
				json_sprintf("%llu", (unsigned long long)a->accepted)),
	       *transaction = json_pack("{s:s}", "type", is_999(a) ? "999" : "997");

	put_codes_take(a, ak9, codes);
	if (is_999(a))
		json_object_set_new(transaction, "convention", json_string(IMPLEMENTATION));
	edi_answer_line_take(a, group_of(a), transaction);
	a->open = false;
}

void edi_answer_x12_group(struct edi_acknowledge *a, const struct edi_group_fault *fault)
{
	const char *control = edi_answer_text(a->group, "control"), *code;
	struct codes codes = {0};
	json_t *ak1;

	a->open = false;
	a->received = a->accepted = a->noted = 0;
	if (!strcmp(edi_answer_text(a->group, "code"), "FA"))
		return;
	answer_interchange(a);
	if (a->answer == EDI_ANSWER_TA1)
		return;
	a->open = true;
	ak1 = json_pack("[s,s,s]", "AK1", edi_answer_text(a->group, "code"), *control ? control : "0");
	if (is_since(a, "005010"))
		json_array_append_new(ak1, json_string(edi_answer_text(a->group, "version")));
	edi_answer_put_take(a, ak1);
	if (!fault)
		return;
	code = edi_kinds[edi_kind_of(fault->why.code)].ak905;
	if (edi_kind_of(fault->why.code) == EDI_KIND_CONTROL &&
	    (!*control || strlen(control) > 9 || strspn(control, "0123456789") != strlen(control)))
		code = "6";
	if (code)
		add_code(&codes, code);
	a->received = fault->transactions;
	end_group(a, "R", claimed(fault), &codes);
}

void edi_answer_x12_group_end(struct edi_acknowledge *a)
{
	const struct codes none = {0};

	if (!a->open)
		return;
	end_group(a, a->accepted == a->received ? a->noted ? "E" : "A" : a->accepted ? "P" : "R", a->received, &none);
}

/* ---- AK2 to AK5 */
static bool is_tag(const char *tag)
{
	size_t n = strlen(tag);

	for (size_t i = 0; i < n; i++)
		if (!isupper((unsigned char)tag[i]) && !isdigit((unsigned char)tag[i]))
			return false;
	return n == 2 || n == 3;
}

static bool is_told_below(const struct edi_finding *finding)
{
	const struct edi_kind_facts *kind = &edi_kinds[finding->kind];

	return !kind->ak502 && finding->segment > 0 && is_tag(finding->tag);
}

static const char *segment_code(const struct edi_acknowledge *a, const struct edi_finding *finding)
{
	const struct edi_kind_facts *kind = &edi_kinds[finding->kind];
	const char *code = is_999(a) ? kind->ik304 : kind->ak304;

	if (is_999(a) && finding->guide && kind->guide304)
		code = kind->guide304;
	return code ? code : "8";
}

static const char *element_code(const struct edi_acknowledge *a, const struct edi_finding *finding)
{
	const struct edi_kind_facts *kind = &edi_kinds[finding->kind];

	if (!finding->element)
		return NULL;
	if (is_999(a) && finding->guide && kind->guide403)
		return kind->guide403;
	return is_999(a) ? kind->ik403 : kind->ak403;
}

/* It can stand in the answer. */
static bool is_safe(const struct edi_acknowledge *a, const char *value)
{
	const json_t *separators = json_object_get(a->ours, "separators");
	const char *name;
	json_t *each;

	for (const char *p = value; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	json_object_foreach((json_t *)(uintptr_t)separators, name, each) {
		const char *separator = json_string_value(each);

		if (separator && *separator && strchr(value, *separator))
			return false;
	}
	return strspn(value, " ") != strlen(value);
}

/* A copy of what stood there, unless it would break the answer. */
static const char *copy_of(const struct edi_acknowledge *a, const struct edi_finding *finding)
{
	return is_safe(a, finding->value) ? finding->value : "";
}

static json_t *position_new(const struct edi_acknowledge *a, const struct edi_finding *finding)
{
	bool repeated = finding->repetition > 1 && is_since(a, "004030");
	json_t *position;

	if (!finding->component && !repeated)
		return json_sprintf("%u", finding->element);
	position = json_pack("[o]", json_sprintf("%u", finding->element));
	json_array_append_new(position, finding->component ? json_sprintf("%u", finding->component) : json_string(""));
	if (repeated)
		json_array_append_new(position, json_sprintf("%u", finding->repetition));
	return position;
}

/* Of a data element of the standard. */
static bool is_number(const char *reference)
{
	size_t n = strlen(reference);

	return n && n < 5 && strspn(reference, "0123456789") == n && atoi(reference) < NUMBERS_OURS;
}

static void put_element(struct edi_acknowledge *a, const struct edi_finding *finding)
{
	edi_answer_put_take(a, json_pack("[s,o,s,s,s]", is_999(a) ? "IK4" : "AK4", position_new(a, finding),
					 is_number(finding->reference) ? finding->reference : "",
					 element_code(a, finding), copy_of(a, finding)));
}

/* CTX of 999: the business unit that the error lies in. */
static void put_unit(struct edi_acknowledge *a, const struct edi_finding *finding)
{
	if (is_999(a) && *finding->unit && is_safe(a, finding->unit_value))
		edi_answer_put_take(a, json_pack("[s,[s,s]]", "CTX", finding->unit, finding->unit_value));
}

/* CTX of 999: the element that asks for this one, or excludes it. */
static void put_trigger(struct edi_acknowledge *a, const struct edi_finding *finding)
{
	if (is_999(a) && finding->trigger)
		edi_answer_put_take(a,
				    json_pack("[s,s,s,o,s,o,s]", "CTX", "SITUATIONAL TRIGGER", finding->tag,
					      json_sprintf("%u", finding->segment), finding->loop_tag,
					      json_sprintf("%u", finding->trigger),
					      is_number(finding->trigger_reference) ? finding->trigger_reference : ""));
}

static void put_segment(struct edi_acknowledge *a, const struct edi_finding *finding, const char *code)
{
	edi_answer_put_take(a, json_pack("[s,s,o,s,s]", is_999(a) ? "IK3" : "AK3", finding->tag,
					 json_sprintf("%u", finding->segment), finding->loop_tag, code));
	put_unit(a, finding);
}

/* Errors of one segment as a whole are a segment of the answer each; those of its elements stand below one. */
static size_t put_one(struct edi_acknowledge *a, const struct edi_finding *const *list, size_t count)
{
	const struct edi_finding *first = list[0];
	size_t n = 1, notes = 0;

	while (n < count && list[n]->segment == first->segment && !strcmp(list[n]->tag, first->tag))
		n++;
	for (size_t i = 0; i < n; i++)
		if (is_told_below(list[i]) && !element_code(a, list[i]))
			put_segment(a, list[i], segment_code(a, list[i]));
	for (size_t i = 0; i < n; i++) {
		if (!is_told_below(list[i]) || !element_code(a, list[i]))
			continue;
		if (!(notes++ % NOTES_MAX))
			put_segment(a, list[i], "8");
		put_element(a, list[i]);
		put_trigger(a, list[i]);
	}
	return n;
}

/* AK502 to AK506. */
static void find_codes(const struct edi_acknowledge *a, const struct edi_transaction_facts *facts, struct codes *codes)
{
	const struct edi_finding *finding;

	for (size_t i = 0; (finding = edi_answer_finding(facts, i)); i++) {
		const struct edi_kind_facts *kind = &edi_kinds[finding->kind];

		if (finding->kind == EDI_KIND_CONTROL && finding->segment <= 1) { /* ST itself */
			size_t n = strlen(facts->control);

			if (strlen(facts->type) != 3)
				add_code(codes, "6");
			if (!n || n > 9 || strlen(facts->type) == 3)
				add_code(codes, "7");
		} else if (kind->ak502) {
			add_code(codes, kind->ak502);
		} else {
			add_code(codes, is_999(a) && finding->guide && (kind->guide304 || kind->guide403) ? "I5" : "5");
		}
	}
}

void edi_answer_x12_transaction(struct edi_acknowledge *a, const struct edi_transaction_facts *facts)
{
	static const char *const results[] = {[EDI_ACCEPTED] = "A", [EDI_NOTED] = "E", [EDI_REFUSED] = "R"};
	enum edi_verdict verdict = edi_answer_verdict(a, facts);
	json_t *ak2, *transaction = json_loadb(facts->facts.data ? facts->facts.data : "", facts->facts.len, 0, NULL);
	struct codes codes = {0};
	const struct edi_finding **list;
	size_t count;

	if (a->open) {
		a->received++;
		a->accepted += verdict != EDI_REFUSED;
		a->noted += verdict == EDI_NOTED;
		ak2 = json_pack("[s,s,s]", "AK2", *facts->type ? facts->type : "000",
				*facts->control ? facts->control : "0000");
		if (is_since(a, "005010"))
			json_array_append_new(ak2, json_string(edi_answer_text(transaction, "convention")));
		edi_answer_put_take(a, ak2 ? ak2 : json_pack("[s,s,s]", "AK2", "000", "0000"));
		list = edi_answer_findings_new(facts, &count);
		for (size_t i = 0; i < count;)
			i += put_one(a, list + i, count - i);
		free(list);
		find_codes(a, facts, &codes);
		put_codes_take(a, json_pack("[s,s]", is_999(a) ? "IK5" : "AK5", results[verdict]), &codes);
	}
	json_decref(transaction);
}
