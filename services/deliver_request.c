/* What one delivery asks of its target. See deliver_request.h. */
#include "config.h"
#include "services/deliver_request.h"

#include "transformers/chain.h"

int request_body(struct message *message, struct vault *vault, struct error *error)
{
	if (message->body)
		return 0;
	if (!message->body_ref.len) {
		message_body_take(message, reader_new_copy(SPAN_NONE));
		return 0;
	}
	message->body = vault_get_new(vault, message->body_ref, error);
	return message->body ? 0 : -1;
}

int request_digest(struct message *message, struct id *digest, struct error *error)
{
	struct span parts[1 + 2 * MESSAGE_ATTRS_MAX];
	size_t n = 0;

	if (message_body_sign(message, error))
		return -1;
	/* an encryption done again is the same request, though not in the same bytes */
	parts[n++] = message_attr_find(message, CHAIN_ATTR_STANDS).len ? SPAN_NONE : id_span(&message->body_digest);
	for (size_t i = 0; i < message->attrs_count; i++) {
		parts[n++] = message->attrs[i].name;
		parts[n++] = message->attrs[i].value;
	}
	*digest = id_of(parts, n);
	return 0;
}

void request_idempotency(struct attempt *attempt, struct buf *into)
{
	struct span declared = message_attr_find(attempt->message, "idempotency-key");
	char hex[ID_TEXT];

	if (attempt->endpoint->effect.kind != EFFECT_KEY)
		return;
	id_hex(&attempt->key, hex);
	if (!declared.len)
		buf_text(into, hex);
	else if (attempt->message->generation)
		buf_printf(into, "%.*s-%u", SPAN_ARGS(declared), attempt->message->generation);
	else
		buf_span(into, declared);
	attempt->idempotency_key = buf_view(into);
}
