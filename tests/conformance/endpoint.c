/* Endpoints for tests. See endpoint.h. */
#include "config.h"
#include "tests/conformance/endpoint.h"

#include <stdio.h>

#include "tests/support/support.h"

#define PAIRS_MAX 16

struct endpoint *test_endpoint(struct arena *arena, const char *adapter, const char *root, const struct option *options,
			       size_t settings_size, ...)
{
	struct endpoint *endpoint = arena_alloc(arena, sizeof *endpoint);
	struct node *map = arena_alloc(arena, sizeof *map);
	void *settings = arena_alloc(arena, settings_size);
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	const char *key;
	va_list args;

	map->type = NODE_MAP;
	map->pairs = arena_alloc(arena, PAIRS_MAX * sizeof *map->pairs);
	va_start(args, settings_size);
	while ((key = va_arg(args, const char *))) {
		struct pair *pair = &map->pairs[map->count++];

		pair->key.text = span_of(key);
		pair->value = arena_alloc(arena, sizeof *pair->value);
		pair->value->text = span_of(va_arg(args, const char *));
	}
	va_end(args);
	findings_init(&findings);
	if (option_fill(&context, map, options, NULL, settings)) {
		for (size_t i = 0; i < findings.count; i++)
			print_error("%s: %s\n", findings.list[i].code, findings.list[i].text);
		fail_msg("the option table refuses the settings of the test");
	}
	findings_free(&findings);
	endpoint->name = "under-test";
	endpoint->adapter = adapter;
	endpoint->flow = "a-flow";
	endpoint->system = "";
	endpoint->root = root;
	endpoint->secrets = root;
	endpoint->settings = settings;
	return endpoint;
}
