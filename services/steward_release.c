/* What waited for its turn goes on: the steward's part of resequence and dedupe. See steward.h.
 *
 * Messages are published in their order, then the store is told, in one unit: stopped between the two, the same
 * messages are published again, and their effects recognised. */
#include "config.h"
#include "services/steward.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

struct release {
	struct worker *worker;
	const json_t *collection;
	struct unit *unit;
	json_t *members; /* numbers of those that go on */
	int64_t next;    /* of a sequence; -1: none */
};

/* It may have waited for longer than a queue keeps messages. */
static void live_on(const struct site *site, struct message *message)
{
	int64_t now = clock_now_ms();

	if (message->expires_ms && site->queue_lifetime_ms)
		message->expires_ms = site->queue_lifetime_ms < INT64_MAX - now ? now + site->queue_lifetime_ms : 0;
}

static int send(struct release *release, const json_t *member, const struct error *why, struct error *error)
{
	struct message *message = steward_member(member, error);
	int status;

	if (!message)
		return -1;
	live_on(release->worker->site, message);
	if (!why && steward_renew(release->worker, message, error)) {
		message_free(message);
		return -1;
	}
	status = why ? steward_bury(release->worker, release->unit, release->collection, message, why)
		     : steward_publish(release->worker, release->unit, release->collection, message, error);
	if (status && why)
		error_set(error, ERROR_RETRY, "queue.window", "the refusal could not be told");
	message_free(message);
	json_array_append(release->members, json_object_get(member, "number"));
	return status;
}

/* Those that are next, one after the other; those that were sent anew (place -1) do not wait, nor does what another
 * let go a moment ago: that is recognised. */
static int send_next(struct release *release, const json_t *members, struct error *error)
{
	const json_t *member;
	size_t i;

	json_array_foreach(members, i, member) {
		int64_t place = steward_number(member, "place");

		if (release->next >= 0 && place > release->next)
			break;
		if (send(release, member, NULL, error))
			return -1;
		if (release->next >= 0 && place == release->next)
			release->next++;
	}
	return 0;
}

static int bury_all(struct release *release, const json_t *members, int64_t missing, struct error *error)
{
	const json_t *member;
	struct error why;
	size_t i;

	json_array_foreach(members, i, member) {
		int64_t place = steward_number(member, "place");

		error_set(&why, ERROR_REJECT, "resequence.gap",
			  "number %lld did not come in time, and %lld waited for it; a replay sends it on all the same",
			  (long long)missing, (long long)place);
		if (send(release, member, &why, error))
			return -1;
		release->next = place + 1;
	}
	return 0;
}

static int commit(struct release *release, int64_t next, struct error *error)
{
	struct unit *unit = release->unit;

	unit_change(unit, "held.released",
		    json_pack("{s:I s:O s:I}", "number", (json_int_t)steward_number(release->collection, "number"),
			      "members", release->members, "next", (json_int_t)next));
	release->unit = NULL;
	FAULT("steward.sent");
	return unit_commit_within(unit, STEWARD_COMMIT_MS, error);
}

/* All that waits behind the gap, page by page: the sequence passes it with the last of them, so that those of a later
 * page do not go on as if nothing were missing. */
static int end_all(struct release *release, json_t *first, struct error *error)
{
	int64_t missing = release->next;
	json_t *page = json_incref(first);
	int status = 0;

	while (!status) {
		json_t *members = json_object_get(page, "members");
		const json_t *last = json_array_get(members, json_array_size(members) - 1);
		bool more = json_is_true(json_object_get(page, "more"));
		json_t *next;

		status = bury_all(release, members, missing, error) ||
				 commit(release, more ? -1 : release->next, error)
				 ? -1
				 : 0;
		if (!more || status)
			break;
		next = steward_page(release->worker, release->collection, steward_number(last, "place"),
				    steward_number(last, "number"), error);
		json_decref(page);
		page = next;
		json_decref(release->members);
		release->members = json_array();
		release->unit = unit_new(release->worker->queue);
		status = page ? 0 : -1;
	}
	json_decref(page);
	return status;
}

/* Nothing is next, and the time that a gap may last is over. */
static int end_gap(struct release *release, json_t *page, struct error *error)
{
	const json_t *collection = release->collection;

	log_warn("steward", SPAN_NONE, "number %lld did not come flow=%s key=\"%s\" gap=%s", (long long)release->next,
		 steward_text(collection, "flow"), steward_text(collection, "key"), steward_text(collection, "policy"));
	if (strcmp(steward_text(collection, "policy"), "reject"))
		return steward_change(release->worker, collection, "held.skip", NULL, error);
	return end_all(release, page, error);
}

int steward_release(struct worker *worker, const json_t *collection, struct error *error)
{
	struct release release = {.worker = worker,
				  .collection = collection,
				  .unit = unit_new(worker->queue),
				  .members = json_array(),
				  .next = -1};
	json_t *page = steward_page(worker, collection, INT64_MIN, 0, error),
	       *members = json_object_get(page, "members");
	bool sequence = !strcmp(steward_text(collection, "kind"), "resequence");
	int status = -1;

	/* as it is now: since it was due, a unit of which nobody heard any more may have been committed */
	if (page && sequence)
		release.next = steward_number(page, "next");
	if (!page || send_next(&release, members, error))
		goto done;
	if (json_array_size(release.members) || !json_array_size(members))
		status = commit(&release, release.next, error); /* nothing waits: puts right when to look again */
	else if (steward_number(page, "due_ms") > clock_now_ms())
		status = 0; /* another gap, whose time is not over */
	else
		status = end_gap(&release, page, error);
done:
	unit_free(release.unit);
	json_decref(release.members);
	json_decref(page);
	return status;
}
