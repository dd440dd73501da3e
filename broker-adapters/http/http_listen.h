/* The parts of the listener that need no libmicrohttpd: sockets, webhooks as opened, bodies on their way in, and
 * deadlines of connections. Private to http_source.c and its own files. */
#ifndef FERRULE_BROKER_ADAPTERS_HTTP_LISTEN_H
#define FERRULE_BROKER_ADAPTERS_HTTP_LISTEN_H

#include "broker-adapters/http/http.h"

/* ---- webhooks */
struct http_hook {
	const struct endpoint *endpoint;
	const struct http_webhook *settings;
	struct http_keys keys;
	uint64_t max;
};

struct http_hooks {
	struct http_hook *items;
	size_t count;
};

/* Reads the secrets; FATAL `webhook.path`, `webhook.secret`, `secret.…`. What was opened is freed by http_hooks_free,
 * also after an error. */
int http_hooks_open(struct http_hooks *, const struct endpoint *const *, size_t n, uint64_t max, struct error *);
/* What opening would refuse, offline: FATAL `webhook.path`, `webhook.secret`; `listen.address`. */
int http_hook_check(const struct endpoint *, struct error *);
int http_listen_check(const void *listen_settings, struct error *);
/* As server_ops says. */
const char *http_listen_file(const void *listen_settings);
void http_hooks_free(struct http_hooks *);
bool http_is_question(const char *path); /* /livez, /readyz, /healthz, /metrics */

/* ---- the socket */
/* A listening socket. FATAL `listen.address`, RETRY `listen.busy`. */
int http_listen_socket(const struct http_listen *, struct error *);
unsigned http_listen_port(int fd);
/* Certificate and key as text; freed also after an error. FATAL `listen.tls`, `listen.certificate`, `secret.…`. */
struct http_pem {
	struct buf certificate;
	char *key;
};
int http_pem_load(struct http_pem *, const struct http_listen *, const char *root, const char *secrets, struct error *);
void http_pem_free(struct http_pem *); /* wipes the key */

/* ---- a body on its way in: in memory up to 64 KiB, then in an unlinked file */
struct http_spool {
	char *directory;
	uint64_t used, max; /* bytes in files, all bodies together */
};

struct http_body {
	struct http_spool *spool;
	struct buf memory;
	int fd; /* or -1 */
	uint64_t size;
};

void http_body_init(struct http_body *, struct http_spool *);
/* RETRY `site.full`, `site.disk`. Blocks on local disk. */
int http_body_add(struct http_body *, const char *data, size_t len, struct error *);
struct reader *http_body_reader(const struct http_body *); /* a new reference */
void http_body_drop(struct http_body *);                   /* empty afterwards */

/* ---- connections and their deadlines: libmicrohttpd's own time limit starts again with every byte */
struct http_link {
	struct http_link *previous, *next;
	int fd;
	int64_t deadline; /* clock_tick_ms; INT64_MAX while it waits for us */
};

struct http_links {
	struct http_link *first;
	int64_t next; /* the earliest deadline, or earlier */
};

void http_links_init(struct http_links *);
struct http_link *http_link_new(struct http_links *, int fd, int64_t in_ms);
void http_link_free(struct http_links *, struct http_link *); /* NULL is legal */
void http_link_deadline(struct http_links *, struct http_link *, int64_t in_ms);
void http_links_sweep(struct http_links *);         /* shuts down what is past its time */
int64_t http_links_left(const struct http_links *); /* milliseconds to the next deadline; -1: there is none */

#endif
