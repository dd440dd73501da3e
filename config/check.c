/* What only check looks at: what costs time to find out, or matters only to the whole. See site.h. */
#include "config.h"
#include "config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- settings -------------------------------------------------------------------------------------------- */
struct walk {
	void (*each)(void *, const struct found *);
	void *arg;
};

static void walk_option(const struct walk *, const struct option *, const void *at, struct place);

static void walk_table(const struct walk *walk, const struct option *table, const void *settings,
		       const struct node *node, struct place place)
{
	const void *more;
	const struct option *brought = option_more_of(table, settings, &more);

	if (brought)
		walk_table(walk, brought, more, node, place);
	for (; table->name; table++) {
		const struct node *value = node && node->type == NODE_MAP ? node_find(node, table->name) : NULL;
		const void *at = (const char *)settings + table->offset;

		if (table->type == OPTION_TABLE)
			walk_table(walk, table->table, at, value, value ? value->place : place);
		else
			walk_option(walk, table, at, value ? value->place : place);
	}
}

/* `by: transaction`: the range of an expression lists words that are no jq. */
static bool is_word(const struct option *option, const struct expression *expression)
{
	struct span text = expression_source(expression);
	const char *at = option->range, *bar;

	for (; at && option->type == OPTION_EXPRESSION; at = bar ? bar + 1 : NULL) {
		bar = strchr(at, '|');
		if (span_equal(text, span_make(at, bar ? (size_t)(bar - at) : strlen(at))))
			return true;
	}
	return false;
}

static void walk_option(const struct walk *walk, const struct option *option, const void *at, struct place place)
{
	const struct expression_list *expressions = at;
	const struct template_map *templates = at;
	const struct mapping_map *mappings = at;

	switch (option->type) {
	case OPTION_EXPRESSION:
	case OPTION_MAPPING:
		if (*(struct expression *const *)at && !is_word(option, *(struct expression *const *)at))
			walk->each(walk->arg, &(struct found){.expression = *(struct expression *const *)at,
							      .mapping = option->type == OPTION_MAPPING,
							      .place = place});
		break;
	case OPTION_EXPRESSIONS:
		for (size_t i = 0; i < expressions->count; i++)
			walk->each(walk->arg, &(struct found){.expression = expressions->items[i], .place = place});
		break;
	case OPTION_TEMPLATE:
		if (*(struct template *const *)at)
			walk->each(walk->arg,
				   &(struct found){.template = *(struct template *const *)at, .place = place});
		break;
	case OPTION_TEMPLATES:
		for (size_t i = 0; i < templates->count; i++)
			walk->each(walk->arg,
				   &(struct found){.template = templates->items[i].template, .place = place});
		break;
	case OPTION_MAPPINGS:
		for (size_t i = 0; i < mappings->count; i++)
			walk->each(walk->arg, &(struct found){.expression = mappings->items[i].mapping,
							      .mapping = true,
							      .place = place});
		break;
	case OPTION_SECRET:
		if (*(const char *const *)at)
			walk->each(walk->arg, &(struct found){.secret = *(const char *const *)at, .place = place});
		break;
	case OPTION_TEXT:
		if (option->flags & OPTION_CERTIFICATE && *(const char *const *)at)
			walk->each(walk->arg, &(struct found){.certificate = *(const char *const *)at, .place = place});
		if (option->flags & OPTION_HOST_KEYS && *(const char *const *)at)
			walk->each(walk->arg, &(struct found){.host_keys = *(const char *const *)at, .place = place});
		break;
	default:
		break;
	}
}

void filled_each(const struct load *load, void (*each)(void *, const struct found *), void *arg)
{
	struct walk walk = {each, arg};

	for (const struct filled *f = load->filled; f; f = f->next)
		walk_table(&walk, f->table, f->settings, f->node, f->node->place);
}

void settings_each(const struct option *table, const void *settings, void (*each)(void *, const struct found *),
		   void *arg)
{
	struct walk walk = {each, arg};

	if (table && settings)
		walk_table(&walk, table, settings, NULL, (struct place){0});
}

struct checking {
	struct load *load;
	struct findings *findings;
	const char **seen;
	size_t seen_count, seen_capacity; /* mappings that were looked at */
};

static bool seen_before(struct checking *c, const char *name)
{
	for (size_t i = 0; i < c->seen_count; i++) {
		if (strcmp(c->seen[i], name) == 0)
			return true;
	}
	c->seen = mem_grow(c->seen, &c->seen_capacity, c->seen_count + 1, sizeof *c->seen);
	c->seen[c->seen_count++] = name;
	return false;
}

static void check_found(void *arg, const struct found *found)
{
	struct checking *c = arg;

	if (found->template)
		template_check(found->template, c->findings);
	if (found->expression && !(found->mapping && seen_before(c, expression_place(found->expression).file)))
		expression_check(found->expression, c->findings);
}

static const json_t *contract_schema(void *site, const char *name)
{
	const struct contract *contract = site_contract_at(site, name);

	return contract ? contract->schema : NULL;
}

