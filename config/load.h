/* config's own: what the files that read a site share while they do, and what is kept for site_check. */
#ifndef FERRULE_CONFIG_LOAD_H
#define FERRULE_CONFIG_LOAD_H

#include "config/site.h"
#include "config/yaml.h"

#define load_error(load, place, code, ...) finding_add((load)->findings, (place), SEVERITY_ERROR, (code), __VA_ARGS__)
#define load_warning(load, place, code, ...)                                                                           \
	finding_add((load)->findings, (place), SEVERITY_WARNING, (code), __VA_ARGS__)

/* Settings that were filled from an option table: check looks for expressions and secrets in them. */
struct filled {
	const struct option *table;
	const void *settings;
	const struct node *node;
	struct filled *next;
};

struct checked_step { /* whose settings are whole; of flows with mistakes as well */
	const struct transformer_ops *ops;
	const void *settings;
	struct place place;
};

struct topic_use {
	const char *topic, *flow;
	struct place place;
	bool publishes;
};

/* A name that `hold`, `status` and `trace` may be given. */
struct known_name {
	const char *name, *flow; /* flow: that it belongs to */
	enum { NAME_FLOW, NAME_SOURCE, NAME_SINK, NAME_SYSTEM } what;
	struct place place;
};

/* One that listens or polls in the same place as another would take its documents away. */
struct taken {
	const char *adapter, *where, *flow;
};

struct system_node { /* beside site->systems, same index */
	const struct node *node, *settings, *operations;
};

struct snippet {
	const char *name;
	const struct bundle_file *file;
	struct place place;
	const struct node *parameters; /* a map, or NULL */
	json_t *asked;                 /* every ${NAME} in it */
	bool whole, used;
};

/* The nodes of one use of a snippet have a file name of their own, the same text at another address, by which findings
 * know where it was used. */
struct snippet_use {
	const char *file;
	const struct snippet *snippet;
	const char *at; /* "flows/a.yaml:7"; through another snippet: "snippets/b.yaml:3, used at flows/a.yaml:7" */
};

struct site_table;

struct site_calendar {
	struct calendar_spec spec;
	bool used;
	struct site_calendar *next;
};

struct site_transfer {
	struct transfer transfer;
	bool delivers; /* has `to` */
	struct place schedule, zone, times, bandwidth, retain; /* what of it is to blame */
	struct site_transfer *next;
};

struct load {
	struct site *site;
	struct arena *arena; /* the site's */
	const struct bundle *bundle;
	const struct registry *registry;
	struct findings *findings;
	struct option_context options;
	struct yaml_variables variables;
	const char **mappings;
	size_t mappings_count; /* names below mappings/ */
	const char **used_mappings;
	size_t used_count, used_capacity;
	struct filled *filled;
	struct topic_use *topics;
	size_t topics_count, topics_capacity;
	struct known_name *names;
	size_t names_count, names_capacity;
	struct snippet *snippets;
	size_t snippets_count;
	struct snippet_use *uses;
	struct site_table *tables;
	struct site_calendar *calendars;
	struct site_transfer *transfers;
	size_t tables_count;
	size_t uses_count, uses_capacity;
	struct taken *taken;
	size_t taken_count, taken_capacity;
	struct system_node *systems;
	size_t systems_count, systems_capacity, site_systems_capacity;
	struct checked_step *steps;
	size_t steps_count, steps_capacity;
	size_t flows_capacity, contracts_capacity;
	json_t *secret_variables; /* names of those whose values go where credentials stand */
	bool unread;         /* a file could not be read to its end */
	struct place listen; /* of the first webhook; file NULL: none */
	struct place listener; /* of what `listen:` says */
};

/* One of several by name: an adapter, a step. */
struct choice {
	const char *name;
	const struct option *options;
	size_t size;
	const void *ops;
};
#define CHOICES_MAX 64

size_t choices_of_transformers(const struct registry *, struct choice *);
const struct choice *choice_find(const struct choice *, size_t n, struct span name);
/* "file, http": for messages. */
const char *choice_names(struct arena *, const struct choice *, size_t n);
const char *choice_nearest(const struct choice *, size_t n, struct span word);

/* Fills new settings from the node and remembers them for site_check; NULL when there was an error. `also` as in
 * option_fill. */
const void *load_fill(struct load *, const struct node *, const struct option *, const char *const *also, size_t size);
const struct option *option_named(const struct option *, const char *name); /* NULL table is legal */
const struct option *option_main_of(const struct option *);

/* It is used by a step that names it, or by a file that does: a stylesheet's import, an include of rules. */
void load_use_mapping(struct load *, const char *name);
const struct node *node_empty(struct load *, struct place); /* a map with nothing in it */
bool node_null(const struct node *);                        /* absent, or `key:` with nothing behind it */
const struct node *node_merge(struct load *, const struct node *base,
			      const struct node *over); /* maps deeply; either may be NULL */
const struct node *node_without(struct load *, const struct node *map, const char *const *keys);

bool path_below(const char *path, const char *folder); /* "flows/a.yaml" is below "flows" */
/* False, with a finding, unless it is lower-case letters, digits, - . _ and begins with a letter or digit. */
bool load_name(struct load *, const char *what, const char *name, struct place);
void load_take_name(struct load *, const struct known_name *);
/* False, with a finding, unless it is a topic: words with dots, a version last. */
bool load_topic_form(struct load *, const char *topic, struct place);
bool load_topic(struct load *, const char *flow, const char *topic, struct place, bool publishes); /* and notes it */

