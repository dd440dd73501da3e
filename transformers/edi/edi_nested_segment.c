/* A segment of the nested form: members to elements by their places. See edi_nested.h. */
#include "config.h"
#include "transformers/edi/edi_nested.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"

#define PLACES_MAX 4096 /* elements of a segment, or components of a composite, that are given by position */

struct given { /* of a place */
	const json_t *value, *raw, *iso;
	const char *says; /* where nothing of these does */
};

struct members {
	const struct edi_slot *slots;
	size_t slots_count;
	const char *prefix; /* of positions: "BEG", "BEG04_" */
	struct given given[EDI_SLOTS_MAX];
	const json_t *nesting; /* "BEG00": components of the tag itself; or NULL */
	const json_t **beyond; /* by place, from 1, behind the slots; NULL: there are none */
	size_t last;           /* the last place that is given, from 1 */
};

/* ---- what an object gives */
/* "BEG13": its place behind the slots; 0: none. */
static size_t place_beyond(const struct members *m, const char *key)
{
	size_t n = strlen(m->prefix), place = 0;

	if (strncmp(key, m->prefix, n) || !isdigit((unsigned char)key[n]))
		return 0;
	for (key += n; isdigit((unsigned char)*key) && place <= PLACES_MAX; key++)
		place = place * 10 + (size_t)(*key - '0');
	return *key || place <= m->slots_count || place > PLACES_MAX ? 0 : place;
}

static bool is_nesting(const struct members *m, const char *key)
{
	size_t n = strlen(m->prefix);

	return !strncmp(key, m->prefix, n) && !strcmp(key + n, "00");
}

/* Where a slot keeps what the key names; NULL: it is another's. */
static const json_t **member_of(const struct edi_slot *slot, struct given *given, const char *key, size_t len)
{
	if (edi_label_is(&slot->by_name, key, len) || edi_label_is(&slot->by_position, key, len))
		return &given->value;
	if (edi_label_is(&slot->raw_name, key, len) || edi_label_is(&slot->raw_position, key, len))
		return &given->raw;
	if (slot->iso && (edi_label_is(&slot->iso_name, key, len) || edi_label_is(&slot->iso_position, key, len)))
		return &given->iso;
	return NULL;
}

static int unknown_member(struct edi_nesting *n, const struct members *m, const char *key)
{
	const struct edi_label *labels[EDI_SLOTS_MAX];
	char where[48];

	for (size_t i = 0; i < m->slots_count; i++)
		labels[i] = &m->slots[i].by_name;
	snprintf(where, sizeof where, "%s %.*s", strchr(m->prefix, '_') ? "the composite" : "the segment",
		 (int)strcspn(m->prefix, "_"), m->prefix);
	return edi_nesting_unknown(n, key, where, labels, m->slots_count);
}

static int take_member(struct edi_nesting *n, struct members *m, const char *key, const json_t *value, size_t *from)
{
	size_t len = strlen(key), place;
	const json_t **member = NULL;

	for (size_t k = 0; k < m->slots_count && !member; k++) {
		size_t i = (*from + k) % m->slots_count;

		member = member_of(&m->slots[i], &m->given[i], key, len);
		if (!member)
			continue;
		*from = i;
		if (edi_is_nothing(value))
			return 0;
		if (*member && !json_equal(*member, value))
			return edi_nesting_refuse(n, "document", key,
						  "it is given by its name and by its position, and they differ");
		*member = value;
		m->last = m->last > i + 1 ? m->last : i + 1;
		return 0;
	}
	place = place_beyond(m, key);
	if (is_nesting(m, key)) {
		m->nesting = value;
		return 0;
	}
	if (!place)
		return unknown_member(n, m, key);
	if (edi_is_nothing(value))
		return 0;
	if (!m->beyond)
		m->beyond = mem_alloc((PLACES_MAX + 1) * sizeof *m->beyond);
	m->beyond[place] = value;
	m->last = m->last > place ? m->last : place;
	return 0;
}

/* Where only the ISO form of a date is given, and nothing says how it is written. */
static void add_formats(struct members *m)
{
	for (size_t i = 0; i < m->slots_count; i++) {
		const struct given *given = &m->given[i];
		size_t at = m->slots[i].iso == EDI_ISO_BEFORE ? i - 1 : i + 1;

		if (m->slots[i].iso < EDI_ISO_BEFORE || given->value || !json_is_string(given->iso) ||
		    at >= m->slots_count || m->given[at].value)
			continue;
		m->given[at].says = edi_iso_format(&m->slots[i], span_of(json_string_value(given->iso)));
		if (m->given[at].says && m->last < at + 1)
			m->last = at + 1;
	}
}

/* m->beyond is the caller's to free. */
static int gather(struct edi_nesting *n, struct members *m, const json_t *object)
{
	const json_t *value;
	const char *key;
	size_t from = 0;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		if (take_member(n, m, key, value, &from))
			return -1;
	add_formats(m);
	return 0;
}

