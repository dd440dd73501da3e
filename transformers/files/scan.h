/* What the two ways of asking a scanner share: a socket that never waits without an end, and tells the watchdog. Used
 * by transformers/files/scan*.c alone. */
#ifndef FERRULE_TRANSFORMERS_SCAN_H
#define FERRULE_TRANSFORMERS_SCAN_H

#include "transformers/files/document.h"

struct scanning {
	const char *what, *where; /* "clamd", and its address as it was written */
	int64_t timeout_ms;
	struct out *out;
	int fd;        /* -1: not connected */
	int64_t until; /* monotonic; of what is waited for now */
	/* Called when something is there to be read while scan_send has more to send; NULL: nobody reads
	 * then. 1: it has said all, or closed; -1: stop. */
	int (*heard)(void *arg, struct error *);
	void *arg;
	char tag[40]; /* what an ICAP server said last of the state of its service (ISTag), or empty */
};

/* RETRY `scan.unavailable`; always -1. */
int scan_away(const struct scanning *, const char *why, struct error *);
void scan_time(struct scanning *); /* from now on it may take `timeout` again */
/* Waits in slices for POLLIN, POLLOUT or both. -1: it takes too long, or the work is to stop. */
int scan_wait(struct scanning *, short events, struct error *);
int scan_connect_path(struct scanning *, const char *path, struct error *);
int scan_connect_host(struct scanning *, const char *host, const char *port, struct error *);
/* 1: it was closed or has said all before it had all; the scanner may have said why. */
int scan_send(struct scanning *, struct span bytes, struct error *);

/* ICAP (RFC 3507): RESPMOD at icap://HOST[:PORT]/SERVICE. 0: the scanner has nothing against it; -1: REJECT
 * `scan.infected`, `scan.too-large`, RETRY `scan.unavailable`. */
int scan_icap(struct scanning *, struct item *, struct error *);
/* Why that is no such address; NULL: it is. */
const char *scan_icap_fault(const char *url);

/* clamd at s->where; and one of its answers, without the end of its line. */
#define SCAN_ANSWER_MAX 4096
int scan_clamd_connect(struct scanning *, struct error *);
int scan_clamd_answer(struct scanning *, char answer[SCAN_ANSWER_MAX], struct error *);

/* Asks the clamd that was asked for its version, over a connection of its own and for at most 5 s, and logs a warning
 * when its signatures are older than that. That it does not answer is nothing. */
void scan_tell_age(const struct scanning *, int64_t limit_ms);

#endif
