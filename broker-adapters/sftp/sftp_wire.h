/* Packets of SFTP: what sftp_client.c and sftp_bulk.c put together and take apart. */
#ifndef FERRULE_ADAPTERS_SFTP_WIRE_H
#define FERRULE_ADAPTERS_SFTP_WIRE_H

#include "base/buf.h"
#include "broker-adapters/sftp/sftp.h"

enum sftp_type {
	FXP_INIT = 1,
	FXP_VERSION = 2,
	FXP_OPEN = 3,
	FXP_CLOSE = 4,
	FXP_READ = 5,
	FXP_WRITE = 6,
	FXP_LSTAT = 7,
	FXP_FSTAT = 8,
	FXP_SETSTAT = 9,
	FXP_FSETSTAT = 10,
	FXP_OPENDIR = 11,
	FXP_READDIR = 12,
	FXP_REMOVE = 13,
	FXP_MKDIR = 14,
	FXP_RENAME = 18,
	FXP_STATUS = 101,
	FXP_HANDLE = 102,
	FXP_DATA = 103,
	FXP_NAME = 104,
	FXP_ATTRS = 105,
	FXP_EXTENDED = 200,
	FXP_EXTENDED_REPLY = 201,
};
enum sftp_open_flags { OPEN_READ = 1, OPEN_WRITE = 2, OPEN_CREAT = 8, OPEN_TRUNC = 16, OPEN_EXCL = 32 };

#define SFTP_HANDLE_MAX 256
struct sftp_handle {
	char bytes[SFTP_HANDLE_MAX];
	size_t len;
};

/* One channel of the connection, at whose other end is a server by itself: what it does is in order for its own
 * requests, and handles are its own. */
struct sftp_lane {
	struct sftp_link *link;
	struct buf out, in; /* requests not sent yet; what came behind the last answer */
	size_t at, taken;   /* where the last answer begins in `in`, and its length */
	unsigned ignored;   /* answers that nobody waits for */
	uint32_t ignored_ids[256];
};

#define SFTP_LANES_MAX 16

struct sftp {
	struct remote remote; /* first */
	struct sftp_lane *lane; /* that is spoken on: the first, but while there are many */
	struct sftp_lane *lanes[SFTP_LANES_MAX];
	unsigned lanes_count, lanes_wanted;
	uint32_t next_id;
	struct sftp_many *many; /* sftp_many.c: files side by side; or NULL */
	bool gathers;           /* requests of many, sent when there is nothing else to do */
	bool lost;
	bool can_sync, can_replace, has_limits, tells_space;
	uint32_t max_read, max_write;
	int64_t answered_ms;
	int64_t keepalive_ms, timeout_ms;
	int64_t probed_ms; /* when a sign of life was asked for that has not come; 0: none is awaited */
	char said[160]; /* the server's words for the last status, */
	int said_status; /* … which was this */
};

struct sftp_reply {
	uint8_t type;
	uint32_t id;
	struct span body; /* behind the id; until the next answer */
};

/* A request is begun, fields are put, and it is ended; nothing is sent before sftp_flush. */
uint32_t sftp_begin(struct sftp *, enum sftp_type, size_t *start);
void sftp_end(struct sftp *, size_t start);
void sftp_put_u32(struct sftp *, uint32_t);
void sftp_put_u64(struct sftp *, uint64_t);
void sftp_put_text(struct sftp *, struct span);
void sftp_ignore(struct sftp *, uint32_t id); /* its answer will not be asked for */
int sftp_flush(struct sftp *, struct error *);
/* The same, but requests of many are sent when there is nothing else to do, or are much already. */
int sftp_send_gathered(struct sftp *, struct error *);
/* The next answer to what the caller asked, whatever it answers; sends what waits to be sent first. */
int sftp_next(struct sftp *, struct sftp_reply *, struct error *);
/* Of all lanes, whoever waits for it; the lane is then that one. What is ignored is left out. */
int sftp_take_any(struct sftp *, struct sftp_reply *, struct error *);
/* While nothing is asked: takes what has come for this lane, without waiting. -1: the connection is lost. */
int sftp_drain(struct sftp *, struct error *);
/* The answer to this request, the only one under way besides ignored ones. */
int sftp_answer(struct sftp *, uint32_t id, struct sftp_reply *, struct error *);
int sftp_garbled(struct sftp *, const char *what, struct error *); /* ends the connection; -1 */
/* A status as such; -1 (garbled) when it is none. */
int sftp_status_of(struct sftp *, const struct sftp_reply *, struct error *);

bool sftp_take_u32(struct span *, uint32_t *);
bool sftp_take_u64(struct span *, uint64_t *);
bool sftp_take_text(struct span *, struct span *);
bool sftp_take_attrs(struct span *, struct remote_attrs *);

/* Takes the link. INIT and VERSION, and of the first the server's limits. -1: the lane is there, but no good. */
int sftp_lane_add(struct sftp *, struct sftp_link *, struct error *);
void sftp_lane_drop(struct sftp *); /* the last */
int sftp_take_handle(struct sftp *, const struct sftp_reply *, struct sftp_handle *, struct error *);

#endif
