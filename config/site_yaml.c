/* site.yaml: the site's own settings. See site.h and load.h. */
#include "config.h"
#include "config/expiry.h"
#include "config/load.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

struct retention {
	int64_t originals_ms, receipts_ms, lineage_ms, queue_ms;
};
struct limits {
	uint64_t document, tree, memory, process_memory, disk_reserve;
	int64_t time_ms;
};
struct processes {
	int64_t transform;
};
struct alerts {
	const char *remind;
};
struct site_settings {
	const char *name, *summary, *vault, *run, *secrets, *keys, *data;
	const struct node *queue, *store, *listen;
	struct retention retention;
	struct limits limits;
	struct processes processes;
	struct expiry_settings expiry;
	struct alerts alerts;
};
#define AT(type, field) .offset = offsetof(struct type, field)
static const struct option retention_options[] = {
	{.name = "originals",
	 .type = OPTION_DURATION,
	 AT(retention, originals_ms),
	 .fallback = "180d",
	 .range = "1s..36500d",
	 .help = "how long the vault keeps what was received"},
	{.name = "receipts",
	 .type = OPTION_DURATION,
	 AT(retention, receipts_ms),
	 .fallback = "400d",
	 .range = "1s..36500d",
	 .help = "how long deliveries and duplicates are recognised"},
	{.name = "lineage",
	 .type = OPTION_DURATION,
	 AT(retention, lineage_ms),
	 .fallback = "180d",
	 .range = "1s..36500d",
	 .help = "how far back trace looks"},
	{.name = "queue",
	 .type = OPTION_DURATION,
	 AT(retention, queue_ms),
	 .fallback = "14d",
	 .range = "1s..365d",
	 .help = "how long a message may be under way; then it is a dead letter"},
	OPTION_END,
};
static const struct option limits_options[] = {
	{.name = "document",
	 .type = OPTION_SIZE,
	 AT(limits, document),
	 .fallback = "10GiB",
	 .help = "the largest document that is received"},
	{.name = "tree",
	 .type = OPTION_SIZE,
	 AT(limits, tree),
	 .fallback = "64MiB",
	 .help = "the most that a step may hold as data"},
	{.name = "time",
	 .type = OPTION_DURATION,
	 AT(limits, time_ms),
	 .fallback = "2s",
	 .range = "10ms..10m",
	 .help = "processor time of one expression"},
	{.name = "memory",
	 .type = OPTION_SIZE,
	 AT(limits, memory),
	 .fallback = "256MiB",
	 .help = "memory of one expression"},
	{.name = "process-memory",
	 .type = OPTION_SIZE,
	 AT(limits, process_memory),
	 .fallback = "4GiB",
	 .help = "memory of one transform process; a message that needs more is a dead letter"},
	{.name = "disk-reserve",
	 .type = OPTION_SIZE,
	 AT(limits, disk_reserve),
	 .fallback = "256MiB",
	 .help = "free disk below which nothing more is received"},
	OPTION_END,
};
static const struct option processes_options[] = {
	{.name = "transform",
	 .type = OPTION_INT,
	 AT(processes, transform),
	 .fallback = "0",
	 .range = "0..256",
	 .help = "transform processes; 0: as many as there are cores"},
	OPTION_END,
};
static const struct option alerts_options[] = {
	{.name = "remind",
	 .type = OPTION_TEXT,
	 AT(alerts, remind),
	 .fallback = "24h",
	 .help = "how often an owner is reminded of troubles that last, 1s..365d; off: never"},
	OPTION_END,
};
const struct option site_options[] = {
	{.name = "name",
	 .type = OPTION_TEXT,
	 AT(site_settings, name),
	 .flags = OPTION_REQUIRED,
	 .help = "the site's name"},
	{.name = "summary", .type = OPTION_TEXT, AT(site_settings, summary), .help = "what it is for, in a sentence"},
	{.name = "queue",
	 .type = OPTION_NODE,
	 AT(site_settings, queue),
	 .range = "<queue>",
	 .help = "where messages wait: spool (by default), or {amqp: …}"},
	{.name = "store",
	 .type = OPTION_NODE,
	 AT(site_settings, store),
	 .range = "<store>",
	 .help = "what the site remembers: sqlite with spool, {postgresql: …} with amqp"},
	{.name = "listen",
	 .type = OPTION_NODE,
	 AT(site_settings, listen),
	 .range = "<listen>",
	 .help = "where webhooks come in: {http: …}"},
	{.name = "data",
	 .type = OPTION_TEXT,
	 AT(site_settings, data),
	 .fallback = "data",
	 .help = "the directory of all that a running site keeps"},
	{.name = "vault",
	 .type = OPTION_TEXT,
	 AT(site_settings, vault),
	 .help = "the directory of documents; DATA/vault"},
	{.name = "run",
	 .type = OPTION_TEXT,
	 AT(site_settings, run),
	 .help = "the directory of sockets and locks; DATA/run"},
	{.name = "secrets",
	 .type = OPTION_TEXT,
	 AT(site_settings, secrets),
	 .fallback = "secrets",
	 .help = "the directory of secrets, mode 0700"},
	{.name = "keys",
	 .type = OPTION_TEXT,
	 AT(site_settings, keys),
	 .fallback = "keys",
	 .help = "the site's own OpenPGP keyring, a directory of mode 0700"},
	{.name = "retention",
	 .type = OPTION_TABLE,
	 AT(site_settings, retention),
	 .table = retention_options,
	 .help = "how long what is kept"},
	{.name = "limits",
	 .type = OPTION_TABLE,
	 AT(site_settings, limits),
	 .table = limits_options,
	 .help = "what a peer cannot make larger"},
	{.name = "processes",
	 .type = OPTION_TABLE,
	 AT(site_settings, processes),
	 .table = processes_options,
	 .help = "how many of which"},
	{.name = "expiry",
	 .type = OPTION_TABLE,
	 AT(site_settings, expiry),
	 .table = expiry_options,
	 .help = "keys, certificates and passwords that end: whom to tell, and how long before"},
	{.name = "alerts",
	 .type = OPTION_TABLE,
	 AT(site_settings, alerts),
	 .table = alerts_options,
	 .help = "what is told of troubles, and how often"},
	OPTION_END,
};

