/* Where durable steps cut a flow, and which collections hear of a part that does not come (config/segments.c). */
#include "config.h"
#include "config/site.h"

#include <stdlib.h>

#include "services/registry.h"
#include "tests/support/support.h"

#define SPLIT                                                                                                          \
	"flow: split\nowner: me\nfrom: {file: 'in/*.json'}\nsteps: [{decode: json}, {split: '.lines[]'}, {route: "     \
	"[{when: "                                                                                                     \
	".big, publish: line.big.v1}]}]\npublish: line.small.v1\n"
#define SMALL                                                                                                          \
	"flow: small\nowner: me\nsubscribe: line.small.v1\nsteps: [{filter: .n}, {collect: {by: group}}, {filter: "    \
	"length}]\npublish: lines.v1\n"
#define BIG "flow: big\nowner: me\nsubscribe: line.big.v1\nsteps: [{resequence: .n}]\npublish: line.ordered.v1\n"
#define LAST                                                                                                           \
	"flow: last\nowner: me\nsubscribe: [line.ordered.v1, lines.v1]\norder: .k\nsteps: [{collect: {count: 2}}, "    \
	"{collect: {by: group}}]\nto: {file: 'out/x.json'}\neffect: rename\n"
#define OTHER                                                                                                          \
	"flow: other\nowner: me\nsubscribe: line.ordered.v1\nsteps: [{dedupe: .n}, {collect: {by: group}}]\nto: "      \
	"{file: "                                                                                                      \
	"'other/x.json'}\neffect: rename\n"

struct loaded {
	char *directory;
	struct bundle *bundle;
	struct site *site;
	struct findings findings;
};

static struct loaded load_all(void)
{
	static const char *const files[][2] = {{"site.yaml", "name: test\n"}, {"flows/split.yaml", SPLIT},
					       {"flows/small.yaml", SMALL},   {"flows/big.yaml", BIG},
					       {"flows/last.yaml", LAST},     {"flows/other.yaml", OTHER}};
	struct loaded loaded = {.directory = support_tmpdir()};
	struct error error = {0};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *path = support_path(loaded.directory, files[i][0]);

		support_write(path, span_of(files[i][1]));
		free(path);
	}
	findings_init(&loaded.findings);
	loaded.bundle = bundle_read_new(loaded.directory, "", &error);
	if (!loaded.bundle)
		fail_msg("%s", error.text);
	loaded.site = site_load_new(loaded.bundle, registry_get(), loaded.directory, &loaded.findings);
	if (!loaded.site)
		fail_msg("%s", loaded.findings.list[0].text);
	return loaded;
}

static void unload(struct loaded *loaded)
{
	site_free(loaded->site);
	bundle_free(loaded->bundle);
	findings_free(&loaded->findings);
	support_rmtree(loaded->directory);
	free(loaded->directory);
}

static void each_durable_step_has_a_queue_behind_it(void **state)
{
	struct loaded loaded = load_all();
	const struct flow *last = site_flow(loaded.site, SPAN_LITERAL("last"));
	struct topology *topology = site_topology_new(loaded.site);
	const struct topology_queue *queue;
	size_t segment = 9;

	assert_int_equal(last->segments_count, 3);
	assert_string_equal(last->segments[1].queue, "in.last/collect");
	assert_string_equal(last->segments[2].queue, "in.last/collect-2");
	assert_int_equal(last->segments[2].count, 0);
	assert_ptr_equal(site_flow_of_queue(loaded.site, "in.last/collect-2", &segment), last);
	assert_int_equal(segment, 2);
	assert_ptr_equal(site_flow_of_queue(loaded.site, "in.last", &segment), last);
	assert_int_equal(segment, 0);
	assert_null(site_flow_of_queue(loaded.site, "in.last/dedupe", &segment));
	assert_null(site_flow_of_queue(loaded.site, "in.nobody", &segment));
	assert_null(site_flow_of_queue(loaded.site, "nonsense", &segment));
	queue = topology_find(topology, SPAN_LITERAL("in.last/collect"));
	assert_non_null(queue);
	assert_string_equal(queue->flow, "last");
	assert_string_equal(queue->worker, "transform");
	assert_int_equal(queue->topics_count, 0);
	topology_free(topology);
	unload(&loaded);
}

static void what_was_put_in_order_stays_so(void **state)
{
	struct loaded loaded = load_all();
	const struct flow *big = site_flow(loaded.site, SPAN_LITERAL("big")),
			  *last = site_flow(loaded.site, SPAN_LITERAL("last")),
			  *small = site_flow(loaded.site, SPAN_LITERAL("small"));

	assert_int_equal(big->segments[0].order, ORDER_NONE);
	assert_int_equal(big->segments[1].order, ORDER_CONTINUE);
	assert_int_equal(last->segments[2].order, ORDER_HOLD); /* as the flow says */
	assert_int_equal(small->segments[1].order, ORDER_NONE);
	unload(&loaded);
}

static void expect(const char *const *got, size_t n, const char *first, const char *second)
{
	assert_int_equal(n, (first != NULL) + (second != NULL));
	if (n > 0)
		assert_string_equal(got[0], first);
	if (n > 1)
		assert_string_equal(got[1], second);
}

static void a_part_is_missed_only_where_it_might_have_come(void **state)
{
	struct loaded loaded = load_all();
	const struct site *site = loaded.site;
	const char *into[SITE_GATHERS_MAX];
	size_t n = site_gathers(site, site_flow(site, SPAN_LITERAL("split")), 0, into, SITE_GATHERS_MAX);

	expect(into, n, "in.other/collect", "in.small/collect"); /* `last` makes others of them before */
	n = site_gathers_of_topic(site, "line.small.v1", into, SITE_GATHERS_MAX);
	expect(into, n, "in.small/collect", NULL);
	n = site_gathers(site, site_flow(site, SPAN_LITERAL("small")), 1, into, SITE_GATHERS_MAX);
	expect(into, n, NULL, NULL);
	n = site_gathers(site, site_flow(site, SPAN_LITERAL("last")), 1, into, SITE_GATHERS_MAX);
	expect(into, n, "in.last/collect-2", NULL);
	n = site_gathers(site, site_flow(site, SPAN_LITERAL("big")), 0, into, 0);
	assert_int_equal(n, 0); /* no room is no crash */
	unload(&loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_durable_step_has_a_queue_behind_it),
		cmocka_unit_test(what_was_put_in_order_stays_so),
		cmocka_unit_test(a_part_is_missed_only_where_it_might_have_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
