/* Keys that changed, whoever changed them: the steward's part. What key_files.h finds is compared with what was there
 * at the last look, in the store's table ASK_KEYS, and each difference is a record of the audit trail, in the unit
 * that says what is there now. Among several machines the one that has the steward looks, at its own. See steward.h. */
#include "config.h"
#include "services/steward.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "operations/ask.h"
#include "services/key_files.h"
#include "services/machine.h"

#define AGAIN_MS INT64_C(3600000) /* files change without a word */
#define BATCH 50

struct trail {
	struct worker *worker;
	json_t *known; /* of this machine: key → {kind, id, name, is}; what is still there is taken out */
	json_t *seen;  /* what was found in this look */
	char machine[MACHINE_NAME]; /* "" where there is one */
	struct unit *unit;          /* of the changes in hand, or NULL */
	size_t changes;
	bool failed;
	struct error *error;
};

static void commit(struct trail *trail)
{
	if (trail->unit && unit_commit_within(trail->unit, STEWARD_COMMIT_MS, trail->failed ? NULL : trail->error))
		trail->failed = true;
	trail->unit = NULL;
	trail->changes = 0;
	board_tick(trail->worker->slot);
}

/* was NULL: it is new; is NULL: it is gone. */
static void record(struct trail *trail, const char *key, const json_t *was, const json_t *is)
{
	const json_t *it = is ? is : was;
	json_t *facts = json_pack("{s:s s:s s:s}", "change",
				  !was ? "found"
				  : is ? "changed"
				       : "gone",
				  "kind", steward_text(it, "kind"), "id", steward_text(it, "id"));

	if (*steward_text(it, "name"))
		json_object_set_new(facts, "name", json_string(steward_text(it, "name")));
	if (was)
		json_object_set_new(facts, "before", json_string(steward_text(was, "is")));
	if (is)
		json_object_set_new(facts, "now", json_string(steward_text(is, "is")));
	if (*trail->machine)
		json_object_set_new(facts, "machine", json_string(trail->machine));
	if (!trail->unit)
		trail->unit = unit_new(trail->worker->queue);
	unit_change(trail->unit, "audit.note", json_pack("{s:s s:o}", "what", "key", "facts", facts));
	unit_change(trail->unit, is ? "table.put" : "table.remove",
		    is ? json_pack("{s:s s:s s:O}", "table", ASK_KEYS, "key", key, "value", is)
		       : json_pack("{s:s s:s}", "table", ASK_KEYS, "key", key));
	if (was)
		log_warn("steward", SPAN_NONE, "key %s kind=%s id=%s", is ? "changed" : "gone",
			 steward_text(it, "kind"), steward_text(it, "id"));
	if (++trail->changes == BATCH)
		commit(trail);
}

static void look_at(void *arg, const struct key_file *file)
{
	struct trail *trail = arg;
	struct id digest = id_digest(span_of(file->id));
	char hex[ID_TEXT], *key;
	json_t *was, *is;

	id_hex(&digest, hex);
	key = mem_printf("%s/%s:%.32s", trail->machine, file->kind, hex);
	board_tick(trail->worker->slot);
	was = json_object_get(trail->known, key);
	is = json_pack("{s:s s:s s:s s:s}", "kind", file->kind, "id", file->id, "name", file->name, "is", file->is);
	if (!trail->failed && !json_object_get(trail->seen, key) && !json_equal(was, is))
		record(trail, key, was, is);
	json_object_set_new(trail->seen, key, is);
	free(key);
}

static void look_for_lost(struct trail *trail, bool keyring)
{
	const char *key;
	json_t *was;

	json_object_foreach(trail->known, key, was)
		if (!trail->failed && !json_object_get(trail->seen, key) &&
		    (keyring || strcmp(steward_text(was, "kind"), "openpgp") != 0))
			record(trail, key, was, NULL);
}

static int ask_known(struct trail *trail)
{
	char *prefix = mem_printf("%s/", trail->machine);
	json_t *request = json_pack("{s:s s:i}", "table", ASK_KEYS, "limit", 50000), *answer = NULL, *entry;
	int failed = queue_ask(trail->worker->queue, "table.list", request, &answer, STEWARD_ASK_MS, trail->error);
	size_t i;

	json_array_foreach(json_object_get(answer, "entries"), i, entry)
		if (!strncmp(steward_text(entry, "key"), prefix, strlen(prefix)))
			json_object_set(trail->known, steward_text(entry, "key"), json_object_get(entry, "value"));
	json_decref(request);
	json_decref(answer);
	free(prefix);
	return failed;
}

int steward_trail(struct worker *worker, int64_t *next, struct error *error)
{
	struct trail trail = {.worker = worker, .error = error};
	struct error why = {0};
	bool keyring;

	if (*next > clock_now_ms())
		return 0;
	trail.known = json_object();
	trail.seen = json_object();
	if (worker->site->broker && !worker->site->broker->shares_db)
		machine_name(trail.machine);
	trail.failed = ask_known(&trail);
	if (!trail.failed) {
		keyring = key_files_each(worker->site, look_at, &trail, &why);
		if (!keyring)
			log_warn("steward", SPAN_NONE, "the keyring cannot be read code=%s error=\"%s\"", why.code,
				 why.text);
		look_for_lost(&trail, keyring);
		commit(&trail);
	}
	json_decref(trail.known);
	json_decref(trail.seen);
	if (trail.failed)
		return -1;
	*next = clock_now_ms() + AGAIN_MS;
	return 0;
}
