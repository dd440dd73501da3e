/* The SFTP sink's own: what its parts know of each other. sftp_sink.c says how an interrupted delivery is decided. */
#ifndef FERRULE_ADAPTERS_SFTP_SINK_H
#define FERRULE_ADAPTERS_SFTP_SINK_H

#include "base/adapter.h"
#include "broker-adapters/names.h"
#include "broker-adapters/sftp/sftp.h"

enum sftp_exists { SFTP_REFUSE, SFTP_OVER, SFTP_NUMBER };
enum sftp_verify { SFTP_VERIFY_SIZE, SFTP_VERIFY_CONTENT };
enum sftp_stage {
	SFTP_NOTHING,
	SFTP_READY /* .tmp and .mark are there */,
	SFTP_WENT /* .mark alone: it was renamed */
};

struct sftp_sink_settings {
	struct sftp_settings connection;
	struct template *path;
	int exists, verify;
	bool create;
};

struct sftp_pending {
	struct attempt *attempt;
	struct sftp_pending *next;
	char *folder, *name, *tmp, *mark; /* paths there, but name */
	char placed[256];                 /* the name that it got */
	enum sftp_stage stage;
	bool made;    /* by this attempt: .mark was not there before */
	bool started; /* the rename was asked for, by this attempt */
	bool replaced;
};

struct sftp_sink {
	const struct endpoint *endpoint; /* that `sftp` is connected to */
	struct sftp *sftp;
	struct sftp_pending *first, **last; /* renamed, to be reaped in this order */
};

int sftp_sink_connect(struct sftp_sink *, const struct endpoint *, struct error *);

/* sftp_prepare.c: the content and its mark, there and out of sight */
struct sftp_pending *sftp_pending_new(struct attempt *, struct error *);
void sftp_pending_free(struct sftp_pending *);
int sftp_make_ready(struct sftp_sink *, struct sftp_pending *, bool marked, bool old, uint64_t old_size,
		    struct error *);
int sftp_sink_prepare(void *, struct attempt *, struct error *);
/* Does the file there begin with the body's bytes? How many of them; -1. */
int64_t sftp_same_bytes(struct sftp *, const char *path, uint64_t size, struct reader *body, struct error *);
int sftp_sink_sweep(void *, const struct endpoint *, int64_t older_than_ms, bool (*needed)(void *, const struct id *),
		    void *, unsigned *removed, struct error *);

#endif
