/* route: the first case that matches publishes the message to its topic, and it leaves the flow; one that matches no
 * case goes on to the next step. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

struct route_settings {
	const struct node *cases;
};

struct route_case {
	struct expression *when; /* NULL: always */
	const char *topic;
};

struct route {
	struct arena *arena;
	struct route_case *cases;
	size_t count;
};

struct case_settings {
	struct expression *when;
	const char *publish;
};

static const struct option case_options[] = {
	{.name = "when",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct case_settings, when),
	 .help = "jq; without it the case always matches"},
	{.name = "publish",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct case_settings, publish),
	 .flags = OPTION_REQUIRED,
	 .help = "a topic"},
	OPTION_END,
};

static const struct option options[] = {
	{.name = "cases",
	 .type = OPTION_NODE,
	 .offset = offsetof(struct route_settings, cases),
	 .flags = OPTION_REQUIRED | OPTION_MAIN | OPTION_LIST,
	 .table = case_options,
	 .help = "a list of {when: jq, publish: topic}; the first that matches"},
	OPTION_END,
};

static struct route *read_cases(const struct route_settings *settings, struct findings *findings)
{
	struct route *route = mem_alloc(sizeof *route);
	const struct node *cases = settings->cases;
	struct option_context context = {.findings = findings};

	route->arena = context.arena = arena_new();
	if (!cases || cases->type != NODE_LIST || !cases->count) {
		finding_add(findings, cases ? cases->place : (struct place){0}, SEVERITY_ERROR, "route.cases",
			    "a route is a list of {when: jq, publish: topic}");
		return route;
	}
	route->cases = arena_alloc(route->arena, cases->count * sizeof *route->cases);
	for (size_t i = 0; i < cases->count; i++) {
		struct case_settings one = {0};

		if (option_fill(&context, cases->items[i], case_options, NULL, &one))
			continue;
		route->cases[route->count++] = (struct route_case){one.when, one.publish};
		if (!one.when && i + 1 < cases->count)
			finding_add(findings, cases->items[i]->place, SEVERITY_ERROR, "route.always",
				    "this case always matches, so the cases below never do");
	}
	return route;
}

static void close_route(void *self)
{
	struct route *route = self;

	if (!route)
		return;
	for (size_t i = 0; i < route->count; i++)
		expression_drop(route->cases[i].when);
	arena_free(route->arena);
	free(route);
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	size_t errors = findings->errors;
	struct route *route = read_cases(settings, findings);

	for (size_t i = 0; i < route->count; i++)
		if (route->cases[i].when)
			expression_check(route->cases[i].when, findings);
	close_route(route);
	return findings->errors == errors ? 0 : -1;
}

static void topics(const void *settings, void (*each)(void *arg, struct span topic, struct place), void *arg)
{
	const struct node *cases = ((const struct route_settings *)settings)->cases;

	for (size_t i = 0; cases && cases->type == NODE_LIST && i < cases->count; i++) {
		const struct node *publish = node_find(cases->items[i], "publish");

		if (publish && publish->type == NODE_SCALAR)
			each(arg, publish->text, publish->place);
	}
}

static void *open_route(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct findings findings;
	struct route *route;

	findings_init(&findings);
	route = read_cases(settings, &findings);
	if (findings.errors) {
		error_set(error, ERROR_REJECT, "route.cases", "%s", findings.list[0].text);
		close_route(route);
		route = NULL;
	}
	findings_free(&findings);
	return route;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct route *route = self;
	struct expression_input input = out_input(out, item);

	for (size_t i = 0; i < route->count; i++) {
		bool is = true;

		if (route->cases[i].when && expression_true(route->cases[i].when, &input, &is, error))
			return -1;
		if (is)
			return out_publish(out, item, route->cases[i].topic, error);
	}
	return out_emit(out, item, error);
}

const struct transformer_ops route_transformer = {
	.name = "route", .help = "Publishes a message to the topic of the first case that matches",
	.options = options, .settings_size = sizeof(struct route_settings),
	.takes = FORM_TREE, .gives = FORM_TREE,
	.check = check, .topics = topics, .open = open_route, .close = close_route, .run = run,
};
