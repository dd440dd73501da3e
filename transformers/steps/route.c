/* route: what goes where.
 *
 * `mode: first` sends a message along the first branch that matches, `all` along every one; it leaves the flow there. A
 * message that no branch matches takes `otherwise`, or goes on to the next step. A branch ends at a topic and may have
 * steps of its own. A route that is just a list of branches is one of mode first. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

enum mode { MODE_FIRST, MODE_ALL };

struct route_settings {
	int mode;
	const struct node *branches, *otherwise;
};

struct branch_settings {
	struct expression *when;
	const char *publish;
	const struct node *steps;
};

struct route {
	struct arena *arena;
	enum mode mode;
	struct expression **when; /* of each branch; NULL: always */
	size_t count;
	bool otherwise;
};

static const struct option branch_options[] = {
	{.name = "when",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct branch_settings, when),
	 .help = "jq; without it the branch always matches"},
	{.name = "publish",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct branch_settings, publish),
	 .flags = OPTION_REQUIRED,
	 .help = "a topic"},
	{.name = "steps",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct branch_settings, steps),
	 .range = "<steps>",
	 .help = "what is done with the message before it is published there"},
	OPTION_END,
};

static const struct option options[] = {
	{.name = "mode",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct route_settings, mode),
	 .range = "first|all",
	 .fallback = "first",
	 .help = "whether the first branch that matches gets the message, or all that do"},
	{.name = "branches",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct route_settings, branches),
	 .flags = OPTION_REQUIRED | OPTION_MAIN | OPTION_LIST,
	 .table = branch_options,
	 .help = "a list of {when: jq, publish: topic, steps: […]}"},
	{.name = "otherwise",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct route_settings, otherwise),
	 .table = branch_options,
	 .help = "{publish: topic, steps: […]} for what matches no branch; without it that goes on to the next step"},
	OPTION_END,
};

static bool is_list(const struct node *node)
{
	return node && node->type == NODE_LIST && node->count > 0;
}

static void read_branch(struct route *route, struct option_context *context, const struct node *node, bool last,
			const char **topics)
{
	struct branch_settings one = {0};

	if (option_fill(context, node, branch_options, NULL, &one))
		return;
	for (size_t i = 0; i < route->count && route->mode == MODE_ALL; i++)
		if (!strcmp(topics[i], one.publish))
			finding_add(context->findings, node->place, SEVERITY_ERROR, "route.topic",
				    "two branches publish to %s: a message that both match would be there once; join "
				    "their conditions with `or`", one.publish);
	if (!one.when && !last && route->mode == MODE_FIRST)
		finding_add(context->findings, node->place, SEVERITY_ERROR, "route.always",
			    "this branch always matches, so what stands below never does");
	topics[route->count] = one.publish;
	route->when[route->count++] = one.when;
}

static void read_otherwise(struct route *route, struct option_context *context, const struct node *node)
{
	struct branch_settings one = {0};

	route->otherwise = true;
	if (!option_fill(context, node, branch_options, NULL, &one) && one.when)
		finding_add(context->findings, node->place, SEVERITY_ERROR, "route.otherwise",
			    "`otherwise` has no `when`: it is for what no branch matches");
	expression_drop(one.when);
}

static struct route *read_route(const struct route_settings *settings, struct findings *findings)
{
	struct route *route = mem_alloc(sizeof *route);
	const struct node *branches = settings->branches;
	struct option_context context = {.findings = findings};
	const char **topics;

	route->arena = context.arena = arena_new();
	route->mode = (enum mode)settings->mode;
	if (!is_list(branches)) {
		finding_add(findings, branches ? branches->place : (struct place){0}, SEVERITY_ERROR, "route.cases",
			    "a route is a list of {when: jq, publish: topic}");
		return route;
	}
	route->when = arena_alloc(route->arena, branches->count * sizeof *route->when);
	topics = arena_alloc(route->arena, branches->count * sizeof *topics);
	for (size_t i = 0; i < branches->count; i++)
		read_branch(route, &context, branches->items[i], i + 1 == branches->count && !settings->otherwise,
			    topics);
	if (settings->otherwise)
		read_otherwise(route, &context, settings->otherwise);
	return route;
}

static void close_route(void *self)
{
	struct route *route = self;

	if (!route)
		return;
	for (size_t i = 0; i < route->count; i++)
		expression_drop(route->when[i]);
	arena_free(route->arena);
	free(route);
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	size_t errors = findings->errors;
	struct route *route = read_route(settings, findings);

	for (size_t i = 0; i < route->count; i++)
		if (route->when[i])
			expression_check(route->when[i], findings);
	close_route(route);
	return findings->errors == errors ? 0 : -1;
}

static void branches(const void *of, branch_fn *each, void *arg)
{
	const struct route_settings *settings = of;
	bool shared = settings->mode == MODE_ALL;

	for (size_t i = 0; is_list(settings->branches) && i < settings->branches->count; i++)
		each(arg, settings->branches->items[i], shared);
	if (settings->otherwise)
		each(arg, settings->otherwise, shared);
}

static void *open_route(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct findings findings;
	struct route *route;

	findings_init(&findings);
	route = read_route(settings, &findings);
	if (findings.errors) {
		error_set(error, ERROR_REJECT, "route.cases", "%s", findings.list[0].text);
		close_route(route);
		route = NULL;
	}
	findings_free(&findings);
	return route;
}

/* All conditions are asked before anything goes on: one that fails refuses the message as a whole. */
static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct route *route = self;
	struct expression_input input = out_input(out, item);
	size_t *matching = arena_alloc(out_arena(out), (route->count + 1) * sizeof *matching), count = 0;

	for (size_t i = 0; i < route->count && (route->mode == MODE_ALL || !count); i++) {
		bool is = true;

		if (route->when[i] && expression_true(route->when[i], &input, &is, error))
			return -1;
		if (is)
			matching[count++] = i;
	}
	if (!count && !route->otherwise)
		return out_emit(out, item, error);
	if (!count)
		return out_branch(out, item, route->count, error);
	if (count == 1)
		return out_branch(out, item, matching[0], error);
	matching = memcpy(mem_alloc(count * sizeof *matching), matching, count * sizeof *matching);
	for (size_t i = 0; i < count; i++)
		if (out_branch(out, out_twin(out, item), matching[i], error)) {
			free(matching);
			return -1;
		}
	free(matching);
	return 0;
}

const struct transformer_ops route_transformer = {
	.name = "route", .help = "Publishes a message by its content: along the first branch that matches, or all",
	.options = options, .settings_size = sizeof(struct route_settings),
	.takes = FORM_TREE, .gives = FORM_TREE,
	.check = check, .branches = branches, .open = open_route, .close = close_route, .run = run,
};
