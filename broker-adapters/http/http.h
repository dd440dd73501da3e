/* What the two halves of the HTTP adapter share, and what of them is pure enough to be tested without a network:
 * settings, signatures of webhooks, problem details, escaping, and what an answer's status means. Nothing here knows
 * libmicrohttpd or libcurl; nothing blocks. */
#ifndef FERRULE_BROKER_ADAPTERS_HTTP_H
#define FERRULE_BROKER_ADAPTERS_HTTP_H

#include "base/adapter.h"
#include "base/secret.h"

/* ---- settings of the listener and of a webhook */
struct http_listen {
	const char *address;
	int64_t port; /* 0: any that is free */
	struct http_tls {
		const char *certificate; /* a PEM file, relative to the site */
		const char *key;         /* a secret that holds the PEM text */
	} tls;
	int64_t connections;
	int64_t timeout_ms, body_timeout_ms;
	uint64_t max, spool_max;
};

enum http_verify { HTTP_VERIFY_STANDARD, HTTP_VERIFY_BEARER, HTTP_VERIFY_NONE };

struct http_webhook {
	const char *webhook; /* the path */
	int verify;          /* enum http_verify */
	const char *secret, *previous;
	uint64_t max;   /* 0: the listener's */
	const char *id; /* a header; NULL: webhook-id, else idempotency-key */
	struct text_list types;
};

extern const struct server_ops http_server_ops;
extern const struct sink_ops http_sink_ops;
extern const struct option http_listen_options[], http_webhook_options[];

/* ---- webhook signatures (Standard Webhooks 1.0) and bearer keys */
#define HTTP_KEYS_MAX 8
#define HTTP_TOLERANCE_MS (5 * 60 * 1000)

struct http_keys {
	struct secret *keys[HTTP_KEYS_MAX];
	size_t count;
};

/* Adds what the secret NAME holds: one key, or several separated by white space (rotation). With `webhook` each is
 * base64 after an optional "whsec_". FATAL `secret.missing`, `secret.mode`, `secret.form`. */
int http_keys_load(struct http_keys *, const char *directory, const char *name, bool webhook, struct error *);
int http_keys_add(struct http_keys *, struct span text, bool webhook, struct error *); /* the same from its text */
void http_keys_free(struct http_keys *);                                               /* wipes */

/* What a request brings to be believed; spans are empty when the header is missing. */
struct http_proof {
	struct span id, timestamp, signature; /* webhook-id, webhook-timestamp, webhook-signature */
	struct span authorization;
	struct span body;
};
/* REJECT `webhook.headers`, `webhook.timestamp`, `webhook.signature`. */
int http_webhook_verify(const struct http_keys *, const struct http_proof *, int64_t now_ms, struct error *);
/* The value of a webhook-signature header, appended. */
void http_webhook_sign(const struct secret *, const struct http_proof *, struct buf *);
/* REJECT `webhook.key`. */
int http_bearer_verify(const struct http_keys *, const struct http_proof *, struct error *);

/* ---- requests and problem details (RFC 9457) */
bool http_header_kept(struct span name);    /* may it travel with the document? never credentials or signatures */
struct span http_string(struct span value); /* a structured field's string without its quotes (RFC 9651) */
bool http_types_fit(const struct text_list *, struct span content_type); /* an empty list takes all */
void http_header_keep(struct document *, struct arena *, const char *name, const char *value);
bool http_type_is(struct span content_type, const char *media);         /* parameters and case aside */
unsigned http_error_status(const struct error *);                       /* the status that fits an error */
void http_problem(struct buf *, unsigned status, const struct error *); /* what it may say to a stranger, as JSON */
const char *http_reason(unsigned status);

/* ---- settings of a target */
enum http_method { HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

struct http_target {
	struct template *url, *path;
	int method; /* enum http_method */
	struct template_map headers;
	struct http_auth {
		const char *bearer;
		struct http_basic {
			const char *user, *password;
		} basic;
		struct http_key {
			const char *header, *value;
		} key;
	} auth;
	const char *idempotency;
	int64_t timeout_ms, connect_ms, parallel;
	const char *ca, *proxy;
	struct text_list success;
	uint64_t max;
};

extern const struct option http_target_options[];

int http_target_address(const struct endpoint *, const struct expression_input *, struct message *, struct error *);
/* The sink's own: by the same key, while the target remembers it. */
int http_target_resolve(void *sink, struct attempt *, enum resolved *, struct error *);
unsigned http_target_parallel(const struct endpoint *);
/* What goes out beside the body, apart from credentials. REJECT `http.header`, `http.key`. */
struct http_request {
	const struct attempt *attempt;
	const char *idempotency; /* the header that carries the key */
	uint64_t size;           /* of the body */
};
int http_request_headers(const struct http_request *, void (*each)(void *arg, struct span name, struct span value),
			 void *arg, struct error *);
/* For tests of a site: see sink_ops. */
int http_target_preview(const struct attempt *, void (*each)(void *arg, struct span name, struct span value), void *arg,
			struct error *);
int http_target_judge(const struct attempt *, const struct sink_answer *, struct error *verdict, struct error *);
enum resolved http_target_presume(const struct attempt *);
int http_escape(struct buf *, struct span value,
		struct error *);           /* percent-encodes all but unreserved characters (RFC 3986) */
bool http_header_name(struct span name);   /* a token, and none that the transfer itself owns */
bool http_header_value(struct span value); /* visible characters, spaces and tabs; no line breaks */
int http_url_check(const struct http_target *, struct error *); /* REJECT `http.address` */
int http_success_check(const struct text_list *, struct error *); /* "2xx", "200", "200-204"; FATAL `http.success` */

/* What a finished transfer showed. */
struct http_answer {
	unsigned status;        /* 0: none came */
	bool begun;             /* something of the request may have left this machine */
	bool broken;            /* the transfer failed: before, while or after the answer began */
	bool cut;               /* … because the answer passed the limit: its status counts */
	const char *code, *why; /* when broken: "http.connect", and for people */
	struct span retry_after, location, request_id, body;
	int64_t now_ms, took_ms;
};
/* Turns it into an error (class NONE: it took effect). docs/adapters-http.md has the table. */
void http_judge(const struct endpoint *, const struct http_answer *, struct error *);
int64_t http_retry_after(struct span value, int64_t now_ms); /* seconds or a date; 0: unreadable; at most a day */
void http_receipt(const struct http_answer *, const char *url, struct buf *); /* JSON */

#endif
