/* Refusals. See refusal.h. */
#include "config.h"
#include "services/refusal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/tree.h"
#include "base/utf8.h"
#include "config/site.h"

static json_t *text(struct span span)
{
	struct buf clean;
	json_t *string;

	buf_init(&clean, SIZE_MAX / 2);
	utf8_clean(&clean, span);
	string = json_stringn(clean.data ? clean.data : "", clean.len);
	buf_free(&clean);
	return string;
}

static json_t *keys_of(const struct message *message)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < message->keys_count; i++)
		json_array_append_new(keys, json_pack("{s:o s:o}", "name", text(message->keys[i].name), "value",
						      text(message->keys[i].value)));
	return keys;
}

/* Text as text, anything else in base64; the first bytes of what is long. */
static void put_content(json_t *event, struct span content, size_t most)
{
	struct buf encoded;

	if (content.len > most) {
		content.len = most;
		while (content.len && ((unsigned char)content.data[content.len] & 0xc0) == 0x80)
			content.len--; /* not inside a character */
		json_object_set_new(event, "cut", json_true());
	}
	if (!content.len || utf8_is_clean(content)) {
		json_object_set_new(event, "content", json_stringn(content.len ? content.data : "", content.len));
		return;
	}
	buf_init(&encoded, 2 * REFUSAL_CONTENT_MAX);
	base64_encode(&encoded, content);
	json_object_set_new(event, "content_base64", json_stringn(encoded.data, encoded.len));
	buf_free(&encoded);
}

static void describe(const char *flow, const struct dead *letter, size_t most, struct buf *body)
{
	const struct message *message = letter->message;
	json_t *event = json_pack("{s:s s:s s:s s:o s:o s:o s:o s:o}", "flow", flow, "step", letter->step, "code",
				  letter->why->code, "reason", text(span_of(letter->why->text)), "position",
				  text(letter->position), "path", text(letter->path), "document",
				  text(message->origin.name), "keys", keys_of(message));

	put_content(event, letter->content, most);
	tree_write(body, event, 0);
	json_decref(event);
}

struct message *refusal_new(const char *flow, const char *topic, const struct dead *letter)
{
	const struct message *from = letter->message;
	struct message *message = message_copy(from);
	struct span parts[] = {span_of("refusal"), id_span(&from->id), span_of(letter->step), letter->path,
			       span_of(letter->why->text)};
	size_t most = REFUSAL_CONTENT_MAX;
	struct buf body;

	buf_init(&body, MESSAGE_INLINE_MAX);
	describe(flow, letter, most, &body);
	while (body.full) { /* control characters take six each */
		buf_free(&body);
		buf_init(&body, MESSAGE_INLINE_MAX);
		describe(flow, letter, most /= 4, &body);
	}
	message->id = id_of(parts, 5);
	message->causation = from->id;
	message_set(message, &message->type, span_of(topic));
	message_set(message, &message->flow, span_of(flow));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message_set(message, &message->dataschema, SPAN_NONE);
	message_set(message, &message->path, letter->path);
	message_set(message, &message->position, letter->position);
	message_set(message, &message->part, SPAN_NONE);
	message->attrs_count = message->orders_count = 0;
	if (from->expires_ms) /* what waited too long is news all the same */
		message->expires_ms = clock_now_ms() + (from->expires_ms - from->accepted_ms);
	message->attempt = 0;
	message->first_failed_ms = 0;
	message_body_take(message, reader_new_copy(buf_view(&body)));
	message_body_sign(message, NULL);
	buf_free(&body);
	return message;
}

int refusal_publish(struct unit *unit, const struct flow *flow, const struct dead *letter)
{
	struct dead whole = *letter;
	char head[REFUSAL_CONTENT_MAX];
	struct message *message;
	ssize_t n = 0;
	int result;

	if (!flow || !flow->reject_publish)
		return 0;
	if (letter->message->body)
		n = reader_read(letter->message->body, 0, head, sizeof head, NULL);
	whole.content = span_make(head, n > 0 ? (size_t)n : 0);
	message = refusal_new(flow->name, flow->reject_publish, &whole);
	result = unit_publish(unit, flow->reject_publish, NULL, true, message, NULL);
	message_free(message);
	return result;
}
