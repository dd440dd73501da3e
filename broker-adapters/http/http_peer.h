/* Targets as the sink knows them: copied from their endpoints, with their secrets. Private to http_sink.c. */
#ifndef FERRULE_BROKER_ADAPTERS_HTTP_PEER_H
#define FERRULE_BROKER_ADAPTERS_HTTP_PEER_H

#include "broker-adapters/http/http.h"

/* An endpoint as announced; everything is copied, because a reload frees the site that it came from. */
struct http_peer {
	struct http_peer *next;
	char *name, *ca, *proxy, *idempotency, *auth_header;
	struct secret *auth; /* the header's value */
	int64_t timeout_ms, connect_ms;
	uint64_t max;
	unsigned parallel, active;
	bool keyed;
};

struct http_peer *http_peer_find(struct http_peer *list, const char *name); /* NULL when there is none */
/* Adds the endpoint to the list, or takes over what changed of it. FATAL `http.auth`, `http.key`, `http.success`,
 * `secret.…`. */
/* What announcing would refuse, offline: FATAL `http.auth`, `http.success`. */
int http_peer_check(const struct endpoint *, struct error *);
int http_peer_announce(struct http_peer **list, const struct endpoint *, struct error *);
void http_peer_free(struct http_peer *);
/* A target that repeats our request in its answer must not carry the key into our reports. */
void http_peer_redact(const struct http_peer *, struct buf *answer);

#endif