static bool is_given(const struct members *m, size_t place)
{
	const struct given *given;

	if (place > m->slots_count)
		return m->beyond && m->beyond[place];
	given = &m->given[place - 1];
	return given->value || given->raw || given->iso || given->says;
}

static const char *key_of(const struct members *m, size_t place, char into[80])
{
	const struct edi_label *label;

	if (place > m->slots_count) {
		snprintf(into, 80, strchr(m->prefix, '_') ? "%s%zu" : "%s%02zu", m->prefix, place);
	} else {
		label = &m->slots[place - 1].by_name;
		snprintf(into, 80, "%.*s", (int)label->len - 3, label->text + 1);
	}
	return into;
}

/* ---- a value */
static int text_of(struct edi_nesting *n, const json_t *value, const char *key, struct buf *number, struct span *text)
{
	if (json_is_string(value)) {
		*text = span_make(json_string_value(value), json_string_length(value));
		return 0;
	}
	if (!json_is_number(value))
		return edi_nesting_refuse(n, "document", key, "a value is a text or a number");
	tree_write(number, value, 0);
	*text = buf_view(number);
	if (memchr(text->data, 'e', text->len))
		return edi_nesting_refuse(n, "value", key, "a number is written without an exponent: make it a text");
	return 0;
}

static int put_text(struct edi_nesting *n, const char *key, struct span text)
{
	return edi_put_text(n->sink, text, n->error)
		       ? error_wrap(n->error, "%.*s.%s", SPAN_ARGS(buf_view(&n->path)), key)
		       : 0;
}

/* A value whose original is `raw`, where that says the same. slot: NULL, nothing is known of it. */
static int put_value(struct edi_nesting *n, const struct edi_slot *slot, const char *key, const json_t *value,
		     const json_t *raw)
{
	struct buf number;
	struct span text, original = SPAN_NONE;
	char implied[64];
	const char *why;
	size_t len;
	int failed;

	buf_init(&number, 64);
	failed = text_of(n, value, key, &number, &text);
	if (!failed && json_is_string(raw))
		original = span_make(json_string_value(raw), json_string_length(raw));
	if (!failed && original.len && edi_is_original(&slot->data, text, original)) {
		text = original;
	} else if (!failed && slot && slot->data.type == EDI_TYPE_IMPLIED && slot->data.decimals && text.len) {
		len = edi_imply_back(text, slot->data.decimals, implied, &why);
		text = span_make(implied, len);
		if (!len)
			failed = edi_nesting_refuse(n, "value", key, "%s, which has %u of them, implied", why,
						    slot->data.decimals);
	}
	failed = failed || put_text(n, key, text) ? -1 : 0;
	buf_free(&number);
	return failed;
}

/* A date, or time, that only its ISO form is given of. */
static int put_iso(struct edi_nesting *n, const struct members *m, size_t i, const char *key)
{
	const struct edi_slot *slot = &m->slots[i];
	size_t at = slot->iso == EDI_ISO_BEFORE ? i - 1 : i + 1;
	const char *iso = json_string_value(m->given[i].iso), *format = NULL;
	char text[64];
	size_t len;

	if (slot->iso >= EDI_ISO_BEFORE && at < m->slots_count)
		format = m->given[at].says ? m->given[at].says : json_string_value(m->given[at].value);
	len = iso ? edi_iso_back(slot, span_of(iso), span_of(format ? format : ""), text) : 0;
	if (len)
		return put_text(n, key, span_make(text, len));
	return edi_nesting_refuse(n, "value", key, "its ISO form \"%.30s\" cannot be written%s%.10s",
				  iso ? iso : "(no text)", format ? " in the format " : "", format ? format : "");
}

/* ---- an element */
static int put_separator(struct edi_nesting *n, const char *key, bool repetitions)
{
	char separator = repetitions ? n->sink->syntax.repetition : n->sink->syntax.component;

	if (!separator)
		return edi_nesting_refuse(n, "document", key, "it has %s, but there is no separator for them",
					  repetitions ? "repetitions" : "components");
	buf_char(n->sink->out, separator);
	return 0;
}

/* Components that have no names. */
static int put_plain(struct edi_nesting *n, const char *key, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if ((i && put_separator(n, key, false)) || (!edi_is_nothing(json_array_get(list, i)) &&
							    put_value(n, NULL, key, json_array_get(list, i), NULL)))
			return -1;
	return 0;
}