/* ---- queue, store, listener ------------------------------------------------------------------------------ */
struct chosen {
	const struct choice *choice;
	const void *settings;
	const char *secret;
	struct place place;
};

/* Where the table has a password, the role that opens it needs to know which secret that is. */
static void fill_chosen(struct load *load, const struct node *node, struct chosen *into)
{
	const struct option *password = option_named(into->choice->options, "password");

	into->settings = load_fill(load, node, into->choice->options, NULL, into->choice->size);
	check_secret_values(load, node);
	if (password && password->type == OPTION_SECRET && into->settings)
		into->secret = *(const char *const *)((const char *)into->settings + password->offset);
}

/* `queue: spool`, `queue: {amqp: {…}}` */
static void choose(struct load *load, const char *what, const struct node *node, const struct choice *choices, size_t n,
		   struct chosen *into)
{
	const struct node *key = node, *settings = NULL;
	const char *near;

	if (node->type == NODE_MAP && node->count == 1) {
		key = &node->pairs[0].key;
		settings = node->pairs[0].value;
	} else if (node->type != NODE_SCALAR) {
		load_error(load, node->place, "site.choice", "`%s` names one of %s, with its settings: {%s: {…}}", what,
			   choice_names(load->arena, choices, n), n > 0 ? choices[0].name : "");
		return;
	}
	into->place = key->place;
	into->choice = choice_find(choices, n, key->text);
	if (into->choice) {
		fill_chosen(load, node_null(settings) ? node_empty(load, key->place) : settings, into);
		return;
	}
	near = choice_nearest(choices, n, key->text);
	if (near)
		load_error(load, key->place, "site.choice", "unknown %s `%.*s`" NEAR, what, SPAN_ARGS(key->text),
			   NEAR_ARGS(near));
	else
		load_error(load, key->place, "site.choice", "unknown %s `%.*s`; there is %s", what,
			   SPAN_ARGS(key->text), choice_names(load->arena, choices, n));
}

static const struct node *word(struct load *load, const struct node *node, const char *fallback, struct place place)
{
	struct node *made;

	if (!node_null(node))
		return node;
	made = (struct node *)node_empty(load, place);
	made->type = NODE_SCALAR;
	made->text = span_of(fallback);
	return made;
}

static void load_queue_and_store(struct load *load, const struct site_settings *settings, struct place place)
{
	struct choice brokers[CHOICES_MAX], stores[CHOICES_MAX];
	struct chosen queue = {0}, store = {0};
	struct site *site = load->site;
	size_t n = 0, m = 0;
	bool spool;

	for (const struct broker_ops *const *ops = load->registry->brokers; ops && *ops && n < CHOICES_MAX; ops++)
		brokers[n++] = (struct choice){(*ops)->name, (*ops)->options, (*ops)->settings_size, *ops};
	for (const struct db_ops *const *ops = load->registry->stores; ops && *ops && m < CHOICES_MAX; ops++)
		stores[m++] = (struct choice){(*ops)->name, (*ops)->options, (*ops)->settings_size, *ops};
	choose(load, "queue", word(load, settings->queue, "spool", place), brokers, n, &queue);
	spool = !queue.choice || ((const struct broker_ops *)queue.choice->ops)->shares_db;
	choose(load, "store", word(load, settings->store, spool ? "sqlite" : "postgresql", place), stores, m, &store);
	if (!queue.choice || !store.choice)
		return;
	if (spool != (strcmp(store.choice->name, "sqlite") == 0))
		load_error(load, store.place, "site.pair",
			   "queue %s does not go with store %s: a unit of work must commit as a whole. The pairs are "
			   "spool with sqlite, amqp with postgresql",
			   queue.choice->name, store.choice->name);
	site->broker = queue.choice->ops;
	site->broker_settings = queue.settings;
	site->broker_secret = queue.secret;
	site->store = store.choice->ops;
	site->store_settings = store.settings;
	site->store_secret = store.secret;
}

