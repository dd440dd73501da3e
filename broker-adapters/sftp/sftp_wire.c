/* Packets of SFTP: length, type, id and fields in network order. See sftp_wire.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_wire.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "broker-adapters/sftp/sftp_many.h"

#define PACKET_MAX (320u * 1024) /* of an answer: no server sends more than 256 KiB of a file at once */
#define OUT_MAX (8u << 20)
#define RECEIVE (1u << 20)
#define GATHER (256u * 1024)
#define USUAL_CHUNK 32768u /* what every server must take and give (section 3) */
#define LARGEST_CHUNK (256u * 1024 - 1024)

/* ---- fields ---------------------------------------------------------------------------------------------------- */

void sftp_put_u32(struct sftp *sftp, uint32_t value)
{
	const unsigned char bytes[4] = {value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255};

	buf_append(&sftp->lane->out, bytes, sizeof bytes);
}

void sftp_put_u64(struct sftp *sftp, uint64_t value)
{
	sftp_put_u32(sftp, (uint32_t)(value >> 32));
	sftp_put_u32(sftp, (uint32_t)value);
}

void sftp_put_text(struct sftp *sftp, struct span text)
{
	sftp_put_u32(sftp, (uint32_t)text.len);
	buf_span(&sftp->lane->out, text);
}

bool sftp_take_u32(struct span *in, uint32_t *value)
{
	const unsigned char *at = (const unsigned char *)in->data;

	if (in->len < 4)
		return false;
	*value = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	*in = span_make(in->data + 4, in->len - 4);
	return true;
}

bool sftp_take_u64(struct span *in, uint64_t *value)
{
	uint32_t high, low;

	if (in->len < 8 || !sftp_take_u32(in, &high) || !sftp_take_u32(in, &low))
		return false;
	*value = (uint64_t)high << 32 | low;
	return true;
}

bool sftp_take_text(struct span *in, struct span *text)
{
	struct span rest = *in;
	uint32_t len;

	if (!sftp_take_u32(&rest, &len) || len > rest.len)
		return false;
	*text = span_make(rest.data, len);
	*in = span_make(rest.data + len, rest.len - len);
	return true;
}

/* Section 5. */
bool sftp_take_attrs(struct span *in, struct remote_attrs *attrs)
{
	uint32_t flags, ignored, mtime;
	struct span text;

	*attrs = (struct remote_attrs){0};
	if (!sftp_take_u32(in, &flags))
		return false;
	attrs->has_size = flags & 1;
	attrs->has_mode = flags & 4;
	attrs->has_mtime = flags & 8;
	if ((flags & 1) && !sftp_take_u64(in, &attrs->size))
		return false;
	if ((flags & 2) && (!sftp_take_u32(in, &ignored) || !sftp_take_u32(in, &ignored)))
		return false;
	if ((flags & 4) && !sftp_take_u32(in, &attrs->mode))
		return false;
	if (flags & 8) {
		if (!sftp_take_u32(in, &ignored) || !sftp_take_u32(in, &mtime))
			return false;
		attrs->mtime = mtime;
	}
	if (!(flags & 0x80000000u))
		return true;
	if (!sftp_take_u32(in, &ignored))
		return false;
	for (uint32_t i = 0; i < ignored; i++)
		if (!sftp_take_text(in, &text) || !sftp_take_text(in, &text))
			return false;
	return true;
}

/* ---- packets --------------------------------------------------------------------------------------------------- */

uint32_t sftp_begin(struct sftp *sftp, enum sftp_type type, size_t *start)
{
	uint32_t id = sftp->next_id++;

	*start = sftp->lane->out.len;
	sftp_put_u32(sftp, 0);
	buf_char(&sftp->lane->out, (char)type);
	sftp_put_u32(sftp, id);
	if (sftp_in_many(sftp))
		sftp_many_owns(sftp, id);
	return id;
}

