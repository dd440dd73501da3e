/* A site as its YAML says: checked objects that know file, line and column. Built from a bundle of files, so that a revision kept
 * in the vault is read the same way as a directory. Everything lives in the site's arena and is read-only once loaded. */
#ifndef FERRULE_CONFIG_SITE_H
#define FERRULE_CONFIG_SITE_H

#include <jansson.h>

#include "base/broker.h"
#include "base/endpoint.h"
#include "base/finding.h"
#include "base/id.h"
#include "base/topology.h"
#include "config/registry.h"

/* ---- bundle: the files of a site ------------------------------------------------------------------------------ */
struct bundle_file {
	const char *path; /* relative, with / */
	struct span text;
};

struct bundle {
	struct arena *arena;
	struct bundle_file *files; /* by path, as bytes */
	size_t count;
	const char *environment;   /* "" or the name given with --env */
	struct id revision;        /* digest over environment, paths, texts and the values of ${VAR} used */
	json_t *variables;         /* name → value of every ${VAR} that was replaced: part of the revision */
};

/* Reads the configuration files of a directory (site.yaml and the folders of DESIGN; *.yaml *.yml *.jq *.json *.xsl; not tests/, not run/): at most 16 MiB
 * together. -1: FATAL `site.missing`, `site.unreadable`. */
struct bundle *bundle_read_new(const char *directory, const char *environment, struct error *);
void bundle_free(struct bundle *);
const struct span *bundle_find(const struct bundle *, const char *path);
void bundle_encode(const struct bundle *, struct buf *); /* for the vault; reading it gives the same revision */
struct bundle *bundle_decode_new(struct span, struct error *);

/* ---- objects ---------------------------------------------------------------------------------------------------------- */
struct contract {
	const char *name; /* "order/v1" */
	json_t *schema;
	struct place place;
	const char **keys; size_t keys_count; /* x-ferrule-keys: jq paths */
};

struct step {
	const struct transformer_ops *ops;
	const void *settings;
	const char *label; /* "map:acme-850-to-order.jq", for dead letters and traces */
	struct place place;
};

enum duplicates_by { DUPLICATES_CONTENT, DUPLICATES_ENVELOPE, DUPLICATES_NONE };

struct source {
	struct endpoint endpoint;           /* name: the flow's, with ".2" … for later ones, or `name:` */
	const struct source_ops *poll;      /* one of these two */
	const struct server_ops *server;
};

struct flow {
	const char *name, *owner, *summary;
	struct place place;
	struct source *sources; size_t sources_count;
	const char **subscribes; size_t subscribes_count; /* topics */
	const char *queue;                                /* "in.<name>" */
	enum duplicates_by duplicates;
	struct expression_list duplicates_by;
	int64_t duplicates_within_ms;
	enum order_on_reject order;
	struct expression *order_by;
	struct step *steps; size_t steps_count;
	const char *publish;                              /* topic or NULL */
	struct endpoint *sink; const struct sink_ops *sink_ops; /* or NULL */
	const char *out_queue;                            /* "out.<endpoint>" */
	const char *reject_publish;                       /* on-reject: {publish: …} or NULL */
	const char *runbook;
	struct retry_spec retry;
};

struct site_limits { /* site.yaml's limits: */
	uint64_t document_max; /* default 10 GiB */
	uint64_t tree_max;     /* bytes a step may hold as a tree; default 64 MiB */
	int64_t step_time_ms;  /* CPU time of one expression; default 2 s */
	uint64_t step_memory;  /* default 256 MiB */
};

struct site {
	struct arena *arena;
	const struct bundle *bundle;
	char revision[ID_TEXT];
	const char *name, *directory; /* absolute */
	const char *vault_path, *run_path, *secrets_path, *data_path; /* absolute; defaults DIR/data/vault, DIR/data/run, DIR/secrets, DIR/data */
	const struct broker_ops *broker; const void *broker_settings; const char *broker_secret;
	const struct db_ops *store; const void *store_settings; const char *store_secret;
	const struct server_ops *listen; const void *listen_settings;
	int64_t retain_originals_ms, retain_receipts_ms, retain_lineage_ms, queue_lifetime_ms;
	uint64_t disk_reserve;
	unsigned transform_processes; /* 0: as many as there are cores */
	struct site_limits limits;
	struct flow *flows; size_t flows_count;
	struct contract *contracts; size_t contracts_count;
};

/* Reads the bundle into objects; the bundle must outlive the site. Always goes through all of it; findings tell everything. NULL when there are errors. Nothing is
 * compiled: site_check does that. `directory` is where relative paths start. */
struct site *site_load_new(const struct bundle *, const struct registry *, const char *directory, struct findings *);
void site_free(struct site *);
/* What only check looks at: expressions and mappings compile, contracts are valid, secrets exist, topics have publishers. */
void site_check(struct site *, const struct registry *, struct findings *);

const struct flow *site_flow(const struct site *, struct span name);
const struct endpoint *site_endpoint(const struct site *, struct span name, const struct flow **flow, const struct sink_ops **ops);
const struct contract *site_contract(const struct site *, const char *name);
struct topology *site_topology_new(const struct site *);

#endif
