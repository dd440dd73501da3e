/* Frames between the workers and the queue process: u32 length, u8 type, payload; integers are little-endian. Both
 * sides are of one build, so there is one version; but a worker may have been taken over by a hostile document, so the
 * queue process trusts nothing in a frame. Also here: lineage records as bytes, which workers write and the record role
 * reads. */
#ifndef FERRULE_BASE_WIRE_H
#define FERRULE_BASE_WIRE_H

#include <sys/types.h>

#include "base/message.h"
#include "base/queue.h"

#define WIRE_VERSION 1
#define WIRE_FRAME_MAX (1280u * 1024) /* an envelope, a body, the content of a dead letter and change */
#define WIRE_ANSWER_MAX (64u << 20)   /* an answer comes in several frames */
#define WIRE_PIECE (512u * 1024)
#define WIRE_SOURCES_MAX 4096 /* in one FRAME_SEEN_ASK */

enum frame {
	/* worker → queue process */
	FRAME_HELLO = 1, /* u32 version, field role, u64 pid */
	FRAME_CREDIT,    /* field queue, u32 messages, u64 bytes */
	FRAME_RELEASE,   /* u64 tag */
	FRAME_PUBLISH,   /* u32 unit, u8 publish flags, field target, 32 bytes id, field envelope, field body */
	FRAME_SETTLE,    /* u32 unit, u64 tag */
	FRAME_PARK,      /* u32 unit, u64 tag, u64 due, error, field envelope */
	FRAME_DEAD,      /* u32 unit, error, fields queue, step, path, position, content, envelope, body */
	FRAME_SEEN,      /* u32 unit, 32 source, 32 message, u64 keep until */
	FRAME_EFFECT,    /* u32 unit, 32 key, u8 outcome, fields endpoint, envelope, body, receipt */
	FRAME_CHANGE,    /* u32 unit, field name, field JSON */
	FRAME_HELD,      /* u32 unit, u64 tag, hold, fields queue, step, path, position, envelope, body */
	FRAME_GAP,       /* u32 unit, u8 enum gap (0: size), fields queue, group, u32 generation, u32 place or size */
	FRAME_COMMIT,    /* u32 unit */
	FRAME_ABANDON,   /* u32 unit */
	FRAME_INTEND,    /* u32 request, 32 key, 32 request digest, fields endpoint, envelope, body */
	FRAME_SEEN_ASK,  /* u32 request, then 32 bytes each */
	FRAME_STATE,     /* field endpoint, field JSON */
	FRAME_ASK,       /* u32 request, field name, field JSON */
	FRAME_BYE,       /* this session ends as it should: nothing it holds is suspect */
	/* supervisor → queue process */
	FRAME_SUSPECT,  /* 32 message id, field cause */
	FRAME_TOPOLOGY, /* field revision, field topology_encode */
	FRAME_DRAIN,    /* nothing is handed out any more */
	/* queue process → worker */
	FRAME_WELCOME = 64, /* u32 version, u64 session, u8 accepting */
	FRAME_DELIVER,      /* u64 tag, u8 delivery flags, fields queue, envelope, body */
	FRAME_DONE,         /* u32 unit, error */
	FRAME_INTENDED,     /* u32 request, u8 answer, u8 same request, u64 first, u32 attempts, error */
	FRAME_SEEN_ANSWER,  /* u32 request, error, then u8 seen and 32 message each */
	FRAME_ANSWER,       /* u32 request, u8 last, error, then bytes of JSON */
	FRAME_ACCEPTING,    /* u8 */
	FRAME_WANT,         /* to the supervisor: field worker: messages wait that only this role takes */
};

#define WIRE_PUBLISH_QUEUE 1u /* the target is a queue */
#define WIRE_PUBLISH_OPTIONAL 2u
#define WIRE_REDELIVERED 1u
#define WIRE_SUSPECT 2u

/* A dead letter whose replay is a publish to a topic names its queue like this. */
#define WIRE_TOPIC_PREFIX "topic:"

/* Begins a frame and returns its place; wire_end writes the length. wire_end is false when the buffer is full or the
 * frame too long: it is then taken out again. */
size_t wire_begin(struct buf *, enum frame);
bool wire_end(struct buf *, size_t at);
/* The next whole frame from the front of *in: 1, 0 when there is none yet, -1 when it is no frame of ours. */
int wire_next(struct span *in, uint8_t *type, struct span *payload);

/* kind, policy, flags, 32 key, field label, numbers; the label is borrowed from what is read. */
void wire_put_hold(struct buf *, const struct hold *);
bool wire_take_hold(struct span *in, struct hold *);

void wire_put_error(struct buf *, const struct error *); /* NULL: none */
bool wire_take_error(struct span *in, struct error *);
bool wire_take_id(struct span *in, struct id *);

/* A socket with its buffers; never blocks. */
struct channel {
	int fd;
	struct buf in, out;
	size_t in_at, out_at; /* what was taken from the front already */
};

void channel_init(struct channel *, int fd, size_t out_max); /* takes fd */
void channel_close(struct channel *);
ssize_t channel_read(struct channel *, size_t most); /* bytes read, 0 when there are none now, -1 at the end */
int channel_next(struct channel *, uint8_t *type, struct span *payload); /* as wire_next; borrowed until channel_read */
int channel_write(struct channel *); /* writes what is possible; -1 when the other side is gone */
size_t channel_unsent(const struct channel *);

/* Connects or listens at a path of any length. -1: RETRY `queue.socket`. */
int wire_connect(const char *path, struct error *);
int wire_listen(const char *path, struct error *); /* mode 0600; replaces a socket that is there */

/* ---- lineage: what the messages of QUEUE_RECORDS carry, one record after the other */
struct record_view { /* everything borrowed from the bytes */
	struct id message, causation, origin_digest;
	struct span stage, place, detail;
	struct span type, correlation, flow, revision, position;
	struct span origin_name, origin_ref;
	uint64_t origin_offset, origin_length;
	uint32_t attempt, generation;
	int64_t time_ms;
	size_t keys_count;
	struct attr keys[MESSAGE_KEYS_MAX];
};

void record_encode(struct buf *, const struct record *, int64_t now_ms);
bool record_decode(struct span *in,
		   struct record_view *); /* takes one from the front; false at the end or when it is damaged */

#endif