static void load_listen(struct load *load, const struct node *node)
{
	struct choice servers[CHOICES_MAX];
	struct chosen chosen = {0};
	size_t n = 0;

	if (node_null(node))
		return;
	for (const struct server_ops *const *ops = load->registry->servers; ops && *ops && n < CHOICES_MAX; ops++)
		servers[n++] =
			(struct choice){(*ops)->name, (*ops)->listen_options, (*ops)->listen_settings_size, *ops};
	choose(load, "listen", node, servers, n, &chosen);
	load->site->listen = chosen.choice ? chosen.choice->ops : NULL;
	load->site->listen_settings = chosen.settings;
	load->listener = node->place;
}

/* ---- site.yaml ------------------------------------------------------------------------------------------- */
static const char *absolute(struct load *load, const char *base, const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (path[0] == '/')
		return arena_printf(load->arena, "%.*s", (int)n, path);
	return arena_printf(load->arena, "%s/%.*s", base, (int)n, path);
}

static void set_paths(struct load *load, const struct site_settings *settings)
{
	struct site *site = load->site;

	site->data_path = absolute(load, site->directory, settings->data ? settings->data : "data");
	site->vault_path = settings->vault ? absolute(load, site->directory, settings->vault)
					   : absolute(load, site->data_path, "vault");
	site->run_path =
		settings->run ? absolute(load, site->directory, settings->run) : absolute(load, site->data_path, "run");
	site->keys_path = absolute(load, site->directory, settings->keys ? settings->keys : "keys");
	site->secrets_path = absolute(load, site->directory, settings->secrets ? settings->secrets : "secrets");
}

static void set_retention(struct load *load, const struct retention *retention, struct place place)
{
	struct site *site = load->site;

	site->retain_originals_ms = retention->originals_ms;
	site->retain_receipts_ms = retention->receipts_ms;
	site->retain_lineage_ms = retention->lineage_ms;
	site->queue_lifetime_ms = retention->queue_ms;
	if (retention->queue_ms >= retention->originals_ms)
		load_error(load, place, "site.retention",
			   "`queue` must be shorter than `originals`: a message under way needs the document that it "
			   "came from");
	if (retention->originals_ms > retention->receipts_ms)
		load_error(load, place, "site.retention",
			   "`originals` must not be longer than `receipts`: a replay would deliver again what no "
			   "receipt recognises");
}

static void load_alerts(struct load *load, const struct alerts *alerts, const struct node *node, struct place place)
{
	const struct node *remind = node ? node_find(node, "remind") : NULL;
	const char *text = alerts->remind;
	int64_t ms;

	if (!text || !strcmp(text, "off"))
		return;
	if (duration_parse(span_of(text), &ms) || ms < 1000 || ms > INT64_C(365) * 86400000)
		load_error(load, remind ? remind->place : place, "option.range",
			   "`%s` is no time between two reminders: 1s to 365d, or off", text);
	else
		load->site->remind_ms = ms;
}

void load_site_yaml(struct load *load, const struct node *node)
{
	struct site_settings settings = {0};
	struct site *site = load->site;
	struct place place = {"site.yaml", 1, 1};
	const struct node *part;
	size_t before = load->findings->errors;

	if (node)
		place = node->place;
	else
		node = node_empty(load, place);
	option_fill(&load->options, node, site_options, NULL, &settings);
	part = node_find(node, "name");
	if (settings.name && load_name(load, "site", settings.name, part ? part->place : place))
		site->name = settings.name;
	part = node_find(node, "run");
	set_paths(load, &settings);
	part = node_find(node, "retention");
	if (load->findings->errors == before)
		set_retention(load, &settings.retention, part ? part->place : place);
	else
		site->queue_lifetime_ms = site->retain_receipts_ms =
			INT64_MAX; /* so that nothing else is told to be too long */
	site->disk_reserve = settings.limits.disk_reserve;
	site->transform_processes = (unsigned)settings.processes.transform;
	site->limits = (struct site_limits){settings.limits.document, settings.limits.tree, settings.limits.time_ms,
					    settings.limits.memory, settings.limits.process_memory};
	load_queue_and_store(load, &settings, place);
	load_listen(load, settings.listen);
	load_alerts(load, &settings.alerts, node_find(node, "alerts"), place);
	load_expiry(load, &settings.expiry, node_find(node, "expiry"));
}

/* What the rest needs to be read at all, when site.yaml is not readable. */
void load_nothing(struct load *load)
{
	struct site_settings settings = {0};

	load->site->queue_lifetime_ms = load->site->retain_receipts_ms = INT64_MAX;
	set_paths(load, &settings);
}
