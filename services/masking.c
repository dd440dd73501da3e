/* Masking: values, their stand-ins, and where they stand. See masking.h. */
#include "config.h"
#include "services/masking_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SHORTEST 3 /* weight of letters and digits; shorter ones stand everywhere by chance */
#define ANYWHERE 6 /* from so much on it needs no boundaries */
#define BUCKETS 65536u
#define PREFIXES 11
#define HASH_BEGIN 2166136261u

/* What to look for: the letters and digits of a value in lower case, and what takes their places. */
struct hidden {
	uint32_t *core, *stand;
	struct unit *units; /* as it was collected; NULL: a word of another one */
	size_t len;
	size_t next[2]; /* + 1: in the bucket of all that it has, and of how it begins */
	bool anywhere, found;
};

struct masking {
	struct hidden *list;
	size_t count, capacity, values;
	uint32_t *whole;            /* BUCKETS: index + 1 of the last with this hash of all letters */
	uint32_t *begins[PREFIXES]; /* … of as many as prefixes[] says */
	bool used[PREFIXES];
	bool indexed;
};

/* A value is looked for by its first letters: as many of these as it has. */
static const size_t prefixes[PREFIXES] = {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

/* ---- the list ---- */
struct masking *masking_new(void)
{
	struct masking *masking = mem_alloc(sizeof *masking);

	masking->whole = mem_alloc(BUCKETS * sizeof *masking->whole);
	for (size_t i = 0; i < PREFIXES; i++)
		masking->begins[i] = mem_alloc(BUCKETS * sizeof *masking->whole);
	return masking;
}

void masking_free(struct masking *masking)
{
	if (!masking)
		return;
	for (size_t i = 0; i < masking->count; i++) {
		free(masking->list[i].core);
		free(masking->list[i].stand);
		free(masking->list[i].units);
	}
	for (size_t i = 0; i < PREFIXES; i++)
		free(masking->begins[i]);
	free(masking->whole);
	free(masking->list);
	free(masking);
}

size_t masking_count(const struct masking *masking)
{
	return masking->values;
}

static uint32_t mix(uint32_t hash, uint32_t code)
{
	return (hash ^ code) * 16777619u;
}

static uint32_t fold_hash(uint32_t hash)
{
	return (hash ^ hash >> 16) % BUCKETS;
}

static uint32_t bucket_of(const uint32_t *core, size_t len)
{
	uint32_t hash = HASH_BEGIN;

	for (size_t i = 0; i < len; i++)
		hash = mix(hash, core[i]);
	return fold_hash(hash);
}

/* A sign of Chinese, Japanese or Korean says more than a letter. */
static size_t weight_of(const uint32_t *core, size_t len)
{
	size_t weight = 0;

	for (size_t i = 0; i < len; i++)
		weight += core[i] >= 0x2e80 ? 3 : 1;
	return weight;
}

static bool known(const struct masking *masking, const uint32_t *core, size_t len)
{
	size_t at = masking->whole[bucket_of(core, len)];

	while (at &&
	       (masking->list[at - 1].len != len || memcmp(masking->list[at - 1].core, core, len * sizeof *core) != 0))
		at = masking->list[at - 1].next[0];
	return at != 0;
}

static uint32_t *codes_dup(const uint32_t *codes, size_t len)
{
	uint32_t *copy = mem_alloc(len * sizeof *copy);

	memcpy(copy, codes, len * sizeof *copy);
	return copy;
}

static struct hidden *hide(struct masking *masking, const uint32_t *core, const uint32_t *stand, size_t len)
{
	size_t weight = weight_of(core, len);
	struct hidden *hidden;
	uint32_t *bucket;

	if (weight < SHORTEST || len < prefixes[0] || masking->count >= UINT32_MAX - 1 || known(masking, core, len))
		return NULL;
	masking->list = mem_grow(masking->list, &masking->capacity, masking->count + 1, sizeof *masking->list);
	hidden = &masking->list[masking->count++];
	bucket = &masking->whole[bucket_of(core, len)];
	*hidden = (struct hidden){.core = codes_dup(core, len),
				  .stand = codes_dup(stand, len),
				  .len = len,
				  .next = {*bucket, 0},
				  .anywhere = weight >= ANYWHERE};
	*bucket = (uint32_t)masking->count;
	masking->indexed = false;
	return hidden;
}

/* ---- stand-ins ---- */
static bool is_date(const uint32_t *core, size_t len)
{
	char text[9] = "";
	int month, day;

	for (size_t i = 0; i < 8 && len == 8; i++)
		text[i] = core[i] < 0x80 ? (char)core[i] : 'x';
	month = atoi((char[]){text[4], text[5], 0});
	day = atoi((char[]){text[6], text[7], 0});
	return strspn(text, "0123456789") == 8 && (!strncmp(text, "19", 2) || !strncmp(text, "20", 2)) && month >= 1 &&
	       month <= 12 && day >= 1 && day <= 31;
}

static void stand_in(const uint32_t *core, size_t len, uint32_t *stand)
{
	char month_day[8];

	memcpy(stand, core, len * sizeof *stand);
	if (is_date(core, len)) {
		snprintf(month_day, sizeof month_day, "%02u%02u", (1 + chance_below(12)) % 13,
			 (1 + chance_below(28)) % 29);
		for (size_t i = 0; i < 4; i++)
			stand[4 + i] = (unsigned char)month_day[i];
		return;
	}
	for (size_t i = 0; i < len; i++)
		stand[i] = stand_in_for(core[i], i == 0 || core[i - 1] < '0' || core[i - 1] > '9');
}

void masking_add(struct masking *masking, struct span value)
{
	struct units units;
	uint32_t *core, *stand;
	struct hidden *hidden;
	size_t tries = 0;

	units_read(&units, value, true);
	core = mem_alloc((units.count + 1) * sizeof *core);
	stand = mem_alloc((units.count + 1) * sizeof *stand);
	for (size_t i = 0; i < units.count; i++)
		core[i] = units.list[i].code;
	do
		stand_in(core, units.count, stand);
	while (!memcmp(stand, core, units.count * sizeof *core) && tries++ < 20);
	hidden = hide(masking, core, stand, units.count);
	if (hidden) {
		hidden->units = units.list;
		masking->values++;
	} else {
		units_free(&units);
	}
	free(core);
	free(stand);
}

/* ---- finding ---- */
static int longest_first(const void *a, const void *b)
{
	const struct hidden *x = a, *y = b;

	return x->len > y->len ? -1 : x->len < y->len;
}

static size_t prefix_for(size_t len)
{
	size_t i = PREFIXES - 1;

	while (prefixes[i] > len)
		i--;
	return i;
}

/* Sorted anew, so the buckets are filled anew. */
static void make_index(struct masking *masking)
{
	if (masking->indexed)
		return;
	if (masking->count)
		qsort(masking->list, masking->count, sizeof *masking->list, longest_first);
	memset(masking->whole, 0, BUCKETS * sizeof *masking->whole);
	for (size_t i = 0; i < PREFIXES; i++)
		memset(masking->begins[i], 0, BUCKETS * sizeof *masking->whole);
	memset(masking->used, 0, sizeof masking->used);
	for (size_t i = 0; i < masking->count; i++) {
		struct hidden *hidden = &masking->list[i];
		size_t prefix = prefix_for(hidden->len);
		uint32_t *buckets[2] = {&masking->whole[bucket_of(hidden->core, hidden->len)],
					&masking->begins[prefix][bucket_of(hidden->core, prefixes[prefix])]};

		masking->used[prefix] = true;
		for (size_t k = 0; k < 2; k++) {
			hidden->next[k] = *buckets[k];
			*buckets[k] = (uint32_t)i + 1;
		}
	}
	masking->indexed = true;
}

static bool stands_at(const struct units *units, size_t at, const struct hidden *hidden)
{
	if (at + hidden->len > units->count)
		return false;
	for (size_t k = hidden->len; k-- > 0;) /* values that begin alike differ at their ends */
		if (units->list[at + k].code != hidden->core[k] || (k && units->list[at + k].far))
			return false;
	return hidden->anywhere || (!units->list[at].adjacent &&
				    (at + hidden->len == units->count || !units->list[at + hidden->len].adjacent));
}

struct place {
	uint32_t value, at; /* the longest value first */
};

struct places {
	struct place *list;
	size_t count, capacity;
};

static void find_at(const struct masking *masking, const struct units *units, size_t at, struct places *places)
{
	uint32_t hash = HASH_BEGIN;
	size_t n = 0;

	for (size_t p = 0; p < PREFIXES && at + prefixes[p] <= units->count; p++) {
		for (; n < prefixes[p]; n++) {
			if (n && units->list[at + n].far)
				return; /* no value goes on there */
			hash = mix(hash, units->list[at + n].code);
		}
		if (!masking->used[p])
			continue;
		for (size_t i = masking->begins[p][fold_hash(hash)]; i; i = masking->list[i - 1].next[1]) {
			if (!stands_at(units, at, &masking->list[i - 1]))
				continue;
			places->list =
				mem_grow(places->list, &places->capacity, places->count + 1, sizeof *places->list);
			places->list[places->count++] = (struct place){(uint32_t)i - 1, (uint32_t)at};
		}
	}
}

static void find_places(struct masking *masking, const struct units *units, struct places *places)
{
	*places = (struct places){0};
	make_index(masking);
	for (size_t at = 0; at < units->count; at++)
		find_at(masking, units, at, places);
}

static void hide_words(struct masking *masking, const struct unit *units, const uint32_t *core, const uint32_t *stand,
		       size_t len)
{
	for (size_t from = 0, to; from < len; from = to) {
		for (to = from + 1; to < len && units[to].adjacent;)
			to++;
		hide(masking, core + from, stand + from, to - from);
	}
}

void masking_prepare(struct masking *masking, struct span document)
{
	struct places places;
	struct units units;
	size_t count = masking->count;

	units_read(&units, document, false);
	find_places(masking, &units, &places);
	for (size_t i = 0; i < places.count; i++)
		masking->list[places.list[i].value].found = true;
	for (size_t i = 0; i < count; i++) {
		struct hidden hidden = masking->list[i]; /* the list grows */

		if (hidden.units && !hidden.found)
			hide_words(masking, hidden.units, hidden.core, hidden.stand, hidden.len);
	}
	free(places.list);
	units_free(&units);
}

/* ---- replacing ---- */
static int by_value(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

size_t masking_apply(struct masking *masking, struct span bytes, struct buf *out)
{
	char *text = mem_span_dup(bytes), *done;
	struct places places;
	struct units units;
	size_t changed = 0;

	units_read(&units, bytes, false);
	find_places(masking, &units, &places);
	if (places.count)
		qsort(places.list, places.count, sizeof *places.list, by_value);
	done = mem_alloc(units.count + 1);
	for (size_t i = 0; i < places.count; i++) {
		const struct hidden *hidden = &masking->list[places.list[i].value];
		size_t at = places.list[i].at;

		if (memchr(done + at, 1, hidden->len))
			continue;
		for (size_t k = 0; k < hidden->len; k++)
			unit_write(text, &units.list[at + k], hidden->stand[k]);
		memset(done + at, 1, hidden->len);
		changed++;
	}
	buf_append(out, text, bytes.len);
	free(done);
	free(text);
	free(places.list);
	units_free(&units);
	return changed;
}
