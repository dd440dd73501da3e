/* Frames and lineage records as bytes. See wire.h. */
#include "config.h"
#include "base/wire.h"

#define HEADER 5

size_t wire_begin(struct buf *buf, enum frame type)
{
	size_t at = buf->len;

	buf_u32(buf, 0);
	buf_u8(buf, (uint8_t)type);
	return at;
}

bool wire_end(struct buf *buf, size_t at)
{
	size_t len = buf->len - at;

	if (buf->full || len < HEADER || len - HEADER > WIRE_FRAME_MAX) {
		buf->full = false;
		if (at < buf->len) {
			buf->len = at;
			buf->data[at] = '\0';
		}
		return false;
	}
	len -= HEADER;
	for (size_t i = 0; i < 4; i++)
		buf->data[at + i] = (char)(len >> (8 * i));
	return true;
}

int wire_next(struct span *in, uint8_t *type, struct span *payload)
{
	struct span rest = *in;
	uint32_t len;

	if (!take_u32(&rest, &len))
		return 0;
	if (len > WIRE_FRAME_MAX)
		return -1;
	if (!take_u8(&rest, type) || !take_bytes(&rest, len, payload))
		return 0;
	*in = rest;
	return 1;
}

void wire_put_error(struct buf *buf, const struct error *error)
{
	if (!error || error->class == ERROR_NONE) {
		buf_u8(buf, ERROR_NONE);
		return;
	}
	buf_u8(buf, (uint8_t)error->class);
	buf_u8(buf, (uint8_t)error->scope);
	buf_u64(buf, (uint64_t)error->retry_after_ms);
	buf_field(buf, span_of(error->code));
	buf_field(buf, span_of(error->text));
}

bool wire_take_error(struct span *in, struct error *error)
{
	struct span code, text;
	uint8_t class, scope;
	uint64_t after;

	error_clear(error);
	if (!take_u8(in, &class))
		return false;
	if (class == ERROR_NONE)
		return true;
	if (class > ERROR_FATAL || !take_u8(in, &scope) || scope > SCOPE_SITE || !take_u64(in, &after) ||
	    !take_field(in, &code) || !take_field(in, &text))
		return false;
	error_set(error, (enum error_class)class, "", "%.*s", (int)(text.len < 600 ? text.len : 600),
		  text.len ? text.data : "");
	error->scope = (enum error_scope)scope;
	error->retry_after_ms = (int64_t)after;
	/* it groups dead letters, and goes into JSON */
	for (size_t i = 0; i < code.len && i + 1 < sizeof error->code; i++)
		error->code[i] = code.data[i] > ' ' && code.data[i] < 0x7f ? code.data[i] : '?';
	return true;
}

bool wire_take_id(struct span *in, struct id *id)
{
	struct span bytes;

	return take_bytes(in, sizeof id->bytes, &bytes) && id_from_span(id, bytes) == 0;
}

/* ---- records: a field that holds a version, ids, numbers and texts */
#define RECORD_VERSION 1

void record_encode(struct buf *buf, const struct record *record, int64_t now_ms)
{
	const struct message *m = record->message;
	size_t at = buf->len;
	size_t len;

	buf_u32(buf, 0);
	buf_u8(buf, RECORD_VERSION);
	buf_span(buf, id_span(&m->id));
	buf_span(buf, id_span(&m->causation));
	buf_span(buf, id_span(&m->origin.digest));
	buf_u64(buf, m->origin.offset);
	buf_u64(buf, m->origin.length);
	buf_u64(buf, (uint64_t)now_ms);
	buf_u32(buf, record->attempt);
	buf_u32(buf, m->generation);
	buf_field(buf, span_of(record->stage));
	buf_field(buf, span_of(record->place));
	buf_field(buf, record->detail);
	buf_field(buf, m->type);
	buf_field(buf, m->correlationid);
	buf_field(buf, m->flow);
	buf_field(buf, m->revision);
	buf_field(buf, m->position);
	buf_field(buf, m->origin.name);
	buf_field(buf, m->origin.ref);
	buf_u32(buf, (uint32_t)m->keys_count);
	for (size_t i = 0; i < m->keys_count; i++) {
		buf_field(buf, m->keys[i].name);
		buf_field(buf, m->keys[i].value);
	}
	if (buf->full)
		return;
	len = buf->len - at - 4;
	for (size_t i = 0; i < 4; i++)
		buf->data[at + i] = (char)(len >> (8 * i));
}