void sftp_end(struct sftp *sftp, size_t start)
{
	uint32_t len = (uint32_t)(sftp->lane->out.len - start - 4);
	const unsigned char bytes[4] = {len >> 24, len >> 16 & 255, len >> 8 & 255, len & 255};

	memcpy(sftp->lane->out.data + start, bytes, sizeof bytes);
}

int sftp_flush(struct sftp *sftp, struct error *error)
{
	int result;

	if (sftp_check(sftp, error))
		return -1;
	if (!sftp->lane->out.len)
		return 0;
	result = sftp_link_send(sftp->lane->link, buf_view(&sftp->lane->out), error);
	buf_reset(&sftp->lane->out);
	sftp->lost |= result != 0;
	return result;
}

int sftp_send_gathered(struct sftp *sftp, struct error *error)
{
	return sftp->gathers && sftp->lane->out.len < GATHER ? 0 : sftp_flush(sftp, error);
}

int sftp_garbled(struct sftp *sftp, const char *what, struct error *error)
{
	sftp->lost = true;
	error_set(error, ERROR_RETRY, "sftp.protocol", "the server does not keep to SFTP: it sent %s", what);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* At least `len` bytes in `in` behind what was taken. */
static int fill(struct sftp *sftp, size_t len, struct error *error)
{
	while (sftp->lane->in.len - sftp->lane->at < len) {
		char *room;
		ssize_t n;

		if (sftp->lane->at > 2 * RECEIVE || sftp->lane->at == sftp->lane->in.len) {
			buf_drop(&sftp->lane->in, sftp->lane->at);
			sftp->lane->at = 0;
		}
		room = buf_room(&sftp->lane->in, RECEIVE);
		n = sftp_link_receive(sftp->lane->link, room, RECEIVE, error);
		if (n < 0) {
			sftp->lost = true;
			return -1;
		}
		buf_added(&sftp->lane->in, (size_t)n);
	}
	return 0;
}

/* Is a whole one at hand? Then what waits to be sent can wait for more. */
static bool has_packet(const struct sftp_lane *lane)
{
	size_t at = lane->at + lane->taken;
	struct span head = span_make(lane->in.data + at, lane->in.len - at);
	uint32_t len;

	return sftp_take_u32(&head, &len) && (head.len >= len || len > PACKET_MAX);
}

static int next_packet(struct sftp *sftp, uint8_t *type, struct span *rest, struct error *error)
{
	struct span head;
	uint32_t len;

	sftp->lane->at += sftp->lane->taken;
	sftp->lane->taken = 0;
	if (((!sftp->gathers || !has_packet(sftp->lane)) && sftp_flush(sftp, error)) || fill(sftp, 4, error))
		return -1;
	head = span_make(sftp->lane->in.data + sftp->lane->at, 4);
	sftp_take_u32(&head, &len);
	if (len < 5 || len > PACKET_MAX)
		return sftp_garbled(sftp, "a packet of an impossible size", error);
	if (fill(sftp, 4 + (size_t)len, error))
		return -1;
	sftp->lane->taken = 4 + (size_t)len;
	*type = (uint8_t)sftp->lane->in.data[sftp->lane->at + 4];
	*rest = span_make(sftp->lane->in.data + sftp->lane->at + 5, len - 1);
	sftp->answered_ms = clock_tick_ms();
	return 0;
}

void sftp_ignore(struct sftp *sftp, uint32_t id)
{
	if (sftp->lane->ignored == sizeof sftp->lane->ignored_ids / sizeof *sftp->lane->ignored_ids)
		sftp->lost = true; /* a server that answers nothing for so long */
	else
		sftp->lane->ignored_ids[sftp->lane->ignored++] = id;
}

static bool is_ignored(struct sftp *sftp, uint32_t id)
{
	for (unsigned i = 0; i < sftp->lane->ignored; i++)
		if (sftp->lane->ignored_ids[i] == id) {
			sftp->lane->ignored_ids[i] = sftp->lane->ignored_ids[--sftp->lane->ignored];
			return true;
		}
	return false;
}

/* 1: nobody waits for it. */
static int take_one(struct sftp *sftp, struct sftp_reply *reply, struct error *error)
{
	if (next_packet(sftp, &reply->type, &reply->body, error))
		return -1;
	if (!sftp_take_u32(&reply->body, &reply->id))
		return sftp_garbled(sftp, "a packet without an id", error);
	return is_ignored(sftp, reply->id);
}

int sftp_next(struct sftp *sftp, struct sftp_reply *reply, struct error *error)
{
	int taken;

	if (sftp_in_many(sftp))
		return sftp_many_next(sftp, reply, error);
	while ((taken = take_one(sftp, reply, error)) == 1)
		continue;
	return taken;
}

/* Into all lanes what there is for them; waits for the first. */
static int receive_any(struct sftp *sftp, struct error *error)
{
	struct sftp_link *links[SFTP_LANES_MAX];
	int64_t silent_since = 0;
	bool some = false;

	for (unsigned i = 0; i < sftp->lanes_count; i++)
		links[i] = sftp->lanes[i]->link;
	while (!some) {
		for (unsigned i = 0; i < sftp->lanes_count; i++) {
			struct buf *in = &sftp->lanes[i]->in;
			size_t at = sftp->lanes[i]->at + sftp->lanes[i]->taken;
			ssize_t n;

			buf_drop(in, at);
			sftp->lanes[i]->at = sftp->lanes[i]->taken = 0;
			n = sftp_link_try(links[i], buf_room(in, GATHER), GATHER, error);
			if (n < 0)
				return -1;
			buf_added(in, (size_t)n);
			some |= n > 0;
		}
		if (!some && sftp_link_wait_any(links, sftp->lanes_count, &silent_since, error))
			return -1;
	}
	return 0;
}

/* The lane with an answer at hand. Until there is one, what was asked is sent. */
static int pick_lane(struct sftp *sftp, struct error *error)
{
	for (;;) {
		for (unsigned i = 0; i < sftp->lanes_count; i++) {
			sftp->lane = sftp->lanes[i];
			if (has_packet(sftp->lane) || sftp->lanes_count == 1)
				return 0;
		}
		for (unsigned i = 0; i < sftp->lanes_count; i++) {
			sftp->lane = sftp->lanes[i];
			if (sftp_flush(sftp, error))
				return -1;
		}
		if (receive_any(sftp, error)) {
			sftp->lost = true;
			return -1;
		}
	}
}

int sftp_take_any(struct sftp *sftp, struct sftp_reply *reply, struct error *error)
{
	int taken;

	do {
		if (pick_lane(sftp, error))
			return -1;
		taken = take_one(sftp, reply, error);
	} while (taken == 1);
	return taken;
}

int sftp_drain(struct sftp *sftp, struct error *error)
{
	struct sftp_lane *lane = sftp->lane;
	struct sftp_reply reply;
	ssize_t n;

	buf_drop(&lane->in, lane->at + lane->taken);
	lane->at = lane->taken = 0;
	n = sftp_link_try(lane->link, buf_room(&lane->in, GATHER), GATHER, error);
	if (n < 0) {
		sftp->lost = true;
		return -1;
	}
	buf_added(&lane->in, (size_t)n);
	while (has_packet(lane)) {
		int taken = take_one(sftp, &reply, error);

		if (taken != 1)
			return taken ? -1 : sftp_garbled(sftp, "an answer to nothing that was asked", error);
	}
	return 0;
}

int sftp_answer(struct sftp *sftp, uint32_t id, struct sftp_reply *reply, struct error *error)
{
	if (sftp_next(sftp, reply, error))
		return -1;
	return reply->id == id ? 0 : sftp_garbled(sftp, "an answer to nothing that was asked", error);
}

int sftp_status_of(struct sftp *sftp, const struct sftp_reply *reply, struct error *error)
{
	struct span body = reply->body, said = SPAN_NONE;
	uint32_t status;

	if (reply->type != FXP_STATUS || !sftp_take_u32(&body, &status) || status > 1000)
		return sftp_garbled(sftp, "another answer than a status", error);
	sftp_take_text(&body, &said);
	snprintf(sftp->said, sizeof sftp->said, "%.*s", said.len > 150 ? 150 : (int)said.len,
		 said.data ? said.data : "");
	sftp->said_status = (int)status;
	return (int)status;
}

int sftp_take_handle(struct sftp *sftp, const struct sftp_reply *reply, struct sftp_handle *handle, struct error *error)
{
	struct span body = reply->body, bytes;

	if (reply->type == FXP_STATUS) {
		int status = sftp_status_of(sftp, reply, error);

		return status == 0 ? sftp_garbled(sftp, "no handle for a file", error) : status;
	}
	if (reply->type != FXP_HANDLE || !sftp_take_text(&body, &bytes) || bytes.len > SFTP_HANDLE_MAX)
		return sftp_garbled(sftp, "no handle for a file", error);
	memcpy(handle->bytes, bytes.data, bytes.len);
	handle->len = bytes.len;
	return 0;
}

/* ---- the beginning --------------------------------------------------------------------------------------------- */

/* limits@openssh.com: larger pieces of a file in one request. */
static int ask_limits(struct sftp *sftp, struct error *error)
{
	struct sftp_reply reply;
	uint64_t packet, to_read, to_write;
	size_t start;
	uint32_t id = sftp_begin(sftp, FXP_EXTENDED, &start);

	sftp_put_text(sftp, SPAN_LITERAL("limits@openssh.com"));
	sftp_end(sftp, start);
	if (sftp_answer(sftp, id, &reply, error))
		return -1;
	if (reply.type != FXP_EXTENDED_REPLY || !sftp_take_u64(&reply.body, &packet) ||
	    !sftp_take_u64(&reply.body, &to_read) || !sftp_take_u64(&reply.body, &to_write))
		return 0;
	if (to_read >= USUAL_CHUNK)
		sftp->max_read = to_read < LARGEST_CHUNK ? (uint32_t)to_read : LARGEST_CHUNK;
	if (to_write >= USUAL_CHUNK)
		sftp->max_write = to_write < LARGEST_CHUNK ? (uint32_t)to_write : LARGEST_CHUNK;
	return 0;
}

static int greet(struct sftp *sftp, struct error *error)
{
	static const char init[] = {0, 0, 0, 5, FXP_INIT, 0, 0, 0, 3};
	struct span rest, name, value;
	uint32_t version;
	uint8_t type;

	buf_append(&sftp->lane->out, init, sizeof init);
	if (next_packet(sftp, &type, &rest, error))
		return -1;
	if (type != FXP_VERSION || !sftp_take_u32(&rest, &version) || version < 3)
		return sftp_garbled(sftp, "no version 3 of it", error);
	while (sftp_take_text(&rest, &name) && sftp_take_text(&rest, &value)) {
		sftp->can_sync |= span_is(name, "fsync@openssh.com");
		sftp->can_replace |= span_is(name, "posix-rename@openssh.com");
		sftp->has_limits |= span_is(name, "limits@openssh.com");
		sftp->tells_space |= span_is(name, "statvfs@openssh.com");
	}
	return 0;
}

int sftp_lane_add(struct sftp *sftp, struct sftp_link *link, struct error *error)
{
	struct sftp_lane *lane = mem_alloc(sizeof *lane);

	lane->link = link;
	buf_init(&lane->out, OUT_MAX);
	buf_init(&lane->in, PACKET_MAX + 4 * RECEIVE);
	sftp->lanes[sftp->lanes_count++] = sftp->lane = lane;
	if (sftp->lanes_count > 1)
		return greet(sftp, error);
	sftp->max_read = sftp->max_write = USUAL_CHUNK;
	return greet(sftp, error) ? -1 : sftp->has_limits ? ask_limits(sftp, error) : 0;
}

void sftp_lane_drop(struct sftp *sftp)
{
	struct sftp_lane *lane = sftp->lanes[--sftp->lanes_count];

	sftp_link_close(lane->link);
	buf_free(&lane->out);
	buf_free(&lane->in);
	free(lane);
	sftp->lane = sftp->lanes[0];
}
