/* Messages that wait in durable steps: what held.c and held_kept.c share. Included once in each program. */
#ifndef FERRULE_TESTS_HELD_SITE_H
#define FERRULE_TESTS_HELD_SITE_H

#include "operations/held.h"
#include "tests/conformance/store_site.h"

#define QUEUE "in.orders/collect"
#define T0 INT64_C(1700000000000)

/* What the last put came to. */
static enum held_outcome came;
static struct error why;
static bool due;

static int64_t now_ms = T0; /* when something is released */

static inline struct hold by_count(const char *key, uint64_t count)
{
	return (struct hold){.kind = HOLD_COLLECT,
			     .key = id_digest(span_of(key)),
			     .label = span_of(key),
			     .count = count,
			     .bytes_most = 1 << 20,
			     .at_minute = -1};
}

static inline struct hold by_group(const char *group, uint32_t place, uint32_t size)
{
	struct hold hold = by_count(group, 0);
	struct span key = span_of(group);

	hold.key = id_of(&key, 1);
	hold.group = true;
	hold.place = place;
	hold.group_size = size;
	return hold;
}

static inline struct hold by_number(int64_t number, enum hold_policy gap)
{
	struct hold hold = by_count("seq", 0);

	hold.kind = HOLD_SEQUENCE;
	hold.number = number;
	hold.start = 1;
	hold.within_ms = 1000;
	hold.policy = gap;
	return hold;
}

static inline void put_one(struct site *site, struct message *m, const char *body, const struct hold *hold, int64_t now)
{
	struct store_held held = {
		.hold = hold, .queue = QUEUE, .step = "collect:.key", .message = m, .body = span_of(body)};
	struct buf envelope;

	m->body_digest = id_digest(span_of(body));
	m->body_size = strlen(body);
	envelope = encoded(m);
	held.envelope = buf_view(&envelope);
	due = false;
	BEGIN(site);
	assert_done(store_held_put(site->store, &held, now, &came, &due, &why, done));
	COMMIT(site);
	buf_free(&envelope);
}

static enum held_outcome put(struct site *site, uint64_t n, const char *body, const struct hold *hold, int64_t now)
{
	struct message *m = message_made(n);

	put_one(site, m, body, hold, now);
	message_free(m);
	return came;
}

static inline void gap(struct site *site, const char *group, uint32_t place, enum gap what)
{
	due = false;
	BEGIN(site);
	assert_done(store_gap_put(site->store, QUEUE, span_of(group), 0, place, what, T0, &due, done));
	COMMIT(site);
}

static inline void size_of(struct site *site, const char *group, uint32_t size)
{
	due = false;
	BEGIN(site);
	assert_done(store_group_size(site->store, QUEUE, span_of(group), 0, size, T0, &due, done));
	COMMIT(site);
}

static inline int64_t number(struct site *site, const char *sql)
{
	return database_number(site->db, sql);
}

#define COLLECTIONS(state) "SELECT count(*) FROM collections WHERE state = " #state
#define MEMBERS(where) "SELECT count(*) FROM held WHERE state = 0 AND " where
#define ONE(column, where) "SELECT " #column " FROM collections WHERE " where

static inline void finish(struct site *site, int64_t collection)
{
	BEGIN(site);
	assert_done(store_collection_published(site->store, collection, T0, done));
	assert_done(store_collection_clean(site->store, collection, 1000, T0, done));
	COMMIT(site);
}

static inline int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

static inline void released(struct site *site, int64_t place, int64_t next)
{
	struct value value = VALUE_OF_INT(place);
	int64_t member = 0, collection = number(site, "SELECT number FROM collections WHERE kind = 2");

	assert_done(db_run(site->db, "SELECT number FROM held WHERE state = 0 AND place = $1", &value, 1, take_number,
			   &member, done));
	assert_true(member > 0);
	BEGIN(site);
	assert_done(store_held_released(site->store, collection, &member, 1, next, now_ms, done));
	COMMIT(site);
}

#endif
