/* What the acknowledgements of X12 and EDIFACT have in common. See edi_acknowledge.h. */
#include "config.h"
#include "transformers/edi/edi_acknowledge.h"

#include <stdlib.h>

#include "base/tree.h"
#include "base/utf8.h"
#include "transformers/edi/edi_judge.h"

#define SEGMENTS_MAX ((size_t)128 << 20)

/* ---- what came */
const char *edi_answer_text(const json_t *facts, const char *name)
{
	const char *text = json_string_value(json_object_get(facts, name));

	return text ? text : "";
}

const char *edi_answer_element(const json_t *facts, size_t n, size_t part)
{
	const json_t *element = json_array_get(json_object_get(facts, "header"), n);
	const char *text;

	if (json_is_array(element))
		element = json_array_get(element, part - 1);
	else if (part > 1)
		element = NULL;
	text = json_string_value(element);
	return text ? text : "";
}

const struct edi_finding *edi_answer_finding(const struct edi_transaction_facts *facts, size_t i)
{
	if (facts->own && !i)
		return facts->own;
	i -= facts->own ? 1 : 0;
	return facts->more && i < facts->more->count ? &facts->more->list[i] : NULL;
}

const struct edi_finding **edi_answer_findings_new(const struct edi_transaction_facts *facts, size_t *count)
{
	const struct edi_finding **list = mem_alloc((EDI_FINDINGS_MAX + 1) * sizeof *list), *finding;

	*count = 0;
	for (size_t i = 0; (finding = edi_answer_finding(facts, i)); i++) {
		size_t at = (*count)++;

		for (; at && list[at - 1]->segment > finding->segment; at--)
			list[at] = list[at - 1];
		list[at] = finding;
	}
	return list;
}

enum edi_verdict edi_answer_verdict(const struct edi_acknowledge *a, const struct edi_transaction_facts *facts)
{
	enum edi_verdict verdict = EDI_ACCEPTED;
	const struct edi_finding *finding;

	for (size_t i = 0; (finding = edi_answer_finding(facts, i)); i++) {
		if (!(edi_kinds[finding->kind].level & a->accept))
			return EDI_REFUSED;
		verdict = EDI_NOTED;
	}
	return verdict;
}

/* ---- the answer */
void edi_answer_put_take(struct edi_acknowledge *a, json_t *segment)
{
	size_t n = json_array_size(segment);
	const char *last;

	for (; n > 1; n--) {
		last = json_string_value(json_array_get(segment, n - 1));
		if (!last || *last)
			break;
		json_array_remove(segment, n - 1);
	}
	if (a->segments.len)
		buf_char(&a->segments, ',');
	tree_write(&a->segments, segment, 0);
	json_decref(segment);
}

void edi_answer_line_take(struct edi_acknowledge *a, json_t *group, json_t *transaction)
{
	buf_printf(a->lines, "{\"format\":\"%s\",\"interchange\":", a->dialect->name);
	tree_write(a->lines, a->ours, 0);
	if (group) {
		buf_text(a->lines, ",\"group\":");
		tree_write(a->lines, group, 0);
	}
	if (transaction) {
		buf_text(a->lines, ",\"transaction\":");
		tree_write(a->lines, transaction, 0);
	}
	buf_text(a->lines, ",\"segments\":[");
	a->lines->full |= a->segments.full;
	buf_span(a->lines, buf_view(&a->segments));
	buf_text(a->lines, "]}\n");
	buf_reset(&a->segments);
	json_decref(group);
	json_decref(transaction);
}

/* ---- observing */
static void finish(struct edi_acknowledge *a)
{
	if (a->interchange && a->dialect == &edi_x12)
		edi_answer_x12_group_end(a);
	else if (a->interchange)
		edi_answer_edifact_end(a);
	json_decref(a->interchange);
	json_decref(a->group);
	json_decref(a->ours);
	a->interchange = a->group = a->ours = NULL;
}

static json_t *facts_new(struct span text)
{
	json_t *facts = json_loadb(text.data ? text.data : "", text.len, 0, NULL);

	return facts ? facts : json_object();
}