static const struct lookup_table *table_of(void *site, const char *name, struct error *error)
{
	return site_table(site, name, error);
}

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	if (!strcmp(folder, "mappings"))
		load_use_mapping(((struct site *)site)->load, name);
	return site_file(site, folder, name);
}

/* A file that steps could name, though perhaps none does yet. */
static void check_file(const struct registry *registry, const struct transformer_context *context, const char *path,
		       struct findings *findings)
{
	static const char *const named[] = {"edi", "layouts"};

	for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
		size_t n = strlen(named[i]);

		if (!path_below(path, named[i]) || strchr(path + n + 1, '/') || !yaml_is_file(path))
			continue;
		for (const struct transformer_ops *const *ops = registry->transformers; *ops; ops++)
			if ((*ops)->check_file)
				(*ops)->check_file(context, named[i], path + n + 1, findings);
	}
}

static void check_steps(const struct load *load, struct findings *findings)
{
	struct transformer_context context = {.site = load->site,
					      .contract = contract_schema,
					      .table = table_of,
					      .file = file_of,
					      .secrets = load->site->secrets_path,
					      .keys = load->site->keys_path};

	for (size_t i = 0; i < load->steps_count; i++) {
		const struct checked_step *step = &load->steps[i];

		if (step->ops->check)
			step->ops->check(step->settings, &context, step->place, findings);
	}
	for (size_t i = 0; i < load->bundle->count; i++)
		if (!load->bundle->files[i].shipped)
			check_file(load->registry, &context, load->bundle->files[i].path, findings);
}

static void check_mappings(const struct load *load, struct findings *findings)
{
	for (size_t i = 0; i < load->mappings_count; i++) {
		const char *path = load->mappings[i] - strlen("mappings/");
		bool used = false;

		for (size_t k = 0; k < load->used_count && !used; k++)
			used = strcmp(load->used_mappings[k], path) == 0;
		if (!used)
			finding_add(findings, (struct place){path, 1, 1}, SEVERITY_WARNING, "mapping.unused",
				    "no flow uses this mapping");
	}
}

struct secrets_walk {
	void (*each)(void *, const char *);
	void *arg;
};

static void secret_found(void *arg, const struct found *found)
{
	const struct secrets_walk *walk = arg;

	if (found->secret)
		walk->each(walk->arg, found->secret);
}

void site_secrets(const struct site *site, void (*each)(void *, const char *), void *arg)
{
	struct secrets_walk walk = {each, arg};

	filled_each(site->load, secret_found, &walk);
}

struct expressions_walk {
	void (*each)(void *, struct expression *, bool);
	void *arg;
};

static void expression_found(void *arg, const struct found *found)
{
	const struct expressions_walk *walk = arg;

	if (found->expression)
		walk->each(walk->arg, found->expression, found->mapping);
}

void site_expressions(const struct site *site, void (*each)(void *, struct expression *, bool), void *arg)
{
	struct expressions_walk walk = {each, arg};

	filled_each(site->load, expression_found, &walk);
}

/* ---- topics ---------------------------------------------------------------------------------------------- */
static const struct topic_use *other_end(const struct load *load, const struct topic_use *use)
{
	for (size_t i = 0; i < load->topics_count; i++) {
		if (load->topics[i].publishes != use->publishes && strcmp(load->topics[i].topic, use->topic) == 0)
			return &load->topics[i];
	}
	return NULL;
}

static void no_publisher(const struct load *load, const struct topic_use *use, struct findings *findings)
{
	const char **names = mem_alloc((load->topics_count + 1) * sizeof *names), *near;
	size_t n = 0;

	for (size_t i = 0; i < load->topics_count; i++) {
		if (load->topics[i].publishes)
			names[n++] = load->topics[i].topic;
	}
	near = nearest_name(span_of(use->topic), names, n);
	finding_add(findings, use->place, SEVERITY_ERROR, "topic.publisher", "no flow publishes to %s" NEAR, use->topic,
		    NEAR_ARGS(near));
	free(names);
}

/* whole: nothing is missing only because something else is wrong. */
static void check_topics(const struct load *load, bool whole, struct findings *findings)
{
	for (size_t i = 0; i < load->topics_count; i++) {
		const struct topic_use *use = &load->topics[i];

		if (strncmp(use->topic, "ferrule.", 8) == 0 || other_end(load, use))
			continue; /* Ferrule's own events come from nowhere in the site */
		if (use->publishes && whole)
			finding_add(findings, use->place, SEVERITY_WARNING, "topic.subscriber",
				    "no flow subscribes to %s: what is published there goes nowhere", use->topic);
		else if (!use->publishes && !load->unread)
			no_publisher(load, use, findings);
	}
}

/* ---- cycles ---------------------------------------------------------------------------------------------- */
enum colour { UNSEEN, OPEN, DONE };

struct cycle {
	const struct site *site;
	struct findings *findings;
	enum colour *colours;
	size_t *path, depth;
};

static bool feeds(const struct flow *from, const struct flow *to, const char **topic)
{
	for (size_t i = 0; i < from->publishes_count; i++) {
		for (size_t k = 0; k < to->subscribes_count; k++) {
			if (strcmp(from->publishes[i], to->subscribes[k]) == 0) {
				*topic = from->publishes[i];
				return true;
			}
		}
	}
	return false;
}

