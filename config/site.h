/* A site as its YAML says: checked objects that know file, line and column. Built from a bundle of files, so that a
 * revision kept in the vault is read the same way as a directory. Everything lives in the site's arena and is read-only
 * once loaded. */
#ifndef FERRULE_CONFIG_SITE_H
#define FERRULE_CONFIG_SITE_H

#include <jansson.h>

#include "base/broker.h"
#include "base/endpoint.h"
#include "base/finding.h"
#include "base/id.h"
#include "base/topology.h"
#include "config/registry.h"
#include "config/transfer.h"

/* ---- bundle: the files of a site ------------------------------------------------------------------------- */
struct bundle_file {
	const char *path; /* relative, with / */
	struct span text;
	bool shipped; /* a contract that ships with Ferrule; not known of a revision that was kept */
};

struct bundle {
	struct arena *arena;
	struct bundle_file *files; /* by path, as bytes */
	size_t count;
	const char *environment; /* "" or the name given with --env */
	struct id revision;      /* digest over environment, paths, texts and the values of ${VAR} used */
	json_t *variables;       /* name → value of every ${VAR} that was replaced: part of the revision */
};

#define BUNDLE_BYTES_MAX (16u * 1024 * 1024)
#define BUNDLE_FILES_MAX 4096

/* Reads the configuration files of a directory: site.yaml and the folders and endings that bundle.c lists (not tests/,
 * not run/), at most BUNDLE_BYTES_MAX and BUNDLE_FILES_MAX together; nothing that a symbolic link leads to outside of
 * it. What ships (config_shipped) is added where the site has no file of that name, so that a revision means the same
 * after an upgrade: all contracts as canonical/…; mappings and grammars (mappings/…, edi/…) that are named in the
 * site's YAML, or in one of these. The values of ${VAR} come from
 * environments/<environment>.yaml, then from this process' environment. `environment` NULL or "": none.
 * NULL: FATAL `site.missing`, `site.unreadable`, `site.too-large`, `site.environment`. */
struct bundle *bundle_read_new(const char *directory, const char *environment, struct error *);
void bundle_free(struct bundle *);
const struct span *bundle_find(const struct bundle *, const char *path);
void bundle_encode(const struct bundle *, struct buf *);       /* for the vault; reading it gives the same revision */
struct bundle *bundle_decode_new(struct span, struct error *); /* NULL: REJECT `bundle.damaged` */
/* Where what ships with Ferrule lies: config_shipped(path, size, "canonical"), "sample/order-to-cash". In the source
 * tree when this program runs from its build directory, else where it was installed; FERRULE_DATA in the environment
 * wins. */
void config_shipped(char *path, size_t size, const char *what);

/* ---- objects --------------------------------------------------------------------------------------------- */
struct contract {
	const char *name; /* "order/v1" */
	json_t *schema;
	struct place place;
	const char **keys;
	size_t keys_count; /* x-ferrule-keys: jq paths */
};

/* Steps that lead to a topic beside the flow's own way: of a route, or of what a step refuses. */
struct branch {
	const char *topic;
	const char *label; /* in the identity of what leaves by it */
	struct place place;
	struct step *steps;
	size_t steps_count;
};

struct step {
	const struct transformer_ops *ops;
	const void *settings;
	const char *label; /* "map:acme-850-to-order.jq", for dead letters and traces; unique in its flow; one of a
			      snippet has the snippet's name in front: "prices/map:price.jq" */
	struct place place;
	const char *used;        /* of a snippet: "snippets/prices.yaml:4, used at flows/a.yaml:7"; else NULL */
	const struct node *node; /* as it was written, the main value under its own name */
	struct branch *branches; /* as many as its ops name */
	size_t branches_count;
	struct branch *on_reject; /* or NULL */
};

/* A durable step cuts a flow: the steps up to it run from one queue, those behind it from another. */
struct segment {
	const char *queue;        /* "in.<flow>", then "in.<flow>/collect", "in.<flow>/collect-2" … */
	size_t first, count;      /* of the flow's steps; the last is the durable one, but for the last segment */
	const struct step *behind; /* the durable step that it gets its messages from; NULL: the first segment */
	enum order_on_reject order;
};

/* expect: something that must happen by a time.
 *   EXPECT_ANSWER  an event with the same key within a time of each message that the flow sends on
 *   EXPECT_FILES   so many files of the flow's sources by a time of day
 *   EXPECT_EVENTS  so many messages on a topic by a time of day */
enum expectation_kind { EXPECT_ANSWER, EXPECT_FILES, EXPECT_EVENTS };

struct expectation {
	enum expectation_kind kind;
	const char *name;          /* unique in the site: the flow's, "FLOW.2" … for later ones, or "FLOW.NAME" */
	const char *own;           /* `name:` */
	const char *event, *file;  /* a topic or a file pattern */
	struct expression *key;    /* EXPECT_ANSWER */
	int64_t within_ms;         /* EXPECT_ANSWER; else 0 */
	int64_t count;             /* how many; at least 1 */
	const char *by, *since;    /* "07:30" */
	int by_minute, since_minute; /* of the day in its zone; by at most 1440. since after by: of the day before */
	struct text_list days;     /* as written */
	unsigned days_mask;        /* bit 0: Monday */
	const struct calendar_spec *calendar; /* NULL: every day is a working day */
	const char *calendar_name;
	const char *zone;          /* an IANA name; NULL: the machine's */
	const char *runbook;
	struct place place;
};

