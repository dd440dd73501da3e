/* Messages and the bytes of their envelopes. See message.h.
 *
 * The envelope is a version byte, then fields: u8 tag, u32 length, bytes. Empty fields are left out. */
#include "config.h"
#include "base/message.h"

#include <stddef.h>
#include <stdlib.h>

#define ENVELOPE_VERSION 1

enum field_type { FIELD_TEXT, FIELD_ID, FIELD_U32, FIELD_U64 };

/* Tags are for ever: a spool may hold messages of an older version. */
static const struct field {
	uint8_t tag;
	enum field_type type;
	size_t offset;
} fields[] = {
	{1, FIELD_ID, offsetof(struct message, id)},
	{2, FIELD_TEXT, offsetof(struct message, source)},
	{3, FIELD_TEXT, offsetof(struct message, type)},
	{4, FIELD_TEXT, offsetof(struct message, subject)},
	{5, FIELD_TEXT, offsetof(struct message, datacontenttype)},
	{6, FIELD_TEXT, offsetof(struct message, dataschema)},
	{7, FIELD_U64, offsetof(struct message, time_ms)},
	{8, FIELD_TEXT, offsetof(struct message, correlationid)},
	{9, FIELD_ID, offsetof(struct message, causation)},
	{10, FIELD_TEXT, offsetof(struct message, traceparent)},
	{11, FIELD_TEXT, offsetof(struct message, flow)},
	{12, FIELD_TEXT, offsetof(struct message, revision)},
	{13, FIELD_TEXT, offsetof(struct message, path)},
	{14, FIELD_TEXT, offsetof(struct message, position)},
	{15, FIELD_TEXT, offsetof(struct message, part)},
	{16, FIELD_U32, offsetof(struct message, generation)},
	{17, FIELD_U32, offsetof(struct message, flags)},
	{18, FIELD_TEXT, offsetof(struct message, group)},
	{19, FIELD_U32, offsetof(struct message, group_index)},
	{20, FIELD_U32, offsetof(struct message, group_size)},
	{21, FIELD_U64, offsetof(struct message, accepted_ms)},
	{22, FIELD_U64, offsetof(struct message, expires_ms)},
	{23, FIELD_U32, offsetof(struct message, attempt)},
	{24, FIELD_U64, offsetof(struct message, first_failed_ms)},
	{25, FIELD_ID, offsetof(struct message, origin.digest)},
	{26, FIELD_U64, offsetof(struct message, origin.offset)},
	{27, FIELD_U64, offsetof(struct message, origin.length)},
	{28, FIELD_TEXT, offsetof(struct message, origin.name)},
	{29, FIELD_TEXT, offsetof(struct message, origin.ref)},
	{30, FIELD_TEXT, offsetof(struct message, body_ref)},
	{31, FIELD_U64, offsetof(struct message, body_size)},
	{32, FIELD_ID, offsetof(struct message, body_digest)},
};

enum { TAG_KEY = 64, TAG_ATTR, TAG_ORDER };

static size_t size_of(enum field_type type)
{
	return type == FIELD_ID ? sizeof(struct id) : type == FIELD_U32 ? 4 : 8;
}

struct message *message_new(void)
{
	struct arena *arena = arena_new();
	struct message *message = arena_alloc(arena, sizeof *message);

	message->arena = arena;
	return message;
}

void message_free(struct message *message)
{
	if (!message)
		return;
	reader_unref(message->body);
	arena_free(message->arena);
}

struct message *message_copy(const struct message *from)
{
	struct message *to = message_new();

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		const char *source = (const char *)from + fields[i].offset;
		char *target = (char *)to + fields[i].offset;

		if (fields[i].type == FIELD_TEXT)
			message_set(to, (struct span *)(void *)target, *(const struct span *)(const void *)source);
		else
			memcpy(target, source, size_of(fields[i].type));
	}
	for (size_t i = 0; i < from->keys_count; i++)
		message_key(to, from->keys[i].name, from->keys[i].value, NULL);
	for (size_t i = 0; i < from->attrs_count; i++)
		message_attr(to, from->attrs[i].name, from->attrs[i].value, NULL);
	for (size_t i = 0; i < from->orders_count; i++)
		message_order(to, from->orders[i].flow, from->orders[i].key);
	to->body = from->body ? reader_ref(from->body) : NULL;
	return to;
}