static bool take_texts(struct span *in, struct record_view *view)
{
	struct span *const texts[] = {&view->stage,       &view->place,     &view->detail,   &view->type,
				      &view->correlation, &view->flow,      &view->revision, &view->position,
				      &view->origin_name, &view->origin_ref};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!take_field(in, texts[i]))
			return false;
	return true;
}

static bool take_keys(struct span *in, struct record_view *view)
{
	uint32_t n;

	if (!take_u32(in, &n) || n > MESSAGE_KEYS_MAX)
		return false;
	for (view->keys_count = 0; view->keys_count < n; view->keys_count++) {
		struct attr *key = &view->keys[view->keys_count];

		if (!take_field(in, &key->name) || !take_field(in, &key->value))
			return false;
	}
	return true;
}

bool record_decode(struct span *in, struct record_view *view)
{
	struct span one;
	uint8_t version;
	uint64_t time;

	memset(view, 0, sizeof *view);
	if (!take_field(in, &one) || !take_u8(&one, &version) || version != RECORD_VERSION ||
	    !wire_take_id(&one, &view->message) || !wire_take_id(&one, &view->causation) ||
	    !wire_take_id(&one, &view->origin_digest) || !take_u64(&one, &view->origin_offset) ||
	    !take_u64(&one, &view->origin_length) || !take_u64(&one, &time) || !take_u32(&one, &view->attempt) ||
	    !take_u32(&one, &view->generation) || !take_texts(&one, view))
		return false;
	view->time_ms = (int64_t)time;
	return take_keys(&one, view);
}

/* ---- holds */
#define HOLD_CHANGE 1u
#define HOLD_GROUP 2u
#define HOLD_EVERYWHERE 4u

void wire_put_hold(struct buf *buf, const struct hold *hold)
{
	const uint64_t numbers[] = {hold->count,  hold->bytes,     hold->bytes_most,
				    hold->place,  hold->group_size, (uint64_t)hold->within_ms,
				    (uint64_t)(hold->at_minute + 1), (uint64_t)hold->number, (uint64_t)hold->start};

	buf_u8(buf, (uint8_t)hold->kind);
	buf_u8(buf, (uint8_t)hold->policy);
	buf_u8(buf, (uint8_t)((hold->change ? HOLD_CHANGE : 0) | (hold->group ? HOLD_GROUP : 0) |
			      (hold->everywhere ? HOLD_EVERYWHERE : 0)));
	buf_span(buf, id_span(&hold->key));
	buf_field(buf, hold->label);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		buf_u64(buf, numbers[i]);
}

bool wire_take_hold(struct span *in, struct hold *hold)
{
	uint8_t kind, policy, flags;
	uint64_t numbers[9];

	if (!take_u8(in, &kind) || kind < HOLD_COLLECT || kind > HOLD_FIRST || !take_u8(in, &policy) ||
	    policy > HOLD_WAIT || !take_u8(in, &flags) || !wire_take_id(in, &hold->key) ||
	    !take_field(in, &hold->label) || hold->label.len > HOLD_LABEL_MAX)
		return false;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!take_u64(in, &numbers[i]) || numbers[i] > (uint64_t)INT64_MAX / 4)
			return false;
	if (numbers[3] > UINT32_MAX || numbers[4] > UINT32_MAX || numbers[6] > 24 * 60)
		return false;
	hold->kind = (enum hold_kind)kind;
	hold->policy = (enum hold_policy)policy;
	hold->change = flags & HOLD_CHANGE;
	hold->group = flags & HOLD_GROUP;
	hold->everywhere = flags & HOLD_EVERYWHERE;
	hold->count = numbers[0];
	hold->bytes = numbers[1];
	hold->bytes_most = numbers[2];
	hold->place = (uint32_t)numbers[3];
	hold->group_size = (uint32_t)numbers[4];
	hold->within_ms = (int64_t)numbers[5];
	hold->at_minute = (int)numbers[6] - 1;
	hold->number = (int64_t)numbers[7];
	hold->start = (int64_t)numbers[8];
	return true;
}
