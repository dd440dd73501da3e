/* Group commit: units that are ready share one transaction. One that fails by its own fault leaves the group; when the
 * database fails, all of them do, and nothing was settled. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/queue/inner.h"

static void say_done(struct work *work, const struct error *error)
{
	struct buf *out = &work->session->channel.out;
	size_t at;

	if (work->kind == WORK_INTENT) {
		at = wire_begin(out, FRAME_INTENDED);
		buf_u32(out, work->number);
		buf_u8(out, (uint8_t)work->intention.answer);
		buf_u8(out, work->intention.same_request);
		buf_u64(out, (uint64_t)work->intention.first_ms);
		buf_u32(out, work->intention.attempts);
	} else {
		at = wire_begin(out, FRAME_DONE);
		buf_u32(out, work->number);
	}
	wire_put_error(out, error);
	session_say(work->session, at);
}

/* Nothing was settled: a live session still has its deliveries, what a dead one held goes to another. */
static void give_back(struct engine *engine, struct work *work)
{
	for (size_t i = 0; i < work->items_count; i++) {
		struct item *item = work->items[i];

		item->work = NULL;
		if (work->session)
			continue;
		item_return(item, true);
		item->not_before = clock_tick_ms() + 1000;
		engine_wake_at(engine, item->not_before);
	}
	work->items_count = 0;
}

static void settled(struct engine *engine, struct work *work)
{
	for (size_t i = 0; i < work->items_count; i++) {
		struct item *item = work->items[i];

		if (!item->park && !item->voided)
			engine->config.broker->settled(engine->broker, item->tag);
		if (item->suspect)
			suspect_forget(engine, &item->id);
		engine->counters.settled++;
		item_done(item);
	}
	work->items_count = 0;
	FAULT("queue.settled");
	records_publish(engine, work);
	if (work->park_due < engine->park_due) {
		engine->park_due = work->park_due;
		parks_arm(engine);
	}
}

static void after(struct engine *engine, const struct work *work)
{
	struct error error;

	if (work->held_due)
		sessions_steward(engine);
	if (work->holds_changed && lanes_holds(engine, &error))
		engine_store_failed(engine, &error);
	if (!work->parks_changed)
		return;
	if (order_load(engine, &error))
		engine_store_failed(engine, &error);
	engine->park_due = clock_now_ms();
	parks_arm(engine);
}

static void answer(struct engine *engine, struct work *work, const struct error *error)
{
	bool ordered = work->changes_count > 0;

	if (error) {
		engine->counters.failed_units++;
		give_back(engine, work);
	} else {
		engine->counters.units++;
		settled(engine, work);
		after(engine, work);
	}
	if (work->session)
		say_done(work, error);
	if (work->done)
		work->done(engine, work, error);
	work_free(engine, work);
	if (ordered && !error) { /* the next park of a key may be due already */
		engine->park_due = clock_now_ms();
		parks_arm(engine);
	}
}

static bool of_the_database(const struct error *error)
{
	return !strcmp(error->code, "db.gone") || !strcmp(error->code, "db.full") || !strcmp(error->code, "db.busy");
}

static void undo(struct engine *engine)
{
	engine->db.ops->rollback(engine->db.self);
	engine->config.broker->rolled_back(engine->broker);
	engine->in_transaction = false;
}

static void fail_all(struct engine *engine, struct work **group, size_t n, const struct error *why)
{
	struct error error = *why;

	error.class = ERROR_RETRY; /* nothing was settled */
	engine_store_failed(engine, why);
	for (size_t i = 0; i < n; i++)
		answer(engine, group[i], &error);
}

/* Applies all of the group: 0, or the place of the one that failed plus one. */
static size_t apply_all(struct engine *engine, struct work **group, size_t n, struct error *error)
{
	for (size_t i = 0; i < n; i++)
		if (work_apply(engine, group[i], error))
			return i + 1;
	return 0;
}

static void commit_group(struct engine *engine, struct work **group, size_t n);