void message_set(struct message *message, struct span *field, struct span value)
{
	*field = value.len ? arena_span(message->arena, value) : SPAN_NONE;
}

int message_key(struct message *message, struct span name, struct span value, struct error *error)
{
	if (value.len > MESSAGE_KEY_MAX)
		for (value.len = MESSAGE_KEY_MAX; value.len && ((unsigned char)value.data[value.len] & 0xc0) == 0x80;)
			value.len--; /* never inside a character */
	for (size_t i = 0; i < message->keys_count; i++)
		if (span_equal(message->keys[i].name, name) && span_equal(message->keys[i].value, value))
			return 0;
	if (message->keys_count == MESSAGE_KEYS_MAX)
		return error_set(error, ERROR_REJECT, "message.keys", "more than %d business keys", MESSAGE_KEYS_MAX);
	message->keys[message->keys_count++] =
		(struct attr){arena_span(message->arena, name), arena_span(message->arena, value)};
	return 0;
}

int message_attr(struct message *message, struct span name, struct span value, struct error *error)
{
	for (size_t i = 0; i < message->attrs_count; i++)
		if (span_equal(message->attrs[i].name, name)) {
			message->attrs[i].value = arena_span(message->arena, value);
			return 0;
		}
	if (message->attrs_count == MESSAGE_ATTRS_MAX)
		return error_set(error, ERROR_REJECT, "message.attributes", "more than %d headers", MESSAGE_ATTRS_MAX);
	if (!message->attrs)
		message->attrs = arena_alloc(message->arena, MESSAGE_ATTRS_MAX * sizeof *message->attrs);
	message->attrs[message->attrs_count++] =
		(struct attr){arena_span(message->arena, name), arena_span(message->arena, value)};
	return 0;
}

struct span message_attr_find(const struct message *message, const char *name)
{
	for (size_t i = 0; i < message->attrs_count; i++)
		if (span_is(message->attrs[i].name, name))
			return message->attrs[i].value;
	return SPAN_NONE;
}

void message_order(struct message *message, struct span flow, uint64_t key)
{
	for (size_t i = 0; i < message->orders_count; i++)
		if (span_equal(message->orders[i].flow, flow)) {
			message->orders[i].key = key;
			return;
		}
	if (message->orders_count < MESSAGE_ORDERS_MAX)
		message->orders[message->orders_count++] = (struct order){arena_span(message->arena, flow), key};
}

uint64_t message_order_find(const struct message *message, struct span flow)
{
	for (size_t i = 0; i < message->orders_count; i++)
		if (span_equal(message->orders[i].flow, flow))
			return message->orders[i].key;
	return 0;
}

void message_body_take(struct message *message, struct reader *body)
{
	reader_unref(message->body);
	message->body = body;
	message->body_size = reader_size(body);
	message->body_ref = SPAN_NONE;
	message->body_digest = (struct id){{0}};
}

int message_body_sign(struct message *message, struct error *error)
{
	if (!id_is_none(&message->body_digest))
		return 0;
	return reader_digest(message->body, message->body_digest.bytes, error);
}

static void put(struct buf *buf, uint8_t tag, struct span value)
{
	buf_u8(buf, tag);
	buf_field(buf, value);
}

static void put_field(struct buf *buf, const struct field *field, const void *at)
{
	switch (field->type) {
	case FIELD_TEXT:
		if (((const struct span *)at)->len)
			put(buf, field->tag, *(const struct span *)at);
		break;
	case FIELD_ID:
		if (!id_is_none(at))
			put(buf, field->tag, id_span(at));
		break;
	case FIELD_U32:
		if (*(const uint32_t *)at) {
			buf_u8(buf, field->tag);
			buf_u32(buf, 4);
			buf_u32(buf, *(const uint32_t *)at);
		}
		break;
	case FIELD_U64:
		if (*(const uint64_t *)at) {
			buf_u8(buf, field->tag);
			buf_u32(buf, 8);
			buf_u64(buf, *(const uint64_t *)at);
		}
		break;
	}
}

static void put_pair(struct buf *buf, uint8_t tag, struct span name, struct span value)
{
	buf_u8(buf, tag);
	buf_u32(buf, (uint32_t)(4 + name.len + value.len));
	buf_field(buf, name);
	buf_span(buf, value);
}

