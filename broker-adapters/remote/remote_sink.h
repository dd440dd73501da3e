/* The sink's own: what its parts know of each other. remote_sink.c says how an interrupted delivery is decided. */
#ifndef FERRULE_ADAPTERS_REMOTE_SINK_H
#define FERRULE_ADAPTERS_REMOTE_SINK_H

#include "base/adapter.h"
#include "broker-adapters/names.h"
#include "broker-adapters/remote/remote_calls.h"

enum remote_stage {
	REMOTE_NOTHING,
	REMOTE_READY /* .tmp and .mark are there */,
	REMOTE_WENT /* .mark alone: it was renamed */
};

struct remote_pending {
	struct attempt *attempt;
	struct remote_pending *next;
	char *folder, *name, *tmp, *mark; /* paths there, but name */
	char placed[256];                 /* the name that it got */
	enum remote_stage stage;
	bool made;    /* by this attempt: .mark was not there before */
	bool started; /* the rename is to be asked for, by this attempt */
	bool done;    /* how that went is in the attempt's error */
	bool replaced;
};

struct remote_sink {
	const struct remote_ops *ops;
	const struct endpoint *endpoint; /* that `remote` is connected to */
	struct remote *remote;
	int64_t used_at;
	struct remote_pending *first, **last; /* started, to be reaped in this order */
};

static inline const struct remote_sink_settings *remote_sink_settings(const struct remote_ops *ops,
								      const struct endpoint *endpoint)
{
	return (const void *)((const char *)endpoint->settings + ops->sink_files);
}

int remote_sink_connect(struct remote_sink *, const struct endpoint *, struct error *);

/* remote_prepare.c: the content and its mark, there and out of sight */
struct remote_pending *remote_pending_new(struct attempt *, struct error *);
void remote_pending_free(struct remote_pending *);
int remote_make_ready(struct remote_sink *, struct remote_pending *, bool marked, bool old, uint64_t old_size,
		      struct error *);
/* Does the file there begin with the body's bytes? How many of them; -1. */
int64_t remote_same_bytes(struct remote *, const char *path, uint64_t size, struct reader *body, struct error *);
#endif
