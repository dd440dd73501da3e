/* Identity of a chain's outputs. See chain_identity.h.
 *
 * item.ids holds one entry for each ordinal ("#3") and one for each declared value: "=value" starts a level, "+value"
 * goes on with it. */
#include "config.h"
#include "transformers/chain_identity.h"

#include <stdlib.h>

#define IDS_MAX 64

struct id identity_of(const struct id *parent, const char *flow, const char *step, const struct item *item)
{
	struct span parts[3 + IDS_MAX] = {id_span(parent), span_of(flow), span_of(step)};
	size_t n = item->ids_count < IDS_MAX ? item->ids_count : IDS_MAX;

	for (size_t i = 0; i < n; i++)
		parts[3 + i] = item->ids[i];
	return id_of(parts, 3 + n);
}

static void add(struct arena *arena, struct item *item, size_t keep, const char *mark, const struct span *values,
		size_t n)
{
	struct span *ids = arena_alloc(arena, (keep + n) * sizeof *ids);

	if (keep)
		memcpy(ids, item->ids, keep * sizeof *ids);
	for (size_t i = 0; i < n; i++)
		ids[keep + i] =
			span_of(arena_printf(arena, "%c%.*s", i && *mark == '=' ? '+' : *mark, SPAN_ARGS(values[i])));
	item->ids = ids;
	item->ids_count = keep + n;
}

void identity_level(struct arena *arena, struct item *item, const char *ordinal)
{
	struct span value = span_of(ordinal);

	item->path = span_of(item->path.len ? arena_printf(arena, "%.*s/%s", SPAN_ARGS(item->path), ordinal)
					    : arena_strdup(arena, ordinal));
	add(arena, item, item->ids_count, "#", &value, 1);
}

void identity_declare(struct arena *arena, struct item *item, const struct span *values, size_t n)
{
	size_t keep = item->ids_count;

	while (keep && item->ids[keep - 1].data[0] == '+')
		keep--;
	if (keep)
		keep--;
	add(arena, item, keep, "=", values, n);
}

static bool is_below(struct span path, struct span above)
{
	return path.len >= above.len && (above.len == 0 || memcmp(path.data, above.data, above.len) == 0) &&
	       (above.len == 0 || path.len == above.len || path.data[above.len] == '/');
}

bool part_touches(struct span part, struct span path)
{
	return is_below(path, part) || is_below(part, path);
}

bool part_holds(struct span part, struct span path)
{
	return is_below(path, part);
}

/* ---- ids seen: open addressing; half of each digest tells two apart well enough */
struct seen_id {
	uint8_t id[16], digest[16];
	bool taken;
};

static struct seen_id *slot_of(struct seen_ids *seen, const uint8_t id[16])
{
	uint64_t hash;

	memcpy(&hash, id, sizeof hash);
	for (size_t i = (size_t)hash & (seen->size - 1);; i = (i + 1) & (seen->size - 1))
		if (!seen->slots[i].taken || !memcmp(seen->slots[i].id, id, 16))
			return &seen->slots[i];
}

static void grow(struct seen_ids *seen)
{
	struct seen_ids wider = {NULL, seen->count, seen->size ? seen->size * 2 : 64};

	wider.slots = mem_alloc(wider.size * sizeof *wider.slots);
	for (size_t i = 0; i < seen->size; i++)
		if (seen->slots[i].taken)
			*slot_of(&wider, seen->slots[i].id) = seen->slots[i];
	free(seen->slots);
	*seen = wider;
}

enum seen_before seen_ids_add(struct seen_ids *seen, const struct id *id, const struct id *digest)
{
	struct seen_id *slot;

	if (seen->count * 2 >= seen->size)
		grow(seen);
	slot = slot_of(seen, id->bytes);
	if (slot->taken)
		return memcmp(slot->digest, digest->bytes, 16) ? SEEN_OTHER : SEEN_SAME;
	slot->taken = true;
	memcpy(slot->id, id->bytes, 16);
	memcpy(slot->digest, digest->bytes, 16);
	seen->count++;
	return SEEN_FIRST;
}

void seen_ids_free(struct seen_ids *seen)
{
	free(seen->slots);
	memset(seen, 0, sizeof *seen);
}
