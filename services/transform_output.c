/* What a message that comes out of a chain carries. See transform_output.h. */
#include "config.h"
#include "services/transform_output.h"

#include "services/turns.h"

/* Of what lies in attributes: the name that a step gave the document, and what encrypted bytes stand for. */
static void inherit_attrs(struct message *message, const struct message *from, const struct chain_output *output)
{
	const char *given = json_string_value(json_object_get(output->item->facts, "name"));
	struct span name = given ? span_of(given) : message_attr_find(from, CHAIN_ATTR_NAME);
	char hex[ID_TEXT];

	if (name.len)
		message_attr(message, span_of(CHAIN_ATTR_NAME), name, NULL);
	if (id_is_none(&output->stands))
		return;
	id_hex(&output->stands, hex);
	message_attr(message, span_of(CHAIN_ATTR_STANDS), span_of(hex), NULL);
}

void output_inherit(struct message *message, const struct message *from, const struct chain_output *output,
		    const struct flow *flow)
{
	const struct item *item = output->item;

	message->id = output->id;
	message->causation = from->id;
	message_set(message, &message->source, from->source);
	message_set(message, &message->subject, from->subject);
	message_set(message, &message->correlationid, from->correlationid);
	message_set(message, &message->traceparent, from->traceparent);
	message_set(message, &message->flow, span_of(flow->name));
	message_set(message, &message->revision, from->revision);
	message_set(message, &message->path, item->path);
	message_set(message, &message->position, item->position.len ? item->position : from->position);
	message_set(message, &message->datacontenttype, output->media_type);
	message_set(message, &message->dataschema, item->contract.len ? item->contract : from->dataschema);
	message_set(message, &message->group, item->group);
	message_set(message, &message->origin.name, from->origin.name);
	message_set(message, &message->origin.ref, from->origin.ref);
	inherit_attrs(message, from, output);
	turns_carry(message, from);
	message->time_ms = from->time_ms;
	message->accepted_ms = from->accepted_ms;
	message->expires_ms = from->expires_ms;
	message->generation = from->generation;
	message->flags = from->flags;
	message->group_index = item->group_index;
	message->group_size = item->group_size;
	message->origin.digest = from->origin.digest;
	message->origin.offset = item->length ? from->origin.offset + item->offset : from->origin.offset;
	message->origin.length = item->length ? item->length : from->origin.length;
}

int output_keys(struct message *message, const struct message *from, const struct item *item, struct error *error)
{
	for (size_t i = 0; i < item->keys_count; i++)
		if (message_key(message, item->keys[i].name, item->keys[i].value, error))
			return -1;
	for (size_t i = 0; i < from->keys_count && message->keys_count < MESSAGE_KEYS_MAX; i++)
		message_key(message, from->keys[i].name, from->keys[i].value, NULL);
	return 0;
}

static bool subscribes(const struct flow *flow, const char *topic)
{
	for (size_t i = 0; i < flow->subscribes_count; i++)
		if (!strcmp(flow->subscribes[i], topic))
			return true;
	return false;
}

int output_orders(struct message *message, const struct site *site, struct chain *chain, struct item *item,
		  const char *topic, struct error *error)
{
	struct expression_input input;
	struct buf text;
	int result = 0;

	buf_init(&text, 4096);
	for (size_t i = 0; i < site->flows_count && !result; i++) {
		const struct flow *flow = &site->flows[i];
		struct span part;
		struct id id;

		if (flow->order == ORDER_NONE || !flow->order_by || !subscribes(flow, topic))
			continue;
		buf_reset(&text);
		result = chain_input(chain, item, &input, error) ||
			 expression_text(flow->order_by, &input, &text, error);
		part = buf_view(&text);
		id = id_of(&part, 1);
		if (!result)
			message_order(message, span_of(flow->name), id_hash(&id) | 1);
	}
	buf_free(&text);
	return result;
}

int output_address(struct message *message, const struct message *from, const struct flow *flow, struct chain *chain,
		   struct item *item, struct error *error)
{
	struct expression_input input = {.body = NULL};
	struct error no_json;
	struct buf key;
	int result;

	if (chain_input(chain, item, &input, &no_json))
		input = (struct expression_input){.body = json_null(), .envelope = chain_envelope(chain, item)};
	if (flow->sink_ops->address(flow->sink, &input, message, error))
		return -1;
	message_order(message, span_of(flow->name), message_order_find(from, span_of(flow->name)));
	if (flow->sink->effect.kind != EFFECT_KEY || !flow->sink->effect.key)
		return 0;
	buf_init(&key, 256);
	result = template_render(flow->sink->effect.key, &input, NULL, &key, error);
	if (!result && !key.len)
		result = error_set(error, ERROR_REJECT, "effect.key",
				   "the idempotency key of %s is empty for this message", flow->sink->name);
	if (!result)
		result = message_attr(message, SPAN_LITERAL("idempotency-key"), buf_view(&key), error);
	buf_free(&key);
	return result;
}

uint32_t output_part_number(const struct item *item)
{
	uint32_t hash = 2166136261u ^ (uint32_t)item->offset;

	for (size_t i = 0; i < item->path.len; i++)
		hash = (hash ^ (unsigned char)item->path.data[i]) * 16777619u;
	return hash ? hash : 1;
}
