/* $envelope: what expressions see of a message beside its body. See chain_envelope.h. */
#include "config.h"
#include "transformers/chain_envelope.h"

#include <stdlib.h>

#include "base/clock.h"
#include "transformers/chain.h"

static void set_span(json_t *object, const char *name, struct span value)
{
	if (value.len)
		json_object_set_new(object, name, json_stringn(value.data, value.len));
}

static void set_id(json_t *object, const char *name, const struct id *id)
{
	char hex[ID_TEXT];

	if (id_is_none(id))
		return;
	id_hex(id, hex);
	json_object_set_new(object, name, json_string(hex));
}

static void set_time(json_t *object, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT];

	clock_format(ms, text);
	json_object_set_new(object, name, json_string(text));
}

static void set_attrs(json_t *object, const struct attr *attrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *name = mem_span_dup(attrs[i].name);

		json_object_set_new(object, name, json_stringn(attrs[i].value.data, attrs[i].value.len));
		free(name);
	}
}

/* What a collection says of itself, for the steps behind it. */
static void set_collected(json_t *envelope, struct span text)
{
	json_t *collected = text.len ? json_loadb(text.data, text.len, 0, NULL) : NULL;

	if (collected)
		json_object_set_new(envelope, "collected", collected);
}

json_t *envelope_of_message(const struct message *message)
{
	struct span name = message_attr_find(message, CHAIN_ATTR_NAME);
	json_t *envelope = json_object(), *keys = json_object(), *headers = json_object();

	set_id(envelope, "id", &message->id);
	set_span(envelope, "source", message->source);
	set_span(envelope, "type", message->type);
	set_span(envelope, "subject", message->subject);
	set_span(envelope, "datacontenttype", message->datacontenttype);
	set_span(envelope, "correlationid", message->correlationid);
	set_span(envelope, "flow", message->flow);
	set_span(envelope, "name", name.len ? name : message->origin.name);
	set_time(envelope, "time", message->time_ms);
	json_object_set_new(envelope, "attempt", json_integer(message->attempt));
	json_object_set_new(envelope, "generation", json_integer(message->generation));
	set_attrs(keys, message->keys, message->keys_count);
	set_attrs(headers, message->attrs, message->attrs_count);
	json_object_set_new(envelope, "keys", keys);
	json_object_set_new(envelope, "headers", headers);
	set_span(envelope, "path", message->path);
	set_collected(envelope, message_attr_find(message, "collected"));
	return envelope;
}

json_t *envelope_of_item(json_t *of_message, const struct item *item)
{
	json_t *envelope = json_copy(of_message), *keys;

	if (item->facts)
		json_object_update(envelope, item->facts);
	set_span(envelope, "path", item->path);
	set_span(envelope, "position", item->position);
	set_span(envelope, "group", item->group);
	if (item->group.len && item->group_size) {
		json_object_set_new(envelope, "group_index", json_integer(item->group_index));
		json_object_set_new(envelope, "group_size", json_integer(item->group_size));
	}
	if (item->keys_count) {
		keys = json_copy(json_object_get(envelope, "keys"));
		set_attrs(keys, item->keys, item->keys_count);
		json_object_set_new(envelope, "keys", keys);
	}
	return envelope;
}
