/* A request to the listener as far as it needs no libmicrohttpd: which webhook it is for, its body, its proof, its
 * identity, and why it is refused. Private to http_source.c. */
#ifndef FERRULE_BROKER_ADAPTERS_HTTP_INCOMING_H
#define FERRULE_BROKER_ADAPTERS_HTTP_INCOMING_H

#include "broker-adapters/http/http_listen.h"

struct http_incoming {
	struct span (*header)(void *connection, const char *name); /* borrowed until the request ends */
	void *connection;
	struct http_hook *hook; /* NULL: a question, or refused */
	struct arena *arena;
	bool question;
	const char *allow; /* 405: what would do */
	struct http_body body;
	struct document document;
	struct reader *reader;
	struct error error; /* why it is refused */
	unsigned status;    /* with it; 0: not refused */
};

void http_incoming_init(struct http_incoming *, struct http_spool *,
			struct span (*header)(void *connection, const char *name), void *connection);
void http_incoming_free(struct http_incoming *);

/* Notes the first reason; always -1. */
int http_incoming_refuse(struct http_incoming *, unsigned status, const char *code, const char *why);
/* Where it goes, and what can be refused before the body is read; -1: refused. */
int http_incoming_route(struct http_incoming *, const struct http_hooks *, bool questions, bool accepting,
			const char *path, const char *method);
int http_incoming_add(struct http_incoming *, const char *data, size_t len); /* to the body; -1: refused */
void http_incoming_drop(struct http_incoming *);                             /* its body */
/* Of a complete one, whose reader is there: is its proof good (-1: 401, or 503 when the body cannot be read), and which
 * event it is, for its document (-1: 400). */
int http_incoming_prove(struct http_incoming *);
int http_incoming_identify(struct http_incoming *);

#endif
