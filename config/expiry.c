/* site.yaml's `expiry`: what ends some day, and how long before that it is told; and the files of certificates that the
 * settings name. See site.h. */
#include "config.h"
#include "config/expiry.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/load.h"

#define AT(field) .offset = offsetof(struct expiry_settings, field)
const struct option expiry_options[] = {
	{.name = "warn",
	 .type = OPTION_TEXTS,
	 AT(warn),
	 .help = "how long before its end something is told of, each once: [30d, 7d, 1d]"},
	{.name = "owner", .type = OPTION_TEXT, AT(owner), .help = "whose alert it is, where no flow's or system's"},
	{.name = "runbook", .type = OPTION_TEXT, AT(runbook), .help = "what to do then, where no flow says it"},
	{.name = "certificates",
	 .type = OPTION_TEXTS,
	 AT(certificates),
	 .help = "PEM files to watch beside those that the settings name: a partner's, a proxy's"},
	{.name = "secrets",
	 .type = OPTION_NODE,
	 AT(secrets),
	 .range = "<text>",
	 .flags = OPTION_NAMED,
	 .help = "secrets that end on a day, which nobody can see in them: {mail-password: 2027-03-31}"},
	OPTION_END,
};

static struct place place_of(const struct node *node, struct place fallback)
{
	return node ? node->place : fallback;
}

static void put_warn(struct load *load, struct site_expiry *expiry, const char *text, struct place place)
{
	int64_t ms;

	if (duration_parse(span_of(text), &ms) || ms < 60000) {
		load_error(load, place, "option.range", "`%s` is no time before the end: 30d, 7d, 12h", text);
		return;
	}
	if (expiry->warn_count == EXPIRY_WARN_MAX) {
		load_error(load, place, "option.range", "`warn` has more than %d times", EXPIRY_WARN_MAX);
		return;
	}
	expiry->warn_ms[expiry->warn_count++] = ms;
}

static void put_secret(struct load *load, struct site_expiry *expiry, const struct pair *pair)
{
	const struct node *value = pair->value;
	const char *text =
		value->type == NODE_SCALAR ? arena_printf(load->arena, "%.*sT00:00:00Z", SPAN_ARGS(value->text)) : "";
	struct expiry_secret *secret = &expiry->secrets[expiry->secrets_count];

	*secret = (struct expiry_secret){.name = arena_span(load->arena, pair->key.text).data, .place = value->place};
	if (value->text.len != 10 || clock_parse(span_of(text), &secret->expires_ms))
		load_error(load, value->place, "option.type", "the day on which it ends: 2027-03-31");
	else
		expiry->secrets_count++;
}

void load_expiry(struct load *load, const struct expiry_settings *settings, const struct node *node)
{
	static const char *const usual[] = {"30d", "7d", "1d"};
	struct site_expiry *expiry = &load->site->expiry;
	struct place place = {"site.yaml", 1, 1}, warn = place_of(node_find(node, "warn"), place_of(node, place));
	const struct node *secrets = settings->secrets;

	expiry->owner = settings->owner;
	expiry->runbook = settings->runbook;
	expiry->certificates = settings->certificates;
	for (size_t i = 0; i < settings->warn.count; i++)
		put_warn(load, expiry, settings->warn.items[i], warn);
	for (size_t i = 0; !settings->warn.count && i < sizeof usual / sizeof *usual; i++)
		put_warn(load, expiry, usual[i], place);
	if (node_null(secrets))
		return;
	if (secrets->type != NODE_MAP) {
		load_error(load, secrets->place, "option.type", "`secrets` is a map: {mail-password: 2027-03-31}");
		return;
	}
	expiry->secrets = arena_alloc(load->arena, (secrets->count + 1) * sizeof *expiry->secrets);
	for (size_t i = 0; i < secrets->count; i++)
		put_secret(load, expiry, &secrets->pairs[i]);
}

/* ---- certificates ---- */
struct walk {
	const struct site *site;
	void (*each)(void *, const char *, struct place);
	void *arg;
};

static void tell(const struct walk *walk, const char *path, struct place place)
{
	char *whole = path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", walk->site->directory, path);

	walk->each(walk->arg, whole, place);
	free(whole);
}

static void on_found(void *arg, const struct found *found)
{
	const struct walk *walk = arg;

	if (found->certificate)
		tell(walk, found->certificate, found->place);
}

void site_certificates(const struct site *site, void (*each)(void *, const char *, struct place), void *arg)
{
	struct walk walk = {site, each, arg};

	filled_each(site->load, on_found, &walk);
	for (size_t i = 0; i < site->expiry.certificates.count; i++)
		tell(&walk, site->expiry.certificates.items[i], (struct place){"site.yaml", 1, 1});
}

static void on_host_keys(void *arg, const struct found *found)
{
	const struct walk *walk = arg;

	if (found->host_keys)
		tell(walk, found->host_keys, found->place);
}

void site_host_keys(const struct site *site, void (*each)(void *, const char *, struct place), void *arg)
{
	struct walk walk = {site, each, arg};

	filled_each(site->load, on_host_keys, &walk);
}
