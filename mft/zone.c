/* See zone.h. */
#include "config.h"
#include "mft/zone_private.h"

#include <stdlib.h>

#include "base/mem.h"

#define HEADER_BYTES 44
#define CHANGES_MAX 20000
#define OFFSET_MAX (26 * 3600)
#define SEARCH_SECONDS (26 * 3600) /* no two changes of a zone are nearer to each other than this */

struct zone {
	int64_t *times; /* of the changes, ascending */
	int *offsets;   /* from then on */
	size_t count;
	int before; /* the offset in front of the first */
	bool ruled;
	struct zone_rule rule;
};

struct counts {
	uint32_t utc, standard, leaps, times, types, letters;
};

static uint64_t big(const char *data, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | (unsigned char)data[i];
	return value;
}

static int damaged(struct error *error, const char *what)
{
	return error_set(error, ERROR_REJECT, "zone.damaged", "the time zone's file is damaged: %s", what);
}

static int take_header(struct span *in, struct counts *counts, char *version, struct error *error)
{
	uint32_t *into[] = {&counts->utc,   &counts->standard, &counts->leaps,
			    &counts->times, &counts->types,    &counts->letters};

	if (in->len < HEADER_BYTES || memcmp(in->data, "TZif", 4) != 0)
		return damaged(error, "it does not begin with TZif");
	*version = in->data[4];
	for (size_t i = 0; i < 6; i++)
		*into[i] = (uint32_t)big(in->data + 20 + 4 * i, 4);
	*in = span_make(in->data + HEADER_BYTES, in->len - HEADER_BYTES);
	if (counts->times > CHANGES_MAX || counts->types < 1 || counts->types > 256 || counts->letters > 4096 ||
	    counts->leaps > 1000 || counts->utc > 256 || counts->standard > 256)
		return damaged(error, "its numbers are out of range");
	return 0;
}

static size_t data_size(const struct counts *counts, size_t word)
{
	return counts->times * (word + 1) + counts->types * 6 + counts->letters + counts->leaps * (word + 4) +
	       counts->standard + counts->utc;
}

static int64_t time_at(const char *data, size_t word)
{
	return word == 8 ? (int64_t)big(data, 8) : (int32_t)big(data, 4);
}

/* Which offset holds before the first change: the first type that is no summer time (RFC 8536, 3.2). */
static int offset_before(const char *types, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!types[6 * i + 4])
			return (int32_t)big(types + 6 * i, 4);
	return (int32_t)big(types, 4);
}

static int take_data(struct zone *zone, struct span *in, const struct counts *counts, size_t word, struct error *error)
{
	const char *times = in->data, *indices = times + counts->times * word, *types = indices + counts->times;

	if (in->len < data_size(counts, word))
		return damaged(error, "it ends too early");
	for (uint32_t i = 0; i < counts->types; i++) {
		int32_t offset = (int32_t)big(types + 6 * (size_t)i, 4);

		if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
			return damaged(error, "an offset of more than a day");
	}
	zone->before = offset_before(types, counts->types);
	zone->times = mem_alloc((counts->times + 1) * sizeof *zone->times);
	zone->offsets = mem_alloc((counts->times + 1) * sizeof *zone->offsets);
	for (uint32_t i = 0; i < counts->times; i++) {
		unsigned type = (unsigned char)indices[i];

		zone->times[i] = time_at(times + i * word, word);
		if (type >= counts->types || (i > 0 && zone->times[i] <= zone->times[i - 1]))
			return damaged(error, "its changes are not in order");
		zone->offsets[i] = (int32_t)big(types + 6 * (size_t)type, 4);
	}
	zone->count = counts->times;
	*in = span_make(in->data + data_size(counts, word), in->len - data_size(counts, word));
	return 0;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; nothing between the two: no rule is known. */
static int take_footer(struct zone *zone, struct span in, struct error *error)
{
	const char *end = in.len > 1 ? memchr(in.data + 1, '\n', in.len - 1) : NULL;

	if (in.len == 0 || in.data[0] != '\n' || !end)
		return damaged(error, "its last line is missing");
	if (end == in.data + 1)
		return 0;
	if (zone_rule_parse(span_make(in.data + 1, (size_t)(end - in.data - 1)), &zone->rule))
		return damaged(error, "its last line is no rule");
	zone->ruled = true;
	return 0;
}

static int parse(struct zone *zone, struct span in, struct error *error)
{
	struct counts counts;
	char version;

	if (take_header(&in, &counts, &version, error))
		return -1;
	if (version < '2')
		return take_data(zone, &in, &counts, 4, error);
	if (in.len < data_size(&counts, 4))
		return damaged(error, "it ends too early");
	in = span_make(in.data + data_size(&counts, 4), in.len - data_size(&counts, 4));
	if (take_header(&in, &counts, &version, error) || take_data(zone, &in, &counts, 8, error))
		return -1;
	return take_footer(zone, in, error);
}

struct zone *zone_parse_new(struct span tzif, struct error *error)
{
	struct zone *zone = mem_alloc(sizeof *zone);

	if (tzif.len <= ZONE_BYTES_MAX ? !parse(zone, tzif, error) : !damaged(error, "it is too large"))
		return zone;
	zone_free(zone);
	return NULL;
}

struct zone *zone_utc_new(void)
{
	return mem_alloc(sizeof(struct zone)); /* no change, and an offset of nothing */
}

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	free(zone->times);
	free(zone->offsets);
	free(zone);
}

int zone_offset(const struct zone *zone, int64_t time)
{
	size_t low = 0, high = zone->count;

	if (zone->ruled && (high == 0 || time >= zone->times[high - 1]))
		return zone_rule_offset(&zone->rule, time);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->times[middle] <= time)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? zone->offsets[low - 1] : zone->before;
}

/* The first second of (low, high] that has the offset of high. */
static int64_t change_between(const struct zone *zone, int64_t low, int64_t high)
{
	int after = zone_offset(zone, high);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (zone_offset(zone, middle) == after)
			high = middle;
		else
			low = middle;
	}
	return high;
}

int zone_instants(const struct zone *zone, int64_t local, int64_t into[2], bool *skipped)
{
	int64_t near = local - zone_offset(zone, local);
	int before = zone_offset(zone, near - SEARCH_SECONDS), after = zone_offset(zone, near + SEARCH_SECONDS);
	bool early = zone_offset(zone, local - before) == before, late = zone_offset(zone, local - after) == after;
	int n = 0;

	*skipped = false;
	if (early)
		into[n++] = local - before;
	if (late && (!early || before != after))
		into[n++] = local - after;
	if (n > 0)
		return n;
	if (zone_offset(zone, near) == local - near) { /* between two changes that are near to each other */
		into[0] = near;
		return 1;
	}
	*skipped = true;
	into[0] = change_between(zone, local - (after > before ? after : before),
				 local - (after > before ? before : after));
	return 1;
}
