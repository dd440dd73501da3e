/* What a flow says that fits no other: steps that nothing comes to, keys that are forgotten too soon, places that two
 * deliver to, order that is lost on the way, parts of the site that nobody uses. See load.h. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>
#include <unistd.h>

/* Nothing is told of a file so far: what follows from a mistake is not worth words. */
static bool clean(const struct findings *findings, const char *file)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (file && findings->list[i].place.file && strcmp(findings->list[i].place.file, file) == 0)
			return false;
	}
	return true;
}

/* ---- steps that nothing comes to --------------------------------------------------------------------------- */
struct routing {
	bool always; /* some branch takes whatever comes */
};

static void look_at_branch(void *arg, const struct node *branch, bool shared)
{
	struct routing *routing = arg;

	(void)shared;
	if (node_null(node_find(branch, "when")))
		routing->always = true;
}

static bool is_never(const struct step *step)
{
	static const char *const never[] = {"false", "null", "empty", NULL};
	const struct option *when = option_named(step->ops->options, "when");
	struct expression *expression;
	struct span text;

	if (strcmp(step->ops->name, "filter") != 0 || !when || when->type != OPTION_EXPRESSION)
		return false;
	expression = *(struct expression *const *)((const char *)step->settings + when->offset);
	text = expression ? expression_source(expression) : SPAN_NONE;
	for (size_t i = 0; never[i]; i++) {
		if (span_is(text, never[i]))
			return true;
	}
	return false;
}

/* Does nothing go on behind this step, whatever comes? */
static bool ends(const struct step *step)
{
	struct routing routing = {false};

	if (step->ops->branches && strcmp(step->ops->name, "route") == 0)
		step->ops->branches(step->settings, look_at_branch, &routing);
	return routing.always || is_never(step);
}

/* -1, or the first step after which nothing comes. */
static int find_end(const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ends(&steps[i]))
			return (int)i;
	}
	return -1;
}

static void check_row(const struct step *steps, size_t n, struct place last, struct findings *findings)
{
	int end = find_end(steps, n);

	if (end >= 0 && (size_t)end + 1 < n)
		finding_add(findings, steps[end + 1].place, SEVERITY_WARNING, "step.unreachable",
			    "nothing comes here: the `%s` in line %d lets nothing go on; take this away, or that",
			    steps[end].ops->name, steps[end].place.line);
	else if (end >= 0 && last.file)
		finding_add(findings, last, SEVERITY_WARNING, "step.unreachable",
			    "nothing comes here: the `%s` in line %d lets nothing go on", steps[end].ops->name,
			    steps[end].place.line);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < steps[i].branches_count; k++) {
			const struct branch *branch = &steps[i].branches[k];

			check_row(branch->steps, branch->steps_count, branch->place, findings);
		}
	}
}

/* Where the flow's own output stands. */
static struct place output_of(const struct load *load, const struct flow *flow)
{
	if (flow->sink)
		return flow->sink->place;
	for (size_t i = load->topics_count; flow->publish && i > 0; i--) {
		const struct topic_use *use = &load->topics[i - 1];

		if (use->publishes && !strcmp(use->flow, flow->name) && !strcmp(use->topic, flow->publish))
			return use->place;
	}
	return (struct place){0};
}

/* ---- deliveries ---------------------------------------------------------------------------------------------- */
static void check_remembers(const struct flow *flow, struct findings *findings)
{
	const struct endpoint *sink = flow->sink;
	const struct effect_spec *effect = &sink->effect;

	if (effect->kind == EFFECT_KEY && effect->remembers_ms > 0 &&
	    effect->remembers_ms < sink->timeout_ms + flow->retry.from_ms)
		finding_add(findings, sink->place, SEVERITY_ERROR, "effect.remembers",
			    "the target forgets a key (effect: remembers) before a delivery that timed out is tried "
			    "again: it must remember for longer than `timeout` and `retry: from` together");
}

/* The template of the files that a sink writes, when a second one of a name is no file of its own. */
static const struct template *files_of(const struct flow *flow)
{
	const struct option *main = flow->sink ? option_main_of(flow->sink_ops->options) : NULL;
	const struct option *exists = main ? option_named(flow->sink_ops->options, "exists") : NULL;
	const char *settings = main ? flow->sink->settings : NULL;

	if (!exists || !(flow->sink_ops->traits & SINK_WITNESS) || main->type != OPTION_TEMPLATE)
		return NULL;
	if (exists->type == OPTION_ENUM && *(const int *)(settings + exists->offset) == 2)
		return NULL; /* number: each takes a name of its own */
	return *(struct template *const *)(settings + main->offset);
}

static void check_shared(const struct site *site, size_t i, struct findings *findings)
{
	const struct flow *flow = &site->flows[i];
	const struct template *mine = files_of(flow), *other;

	for (size_t k = 0; mine && k < i; k++) {
		other = files_of(&site->flows[k]);
		if (!other || !span_equal(template_source(mine), template_source(other)) ||
		    strcmp(flow->sink->adapter, site->flows[k].sink->adapter) ||
		    strcmp(flow->sink->system, site->flows[k].sink->system))
			continue;
		finding_add(findings, flow->sink->place, SEVERITY_ERROR, "endpoint.shared",
			    "the flow %s delivers to files of the same names: give each a folder of its own, or say "
			    "`exists: number`",
			    site->flows[k].name);
		return;
	}
}