void load_site_yaml(struct load *, const struct node *); /* NULL: the file says nothing */
/* The two halves of site_inspect: reading (a site always comes of it), and all that only check looks at. */
struct site *load_all(const struct bundle *, const struct registry *, const char *directory, struct findings *);
struct trials_checked;
void inspect_rest(struct site *, const struct registry *, struct trials_checked *, struct findings *);
void places_resolve(const struct site *, struct findings *); /* of what was told of a byte in a value */
void load_nothing(struct load *);                        /* what the rest needs when site.yaml is not readable */
void load_contracts(struct load *);
void load_environments(struct load *);
/* An owner that is said must be somebody. */
void load_owner(struct load *, const char *owner, const struct node *map);
void contract_check(struct load *, const struct contract *, struct findings *); /* is its schema one? */
/* Calls back for everything compilable and every secret in settings; the others of the four are NULL. */
struct found {
	struct expression *expression;
	struct template *template;
	const char *secret;
	const char *certificate, *host_keys; /* a path, as written */
	bool mapping; /* the expression is a file of mappings/ */
	struct place place;
};
void settings_each(const struct option *, const void *settings, void (*each)(void *, const struct found *), void *arg);
void check_paths(const struct load *, struct findings *); /* do expressions ask for what a message may have? */
void check_flows(const struct load *, bool whole, struct findings *);
void check_expectations(const struct load *, bool whole, struct findings *); /* those that cannot be met */
/* Is a secret written down among these settings, or as this value of an environment? */
void check_secret_values(struct load *, const struct node *);
void check_secret_value(struct load *, const struct pair *);
bool variable_sounds_secret(const char *name);
void filled_each(const struct load *, void (*each)(void *, const struct found *), void *arg);
void load_system(struct load *, const struct node *);
void load_flow(struct load *, const struct node *);
/* The same of a transfer; the keys named in `also` are the caller's. */
void load_flow_of(struct load *, const struct node *, const char *const *also, const struct transfer *);
void load_calendar(struct load *, const struct node *);
/* NULL, with a finding, when there is none of that name. */
const struct calendar_spec *load_calendar_find(struct load *, const char *name, struct place);
void load_transfer(struct load *, const struct node *); /* after the calendars, in front of the flows */
/* `from: {transfer: NAME}`: the topic of what it receives, "" with findings where it is none; NULL: another `from`. */
const char *transfer_topic(struct load *, const struct node *from);
void check_transfers(const struct load *, bool whole, struct findings *);
void load_segments(struct load *, struct flow *); /* once its steps are known */
void load_expectations(struct load *, struct flow *, const struct node *);

/* Endpoints. -1: findings say why. */
int load_source(struct load *, const char *flow, const struct node *, size_t index, struct source *);
int load_sink(struct load *, struct flow *, const struct node *to, const struct node *effect, const struct node *retry);
struct endpoint_kind {
	const char *key;                    /* the key of `from:` and `to:` that names it */
	const char *source, *server, *sink; /* names of adapters; all NULL: not in this version */
};
extern const struct endpoint_kind endpoint_kinds[]; /* ends with key NULL */
/* Kinds whose endpoints may name a `system:` that says how to reach the other side (an option of that name in their
 * table says so). What it says stands in systems/NAME.yaml under the kind's key, for both directions. */
struct connection {
	const char *key;
	const struct option *source, *sink; /* either may be NULL */
};
#define CONNECTIONS_MAX 8
size_t connections_of(const struct registry *, struct connection into[CONNECTIONS_MAX]);
/* What `archive` and `retain` say; ops NULL: of a source, where they have no place. */
void load_archive(struct load *, const struct node *, const struct sink_ops *, const char *archive, int64_t retain_ms,
		  struct endpoint *);
extern const struct option endpoint_options[];      /* what every endpoint may say beside its adapter's settings */
extern const struct option retry_options[], effect_options[];
/* `sink` is where a missing effect is told. */
int load_effect(struct load *, const struct node *, struct place sink, const struct sink_ops *, struct effect_spec *);

/* The other tables, for those who tell what may stand in a site. */
extern const struct option site_options[], system_options[], flow_options[], duplicates_options[], order_options[],
	expect_options[], snippet_options[], parameter_options[], transfer_options[], calendar_options[];
extern const struct option step_options[]; /* what may stand beside the name of a step */

/* Steps. */
void load_steps(struct load *, struct flow *, const struct node *);

/* Tables. */
struct site_table {
	const char *name; /* below tables/ */
	const struct bundle_file *file;
	struct lookup_table table;
	bool read, whole, used;
};
void load_tables(struct load *); /* only which there are */
void tables_check(const struct load *, bool whole, struct findings *);
void tables_free(struct load *);
/* Marks it as used; false, with a finding, when there is none of that name. */
bool table_use(struct load *, const char *name); /* a step names it; false: it is not there */

/* Snippets. */
void load_snippets(struct load *);
/* The steps of a snippet with its parameters in place, read for this use; NULL, with a finding, when there are none.
 * Nodes of it are of `file`. */
const struct node *snippet_steps(struct load *, const struct node *settings, struct place, const struct snippet **,
				 const char **file);
/* The use that this file name stands for, or NULL. */
const struct snippet_use *snippet_use_of(const struct load *, const char *file);
/* Findings from here to snippet_findings_end know where the snippet that they are in was used; the end puts that into
 * their texts, and keeps one of those that several uses have alike. */
void snippet_findings_begin(struct load *, struct findings *);
void snippet_findings_end(struct findings *);
void snippets_check(const struct load *, struct findings *); /* is each used? */
void snippets_free(struct load *);

#endif
