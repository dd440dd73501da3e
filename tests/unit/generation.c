/* Revisions of a site that follow each other, in memory and on disk. */
#include "config.h"
#include "services/generation.h"

#include <unistd.h>

#include "services/generation_kept.h"
#include "tests/unit/service_site.h"

static const struct topology_queue *queue_of(const struct generation *generation, const char *name)
{
	return topology_find(generation->topology, span_of(name));
}

static unsigned kept(const char *directory)
{
	char *path = support_path(directory, "data/generations");
	unsigned n = support_count(path);

	free(path);
	return n;
}

static void remove_flow(const char *directory, const char *name)
{
	char *path = support_path(directory, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void remember(const char *directory, const struct generation *generation)
{
	struct error error = {0};

	put(directory, "data/here", ""); /* the queue process makes the directory */
	if (generation_remember(generation, &error))
		fail_msg("%s", error.text);
}

static void a_removed_flows_queues_stay_but_are_bound_to_nothing(void **state)
{
	char *directory = small_site();
	struct generation *old = generation_made(directory, NULL), *new;

	assert_int_equal(queue_of(old, "in.second")->topics_count, 1);
	remove_flow(directory, "flows/second.yaml");
	new = generation_made(directory, old);
	assert_non_null(queue_of(new, "in.second"));
	assert_int_equal(queue_of(new, "in.second")->topics_count, 0);
	assert_int_equal(queue_of(new, "in.first")->topics_count, 1);
	assert_int_equal(new->topology->count, old->topology->count);
	assert_int_equal(new->own, old->own - 2);
	/* its endpoint is served as the old revision says, the others as the new one does */
	assert_ptr_equal(generation_site_of(new, "second"), old->site);
	assert_ptr_equal(generation_site_of(new, "first"), new->site);
	assert_ptr_equal(generation_site_of(new, NULL), new->site);
	generation_free(new);
	free(directory);
}

static void a_broken_site_gives_findings_and_no_generation(void **state)
{
	char *directory = small_site();
	struct findings findings;
	struct error error = {0};

	put(directory, "flows/first.yaml", "flow: first\nownr: tests\n");
	findings_init(&findings);
	assert_null(generation_new(directory, "", NULL, &findings, &error));
	assert_string_equal(error.code, "site.invalid");
	assert_true(findings.errors > 0);
	findings_free(&findings);
	put(directory, "environments/prod.yaml", "LEVEL: high\n");
	findings_init(&findings);
	assert_null(generation_new(directory, "prod", NULL, &findings, &error));
	assert_non_null(strstr(error.text, "--env prod"));
	findings_free(&findings);
	findings_init(&findings);
	assert_null(generation_new("/nowhere/at/all", "", NULL, &findings, &error));
	assert_non_null(strstr(error.text, "/nowhere"));
	findings_free(&findings);
	free(directory);
}

static void what_ran_is_remembered_over_a_restart(void **state)
{
	char *directory = small_site();
	struct generation *old = generation_made(directory, NULL), *new;

	remember(directory, old);
	generation_free(old);
	remove_flow(directory, "flows/second.yaml");
	new = generation_made(directory, NULL);
	assert_non_null(queue_of(new, "in.second"));
	assert_non_null(queue_of(new, "out.second"));
	assert_non_null(site_endpoint(generation_site_of(new, "second"), SPAN_LITERAL("second"), NULL, NULL));
	remember(directory, new);
	assert_int_equal(kept(directory), 2);
	generation_free(new);
	free(directory);
}

static void what_names_no_queue_of_its_own_is_forgotten(void **state)
{
	char *directory = small_site();
	struct generation *generation;

	for (unsigned i = 0; i < 4; i++) {
		char text[600];

		snprintf(text, sizeof text, "%s# %u\n", SITE_FLOW_OUT("first"), i);
		put(directory, "flows/first.yaml", text);
		generation = generation_made(directory, NULL);
		remember(directory, generation);
		remember(directory, generation); /* the same again is nothing new */
		generation_free(generation);
	}
	generation = generation_made(directory, NULL);
	assert_in_range(kept(directory), 1, 2); /* the newest, and at most the one that it took over from */
	assert_int_equal(generation->own, generation->topology->count);
	generation_free(generation);
	free(directory);
}

static void verbs_find_the_newest_and_damage_is_no_crash(void **state)
{
	char *directory = small_site(), *data = support_path(directory, "data");
	struct generation *generation, *latest;

	assert_null(generation_latest_new(data, directory));
	generation = generation_made(directory, NULL);
	remember(directory, generation);
	put(directory, "flows/first.yaml", "flow: broken\n");
	latest = generation_latest_new(data, directory);
	assert_non_null(latest);
	assert_string_equal(latest->site->revision, generation->site->revision);
	generation_free(latest);
	put(directory, "data/generations/00000099-0123456789abcdef", "this is no bundle");
	assert_null(generation_latest_new(data, directory));
	put(directory, "data/generations/notes", "nor is this");
	latest = generation_kept_new(generation->site, directory);
	assert_null(latest);
	generation_free(generation);
	free(data);
	free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_flows_queues_stay_but_are_bound_to_nothing),
		cmocka_unit_test(a_broken_site_gives_findings_and_no_generation),
		cmocka_unit_test(what_ran_is_remembered_over_a_restart),
		cmocka_unit_test(what_names_no_queue_of_its_own_is_forgotten),
		cmocka_unit_test(verbs_find_the_newest_and_damage_is_no_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
