/* What an adapter implements: a source, a sink, or both. An adapter knows one protocol and nothing of queues, flows
 * or stores; the roles in services/ drive it. */
#ifndef FERRULE_BASE_ADAPTER_H
#define FERRULE_BASE_ADAPTER_H

#include "base/effect.h"
#include "base/endpoint.h"
#include "base/vault.h"

/* The key by which another machine is known, as it shows it now. */
struct peer_key {
	char type[40], fingerprint[64], host[280];
	char known[300];  /* fingerprints that are pinned for it; "" none */
	bool trusted;     /* it is one of them */
	bool configured;  /* they stand in the site's files: nothing is to be recorded */
	bool on_the_way;  /* it is that of a server in between, behind which nobody can look before it is trusted */
	char file[4096];  /* where `line` is recorded, a file in the form of OpenSSH's known_hosts */
	char line[4096];
};

/* ---- sources -------------------------------------------------------------------------------------------------- */
/* A document as a source found it. Made by the adapter, freed with its ops' `forget`. */
struct document {
	struct span name;          /* the file's name, the event's id */
	struct span media_type;    /* may be empty */
	/* as the endpoint declares it (duplicates.by: content or envelope); see document_identity */
	struct id identity;
	/* what makes it itself for the source: "name" for files, the event id for webhooks */
	struct span identity_text;
	int64_t time_ms;           /* the source's own time: mtime, event time */
	struct vault_entry stored; /* filled by the role after vault_put */
	struct attr *attrs;        /* header facts, visible as $envelope.headers */
	size_t attrs_count;
	bool failed;               /* the adapter could not read it; `error` says why; it is reported and left alone */
	struct error error;
	/* By settle: what it put into the archive, the document and its sidecar; path NULL: nothing. Freed by
	 * forget. */
	struct archived {
		char *path;
		uint64_t size;
		int64_t time_ms;
		bool numbered; /* for expire: it may lie there under a number, since the name was taken */
	} archived[2];
	struct id intended[2];     /* digests of the paths that were written down before; for services/archive.h */
	void *adapter;             /* the adapter's own */
};

enum settlement { SETTLE_ACCEPTED, SETTLE_DUPLICATE, SETTLE_DUPLICATE_OF_DEAD, SETTLE_REFUSED };

/* A file that lies there and waits for the one that belongs to it, since when, and when that becomes a problem. */
typedef void source_half_fn(void *arg, const char *name, const char *lacks, int64_t since_ms, int64_t due_ms);

struct source_ops {
	const char *name, *help;
	const struct option *options;
	size_t settings_size;
	void *(*open)(const struct endpoint *, struct error *);
	void (*close)(void *);
	/* Up to max documents that are ready, oldest first as configured; may block on its own endpoint. -1: RETRY
	 * (endpoint) or FATAL. */
	int (*poll)(void *, struct document **into, size_t max, size_t *found, struct error *);
	/* Puts the document's bytes into the vault (which is not synced here) and fills `stored`. RETRY: try at the
	 * next poll (it vanished or is still being written: nothing to tell anybody). REJECT: too large. */
	int (*fetch)(void *, struct document *, struct vault *, struct error *);
	/* After it was accepted durably (or recognised): archive, move, delete. May be called again for the same
	 * document. One that changed since it was fetched is left where it is (0): it comes again as another
	 * document. */
	int (*settle)(void *, struct document *, enum settlement, struct error *);
	/* The same for several, in any order and at once where the source can. -1: some may not be settled, and come
	 * again. May be NULL: then settle is called for each. */
	int (*settle_all)(void *, struct document *const *, const enum settlement *, size_t n, struct error *);
	void (*forget)(void *, struct document *);
	int64_t (*interval_ms)(const void *settings); /* between polls */
	/* Between polls, about each second: keeps what it holds open, or gives it back. Does not block. May be NULL. */
	void (*rest)(void *);
	bool (*pending)(void *); /* after a poll: something lies there that is not ready yet (in progress) */
	/* What the option table cannot tell of the settings, offline: the error that opening would end with. May be
	 * NULL. */
	int (*check)(const struct endpoint *, struct error *);
	/* The key of the other machine, without logging in there; blocks. NULL: it has none. */
	int (*look)(const struct endpoint *, struct peer_key *, struct error *);
	/* Does it keep an archive of its own? NULL: never. */
	bool (*archives)(const void *settings);
	/* Where settle is going to archive the document and its sidecar, unless something else has the name there;
	 * path NULL: nothing. The caller frees the paths. May be NULL. */
	void (*intend)(void *, const struct document *, enum settlement, struct archived into[2]);
	/* Removes what settle archived once (`archived` above), if it is that still: anything else stays. *removed: it
	 * was. -1: RETRY. */
	int (*expire)(void *, const struct archived *, bool *removed, struct error *);
	/* After a poll: what waits for its other half (a sidecar), those that wait the longest; how many there are in
	 * all. May be NULL. */
	size_t (*halves)(void *, source_half_fn *, void *arg);
	bool paced; /* what it reads over the line goes by base/pace.h */
	/* What it reads may be another thing on each machine that runs the site: a folder. */
	bool here;
};