/* ---- adapters ------------------------------------------------------------------------------------------------- */
static void refused(const struct endpoint *endpoint, const struct error *error, struct findings *findings)
{
	finding_add(findings, endpoint->place, SEVERITY_ERROR, error->code, "%s", error->text);
}

static void check_adapters(const struct flow *flow, struct findings *findings)
{
	struct error error = {0};

	for (size_t i = 0; i < flow->sources_count; i++) {
		const struct source *source = &flow->sources[i];
		int (*check)(const struct endpoint *, struct error *) = source->poll     ? source->poll->check
									: source->server ? source->server->check
											 : NULL;

		if (check && check(&source->endpoint, &error))
			refused(&source->endpoint, &error, findings);
	}
	if (flow->sink && flow->sink_ops->check && flow->sink_ops->check(flow->sink, &error))
		refused(flow->sink, &error, findings);
}

/* A warning, as of secrets: on the machine that checks a change, the certificate of production has no place. */
static void check_listen_file(const struct site *site, struct place place, struct findings *findings)
{
	const char *file = site->listen->listen_file ? site->listen->listen_file(site->listen_settings) : NULL;
	char *path;

	if (!file)
		return;
	path = file[0] == '/' ? mem_strdup(file) : mem_printf("%s/%s", site->directory, file);
	if (access(path, F_OK) < 0)
		finding_add(findings, place, SEVERITY_WARNING, "listen.certificate",
			    "the certificate %s is not there: the listener would not start here", file);
	free(path);
}

static void check_listen(const struct load *load, struct findings *findings)
{
	const struct site *site = load->site;
	struct place place = load->listener.file ? load->listener : (struct place){"site.yaml", 1, 1};
	struct error error = {0};

	if (!site->listen || !site->listen_settings)
		return;
	if (site->listen->check_listen && site->listen->check_listen(site->listen_settings, &error))
		finding_add(findings, place, SEVERITY_ERROR, error.code, "%s", error.text);
	check_listen_file(site, place, findings);
}

/* ---- order --------------------------------------------------------------------------------------------------- */
static void check_order(const struct load *load, const struct flow *flow, struct findings *findings)
{
	for (size_t i = 0; flow->order_by && i < flow->subscribes_count; i++) {
		for (size_t k = 0; k < load->topics_count; k++) {
			const struct topic_use *use = &load->topics[k];
			const struct flow *from = use->publishes ? site_flow(load->site, span_of(use->flow)) : NULL;

			if (!from || from->order_by || strcmp(use->topic, flow->subscribes[i]) != 0)
				continue;
			finding_add(
				findings, expression_place(flow->order_by), SEVERITY_WARNING, "order.upstream",
				"%s publishes to %s and keeps no order: what it works on side by side comes here as "
				"it is done; give it `order`, too",
				from->name, use->topic);
		}
	}
}

/* ---- what nobody uses ------------------------------------------------------------------------------------------ */
static bool uses_system(const struct flow *flow, const char *name)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		if (strcmp(flow->sources[i].endpoint.system, name) == 0)
			return true;
	return flow->sink && strcmp(flow->sink->system, name) == 0;
}

static void check_systems(const struct site *site, struct findings *findings)
{
	for (size_t i = 0; i < site->systems_count; i++) {
		const struct system *system = &site->systems[i];
		bool used = false;

		for (size_t k = 0; k < site->flows_count && !used; k++)
			used = uses_system(&site->flows[k], system->name);
		if (!used)
			finding_add(findings, system->place, SEVERITY_WARNING, "system.unused",
				    "no flow uses the system `%s`", system->name);
	}
}

/* Whether any other file names it: a flow's validate, or a $ref of another contract. */
static bool named(const struct load *load, const struct contract *contract)
{
	size_t n = strlen(contract->name);

	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];

		if (strcmp(file->path, contract->place.file) != 0 && !file->shipped && file->text.len >= n &&
		    memmem(file->text.data, file->text.len, contract->name, n))
			return true;
	}
	return false;
}

static void check_contracts(const struct load *load, struct findings *findings)
{
	for (size_t i = 0; i < load->site->contracts_count; i++) {
		const struct contract *contract = &load->site->contracts[i];
		bool shipped = false;

		for (size_t k = 0; k < load->bundle->count && !shipped; k++)
			shipped = load->bundle->files[k].shipped &&
				  strcmp(load->bundle->files[k].path, contract->place.file) == 0;
		if (!shipped && clean(findings, contract->place.file) && !named(load, contract))
			finding_add(findings, contract->place, SEVERITY_WARNING, "contract.unused",
				    "no flow validates against %s", contract->name);
	}
}

void check_flows(const struct load *load, bool whole, struct findings *findings)
{
	const struct site *site = load->site;

	check_listen(load, findings);
	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		if (clean(findings, flow->place.file))
			check_row(flow->steps, flow->steps_count, output_of(load, flow), findings);
		if (flow->sink)
			check_remembers(flow, findings);
		check_shared(site, i, findings);
		check_adapters(flow, findings);
		check_order(load, flow, findings);
	}
	check_transfers(load, whole, findings);
	if (whole) {
		check_systems(site, findings);
		check_contracts(load, findings);
	}
}