enum duplicates_by { DUPLICATES_CONTENT, DUPLICATES_ENVELOPE, DUPLICATES_NONE };

/* Of several machines that run the site. */
enum source_machines { SOURCE_AUTO, SOURCE_ONE, SOURCE_EACH };
struct source {
	struct endpoint endpoint;      /* name: the flow's, with ".2" … for later ones, or `name:` */
	const struct source_ops *poll; /* one of these two */
	const struct server_ops *server;
	enum source_machines machines; /* which ask it: source_asked_alone */
};

struct flow {
	const char *name, *owner, *summary;
	struct place place;
	struct source *sources;
	size_t sources_count;
	const char **subscribes;
	size_t subscribes_count; /* topics */
	const char *queue;       /* "in.<name>" */
	enum duplicates_by duplicates;
	struct expression_list duplicates_by;
	int64_t duplicates_within_ms;
	enum order_on_reject order;
	struct expression *order_by;
	struct step *steps;
	size_t steps_count;
	struct segment *segments;
	size_t segments_count; /* 1 where no step is durable */
	const char *publish; /* topic or NULL */
	struct endpoint *sink;
	const struct sink_ops *sink_ops; /* or NULL */
	const char *out_queue;           /* "out.<endpoint>" */
	const char *reject_publish;      /* on-reject: {publish: …} or NULL */
	const char **publishes;
	size_t publishes_count; /* every topic it may publish to: publish, route's, on-reject's */
	const char *runbook;
	struct place runbook_place;
	struct retry_spec retry;
	int64_t timeout_ms; /* of one delivery; endpoint.timeout_ms */
	struct expectation *expect;
	size_t expect_count;
	bool audit; /* what it receives and delivers leaves records in the audit trail */
	const struct transfer *transfer; /* whose flow it is, or NULL */
};

/* Does one of several machines ask it? By default each asks the folders that a plain flow names, which may be its own;
 * all else is asked by one. */
static inline bool source_asked_alone(const struct flow *flow, const struct source *source)
{
	return source->machines == SOURCE_ONE ||
	       (source->machines == SOURCE_AUTO && source->poll && (flow->transfer || !source->poll->here));
}

/* systems/NAME.yaml: what `hold` may name, and whom to ask. */
struct system {
	const char *name, *owner, *summary, *runbook;
	struct place place;
};

struct site_limits {           /* site.yaml's limits: */
	uint64_t document_max; /* default 10 GiB */
	uint64_t tree_max;     /* bytes a step may hold as a tree; default 64 MiB */
	int64_t step_time_ms;  /* CPU time of one expression; default 2 s */
	uint64_t step_memory;  /* default 256 MiB */
	uint64_t process_memory; /* address space of a transform process; default 4 GiB, at most half the machine */
};

/* site.yaml's expiry: */
#define EXPIRY_WARN_MAX 8
struct expiry_secret {
	const char *name;
	int64_t expires_ms; /* Unix milliseconds, the beginning of that day in UTC */
	struct place place;
};
struct site_expiry {
	int64_t warn_ms[EXPIRY_WARN_MAX]; /* before the end; default 30, 7 and 1 days */
	size_t warn_count;
	const char *owner, *runbook;      /* may be NULL */
	struct text_list certificates;    /* paths, as written */
	struct expiry_secret *secrets;
	size_t secrets_count;
};

struct site {
	struct arena *arena;
	const struct bundle *bundle;
	char revision[ID_TEXT];
	const char *name, *directory; /* absolute */
	const char *vault_path, *run_path, *secrets_path,
		*keys_path,
		*data_path; /* absolute; defaults DIR/data/vault, DIR/data/run, DIR/secrets, DIR/keys, DIR/data */
	const struct broker_ops *broker;
	const void *broker_settings;
	const char *broker_secret;
	const struct db_ops *store;
	const void *store_settings;
	const char *store_secret;
	const struct server_ops *listen;
	const void *listen_settings;
	int64_t retain_originals_ms, retain_receipts_ms, retain_lineage_ms, queue_lifetime_ms;
	uint64_t disk_reserve;
	unsigned transform_processes; /* 0: as many as there are cores */
	struct site_limits limits;
	struct site_expiry expiry;
	int64_t remind_ms; /* site.yaml's alerts: {remind}; 0: off */
	struct flow *flows;
	size_t flows_count;
	struct contract *contracts;
	size_t contracts_count;
	struct system *systems;
	size_t systems_count;
	struct load *load; /* what config keeps for site_check */
};

/* Reads the bundle into objects; the bundle must outlive the site. Always goes through all of it; findings tell
 * everything. NULL when there are errors. Nothing is compiled: site_check does that. `directory` is where relative
 * paths start. */
