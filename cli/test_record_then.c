/* What went through then beside what today's configuration makes of it. See test_record.h. */
#include "config.h"
#include "cli/test_record.h"

#include <stdlib.h>
#include <string.h>

#include "cli/site.h"

static void count(json_t *counts, const char *what, const char *where, int by)
{
	char *key = mem_printf("%s %s", what, where);

	json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + by));
	free(key);
}

/* Endpoint → the digests of what it was delivered. */
static void note_digest(json_t *digests, const char *endpoint, const char *digest)
{
	if (!json_object_get(digests, endpoint))
		json_object_set_new(digests, endpoint, json_object());
	if (*digest)
		json_object_set_new(json_object_get(digests, endpoint), digest, json_true());
}

static void compare_bytes(json_t *notes, const json_t *digests, const struct rehearsal *whole)
{
	json_t *told = json_object();

	for (size_t i = 0; i < whole->count; i++) {
		const struct happened *happened = &whole->list[i];
		const char *to = json_text(happened->facts, "to");
		const json_t *known = json_object_get(digests, to);
		struct id digest = id_digest(happened->body);
		char hex[ID_TEXT];

		id_hex(&digest, hex);
		if (happened->kind != TRIAL_DELIVERED || !json_object_size(known) || json_object_get(known, hex) ||
		    json_object_get(told, to))
			continue;
		json_object_set_new(told, to, json_true());
		json_array_append_new(notes, json_sprintf("today's configuration delivers other bytes to %s than went "
							  "there then",
							  to));
	}
	json_decref(told);
}

static void count_then(json_t *counts, json_t *digests, const json_t *messages, int depth)
{
	const json_t *message, *stage;
	size_t i, k;

	if (depth > 64)
		return;
	json_array_foreach(messages, i, message) {
		bool delivery = !strcmp(json_text(message, "type"), "ferrule.delivery.v1");

		json_array_foreach(json_object_get(message, "stages"), k, stage) {
			if (!strcmp(json_text(stage, "stage"), "published"))
				count(counts, delivery ? "deliveries to" : "messages on", json_text(stage, "place"),
				      -1);
			else if (!strcmp(json_text(stage, "stage"), "delivered"))
				note_digest(digests, json_text(stage, "place"),
					    json_text(json_object_get(stage, "detail"), "sha256"));
			else if (!strcmp(json_text(stage, "stage"), "dead"))
				count(counts, "refusals", json_text(json_object_get(stage, "detail"), "code"), -1);
		}
		count_then(counts, digests, json_object_get(message, "children"), depth + 1);
	}
}

/* Where today's configuration does something else than what did happen, the test shows today's; that is said. */
json_t *test_record_notes_new(json_t *document, const struct rehearsal *whole)
{
	json_t *counts = json_object(), *digests = json_object(), *value, *tree = json_array(), *notes = json_array();
	const char *name;
	size_t dead = 0;

	for (size_t i = 0; i < whole->count; i++) {
		const struct happened *happened = &whole->list[i];

		if (happened->kind == TRIAL_PUBLISHED)
			count(counts, "messages on", json_text(happened->facts, "topic"), 1);
		else if (happened->kind == TRIAL_DELIVERED)
			count(counts, "deliveries to", json_text(happened->facts, "to"), 1);
		else if (happened->kind == TRIAL_DEAD)
			count(counts, "refusals", json_text(happened->facts, "code"), 1);
		dead += happened->kind == TRIAL_DEAD && strncmp(json_text(happened->facts, "step"), "validate:", 9) &&
			!happened->other;
	}
	json_array_append(tree, document);
	count_then(counts, digests, tree, 0);
	compare_bytes(notes, digests, whole);
	json_object_foreach(counts, name, value) {
		json_int_t more = json_integer_value(value);

		if (more)
			json_array_append_new(
				notes,
				json_sprintf("today's configuration makes %lld %s %s than what went through then",
					     (long long)(more < 0 ? -more : more), more < 0 ? "fewer" : "more", name));
	}
	if (dead)
		json_array_append_new(notes,
				      json_string("what was refused reached no contract, so that personal data which "
						  "stands only there is not masked"));
	json_decref(tree);
	json_decref(digests);
	json_decref(counts);
	return notes;
}