static int put_composite(struct edi_nesting *n, const struct edi_slot *slot, const char *key, const json_t *object)
{
	struct members m = {.slots = slot->parts, .slots_count = slot->parts_count};
	char prefix[24], name[80];
	size_t was = n->path.len;
	int failed;

	if (edi_is_nothing(object))
		return 0;
	if (!json_is_object(object))
		return edi_nesting_refuse(n, "document", key, "it is a composite: an object with %s … in it",
					  slot->parts_count ? slot->parts[0].name : "its components");
	snprintf(prefix, sizeof prefix, "%.*s_", (int)slot->by_position.len - 3, slot->by_position.text + 1);
	m.prefix = prefix;
	buf_printf(&n->path, ".%s", key);
	failed = gather(n, &m, object);
	for (size_t i = 1; !failed && i <= m.last; i++) {
		const struct given *given = i <= m.slots_count ? &m.given[i - 1] : NULL;
		const char *part = key_of(&m, i, name);

		if (i > 1 && put_separator(n, part, false))
			failed = -1;
		else if (!is_given(&m, i))
			continue;
		else if (!given)
			failed = put_value(n, NULL, part, m.beyond[i], NULL);
		else if (given->value || given->raw)
			failed = put_value(n, &m.slots[i - 1], part, given->value ? given->value : given->raw,
					   given->raw);
		else if (given->says)
			failed = put_text(n, part, span_of(given->says));
		else
			failed = put_iso(n, &m, i - 1, part);
	}
	free(m.beyond);
	n->path.len = was;
	return failed;
}

/* One repetition. */
static int put_repetition(struct edi_nesting *n, const struct edi_slot *slot, const char *key, const json_t *value,
			  const json_t *raw)
{
	if (slot && slot->parts)
		return put_composite(n, slot, key, value);
	if (json_is_array(value))
		return put_plain(n, key, value);
	return edi_is_nothing(value) ? 0 : put_value(n, slot, key, value, raw);
}

static int put_value_or_list(struct edi_nesting *n, const struct edi_slot *slot, const char *key, const json_t *value,
			     const json_t *raw)
{
	/* Beyond what the grammar has a list without lists in it has the components of one. */
	bool list = json_is_array(value) && (slot || json_is_array(json_array_get(value, 0)));

	if (!list)
		return put_repetition(n, slot, key, value, raw);
	for (size_t i = 0; i < json_array_size(value); i++)
		if ((i && put_separator(n, key, true)) ||
		    put_repetition(n, slot, key, json_array_get(value, i), json_array_get(raw, i)))
			return -1;
	return 0;
}

static int put_element(struct edi_nesting *n, const struct members *m, size_t place)
{
	const struct given *given = place <= m->slots_count ? &m->given[place - 1] : NULL;
	char name[80];
	const char *key = key_of(m, place, name);

	if (!given)
		return put_value_or_list(n, NULL, key, m->beyond[place], NULL);
	if (given->value || given->raw)
		return put_value_or_list(n, &m->slots[place - 1], key, given->value ? given->value : given->raw,
					 given->raw);
	return given->says ? put_text(n, key, span_of(given->says)) : put_iso(n, m, place - 1, key);
}

/* BIN and BDS, whose last element is bytes. */
static int put_binary(struct edi_nesting *n, const struct edi_form *form, const struct members *m)
{
	json_t *list = json_array();
	int failed;

	json_array_append_new(list, json_string(form->tag));
	for (size_t i = 1; i <= m->last; i++)
		if (i <= m->slots_count && m->given[i - 1].value)
			json_array_append(list, (json_t *)(uintptr_t)m->given[i - 1].value);
		else
			json_array_append_new(list, json_string(""));
	failed = edi_put_segment(n->sink, list, false, n->error);
	json_decref(list);
	return failed ? error_wrap(n->error, "%.*s", SPAN_ARGS(buf_view(&n->path))) : 0;
}

static int put_nesting(struct edi_nesting *n, const struct members *m)
{
	if (!json_is_array(m->nesting))
		return edi_nesting_refuse(n, "document", m->prefix, "what stands behind the tag is a list of texts");
	for (size_t i = 0; i < json_array_size(m->nesting); i++)
		if (put_separator(n, m->prefix, false) ||
		    put_value(n, NULL, m->prefix, json_array_get(m->nesting, i), NULL))
			return -1;
	return 0;
}

int edi_put_form(struct edi_nesting *n, const struct edi_form *form, const json_t *segment)
{
	const struct edi_syntax *syntax = &n->sink->syntax;
	struct members m = {.slots = form->slots, .slots_count = form->slots_count, .prefix = form->tag};
	int failed = gather(n, &m, segment);
	size_t written = 0;

	if (!failed && n->sink->dialect->binary && (!strcmp(form->tag, "BIN") || !strcmp(form->tag, "BDS"))) {
		failed = put_binary(n, form, &m);
		free(m.beyond);
		return failed;
	}
	buf_text(n->sink->out, form->tag);
	if (!failed && m.nesting)
		failed = put_nesting(n, &m);
	for (size_t i = 1; !failed && i <= m.last; i++) {
		if (!is_given(&m, i))
			continue;
		for (; written < i; written++)
			buf_char(n->sink->out, written ? syntax->element : syntax->tag);
		failed = put_element(n, &m, i);
	}
	if (!failed)
		edi_put_end(n->sink);
	free(m.beyond);
	return failed;
}