int message_encode(const struct message *message, struct buf *buf, struct error *error)
{
	size_t before = buf->len, size;

	buf_u8(buf, ENVELOPE_VERSION);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		put_field(buf, &fields[i], (const char *)message + fields[i].offset);
	for (size_t i = 0; i < message->keys_count; i++)
		put_pair(buf, TAG_KEY, message->keys[i].name, message->keys[i].value);
	for (size_t i = 0; i < message->attrs_count; i++)
		put_pair(buf, TAG_ATTR, message->attrs[i].name, message->attrs[i].value);
	for (size_t i = 0; i < message->orders_count; i++) {
		char key[8];

		for (size_t b = 0; b < 8; b++)
			key[b] = (char)(message->orders[i].key >> (8 * b));
		put_pair(buf, TAG_ORDER, message->orders[i].flow, span_make(key, 8));
	}
	size = buf->len - before;
	if (!buf->full && size <= MESSAGE_ENVELOPE_MAX)
		return 0;
	buf->len = before;
	return error_set(error, ERROR_REJECT, "envelope.too-large",
			 "the envelope has %s%zu bytes, the limit is %u: use fewer or shorter keys and headers",
			 buf->full ? "more than " : "", size, MESSAGE_ENVELOPE_MAX);
}

static bool take_number(struct span value, void *at, enum field_type type)
{
	if (value.len != size_of(type))
		return false;
	return type == FIELD_U32 ? take_u32(&value, at) : take_u64(&value, at);
}

static bool take_known(struct message *message, const struct field *field, struct span value)
{
	void *at = (char *)message + field->offset;

	if (field->type == FIELD_TEXT) {
		*(struct span *)at = value;
		return true;
	}
	/* A second id would be seen by message_decode_new, and the first by message_peek. */
	if (field->type == FIELD_ID)
		return id_is_none(at) && id_from_span(at, value) == 0;
	return take_number(value, at, field->type);
}

static bool take_pair(struct message *message, uint8_t tag, struct span value)
{
	struct span name;
	uint64_t key;

	if (!take_field(&value, &name))
		return false;
	if (tag == TAG_KEY)
		return message_key(message, name, value, NULL) == 0;
	if (tag == TAG_ATTR)
		return message_attr(message, name, value, NULL) == 0;
	if (!take_u64(&value, &key))
		return false;
	message_order(message, name, key);
	return true;
}

static bool take_tagged(struct message *message, uint8_t tag, struct span value)
{
	if (tag >= TAG_KEY && tag <= TAG_ORDER)
		return take_pair(message, tag, value);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].tag == tag)
			return take_known(message, &fields[i], value);
	return true;
}

struct message *message_decode_new(struct span envelope, struct error *error)
{
	struct message *message = message_new();
	struct span rest = arena_span(message->arena, envelope.len > MESSAGE_ENVELOPE_MAX ? SPAN_NONE : envelope);
	uint8_t version, tag;

	if (!take_u8(&rest, &version) || version != ENVELOPE_VERSION)
		goto unreadable;
	while (rest.len) {
		struct span value;

		if (!take_u8(&rest, &tag) || !take_field(&rest, &value) || !take_tagged(message, tag, value))
			goto unreadable;
	}
	return message;
unreadable:
	message_free(message);
	error_set(error, ERROR_REJECT, "envelope.unreadable",
		  "an envelope of %zu bytes is damaged or from a newer version",
		  envelope.len);
	return NULL;
}

static void peek_order(struct span value, struct span flow, uint64_t *key)
{
	struct span name;
	uint64_t found;

	if (take_field(&value, &name) && span_equal(name, flow) && take_u64(&value, &found))
		*key = found;
}

bool message_peek(struct span envelope, struct span flow, struct id *id, uint64_t *order_key)
{
	uint8_t version, tag;
	struct span value;

	*id = (struct id){{0}};
	*order_key = 0;
	if (!take_u8(&envelope, &version) || version != ENVELOPE_VERSION)
		return false;
	while (envelope.len) {
		if (!take_u8(&envelope, &tag) || !take_field(&envelope, &value))
			return false;
		if (tag == 1 && (!id_is_none(id) || id_from_span(id, value) || id_is_none(id)))
			return false;
		if (!flow.len && tag == 1)
			return true;
		if (tag == TAG_ORDER)
			peek_order(value, flow, order_key);
	}
	return !id_is_none(id);
}