static void one_by_one(struct engine *engine, struct work **group, size_t n)
{
	for (size_t i = 0; i < n; i++)
		commit_group(engine, &group[i], 1);
}

static bool settles(struct work **group, size_t n)
{
	while (n--)
		if (group[n]->kind == WORK_UNIT && group[n]->items_count)
			return true;
	return false;
}

static int commit_now(struct engine *engine, struct work **group, size_t n, struct error *error)
{
	if (FAULT_FAILS("queue.commit"))
		return error_set(error, ERROR_RETRY, "db.full", "a test made the commit fail");
	if (engine->db.ops->commit(engine->db.self, error))
		return -1;
	if (settles(group, n) && FAULT_FAILS("queue.commit-unknown")) { /* it happened, and the answer was lost */
		engine->db_open = false;
		return error_set(error, ERROR_RETRY, "db.gone", "a test lost the answer to the commit");
	}
	return 0;
}

static void commit_group(struct engine *engine, struct work **group, size_t n)
{
	struct error error = {0};
	size_t failed;

	while (n) {
		if (engine->db.ops->begin(engine->db.self, &error)) {
			fail_all(engine, group, n, &error);
			return;
		}
		engine->in_transaction = true;
		failed = apply_all(engine, group, n, &error);
		if (!failed)
			break;
		undo(engine);
		if (of_the_database(&error)) {
			fail_all(engine, group, n, &error);
			return;
		}
		answer(engine, group[failed - 1], &error);
		memmove(&group[failed - 1], &group[failed], (n - failed) * sizeof *group);
		n--;
	}
	if (!n)
		return;
	if (commit_now(engine, group, n, &error)) {
		undo(engine);
		if (n > 1 && !of_the_database(&error))
			one_by_one(engine, group, n);
		else
			fail_all(engine, group, n, &error);
		return;
	}
	engine->in_transaction = false;
	engine->counters.commits++;
	FAULT("queue.committed");
	for (size_t i = 0; i < n; i++) { /* all of them, before an answer reads the keys from the store again */
		group[i]->committed = true;
		order_apply(engine, group[i]->changes, group[i]->changes_count);
	}
	for (size_t i = 0; i < n; i++)
		answer(engine, group[i], NULL);
	engine->config.broker->flush(
		engine->broker); /* before the next transaction: what is undone must not reach back past this one */
}

static struct work *take_ready(struct engine *engine)
{
	struct work *work = engine->ready;

	engine->ready = work->next;
	if (!engine->ready)
		engine->ready_last = &engine->ready;
	work->next = NULL;
	return work;
}

/* What waited in a durable step is here, too, though no delivery is settled with it. */
static bool of_the_steward(const struct work *work)
{
	return work->session && !strcmp(work->session->role, "steward");
}

/* Below the disk reserve what comes from outside is refused; what is here goes on. */
static bool refused(struct engine *engine, struct work *work)
{
	if (work->error.class)
		return true;
	if (work->kind == WORK_UNIT && work->items_count && FAULT_FAILS("queue.refuse"))
		error_set(&work->error, ERROR_REJECT, "test.refused", "a test refused the unit");
	else if (!engine->db_open)
		error_set(&work->error, ERROR_RETRY, "db.gone", "the store cannot be reached");
	else if (!engine->accepting && work->kind == WORK_UNIT && !work->items_count && work->early.len &&
		 !of_the_steward(work))
		error_set(&work->error, ERROR_RETRY, "site.full",
			  "the disk is nearly full: nothing is accepted until there is room");
	return work->error.class != ERROR_NONE;
}

void commit_ready(struct engine *engine)
{
	struct work *group[GROUP_UNITS];
	size_t n = 0, bytes = 0;

	while (engine->ready && n < GROUP_UNITS && bytes < GROUP_BYTES) {
		struct work *work = take_ready(engine);

		if (refused(engine, work)) {
			struct error error = work->error;

			answer(engine, work, &error);
			continue;
		}
		bytes += work->early.len + work->writes.len;
		group[n++] = work;
	}
	commit_group(engine, group, n);
	if (engine->ready)
		engine_poke(engine);
}