static void tell_cycle(struct cycle *c, size_t first)
{
	const struct flow *flows = c->site->flows;
	struct buf text;
	size_t at = 0;
	const char *topic = "";

	while (c->path[at] != first)
		at++;
	buf_init(&text, 1000);
	for (size_t i = at; i < c->depth; i++) {
		feeds(&flows[c->path[i]], &flows[i + 1 < c->depth ? c->path[i + 1] : first], &topic);
		buf_printf(&text, "%s → %s → ", flows[c->path[i]].name, topic);
	}
	buf_text(&text, flows[first].name);
	finding_add(c->findings, flows[first].place, SEVERITY_ERROR, "topic.cycle", "messages go in a circle: %s",
		    text.data ? text.data : "");
	buf_free(&text);
}

static void visit(struct cycle *c, size_t flow)
{
	const char *topic;

	c->colours[flow] = OPEN;
	c->path[c->depth++] = flow;
	for (size_t i = 0; i < c->site->flows_count; i++) {
		if (c->colours[i] == DONE || !feeds(&c->site->flows[flow], &c->site->flows[i], &topic))
			continue;
		if (c->colours[i] == OPEN)
			tell_cycle(c, i);
		else
			visit(c, i);
	}
	c->depth--;
	c->colours[flow] = DONE;
}

static void check_cycles(const struct site *site, struct findings *findings)
{
	struct cycle c = {.site = site, .findings = findings};

	c.colours = mem_alloc((site->flows_count + 1) * sizeof *c.colours);
	c.path = mem_alloc((site->flows_count + 1) * sizeof *c.path);
	for (size_t i = 0; i < site->flows_count; i++) {
		if (c.colours[i] == UNSEEN)
			visit(&c, i);
	}
	free(c.colours);
	free(c.path);
}

/* ---- runbooks -------------------------------------------------------------------------------------------- */
static void check_runbook(const struct site *site, const char *runbook, struct place place, struct findings *findings)
{
	char *path;

	if (!runbook || !*runbook || strstr(runbook, "://"))
		return;
	path = runbook[0] == '/' ? mem_strdup(runbook) : mem_printf("%s/%s", site->directory, runbook);
	if (access(path, F_OK) < 0)
		finding_add(findings, place, SEVERITY_WARNING, "runbook.missing", "the runbook %s is not there",
			    runbook);
	free(path);
}

static void check_runbooks(const struct site *site, struct findings *findings)
{
	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		check_runbook(site, flow->runbook, flow->runbook_place, findings);
		for (size_t k = 0; k < flow->expect_count; k++)
			check_runbook(site, flow->expect[k].runbook, flow->expect[k].place, findings);
	}
	for (size_t i = 0; i < site->systems_count; i++)
		check_runbook(site, site->systems[i].runbook, site->systems[i].place, findings);
}

/* What was told of a byte in a value gets its line and column. */
void places_resolve(const struct site *site, struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct finding *f = &findings->list[i];
		size_t n = f->start.file ? strlen(f->start.file) : 0;
		const struct span *text = f->within && n > 0 ? bundle_find(site->bundle, f->start.file) : NULL;

		if (text && (n <= 3 || strcmp(f->start.file + n - 3, ".jq") != 0))
			yaml_place_within(*text, f->start, f->offset, &site->load->variables, &f->place);
		f->within = f->within && !text;
	}
}

/* A step checks its own expressions, and so does site_check: once is enough. The list is sorted. */
static void drop_repeated(struct findings *findings)
{
	size_t kept = 0;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i], *last = kept > 0 ? &findings->list[kept - 1] : NULL;

		if (last && last->place.line == f->place.line && last->place.column == f->place.column &&
		    strcmp(last->code, f->code) == 0 && strcmp(last->text, f->text) == 0 &&
		    strcmp(last->place.file ? last->place.file : "", f->place.file ? f->place.file : "") == 0)
			findings->errors -= f->severity == SEVERITY_ERROR;
		else
			findings->list[kept++] = *f;
	}
	findings->count = kept;
}

void site_check(struct site *site, const struct registry *registry, struct findings *findings)
{
	struct checking checking = {.load = site->load, .findings = findings};
	bool whole = findings->errors == 0;

	(void)registry; /* what it names was resolved when the site was loaded */
	snippet_findings_begin(site->load, findings);
	filled_each(site->load, check_found, &checking);
	free(checking.seen);
	tables_check(site->load, whole, findings);
	check_steps(site->load, findings);
	for (size_t i = 0; i < site->contracts_count; i++)
		contract_check(site->load, &site->contracts[i], findings);
	if (whole) {
		check_mappings(site->load, findings);
		snippets_check(site->load, findings);
	}
	check_topics(site->load, whole, findings);
	check_cycles(site, findings);
	check_flows(site->load, whole, findings);
	check_expectations(site->load, whole, findings);
	check_paths(site->load, findings);
	check_runbooks(site, findings);
	site_check_secrets(site, findings);
	places_resolve(site, findings);
	snippet_findings_end(findings);
	findings_sort(findings);
	drop_repeated(findings);
}
