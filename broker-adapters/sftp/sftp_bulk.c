/* Contents of files over SFTP, many requests under way: a window of some MB keeps a long line full. See sftp.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_many.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/pace.h"
#include "base/progress.h"

#define WINDOW (4u << 20)
#define SLOTS 128u /* of the smallest chunks: WINDOW in all */

/* How many chunks may be under way. */
static unsigned window_of(uint32_t chunk)
{
	unsigned slots = (unsigned)(pace_window(WINDOW) / chunk);

	return slots < 1 ? 1 : slots < SLOTS ? slots : SLOTS;
}

static uint32_t open_file(struct sftp *sftp, const char *path, uint32_t flags)
{
	size_t start;
	uint32_t id = sftp_begin(sftp, FXP_OPEN, &start);

	sftp_put_text(sftp, span_of(path));
	sftp_put_u32(sftp, flags);
	sftp_put_u32(sftp, 0);
	sftp_end(sftp, start);
	return id;
}

static uint32_t ask_handle(struct sftp *sftp, enum sftp_type type, const struct sftp_handle *handle)
{
	size_t start;
	uint32_t id = sftp_begin(sftp, type, &start);

	sftp_put_text(sftp, span_make(handle->bytes, handle->len));
	sftp_end(sftp, start);
	return id;
}

/* ---- download -------------------------------------------------------------------------------------------------- */

/* A piece that was asked for; they are taken in their order. */
struct piece {
	uint32_t id;
	uint64_t offset;
	uint32_t len, got;
	bool answered, ended;
	char *data; /* room for the largest piece; kept */
};

struct sftp_download {
	struct sftp *sftp;
	struct sftp_handle handle;
	struct piece pieces[SLOTS];
	unsigned slots, first, count;
	uint64_t asked, taken, size; /* offsets in the file; where it ends for us */
	uint32_t used;               /* of the first piece */
	uint32_t chunk;
	bool ended;
};

struct sftp_download *sftp_download_new(struct sftp *sftp, const char *path, uint64_t offset, uint64_t size,
					int *status, struct error *error)
{
	struct sftp_download *download;
	struct sftp_handle handle;
	struct sftp_reply reply;

	*status = -1;
	if (sftp_answer(sftp, open_file(sftp, path, OPEN_READ), &reply, error))
		return NULL;
	*status = sftp_take_handle(sftp, &reply, &handle, error);
	if (*status)
		return NULL;
	download = mem_alloc(sizeof *download);
	download->sftp = sftp;
	download->handle = handle;
	download->asked = download->taken = offset;
	download->size = size;
	download->chunk = (uint32_t)pace_window(sftp->max_read);
	download->slots = window_of(download->chunk);
	if (size - offset < download->chunk)
		download->chunk = (uint32_t)(size - offset);
	return download;
}

static void ask_piece(struct sftp_download *download, struct piece *piece)
{
	size_t start;

	piece->id = sftp_begin(download->sftp, FXP_READ, &start);
	sftp_put_text(download->sftp, span_make(download->handle.bytes, download->handle.len));
	sftp_put_u64(download->sftp, piece->offset + piece->got);
	sftp_put_u32(download->sftp, piece->len - piece->got);
	sftp_end(download->sftp, start);
	piece->answered = false;
}

/* As many as the window allows. The last byte, which the callers who want to see growth expect not to be there, is
 * asked for by itself: else the answer would be shorter than asked for, and what is missing would cost another round.
 */
static void ask_ahead(struct sftp_download *download)
{
	uint32_t chunk = download->chunk;

	while (download->count < download->slots && download->asked < download->size) {
		struct piece *piece = &download->pieces[(download->first + download->count++) % download->slots];
		uint64_t left = download->size - download->asked;

		*piece = (struct piece){.offset = download->asked,
					.len = left == 1       ? 1
					       : left <= chunk ? (uint32_t)left - 1
							       : chunk,
					.data = piece->data ? piece->data : mem_alloc(chunk)};
		ask_piece(download, piece);
		download->asked += piece->len;
	}
}

static struct piece *piece_of(struct sftp_download *download, uint32_t id)
{
	for (unsigned i = 0; i < download->count; i++) {
		struct piece *piece = &download->pieces[(download->first + i) % download->slots];

		if (piece->id == id && !piece->answered)
			return piece;
	}
	return NULL;
}

struct room { /* of whoever reads */
	char *into;
	size_t len, used;
};

/* Servers may give less than was asked for: then the rest is asked for again. What comes in its turn and whole goes to
 * the reader by the shortest way. */
static int take_answer(struct sftp_download *download, const struct sftp_reply *reply, struct room *room,
		       struct error *error)
{
	struct sftp *sftp = download->sftp;
	struct piece *piece = piece_of(download, reply->id);
	struct span body = reply->body, data;
	bool through;
	int status;

