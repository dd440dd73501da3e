/* What comes out otherwise each time is made once. See transform_once.h. */
#include "config.h"
#include "services/transform_once.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"

#define WINDOW 100 /* so many at once, and what belongs to the last of them */
#define ASK_MS 10000

struct once {
	struct message *message;
	const char *topic, *queue;
	char *key, *document; /* the first ordinal of its path: what has the same may be made of it */
	struct vault_entry made;
};

static char *key_of(const struct message *message, const struct chain_output *output)
{
	char id[ID_TEXT], stands[ID_TEXT];

	id_hex(&message->id, id);
	id_hex(&output->stands, stands);
	return mem_printf("%s-%u-%.32s%s", id, message->generation, stands,
			  message->flags & MESSAGE_REPLAY ? "-again" : "");
}

static char *document_of(struct span path)
{
	const char *slash = path.len ? memchr(path.data, '/', path.len) : NULL;

	return mem_span_dup(slash ? span_make(path.data, (size_t)(slash - path.data)) : path);
}

int once_add(struct run *run, const struct chain_output *output, const char *topic, const char *queue,
	     const struct message *message, struct error *error)
{
	char *document = document_of(output->item->path);
	struct once *one;

	if (run->once_count >= WINDOW && strcmp(run->once[run->once_count - 1].document, document) != 0 &&
	    once_flush(run, error)) {
		free(document);
		return -1;
	}
	run->once = mem_grow(run->once, &run->once_capacity, run->once_count + 1, sizeof *run->once);
	one = &run->once[run->once_count++];
	*one = (struct once){.message = message_copy(message),
			     .topic = topic,
			     .queue = queue,
			     .key = key_of(message, output),
			     .document = document};
	return 0;
}

/* Durable, before a note says where it is. */
static int store_all(struct run *run, struct error *error)
{
	for (size_t i = 0; i < run->once_count; i++) {
		if (vault_put(run->worker->vault, run->once[i].message->body, &run->once[i].made, error))
			return -1;
		board_tick(run->worker->slot);
	}
	if (vault_sync(run->worker->vault, error))
		return -1;
	FAULT("transform.synced");
	return 0;
}

/* What is noted already stays. */
static int note_all(struct run *run, struct error *error)
{
	struct unit *unit = unit_new(run->worker->queue);
	char hex[ID_TEXT];

	for (size_t i = 0; i < run->once_count; i++) {
		struct once *one = &run->once[i];

		id_hex(&one->made.digest, hex);
		unit_change(unit, "table.put",
			    json_pack("{s:s s:s s:{s:s s:s} s:b}", "table", ONCE_TABLE, "key", one->key, "value", "ref",
				      one->made.ref, "sha256", hex, "keep", 1));
	}
	return unit_commit_within(unit, ASK_MS, error);
}

/* The bytes that were made first, when it was not by us. */
static int take_noted(struct run *run, struct once *one, const json_t *noted, struct error *error)
{
	const char *ref = json_string_value(json_object_get(noted, "ref")),
		   *hex = json_string_value(json_object_get(noted, "sha256"));
	struct error why = {0};
	struct reader *body;

	if (!ref || !hex || strlen(ref) >= sizeof one->made.ref || !strcmp(ref, one->made.ref))
		return 0;
	body = vault_get_new(run->worker->vault, span_of(ref), &why);
	if (!body && why.class != ERROR_REJECT) {
		*error = why;
		return -1;
	}
	if (!body || id_parse(&one->made.digest, span_of(hex))) { /* past its retention: so is what was made then */
		reader_unref(body);
		return 0;
	}
	log_debug("transform", one->message->correlationid, "made before, taken as it was key=%s", one->key);
	snprintf(one->made.ref, sizeof one->made.ref, "%s", ref);
	message_body_take(one->message, body);
	return 0;
}

static int find_all(struct run *run, struct error *error)
{
	json_t *keys = json_array(), *request, *answer = NULL, *values;
	int result;

	for (size_t i = 0; i < run->once_count; i++)
		json_array_append_new(keys, json_string(run->once[i].key));
	request = json_pack("{s:s s:o}", "table", ONCE_TABLE, "keys", keys);
	result = queue_ask(run->worker->queue, "table.find", request, &answer, ASK_MS, error);
	values = json_object_get(answer, "values");
	for (size_t i = 0; i < run->once_count && !result; i++)
		result = take_noted(run, &run->once[i], json_object_get(values, run->once[i].key), error);
	json_decref(request);
	json_decref(answer);
	return result;
}

static int publish_all(struct run *run, struct error *error)
{
	for (size_t i = 0; i < run->once_count; i++) {
		struct once *one = &run->once[i];

		one->message->body_digest = one->made.digest;
		if (one->message->body_size > MESSAGE_INLINE_MAX)
			message_set(one->message, &one->message->body_ref, span_of(one->made.ref));
		if (transform_publish(run, one->topic, one->queue, false, one->message, error) &&
		    (error->class != ERROR_REJECT || transform_bury(run, NULL, "publish", error)))
			return -1;
	}
	return 0;
}

int once_flush(struct run *run, struct error *error)
{
	int result;

	if (!run->once_count)
		return 0;
	result = store_all(run, error) || note_all(run, error) || find_all(run, error) ? -1 : 0;
	FAULT("transform.once");
	if (!result)
		result = publish_all(run, error);
	once_drop(run);
	return result;
}

void once_drop(struct run *run)
{
	for (size_t i = 0; i < run->once_count; i++) {
		message_free(run->once[i].message);
		free(run->once[i].key);
		free(run->once[i].document);
	}
	free(run->once);
	run->once = NULL;
	run->once_count = run->once_capacity = 0;
}
