/* :86: of MT940: text as the bank has it, and where it is structured as German banks do it (a code of three digits,
 * then ?20 and its kin) its parts. See mt940.h. */
#include "config.h"
#include "transformers/bank/mt940.h"

#include <stdio.h>

/* Keys in the text of SEPA payments: EREF+… */
static const char *const sepa_keys[] = {"EREF", "KREF", "MREF", "CRED", "DEBT", "COAM", "OAMT",
					"SVWZ", "ABWA", "ABWE", "IBAN", "BIC",  "RREF", "PURP"};

#define PARTS_MAX 200 /* of a field, and keys in it; with more of them it is a text */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The character that parts begin with, behind the code; '\0': it is not structured. */
static char separator_of(struct span text, size_t *code)
{
	*code = bank_is_digits(text, 3) ? 3 : 0;
	if (text.len < *code + 3 || !strchr("?>@+|^", text.data[*code]) || !is_digit(text.data[*code + 1]) ||
	    !is_digit(text.data[*code + 2]))
		return '\0';
	return text.data[*code];
}

static void add(json_t *object, const char *name, struct span text)
{
	const char *before = json_string_value(json_object_get(object, name));
	struct buf all;

	if (!text.len)
		return;
	buf_init(&all, 1 << 22);
	buf_text(&all, before ? before : "");
	buf_span(&all, text);
	json_object_set_new(object, name, json_stringn(all.data, all.len));
	buf_free(&all);
}

static void add_part(json_t *information, json_t *parts, struct span part)
{
	char name[3] = {part.data[0], part.data[1], '\0'};
	struct span text = span_make(part.data + 2, part.len - 2);
	int n = (name[0] - '0') * 10 + (name[1] - '0');

	add(parts, name, text);
	if (n == 0)
		add(information, "posting", text);
	else if (n == 10)
		add(information, "primanota", text);
	else if ((n >= 20 && n <= 29) || (n >= 60 && n <= 63))
		add(information, "purpose", text);
	else if (n == 30)
		add(information, "bank", text);
	else if (n == 31)
		add(information, "account", text);
	else if (n == 32 || n == 33)
		add(information, "name", text);
	else if (n == 34)
		add(information, "textKey", text);
}

static const char *key_at(struct span text)
{
	for (size_t i = 0; i < sizeof sepa_keys / sizeof *sepa_keys; i++) {
		size_t n = strlen(sepa_keys[i]);

		if (text.len > n && !memcmp(text.data, sepa_keys[i], n) && text.data[n] == '+')
			return sepa_keys[i];
	}
	return NULL;
}

static bool is_part(struct span text, size_t at, char separator)
{
	return text.data[at] == separator && at + 2 < text.len && is_digit(text.data[at + 1]) &&
	       is_digit(text.data[at + 2]);
}

static bool has_many(struct span text, char separator)
{
	size_t parts = 0, keys = 0;

	for (size_t i = 0; i < text.len; i++) {
		parts += is_part(text, i, separator);
		keys += text.data[i] == '+';
	}
	return parts > PARTS_MAX || keys > PARTS_MAX;
}

static void add_sepa(json_t *information)
{
	const json_t *purpose = json_object_get(information, "purpose");
	struct span text = span_make(json_string_value(purpose), json_string_length(purpose)), value = SPAN_NONE;
	const char *key = NULL;
	json_t *sepa = json_object();

	for (size_t i = 0; i < text.len; i++) {
		const char *next = key_at(span_make(text.data + i, text.len - i));

		if (next) {
			if (key)
				add(sepa, key, bank_trim(value));
			key = next;
			i += strlen(next);
			value = span_make(text.data + i + 1, 0);
		} else {
			value.len += key != NULL;
		}
	}
	if (key)
		add(sepa, key, bank_trim(value));
	if (json_object_size(sepa))
		json_object_set(information, "sepa", sepa);
	json_decref(sepa);
}

json_t *mt940_information_new(struct span text)
{
	json_t *information = json_object(), *parts;
	struct buf joined;
	size_t code, at;
	char separator;

	json_object_set_new(information, "text", json_stringn(text.data ? text.data : "", text.len));
	buf_init(&joined, 1 << 22);
	for (size_t i = 0; i < text.len; i++) /* lines are broken anywhere */
		if (text.data[i] != '\n')
			buf_char(&joined, text.data[i]);
	text = buf_view(&joined);
	separator = separator_of(text, &code);
	if (separator && !has_many(text, separator)) {
		parts = json_object();
		bank_set(information, "code", span_make(text.data, code));
		for (at = code; at + 2 < text.len;) {
			size_t end = at + 3;

			while (end < text.len && !is_part(text, end, separator))
				end++;
			add_part(information, parts, span_make(text.data + at + 1, end - at - 1));
			at = end;
		}
		json_object_set_new(information, "parts", parts);
		add_sepa(information);
	}
	buf_free(&joined);
	return information;
}
