/* What ends some day: the steward's part. Asks operations/expiring.h what of all that (expiries.h) is to be told,
 * and puts the event, and that it was told, into one unit. See steward.h. */
#include "config.h"
#include "services/steward.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/expiries.h"

#define AGAIN_MS INT64_C(3600000) /* files change without a word */

struct keys {
	struct worker *worker;
	json_t *known; /* entries by KIND:ID; those that are still there are taken out */
	int64_t now, next;
	bool *more, failed;
	struct error *error;
};

/* ---- one of them ---- */
/* Takes the body; NULL: nothing is told. */
static void tell(struct keys *keys, struct unit *unit, const char *topic, const char *name, json_t *body)
{
	if (!body)
		return;
	unit_change(unit, "event.tell", json_pack("{s:s s:s s:o}", "topic", topic, "subject", name, "body", body));
	*keys->more = true;
}

static int remember(struct keys *keys, const struct expiring *one, const char *name, const json_t *entry,
		    const struct expiring_verdict *verdict)
{
	struct unit *unit = unit_new(keys->worker->queue);

	if (entry)
		tell(keys, unit, EVENT_KEY_RENEWED, name, expiring_over_new(entry, one->id, one));
	if (verdict->tell)
		tell(keys, unit, EVENT_KEY_EXPIRING, name, expiring_event_new(one, verdict, keys->now));
	unit_change(unit, "table.put",
		    json_pack("{s:s s:s s:o}", "table", ASK_EXPIRING, "key", name, "value",
			      expiring_entry_new(one, verdict)));
	FAULT("steward.expiring");
	board_tick(keys->worker->slot);
	if (unit_commit_within(unit, STEWARD_COMMIT_MS, keys->error))
		return -1;
	FAULT("steward.expired");
	if (verdict->tell)
		log_warn("steward", SPAN_NONE, "expires kind=%s id=%s days=%lld", one->kind, one->id,
			 (long long)expiring_days(one->expires_ms, keys->now));
	return 0;
}

static void look_at(void *arg, const struct expiring *one)
{
	struct keys *keys = arg;
	const struct site_expiry *expiry = &keys->worker->site->expiry;
	char *name = mem_printf("%s:%s", one->kind, one->id);
	json_t *entry = json_incref(json_object_get(keys->known, name)), *new;
	struct expiring_verdict verdict;

	if (keys->failed)
		goto done;
	board_tick(keys->worker->slot);
	expiring_judge(one, expiry->warn_ms, expiry->warn_count, entry, keys->now, &verdict);
	if (verdict.next_ms < keys->next)
		keys->next = verdict.next_ms;
	new = expiring_entry_new(one, &verdict);
	if (!json_equal(entry, new) && !json_is_true(json_object_get(entry, "seen")))
		keys->failed = remember(keys, one, name, entry, &verdict) != 0;
	json_object_set_new(keys->known, name, json_pack("{s:b}", "seen", 1));
	json_decref(new);
done:
	json_decref(entry);
	free(name);
}

/* ---- what is not there any more ---- */
static void forget(struct keys *keys, bool keyring)
{
	const char *name;
	json_t *entry;
	struct unit *unit;

	json_object_foreach(keys->known, name, entry) {
		if (keys->failed || json_is_true(json_object_get(entry, "seen")) ||
		    (!keyring && !strncmp(name, "openpgp:", 8)))
			continue;
		unit = unit_new(keys->worker->queue);
		tell(keys, unit, EVENT_KEY_RENEWED, name,
		     expiring_over_new(entry, strchr(name, ':') ? strchr(name, ':') + 1 : name, NULL));
		unit_change(unit, "table.remove", json_pack("{s:s s:s}", "table", ASK_EXPIRING, "key", name));
		keys->failed = unit_commit_within(unit, STEWARD_COMMIT_MS, keys->error) != 0;
	}
}

static json_t *known_new(struct worker *worker, struct error *error)
{
	json_t *request = json_pack("{s:s s:i}", "table", ASK_EXPIRING, "limit", 50000), *answer = NULL,
	       *known = json_object(), *entry;
	int failed = queue_ask(worker->queue, "table.list", request, &answer, STEWARD_ASK_MS, error);
	size_t i;

	json_decref(request);
	json_array_foreach(json_object_get(answer, "entries"), i, entry)
		json_object_set(known, steward_text(entry, "key"), json_object_get(entry, "value"));
	json_decref(answer);
	if (!failed)
		return known;
	json_decref(known);
	return NULL;
}

int steward_keys(struct worker *worker, bool *more, int64_t *next, struct error *error)
{
	struct keys keys = {.worker = worker, .now = clock_now_ms(), .more = more, .error = error};
	struct error why = {0};
	bool keyring;

	if (*next > keys.now)
		return 0;
	keys.next = keys.now + AGAIN_MS;
	keys.known = known_new(worker, error);
	if (!keys.known)
		return -1;
	keyring = expiries_keys(worker->site, look_at, &keys, &why);
	if (!keyring)
		log_warn("steward", SPAN_NONE, "the keyring cannot be read code=%s error=\"%s\"", why.code, why.text);
	expiries_stated(worker->site, look_at, &keys);
	forget(&keys, keyring);
	json_decref(keys.known);
	if (keys.failed)
		return -1;
	*next = keys.next;
	return 0;
}
