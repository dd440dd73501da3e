/* What queue.c and queue_unit.c share; nobody else includes it. */
#ifndef FERRULE_BASE_QUEUE_PRIVATE_H
#define FERRULE_BASE_QUEUE_PRIVATE_H

#include "base/wire.h"

#define QUEUE_OUT_MAX (96u << 20) /* what may wait to be sent; publishes stop being taken at QUEUE_WINDOW */
#define QUEUE_WINDOW (1u << 20)
#define QUEUE_RECORDS_MAX (60u * 1024) /* lineage in one message, inline */

struct name {
	struct name *next;
	char text[];
};

/* Something asked that has not been answered. */
struct request {
	struct request *next;
	uint32_t number;
	enum frame answer;
	bool done;
	struct error error;
	struct buf bytes; /* FRAME_ANSWER, FRAME_SEEN_ANSWER */
	intend_done_fn *intended;
	void *arg;
};

struct arrival {
	struct delivery delivery; /* first: the caller gets this */
	struct arrival *next;
};

struct queue {
	struct channel channel;
	bool welcome, accepting, gone;
	uint64_t session;
	uint32_t last_unit, last_request;
	struct name *names;
	struct arrival *first, **last;
	struct request *requests;
	struct unit *units; /* sent, waiting for the answer */
	struct buf scratch;
	queue_want_fn *want;
	void *want_arg;
};

struct unit {
	struct queue *queue;
	struct unit *next;
	uint32_t number;
	bool begun;         /* something was sent */
	struct error error; /* what could not be put into it: commit fails with this */
	struct buf records;
	unit_done_fn *done;
	void *arg;
};

int queue_is_gone(struct queue *, struct error *); /* from now on; -1 */
int64_t queue_real_ms(void);
void request_free(struct request *);
struct request **request_find(struct queue *, uint32_t number,
			      enum frame answer); /* points to NULL when there is none */
int queue_failed(struct queue *, struct error *); /* -1 when the queue process is gone */
/* Ends the frame; false (nothing was added) when it is too long or the buffer is full. */
bool queue_end(struct queue *, size_t at);
int queue_envelope(struct queue *, const struct message *, struct error *); /* into scratch */
void unit_answered(struct queue *, uint32_t number, const struct error *);

#endif