	if (!piece)
		return sftp_garbled(sftp, "an answer to nothing that was asked", error);
	if (reply->type == FXP_STATUS) {
		status = sftp_status_of(sftp, reply, error);
		if (status != SFTP_EOF)
			return sftp_fail(sftp, status, "reading", "the file", error);
		piece->answered = piece->ended = true;
		return 0;
	}
	if (reply->type != FXP_DATA || !sftp_take_text(&body, &data) || !data.len || data.len > piece->len - piece->got)
		return sftp_garbled(sftp, "not the bytes that were asked for", error);
	through = piece == &download->pieces[download->first] && data.len == piece->len && data.len <= room->len;
	memcpy(through ? room->into : piece->data + piece->got, data.data, data.len);
	if (through)
		room->used = download->used = piece->len;
	piece->got += (uint32_t)data.len;
	piece->answered = piece->got == piece->len;
	if (!piece->answered)
		ask_piece(download, piece);
	return 0;
}

static void drop_first(struct sftp_download *download)
{
	struct piece *piece = &download->pieces[download->first];

	download->ended |= piece->ended;
	download->first = (download->first + 1) % download->slots;
	download->count--;
	download->used = 0;
}

static void use(struct sftp_download *download, struct room *room)
{
	struct piece *piece = &download->pieces[download->first];

	room->used = piece->got - download->used < room->len ? piece->got - download->used : room->len;
	memcpy(room->into, piece->data + download->used, room->used);
	download->used += (uint32_t)room->used;
}

ssize_t sftp_download_read(struct sftp_download *download, void *into, size_t len, struct error *error)
{
	struct room room = {into, len, 0};

	while (!room.used) {
		struct piece *piece = &download->pieces[download->first];
		struct sftp_reply reply;

		if (!download->ended)
			ask_ahead(download);
		if (download->ended || !download->count)
			return 0;
		if (piece->answered && download->used == piece->got) {
			drop_first(download);
			continue;
		}
		if (piece->answered)
			use(download, &room);
		else if (sftp_next(download->sftp, &reply, error) || take_answer(download, &reply, &room, error))
			return -1;
	}
	download->taken += room.used;
	progress_tell(download->taken, download->size);
	pace_took(room.used);
	return (ssize_t)room.used;
}

