/* A line with a `package` to UNO, its object and UNP. See edi_package.h. */
#include "config.h"
#include "transformers/edi/edi_package.h"

#include <stdio.h>

#include "base/crypto.h"
#include "transformers/edi/edi_encode.h"

static int broken(const struct edi_encoder *encoder, struct error *error, const char *what)
{
	return edi_fault(error, encoder->dialect, "json", "%s", what);
}

/* The text's bytes into `object`. */
static int take_object(struct edi_encoder *encoder, const struct edi_package_line *line, struct buf *object,
		       struct error *error)
{
	bool raw = line->object.len != 0;
	struct span member = raw ? line->object : line->object_base64, text;
	json_t *value;
	int failed = 0;

	if (!member.len)
		return broken(encoder, error, "a `package` has its bytes in `object` (text) or `object_base64`");
	if (raw && line->object_base64.len)
		return broken(encoder, error, "the line has an `object` and an `object_base64`");
	value = json_loadb(member.data, member.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	text = span_make(json_string_value(value), json_string_length(value));
	if (!json_is_string(value))
		failed = broken(encoder, error, "`object` and `object_base64` are texts");
	else if (raw)
		buf_span(object, text);
	else if (base64_decode(object, text))
		failed = broken(encoder, error, "`object_base64` is not base64");
	json_decref(value);
	if (!failed && object->full)
		return edi_fault(error, encoder->dialect, "limit", "the object passes %zu bytes", object->max);
	return failed;
}

/* "qualifier:id" in place of what the header says, where that is something else. */
static void put_qualified(json_t *header, size_t element, const json_t *facts, const char *name)
{
	const char *fact = edi_fact(facts, name), *was = edi_header_text(header, element, 1),
		   *id = edi_header_text(header, element, 2);
	char qualifier[40], *same;

	if (!fact)
		return;
	same = mem_printf("%s%s%s", was, *was ? ":" : "", id);
	if (strcmp(fact, same)) {
		id = edi_party(fact, qualifier);
		edi_header_set(header, element, json_pack("[s,s]", qualifier, id));
	}
	free(same);
}

/* The length, in place of one that is not right; what stands behind it stays. */
static void put_length(json_t *header, size_t element, uint64_t length)
{
	json_t *status = json_array_get(header, element), *number;
	uint64_t says;

	if (edi_octets(span_of(edi_header_text(header, element, 1)), &says) && says == length)
		return;
	number = json_sprintf("%llu", (unsigned long long)length);
	if (json_is_array(status) && json_array_size(status) && !json_is_array(json_array_get(status, 0)))
		json_array_set_new(status, 0, number);
	else
		edi_header_set(header, element, number);
}

static int put_uno(struct edi_encoder *encoder, const json_t *facts, uint64_t length, char control[EDI_CONTROL_MAX],
		   struct error *error)
{
	json_t *uno = edi_header_new(facts, encoder->dialect->package[0]);
	char counted[24];
	int failed;

	snprintf(counted, sizeof counted, "%llu", (unsigned long long)encoder->interchange.state.all);
	edi_header_fact(uno, EDI_UNO_REFERENCE, facts, "control");
	edi_header_default(uno, EDI_UNO_REFERENCE, counted);
	put_qualified(uno, EDI_UNO_ID, facts, "reference");
	put_qualified(uno, EDI_UNO_TYPE, facts, "type");
	put_length(uno, EDI_UNO_STATUS, length);
	snprintf(control, EDI_CONTROL_MAX, "%s", edi_header_text(uno, EDI_UNO_REFERENCE, 1));
	if (json_is_array(json_array_get(uno, EDI_UNO_REFERENCE)))
		edi_header_set(uno, EDI_UNO_REFERENCE, json_string(control));
	if (!edi_has_header(facts) && (!edi_fact(facts, "reference") || !edi_fact(facts, "type")))
		failed = edi_fault(error, encoder->dialect, "control",
				   "a package needs a `reference` and a `type`, each as qualifier:id");
	else if (strlen(control) > EDI_UNO_REFERENCE_MAX)
		failed = edi_fault(error, encoder->dialect, "control", "`control` is longer than 35 characters");
	else
		failed = edi_put_segment(&encoder->sink, uno, false, error);
	encoder->out->len -= failed ? 0 : encoder->sink.syntax.suffix_len; /* the object follows at once */
	json_decref(uno);
	return failed;
}

/* As it was, where that is right. */
static int put_unp(struct edi_encoder *encoder, const json_t *as_was, uint64_t length, const char *control,
		   struct error *error)
{
	const char *name = encoder->dialect->package[1];
	json_t *unp;
	uint64_t says;
	int failed;

	if (as_was && !strcmp(edi_header_text(as_was, 0, 1), name) &&
	    !strcmp(edi_header_text(as_was, EDI_UNP_REFERENCE, 1), control) &&
	    edi_octets(span_of(edi_header_text(as_was, EDI_UNP_LENGTH, 1)), &says) && says == length)
		return edi_put_segment(&encoder->sink, as_was, false, error);
	unp = json_pack("[s,o,s]", name, json_sprintf("%llu", (unsigned long long)length), control);
	failed = edi_put_segment(&encoder->sink, unp, false, error);
	json_decref(unp);
	return failed;
}

int edi_put_package(struct edi_encoder *encoder, const struct edi_package_line *line, struct error *error)
{
	json_t *facts, *ends;
	char control[EDI_CONTROL_MAX];
	struct buf object;
	int failed;

	if (!encoder->dialect->package[0] || !encoder->packages)
		return edi_fault(error, encoder->dialect, "structure",
				 "only batch EDIFACT of syntax version 4 has packages");
	buf_init(&object, encoder->out->max);
	facts = json_loadb(line->package.data, line->package.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	ends = line->ends.len ? json_loadb(line->ends.data, line->ends.len, JSON_ALLOW_NUL, NULL) : NULL;
	failed = json_is_object(facts) ? 0 : broken(encoder, error, "`package` must be an object");
	failed = failed || take_object(encoder, line, &object, error) ||
		 put_uno(encoder, facts, object.len, control, error);
	if (!failed) {
		encoder->escaping.object_at = encoder->out->len - encoder->plain_from;
		encoder->escaping.object_len = object.len;
		buf_span(encoder->out, buf_view(&object));
		failed = put_unp(encoder, json_object_get(ends, "package"), object.len, control, error);
	}
	json_decref(facts);
	json_decref(ends);
	buf_free(&object);
	return failed ? error_wrap(error, "package") : 0;
}
