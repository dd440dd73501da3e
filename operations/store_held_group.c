/* Groups: how many parts a split made, and which of them will not come. See held.h. */
#include "config.h"
#include "operations/held.h"

#include <stdio.h>

#include "base/fault.h"
#include "operations/held_private.h"

struct id held_gap_id(const struct id *key, uint32_t place)
{
	char text[16];

	snprintf(text, sizeof text, "%u", place);
	return id_of((struct span[]){SPAN_LITERAL("gap"), id_span(key), span_of(text)}, 3);
}

/* By another than this member. */
static int place_taken(struct store *store, int64_t collection, uint32_t place, const struct id *member, bool *taken,
		       struct error *error)
{
	struct value values[] = {VALUE_OF_INT(collection), VALUE_OF_INT(place), STORE_ID(member)};
	int64_t n = 0;

	if (db_run(store->db,
		   "SELECT count(*) FROM held WHERE collection = $1 AND place = $2 AND state = 0 AND member <> $3",
		   values, 3, store_take_number, &n, error))
		return -1;
	*taken = n > 0;
	return 0;
}

/* Two messages may come to one place, when a topic leads to the step by two ways: it is one place. */
int group_fill(struct store *store, struct collection *c, const char *queue, const struct id *key, uint32_t place,
	       const struct id *member, struct error *error)
{
	struct id gap = held_gap_id(key, place);
	struct value values[] = {STORE_TEXT(queue), STORE_ID(&gap)};
	int64_t state = 0;
	bool taken;

	if (db_run(store->db, "DELETE FROM held WHERE queue = $1 AND member = $2 AND state <> 0 RETURNING state",
		   values, 2, store_take_number, &state, error))
		return -1;
	if (state) {
		*(state == GAP_DEAD ? &c->dead : &c->dropped) -= 1;
		return 0;
	}
	if (place_taken(store, c->number, place, member, &taken, error))
		return -1;
	c->filled += !taken;
	return 0;
}

/* One of which nothing arrived closes nothing. */
int collection_complete(struct store *store, const struct collection *c, int64_t now, bool *due, struct error *error)
{
	struct value values[] = {VALUE_OF_INT(c->number), VALUE_OF_INT(now)};
	bool changed;

	if (!c->size || c->filled < c->size)
		return 0;
	if (!c->members)
		return db_run(store->db,
			      "UPDATE collections SET state = 3, reason = 'group', closed_ms = $2 WHERE number = $1",
			      values, 2, NULL, NULL, error);
	*due = true;
	return store_collection_close(store, c->number, "group", now, &changed, error);
}

static int open_group(struct store *store, const char *queue, struct span group, uint32_t generation, int64_t now,
		      struct collection_of *of, struct collection *c, struct error *error)
{
	struct id key = id_of(&group, 1);
	bool closed;

	*of = (struct collection_of){.queue = queue,
				     .flow = SPAN_LITERAL(""),
				     .step = "",
				     .key = held_key(&key, generation),
				     .kind = HOLD_COLLECT};
	if (collection_open_group(store, of, now, c, &closed, error))
		return -1;
	c->found = !closed;
	return 0;
}

int store_gap_put(struct store *store, const char *queue, struct span group, uint32_t generation, uint32_t place,
		  enum gap gap, int64_t now, bool *due, struct error *error)
{
	struct collection_of of;
	struct collection c;
	struct id id, none = {{0}};
	int64_t changed;
	bool taken;

	if (open_group(store, queue, group, generation, now, &of, &c, error))
		return -1;
	if (!c.found)
		return 0;
	if (place_taken(store, c.number, place, &none, &taken, error))
		return -1;
	if (taken)
		return 0;
	id = held_gap_id(&of.key, place);
	{
		struct value values[] = {VALUE_OF_INT(c.number), STORE_TEXT(queue), STORE_ID(&id),    VALUE_OF_INT(gap),
					 VALUE_OF_INT(place),    STORE_ID(&none),   VALUE_OF_INT(now)};

		if (db_change(store->db,
			      "INSERT INTO held (collection, queue, member, generation, state, place, digest, at_ms)"
			      " VALUES ($1, $2, $3, 0, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
			      values, STORE_COUNT(values), &changed, error))
			return -1;
	}
	FAULT("held.gap");
	if (!changed)
		return 0;
	c.filled++;
	*(gap == GAP_DEAD ? &c.dead : &c.dropped) += 1;
	return collection_counts(store, &c, error) || collection_complete(store, &c, now, due, error) ? -1 : 0;
}

int store_group_size(struct store *store, const char *queue, struct span group, uint32_t generation, uint32_t size,
		     int64_t now, bool *due, struct error *error)
{
	struct collection_of of;
	struct collection c;

	if (open_group(store, queue, group, generation, now, &of, &c, error))
		return -1;
	if (!c.found || c.size >= (int64_t)size)
		return 0;
	c.size = size;
	return collection_counts(store, &c, error) || collection_complete(store, &c, now, due, error) ? -1 : 0;
}