/* What is still under way must be waited for: the next request wants its own answer. */
void sftp_download_free(struct sftp_download *download)
{
	struct sftp_reply reply;
	struct sftp *sftp;

	if (!download)
		return;
	sftp = download->sftp;
	for (unsigned i = 0; i < download->count; i++) {
		struct piece *piece = &download->pieces[(download->first + i) % download->slots];

		if (!piece->answered && !sftp->lost && sftp_next(sftp, &reply, NULL))
			break;
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(download->pieces[i].data);
	if (!sftp->lost && sftp_in_many(sftp))
		sftp_ignore(sftp, ask_handle(sftp, FXP_CLOSE, &download->handle));
	else if (!sftp->lost)
		sftp_answer(sftp, ask_handle(sftp, FXP_CLOSE, &download->handle), &reply, NULL);
	if (!sftp->lost)
		FAULT("sftp.read");
	free(download);
}

/* ---- upload ---------------------------------------------------------------------------------------------------- */

struct sending {
	struct sftp *sftp;
	struct sftp_handle handle;
	uint32_t first_id, next_id; /* of what is under way, which is answered in any order */
	uint64_t unanswered;
	unsigned under_way;
	uint32_t chunk;
	int status;     /* the first that was not OK, */
	char said[160]; /* … and its words */
};

static void note_status(struct sending *sending, int status)
{
	if (sending->status || !status)
		return;
	sending->status = status;
	memcpy(sending->said, sending->sftp->said, sizeof sending->said);
}

static int take_written(struct sending *sending, struct error *error)
{
	struct sftp_reply reply;
	int status;

	if (sftp_next(sending->sftp, &reply, error))
		return -1;
	if (reply.id - sending->first_id >= sending->next_id - sending->first_id)
		return sftp_garbled(sending->sftp, "an answer to nothing that was asked", error);
	status = sftp_status_of(sending->sftp, &reply, error);
	if (status < 0)
		return -1;
	sending->under_way--;
	note_status(sending, status);
	return 0;
}

/* One request with the next bytes of the body; how many. */
static ssize_t put_piece(struct sending *sending, struct reader *body, uint64_t offset, struct error *error)
{
	struct sftp *sftp = sending->sftp;
	uint64_t left = reader_size(body) - offset;
	uint32_t want = left < sending->chunk ? (uint32_t)left : sending->chunk;
	size_t start, at;
	ssize_t n;
	char *room;

	sending->next_id = sftp_begin(sftp, FXP_WRITE, &start) + 1;
	sftp_put_text(sftp, span_make(sending->handle.bytes, sending->handle.len));
	sftp_put_u64(sftp, offset);
	at = sftp->lane->out.len;
	sftp_put_u32(sftp, 0);
	room = buf_room(&sftp->lane->out, want);
	n = reader_read(body, offset, room, want, error);
	if (n <= 0) {
		sftp->lost = true; /* half a request is in the buffer */
		return n < 0 ? -1 : error_set(error, ERROR_RETRY, "file.body", "the body of the message ended early");
	}
	buf_added(&sftp->lane->out, (size_t)n);
	for (int i = 0; i < 4; i++)
		sftp->lane->out.data[at + (size_t)i] = (char)((size_t)n >> (24 - 8 * i) & 255);
	sftp_end(sftp, start);
	sending->under_way++;
	return n;
}

static int send_body(struct sending *sending, const struct remote_upload *upload, struct error *error)
{
	uint64_t at = upload->offset, size = upload->body ? reader_size(upload->body) : 0;
	unsigned most = window_of(sending->chunk);

	while (at < size && !sending->status) {
		ssize_t n = put_piece(sending, upload->body, at, error);

		if (n < 0 || sftp_send_gathered(sending->sftp, error))
			return -1;
		at += (uint64_t)n;
		while (sending->under_way >= most && !sending->status)
			if (take_written(sending, error))
				return -1;
		progress_tell(at, size);
		pace_took((uint64_t)n);
	}
	return 0;
}

/* Sync, size and close are asked for at once behind the last bytes, and the mark with them: a mark with half a file
 * behind it means nothing before prepare has said that all is well. */
static int finish(struct sending *sending, struct remote_upload *upload, struct error *error)
{
	struct sftp *sftp = sending->sftp;
	struct sftp_handle mark;
	struct remote_attrs attrs = {0};
	struct sftp_reply reply;
	uint32_t sync = 0, stat, closed, marked = 0;
	size_t start;
	int status, waits = 2;

	while (sending->under_way)
		if (take_written(sending, error))
			return -1;
	FAULT("sftp.written");
	if (sftp->can_sync && !sending->status) {
		sync = sftp_begin(sftp, FXP_EXTENDED, &start);
		sftp_put_text(sftp, SPAN_LITERAL("fsync@openssh.com"));
		sftp_put_text(sftp, span_make(sending->handle.bytes, sending->handle.len));
		sftp_end(sftp, start);
		waits++;
	}
	stat = ask_handle(sftp, FXP_FSTAT, &sending->handle);
	closed = ask_handle(sftp, FXP_CLOSE, &sending->handle);
	if (upload->mark && !sending->status) {
		marked = open_file(sftp, upload->mark, OPEN_WRITE | OPEN_CREAT | OPEN_EXCL);
		waits++;
	}
	while (waits--) {
		if (sftp_next(sftp, &reply, error))
			return -1;
		if (reply.id == stat && reply.type == FXP_ATTRS) {
			if (!sftp_take_attrs(&reply.body, &attrs))
				return sftp_garbled(sftp, "no attributes", error);
			continue;
		}
		if (marked && reply.id == marked) {
			upload->mark_status = sftp_take_handle(sftp, &reply, &mark, error);
			if (upload->mark_status < 0)
				return -1;
			if (!upload->mark_status)
				sftp_ignore(sftp, ask_handle(sftp, FXP_CLOSE, &mark));
			continue;
		}
		status = sftp_status_of(sftp, &reply, error);
		if (status < 0)
			return -1;
		if ((reply.id == sync && sync && status != SFTP_UNSUPPORTED) || reply.id == closed)
			note_status(sending, status);
	}
	upload->size = attrs.has_size ? attrs.size : 0;
	FAULT("sftp.synced");
	return 0;
}

/* With it the question whether the mark is there already: both are answered in one round. */
static int open_to_write(struct sftp *sftp, struct remote_upload *upload, struct sftp_handle *handle,
			 struct error *error)
{
	uint32_t flags = OPEN_WRITE | (upload->fresh ? OPEN_CREAT | OPEN_EXCL : 0),
		 opened = open_file(sftp, upload->path, flags), marked = 0;
	bool asks = upload->fresh && upload->mark;
	struct sftp_reply reply;
	int status = -1;
	size_t start;

	if (asks) {
		marked = sftp_begin(sftp, FXP_LSTAT, &start);
		sftp_put_text(sftp, span_of(upload->mark));
		sftp_end(sftp, start);
	}
	for (int i = 0; i < 1 + asks; i++) {
		if (sftp_next(sftp, &reply, error))
			return -1;
		if (reply.id == opened) {
			status = sftp_take_handle(sftp, &reply, handle, error);
			if (status < 0)
				return -1;
		} else if (asks && reply.id == marked) {
			upload->marked_before = reply.type == FXP_ATTRS;
		} else {
			return sftp_garbled(sftp, "an answer to nothing that was asked", error);
		}
	}
	return status;
}

int sftp_upload(struct sftp *sftp, struct remote_upload *upload, struct error *error)
{
	struct sending sending = {.sftp = sftp, .chunk = (uint32_t)pace_window(sftp->max_write)};
	int status = open_to_write(sftp, upload, &sending.handle, error);
	uint64_t size;

	if (status)
		return status;
	upload->opened = true;
	FAULT("sftp.opened");
	sending.first_id = sending.next_id = sftp->next_id;
	if (send_body(&sending, upload, error) || finish(&sending, upload, error))
		return -1;
	if (sending.status) {
		memcpy(sftp->said, sending.said, sizeof sftp->said);
		sftp->said_status = sending.status;
	}
	size = upload->body ? reader_size(upload->body) : 0;
	return sftp_why_not_written(sftp, sending.status, upload->path, size > upload->size ? size - upload->size : 0);
}
