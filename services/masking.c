/* Masking. See masking.h. */
#include "config.h"
#include "services/masking.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "base/utf8.h"

#define SHORTEST 3 /* significant bytes; shorter ones stand everywhere by chance */
#define ANYWHERE 6 /* from so many on it needs no boundaries */
#define GAP_MAX 3  /* punctuation between two significant bytes */
#define DEPTH_MAX 64

/* What to look for: the significant bytes of a value in lower case, and what takes their places. */
struct hidden {
	char *core, *stand;
	size_t len;
	char *value; /* as it was collected; NULL: a variant or a word of another one */
};

struct masking {
	struct hidden *list;
	size_t count, capacity, values;
};

struct masking *masking_new(void)
{
	return mem_alloc(sizeof(struct masking));
}

void masking_free(struct masking *masking)
{
	for (size_t i = 0; masking && i < masking->count; i++) {
		free(masking->list[i].core);
		free(masking->list[i].stand);
		free(masking->list[i].value);
	}
	if (masking)
		free(masking->list);
	free(masking);
}

size_t masking_count(const struct masking *masking)
{
	return masking->values;
}

/* ---- stand-ins ------------------------------------------------------------------------------------------------------
 */
static bool significant(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static unsigned chance(unsigned below)
{
	uint32_t n;

	crypto_random((unsigned char *)&n, sizeof n);
	return n % below;
}

static char stand_in_letter(char c)
{
	static const char vowels[] = "aeiou", others[] = "bcdfghjklmnprstvwz";

	return strchr("aeiouy", c) ? vowels[chance(5)] : others[chance(18)];
}

static bool is_date(const char *core, size_t len)
{
	int month = len == 8 ? (core[4] - '0') * 10 + core[5] - '0' : 0,
	    day = len == 8 ? (core[6] - '0') * 10 + core[7] - '0' : 0;

	return len == 8 && strspn(core, "0123456789") == 8 && (!strncmp(core, "19", 2) || !strncmp(core, "20", 2)) &&
	       month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* An accented letter of Latin-1 becomes another one: in UTF-8 two bytes, the first of them 0xc3. */
static unsigned stand_in_accent(unsigned second)
{
	unsigned base = second & 0x20 ? 0xa0 : 0x80;

	if (second == 0x97 || second == 0xb7 || second == 0x9f || second == 0xbf || (second & 0x1f) > 0x16)
		return second;
	return base + chance(0x17);
}

static char *stand_in_new(const char *core, size_t len)
{
	char *stand = mem_span_dup(span_make(core, len)), month_day[8];

	if (is_date(core, len)) {
		snprintf(month_day, sizeof month_day, "%02u%02u", (1 + chance(12)) % 13, (1 + chance(28)) % 29);
		memcpy(stand + 4, month_day, 4);
		return stand;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)core[i];
		bool first = i == 0 || !isdigit((unsigned char)core[i - 1]);

		if (isdigit(c))
			stand[i] = first ? (c == '0' ? '0' : (char)('1' + chance(9))) : (char)('0' + chance(10));
		else if (isalpha(c))
			stand[i] = stand_in_letter((char)c);
		else if (c == 0xc3 && i + 1 < len) {
			stand[i + 1] = (char)stand_in_accent((unsigned char)core[i + 1]);
			i++;
		}
	}
	return stand;
}

/* ---- collecting
 * ------------------------------------------------------------------------------------------------------ */
static bool known(const struct masking *masking, const char *core, size_t len)
{
	for (size_t i = 0; i < masking->count; i++)
		if (masking->list[i].len == len && !memcmp(masking->list[i].core, core, len))
			return true;
	return false;
}

static void hide(struct masking *masking, const char *core, const char *stand, size_t len, const char *value)
{
	if (len < SHORTEST || known(masking, core, len))
		return;
	masking->list = mem_grow(masking->list, &masking->capacity, masking->count + 1, sizeof *masking->list);
	masking->list[masking->count++] = (struct hidden){mem_span_dup(span_make(core, len)),
							  mem_span_dup(span_make(stand, len)), len, mem_strdup(value)};
}

/* The same where accented letters are single bytes (ISO 8859-1), or "u00e9" (JSON). */
static void hide_variants(struct masking *masking, const char *core, const char *stand, size_t len)
{
	struct buf cores[2], stands[2];
	bool any = false;

	for (int v = 0; v < 2; v++) {
		buf_init(&cores[v], 64 * 1024);
		buf_init(&stands[v], 64 * 1024);
	}
	for (size_t i = 0; i < len; i++) {
		bool accent = (unsigned char)core[i] == 0xc3 && i + 1 < len;
		unsigned a = accent ? (unsigned char)core[i + 1] + 0x40u : 0,
			 b = accent ? (unsigned char)stand[i + 1] + 0x40u : 0;

		any = any || accent;
		buf_char(&cores[0], accent ? (char)a : core[i]);
		buf_char(&stands[0], accent ? (char)b : stand[i]);
		if (accent)
			buf_printf(&cores[1], "u%04x", a), buf_printf(&stands[1], "u%04x", b);
		else
			buf_char(&cores[1], core[i]), buf_char(&stands[1], stand[i]);
		i += accent;
	}
	for (int v = 0; v < 2; v++) {
		if (any)
			hide(masking, cores[v].data, stands[v].data, cores[v].len, NULL);
		buf_free(&cores[v]);
		buf_free(&stands[v]);
	}
}

static char *core_new(struct span value, size_t *len)
{
	char *core = mem_alloc(value.len + 1);

	*len = 0;
	for (size_t i = 0; i < value.len; i++)
		if (significant(value.data[i]))
			core[(*len)++] = fold(value.data[i]);
	return core;
}

void masking_add(struct masking *masking, struct span value)
{
	size_t len, tries = 0;
	char *core = core_new(value, &len), *stand = NULL, *text;

	if (len >= SHORTEST && !known(masking, core, len)) {
		do {
			free(stand);
			stand = stand_in_new(core, len);
		} while (!memcmp(stand, core, len) && tries++ < 20);
		text = mem_span_dup(value);
		hide(masking, core, stand, len, text);
		hide_variants(masking, core, stand, len);
		masking->values++;
		free(text);
	}
	free(stand);
	free(core);
}

static void take_all(struct masking *masking, const json_t *instance, int depth)
{
	const char *key;
	json_t *value;
	char number[64];
	size_t i;

	if (depth > DEPTH_MAX)
		return;
	if (json_is_string(instance))
		masking_add(masking, span_make(json_string_value(instance), json_string_length(instance)));
	if (json_is_integer(instance)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(instance));
		masking_add(masking, span_of(number));
	}
	json_object_foreach((json_t *)(uintptr_t)instance, key, value) {
		take_all(masking, value, depth + 1);
	}
	json_array_foreach(instance, i, value)
		take_all(masking, value, depth + 1);
}