struct site *site_load_new(const struct bundle *, const struct registry *, const char *directory, struct findings *);
void site_free(struct site *);
/* What only check looks at: expressions and mappings compile, contracts are valid, secrets exist, topics have
 * publishers. Sorts the findings; what two of its parts say alike is there once. */
void site_check(struct site *, const struct registry *, struct findings *);
/* The bundle's variables with those that hold credentials hidden: by where their values go, or by their names. NULL:
 * there are none. The site can be read with these in their place. */
json_t *site_hidden_variables_new(const struct site *);
/* The part of it that no revision answers for: can this process have the secrets that the site names? */
void site_check_secrets(const struct site *, struct findings *);
/* The places of all findings stay good as long as the bundle.
 *
 * What the check verb does: reads and checks in one pass, so that a site that cannot be loaded is checked all the same
 * as far as it was understood. Sorts the findings. Returns 0 when there is no error, else -1. */
int site_inspect(const struct bundle *, const struct registry *, const char *directory, struct findings *);

/* The same, faster the second time: what was said of this site is kept in DATA/check where that can be written, and
 * said again while nothing that check looks at has changed. `fresh`: look again. */
int site_inspect_cached(const struct bundle *, const struct registry *, const char *directory, bool fresh,
			struct findings *);
/* Every environment of environments/ (none: the site as it is), each cached; what only some of them have says so in its
 * scope. -1: the site cannot be read; findings or none are no error. */
int site_inspect_all(const char *directory, const struct registry *, struct findings *, bool fresh, struct error *);

const struct flow *site_flow(const struct site *, struct span name);
const struct endpoint *site_endpoint(const struct site *, struct span name, const struct flow **flow,
				     const struct sink_ops **ops);
const struct contract *site_contract(const struct site *, const char *name);
/* The same by its name or by its $id: what a schema may refer to. */
const struct contract *site_contract_at(const struct site *, const char *address);
/* Calls back for the name of every secret that the site's settings refer to; a name may come more than once. */
void site_secrets(const struct site *, void (*each)(void *arg, const char *name), void *arg);
/* A file of tables/ by its name below it ("prices.csv"), read when first asked for; lives as long as the site. NULL:
 * REJECT `table.unknown` or `table.unreadable`; error may be NULL. */
const struct lookup_table *site_table(const struct site *, const char *name, struct error *);
/* The same of a text by itself, by the ending of its name; rows and lines are the caller's. -1: findings say why. */
int lookup_table_read(struct arena *, struct findings *, const char *path, struct span text, struct lookup_table *);
/* The text of FOLDER/NAME in the site, as steps name it: a layout, a grammar, an XSLT program. NULL: not there. */
const struct span *site_file(const struct site *, const char *folder, const char *name);
/* Calls back for every file of certificates that the site's settings name, absolute, and where; a file may come more
 * than once. Borrowed for the call. */
void site_certificates(const struct site *, void (*each)(void *arg, const char *path, struct place), void *arg);
/* The same of files of host keys. */
void site_host_keys(const struct site *, void (*each)(void *arg, const char *path, struct place), void *arg);
/* Calls back for every expression of the site's flows that is no template's; mapping: it is a file of mappings/. */
void site_expressions(const struct site *, void (*each)(void *arg, struct expression *, bool mapping), void *arg);
/* The flow that a queue belongs to, "in.orders/collect", and which of its segments; NULL: none. */
const struct flow *site_flow_of_queue(const struct site *, const char *queue, size_t *segment);
/* The queues behind durable steps that close by group, which a part on its way through this segment, or published to
 * this topic, may come to: if it does not, they are told. Writes at most `most`; returns how many. */
#define SITE_GATHERS_MAX 32
size_t site_gathers(const struct site *, const struct flow *, size_t segment, const char **into, size_t most);
size_t site_gathers_of_topic(const struct site *, const char *topic, const char **into, size_t most);
const struct system *site_system(const struct site *, struct span name);
struct topology *site_topology_new(const struct site *);

/* ---- codes ------------------------------------------------------------------------------------------------- */
struct finding_code {
	const char *code;
	enum severity severity; /* the usual one */
	const char *help;       /* a sentence without a full stop */
};
extern const struct finding_code finding_codes[]; /* by code; ends with NULL */
const struct finding_code *finding_code_find(const char *code); /* NULL: not there */
json_t *report_codes_new(void); /* [{code, severity, help}] */

/* ---- findings for people and programs ------------------------------------------------------------------ */
/* `file:line:column: severity: message`, a line each, in the order of the list; `prefix` (may be "") goes in front of
 * the file. */
void report_text(const struct findings *, const char *prefix, struct buf *);
/* [{"file":…,"line":…,"column":…,"severity":…,"code":…,"message":…,"scope":…}], a new reference; scope where the
 * finding has one. */
json_t *report_json_new(const struct findings *);
json_t *report_sarif_new(const struct findings *, const char *directory); /* SARIF 2.1.0; of the site's directory */

#endif