/* What an answer to the sender looks like: his separators and versions, and the two of us the other way round. */
static json_t *swapped_new(const struct edi_acknowledge *a)
{
	static const char *const same[] = {"version", "usage", "syntax", "una"};
	json_t *ours = json_object(), *separators;

	json_object_set_new(ours, "control", json_sprintf("%llu", (unsigned long long)a->control));
	json_object_set(ours, "sender", json_object_get(a->interchange, "receiver"));
	json_object_set(ours, "receiver", json_object_get(a->interchange, "sender"));
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		if (json_object_get(a->interchange, same[i]))
			json_object_set(ours, same[i], json_object_get(a->interchange, same[i]));
	separators = json_object_get(a->interchange, "separators");
	if (separators)
		json_object_set_new(ours, "separators", json_deep_copy(separators));
	return ours;
}

static void take_interchange(void *arg, const struct edi_dialect *dialect, struct span facts, const struct error *why)
{
	struct edi_acknowledge *a = arg;

	finish(a);
	a->dialect = dialect;
	if (dialect != &edi_x12 && dialect != &edi_edifact) /* interactive: answered in its dialog, or not at all */
		return;
	a->interchange = facts_new(facts);
	a->ours = swapped_new(a);
	a->broken = why != NULL;
	a->answered = a->open = a->group_told = false;
	a->received = a->accepted = a->noted = a->passed = 0;
	buf_reset(&a->segments);
	if (dialect == &edi_x12)
		edi_answer_x12_interchange(a, why);
	else
		edi_answer_edifact_interchange(a, why);
}

static void take_group(void *arg, struct span facts, const struct edi_group_fault *fault)
{
	struct edi_acknowledge *a = arg;

	if (!a->interchange)
		return;
	if (a->dialect == &edi_x12)
		edi_answer_x12_group_end(a);
	json_decref(a->group);
	a->group = facts_new(facts);
	if (a->dialect == &edi_x12)
		edi_answer_x12_group(a, fault);
	else
		edi_answer_edifact_group(a, fault);
}

/* What an opening segment says may be text in another character set, which `told` has right, or in none, and is
 * answered all the same. */
static const char *clean(const char *text, const char *told, char into[EDI_CONTROL_MAX])
{
	size_t n = strnlen(text, EDI_CONTROL_MAX - 1);

	if (*told)
		return told;
	for (size_t i = 0; i < n; i++)
		into[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '.';
	into[n] = '\0';
	return into;
}

static void take_transaction(void *arg, const struct edi_transaction_facts *as_told)
{
	struct edi_acknowledge *a = arg;
	struct edi_transaction_facts facts = *as_told;
	char type[EDI_CONTROL_MAX], control[EDI_CONTROL_MAX];
	json_t *told;

	if (!a->interchange)
		return;
	told = facts_new(facts.facts);
	if (!utf8_is_clean(span_of(facts.type)))
		facts.type = clean(as_told->type, edi_answer_text(told, "type"), type);
	if (!utf8_is_clean(span_of(facts.control)))
		facts.control = clean(as_told->control, edi_answer_text(told, "control"), control);
	if (a->dialect == &edi_x12)
		edi_answer_x12_transaction(a, &facts);
	else
		edi_answer_edifact_transaction(a, &facts);
	json_decref(told);
}

static void take_empty(void *arg)
{
	struct edi_acknowledge *a = arg;

	if (!a->interchange)
		return;
	if (a->dialect == &edi_x12)
		edi_answer_x12_empty(a);
	else
		a->received++; /* it came, and nothing of it is refused */
}

void edi_acknowledge_begin(struct edi_acknowledge *a, enum edi_answer answer, int64_t time_ms, uint64_t control,
			   struct buf *lines)
{
	*a = (struct edi_acknowledge){.answer = answer, .time_ms = time_ms, .control = control, .lines = lines};
	buf_init(&a->segments, SEGMENTS_MAX);
}

struct edi_observer edi_acknowledge_observer(struct edi_acknowledge *a)
{
	return (struct edi_observer){a, take_interchange, take_group, take_transaction, take_empty};
}

void edi_acknowledge_end(struct edi_acknowledge *a)
{
	finish(a);
	buf_free(&a->segments);
}