struct walk {
	struct masking *masking;
	const json_t *(*find)(void *, const char *);
	void *arg;
};

static void walk(const struct walk *w, const json_t *root, const json_t *schema, const json_t *instance, int depth);

/* "#/$defs/party"; names are plain ones, as in contracts. */
static const json_t *follow(const json_t *root, const char *pointer)
{
	const json_t *at = root;
	char name[256];

	while (pointer && *pointer == '/' && at) {
		size_t n = strcspn(++pointer, "/");

		snprintf(name, sizeof name, "%.*s", (int)n, pointer);
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(name)) : json_object_get(at, name);
		pointer += n;
	}
	return at;
}

static void walk_reference(const struct walk *w, const json_t *root, const char *reference, const json_t *instance,
			   int depth)
{
	const char *hash = strchr(reference, '#');
	size_t n = hash ? (size_t)(hash - reference) : strlen(reference);
	char *name = mem_span_dup(span_make(reference, n));

	if (n)
		root = w->find ? w->find(w->arg, name) : NULL;
	free(name);
	if (root)
		walk(w, root, follow(root, hash ? hash + 1 : NULL), instance, depth + 1);
}

static void walk_children(const struct walk *w, const json_t *root, const json_t *schema, const json_t *instance,
			  int depth)
{
	const json_t *properties = json_object_get(schema, "properties"),
		     *prefix = json_object_get(schema, "prefixItems");
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)instance, key, value) {
		const json_t *of = json_object_get(properties, key);

		walk(w, root, of ? of : json_object_get(schema, "additionalProperties"), value, depth + 1);
	}
	json_array_foreach(instance, i, value)
		walk(w, root,
		     i < json_array_size(prefix) ? json_array_get(prefix, i) : json_object_get(schema, "items"), value,
		     depth + 1);
}