/* ---- a listener: documents that are pushed (the gateway drives it) ---------------------------------------------- */
struct arrival;       /* one request that waits for its answer */
struct server_events {
	void *arg;
	/* What a listener needs of the site when it opens; each may be NULL or 0. Borrowed during open only, `spool`
	 * longer. */
	const char *root, *secrets; /* where a certificate's path starts; NULL: those of the first endpoint */
	/* directory for bodies that do not fit into memory (unlinked files); NULL: TMPDIR or /tmp */
	const char *spool;
	int inherited;              /* a socket that listens already, taken over; 0: make one */
	/* A complete request for this endpoint, its signature checked. The body is in the document's stored entry or
	 * `body`. Answer with server_ops.answer, exactly once, now or later. Document and body are the adapter's and
	 * live until then. */
	void (*arrived)(void *arg, const struct endpoint *, struct document *, struct reader *body, struct arrival *);
	/* GET /livez, /readyz, /metrics, /healthz: fill status, type (static text) and body at once. NULL: no such
	 * paths. */
	void (*ask)(void *arg, const char *path, bool verbose, int *status, const char **type, struct buf *body);
	bool (*accepting)(void *arg);
};

struct server_ops {
	const char *name, *help;
	const struct option *options; /* of an endpoint: `webhook:` */
	size_t settings_size;
	const struct option *listen_options; /* of site.yaml's `listen:` */
	size_t listen_settings_size;
	void *(*open)(const void *listen_settings, const struct endpoint *const *, size_t n,
		      const struct server_events *, struct error *);
	void (*close)(void *);          /* whoever still waits is told to come again (503) */
	unsigned (*port)(void *);       /* the one that was given when the settings say 0 */
	int (*fd)(void *);              /* an epoll descriptor: readable means call work */
	void (*work)(void *);
	int (*timeout_ms)(void *);      /* -1: none */
	/* 202 with the message id; a duplicate likewise with its first id; an error becomes problem details. */
	void (*answer)(void *, struct arrival *, const struct id *message, bool duplicate, const struct error *);
	void (*stop)(void *); /* no new connections; those under way may finish */
	unsigned (*busy)(void *); /* requests under way */
	/* As a source's: of an endpoint, and of `listen:`. */
	int (*check)(const struct endpoint *, struct error *);
	int (*check_listen)(const void *listen_settings, struct error *);
	/* A file that must be there to listen, as `listen:` says it, below the site; NULL: none. NULL op: never. */
	const char *(*listen_file)(const void *listen_settings);
};

/* ---- sinks ------------------------------------------------------------------------------------------------------- */
enum sink_trait {
	SINK_WITNESS = 1, /* an interrupted effect is found by something of our own (the temporary file) */
	SINK_MATCH = 2,   /* … by looking at the target */
	SINK_KEY = 4,     /* … by the same idempotency key */
};

/* One delivery under way. The role owns it; `adapter` is the sink's own until finished. */
struct attempt {
	const struct endpoint *endpoint;
	const struct message *message; /* final bytes (message->body) and headers (attrs) */
	struct id key;                 /* effect key */
	struct span idempotency_key;   /* text to send, where effect is {key: …} */
	int64_t first_ms;              /* of the intent; 0: the store was not asked yet */
	bool prepared;                 /* by the sink: prepare succeeded in this process */
	/* By the role, before abandon: the outcome is committed (delivered, recognised, dead, withdrawn), so nothing
	 * that was kept for finding out is needed any more. Stays false for busy, doubt, unclear. */
	bool settled;
	void *adapter;
	void *user;                    /* the role's own */
	/* set when reaped */
	struct error error;            /* class NONE: it took effect */
	struct buf receipt;            /* JSON object for people and replays: status, remote id, path, digest */
};