/* Whether an alternative applies is not asked: what it marks is personal wherever it stands. */
static void walk(const struct walk *w, const json_t *root, const json_t *schema, const json_t *instance, int depth)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"}, *const ones[] = {"then", "else"};
	const char *reference = json_string_value(json_object_get(schema, "$ref"));
	json_t *part;
	size_t k;

	if (!json_is_object(schema) || depth > DEPTH_MAX)
		return;
	if (json_is_true(json_object_get(schema, "x-ferrule-personal"))) {
		take_all(w->masking, instance, 0);
		return;
	}
	if (reference)
		walk_reference(w, root, reference, instance, depth);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		json_array_foreach(json_object_get(schema, lists[i]), k, part)
			walk(w, root, part, instance, depth + 1);
	for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
		walk(w, root, json_object_get(schema, ones[i]), instance, depth + 1);
	walk_children(w, root, schema, instance, depth);
}

void masking_collect(struct masking *masking, const json_t *schema, const json_t *instance,
		     const json_t *(*find)(void *, const char *), void *arg)
{
	struct walk w = {masking, find, arg};

	walk(&w, schema, schema, instance, 0);
}

/* ---- finding
 * ---------------------------------------------------------------------------------------------------------- */
static bool soft(char c)
{
	return c && strchr(" -./()+@_'\\", c);
}

/* The character before ends a word: it is no letter, or the letter of an escape ("\nName"). */
static bool begins(struct span text, size_t at)
{
	if (!at || !significant(text.data[at - 1]))
		return true;
	return at > 1 && text.data[at - 2] == '\\' && strchr("nrtbf", text.data[at - 1]);
}

/* The bytes that the value takes here; 0: it does not stand here. */
static size_t length_at(struct span text, size_t at, const struct hidden *hidden)
{
	bool anywhere = hidden->len >= ANYWHERE;
	size_t k = 0, gap = 0, i = at;

	if (!anywhere && !begins(text, at))
		return 0;
	for (; k < hidden->len && i < text.len; i++) {
		char c = text.data[i];

		if (significant(c)) {
			if (fold(c) != hidden->core[k++])
				return 0;
			gap = 0;
		} else if (!k || !soft(c) || ++gap > GAP_MAX) {
			return 0;
		}
	}
	if (k < hidden->len || (!anywhere && i < text.len && significant(text.data[i])))
		return 0;
	return i - at;
}

static void replace(char *at, size_t len, const struct hidden *hidden)
{
	for (size_t i = 0, k = 0; i < len; i++)
		if (significant(at[i])) {
			char c = hidden->stand[k++];

			at[i] = at[i] >= 'A' && at[i] <= 'Z' && c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
		}
}

static bool stands_in(struct span text, const struct hidden *hidden)
{
	for (size_t at = 0; at < text.len; at++)
		if (significant(text.data[at]) && length_at(text, at, hidden))
			return true;
	return false;
}

static void hide_words(struct masking *masking, const char *value, const char *stand)
{
	size_t k = 0; /* significant bytes before */

	for (size_t i = 0; value[i];) {
		char core[256];
		size_t n = 0;

		while (value[i] && !significant(value[i]))
			i++;
		while (value[i] && significant(value[i]) && n < sizeof core)
			core[n++] = fold(value[i++]);
		hide(masking, core, stand + k, n, NULL);
		k += n;
		if (n == sizeof core)
			return;
	}
}

static int longest_first(const void *a, const void *b)
{
	const struct hidden *x = a, *y = b;

	return x->len > y->len ? -1 : x->len < y->len;
}

void masking_prepare(struct masking *masking, struct span document)
{
	size_t count = masking->count;

	for (size_t i = 0; i < count; i++) {
		char *value = mem_strdup(masking->list[i].value), *stand = mem_strdup(masking->list[i].stand);

		if (value && !stands_in(document, &masking->list[i]))
			hide_words(masking, value, stand);
		free(value);
		free(stand);
	}
	if (masking->count)
		qsort(masking->list, masking->count, sizeof *masking->list, longest_first);
}

size_t masking_apply(struct masking *masking, struct span bytes, struct buf *out)
{
	char *text = mem_span_dup(bytes), *done = mem_alloc(bytes.len + 1);
	size_t places = 0;

	for (size_t h = 0; h < masking->count; h++)
		for (size_t at = 0; at < bytes.len; at++) {
			size_t len =
				significant(bytes.data[at]) && !done[at] ? length_at(bytes, at, &masking->list[h]) : 0;

			if (!len || memchr(done + at, 1, len))
				continue;
			replace(text + at, len, &masking->list[h]);
			memset(done + at, 1, len);
			places++;
		}
	buf_append(out, text, bytes.len);
	free(text);
	free(done);
	return places;
}