/* What a test of the site says that a target answers. */
struct sink_answer {
	int64_t status;    /* 0: none */
	const char *fails; /* how it fails instead, in the sink's own words ("timeout"); NULL: it does not */
	const char *body;  /* of the answer; may be NULL */
	int64_t retry_after_ms;
};

struct sink_ops {
	const char *name, *help;
	const struct option *options; /* of a flow's `to:` */
	size_t settings_size;
	unsigned traits;
	enum effect_kind natural;     /* which `effect:` fits without further words; check explains others */
	/* one process serves all endpoints of this adapter (deliver); else one process each */
	bool shared;
	/* Which headers this sink takes and how they come from the settings: called in the transform role for each
	 * message. Fills attrs such as "path" by rendering the settings' templates; refuses unsafe values with
	 * REJECT. */
	int (*address)(const struct endpoint *, const struct expression_input *, struct message *, struct error *);
	void *(*open)(struct error *);
	void (*close)(void *);
	/* While there is nothing to do: as a source's. May be NULL. */
	void (*rest)(void *);
	int (*endpoint)(void *, const struct endpoint *, struct error *); /* announces one; again after reload */
	/* prepare will be called for each of these, in this order: a sink may do it for several of them at once here,
	 * and prepare tells how that went. May block. May be NULL. */
	void (*ahead)(void *, struct attempt *const *, size_t n);
	/* Before the intent: durable but invisible. May block for files. Also called for a delivery that was
	 * interrupted: it must leave what resolve will look for as it is. */
	int (*prepare)(void *, struct attempt *, struct error *);
	/* After the intent. Does not wait for the other side. -1: finished at once with this error (also in
	 * attempt->error); it is not reaped. */
	int (*start)(void *, struct attempt *, struct error *);
	/* Finished attempts; waits up to wait_ms, or until `wake` (a descriptor) is readable. */
	int (*reap)(void *, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms, struct error *);
	/* After a crash or an unclear answer. Without means: UNKNOWN. May block for files. */
	int (*resolve)(void *, struct attempt *, enum resolved *, struct error *);
	/* attempts that make sense at once; NULL: 1. More may be started: they queue inside */
	unsigned (*parallel)(const struct endpoint *);
	/* The end of every attempt: frees what it holds. What was prepared or kept as a witness goes when `settled`
	 * says that the outcome is committed, or when this attempt made it and first_ms is still 0; else it stays for a
	 * later resolve. */
	void (*abandon)(void *, struct attempt *);
	/* What interrupted attempts left at the target and nobody needs. `needed` is asked for each effect key (is its
	 * effect open?). Younger than older_than_ms: left alone. Called before the first delivery. May be NULL. May
	 * block for files. */
	int (*sweep)(void *, const struct endpoint *, int64_t older_than_ms,
		     bool (*needed)(void *arg, const struct id *key), void *arg,
		     unsigned *removed, struct error *);

	/* ---- offline, for tests of a site: nothing is opened, nothing leaves this process */
	/* The headers that `start` would send for this attempt, in their order; a credential is shown as the name of
	 * its secret. REJECT where `start` would refuse. NULL: there are none. */
	int (*preview)(const struct attempt *, void (*each)(void *arg, struct span name, struct span value),
		       void *arg, struct error *);
	/* What this answer would mean: *verdict as in attempt->error. REJECT `test.answer` when a target of this kind
	 * cannot answer so (the text says what it can). NULL: every answer is success. */
	int (*judge)(const struct attempt *, const struct sink_answer *, struct error *verdict, struct error *);
	/* What an unclear outcome comes to without looking at the target: as resolve. NULL: UNKNOWN. */
	enum resolved (*presume)(const struct attempt *);
	int (*check)(const struct endpoint *, struct error *); /* as a source's */
	int (*look)(const struct endpoint *, struct peer_key *, struct error *); /* as a source's */
	bool paced; /* what it sends goes by base/pace.h */
	/* What it delivers are files, named by the attribute "path", and it can tell whether an interrupted delivery
	 * happened: copies of them may be kept (endpoint.archive). */
	bool files;
};

#endif
