/* Sites: bundles and revisions, reading, names, checks of the whole, and the queues that come of it. */
#include "config.h"
#include "config/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/registry.h"
#include "tests/support/support.h"

#define SITE "name: test\n"
#define IN                                                                                                             \
	"flow: orders-in\nowner: sales\nfrom: {file: 'in/*.json'}\nsteps: [{decode: json}]\npublish: "                 \
	"order.received.v1\n"
#define OUT                                                                                                            \
	"flow: orders-out\nowner: finance\nsubscribe: order.received.v1\norder: .customer.id\nto: {file: "             \
	"'out/$(.number).json'}\n"                                                                                     \
	"effect: rename\n"

static char *directory;
static struct findings findings;
static struct bundle *bundle;
static struct site *site;

static int set_up(void **state)
{
	directory = support_tmpdir();
	findings_init(&findings);
	bundle = NULL;
	site = NULL;
	return 0;
}

static int tear_down(void **state)
{
	site_free(site);
	bundle_free(bundle);
	findings_free(&findings);
	support_rmtree(directory);
	free(directory);
	return 0;
}

static void file(const char *name, const char *text)
{
	char *path = support_path(directory, name);

	support_write(path, span_of(text));
	free(path);
}

static char *report(void)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	report_text(&findings, "", &out);
	buf_text(&out, "");
	return buf_take(&out);
}

static void read_bundle(const char *environment)
{
	struct error error;

	bundle_free(bundle);
	findings_free(&findings); /* their places are the bundle's */
	findings_init(&findings);
	bundle = bundle_read_new(directory, environment, &error);
	if (!bundle)
		fail_msg("%s", error.text);
}

static void load(const char *environment)
{
	char *text;

	read_bundle(environment);
	site = site_load_new(bundle, support_registry(), directory, &findings);
	text = report();
	if (!site)
		fail_msg("%s", text);
	free(text);
}

/* What check says of the site, the paths shortened. */
static void expect_report(const char *expected)
{
	char *text;

	read_bundle("");
	site_inspect(bundle, support_registry(), directory, &findings);
	text = report();
	assert_string_equal(text ? text : "", expected);
	free(text);
}

static void a_simple_site_loads_and_has_its_defaults(void **state)
{
	file("site.yaml", SITE);
	file("flows/in.yaml", IN "---\n" OUT);
	load("");
	assert_string_equal(site->name, "test");
	assert_string_equal(site->broker->name, "spool");
	assert_string_equal(site->store->name, "sqlite");
	assert_null(site->listen);
	assert_int_equal(site->queue_lifetime_ms, 14LL * 24 * 3600 * 1000);
	assert_int_equal(site->flows_count, 2);
	assert_true(site->vault_path[0] == '/' && strstr(site->vault_path, "/data/vault"));
	assert_non_null(site_flow(site, span_of("orders-in")));
	assert_non_null(site_contract(site, "order/v1"));
}

static void what_a_transfer_expects_is_judged_in_its_zone_on_its_working_days(void **state)
{
	static const char transfer[] = "transfer: bank\nowner: o\nfrom: {file: 'x/*'}\nto: {file: 'y/a'}\n"
				       "effect: rename\nzone: Europe/Berlin\ncalendar: target2\nexpect:\n"
				       "- {file: '*', by: '07:30'}\n"
				       "- {file: '*', by: '07:30', zone: UTC, days: mon-sun}\n"
				       "- {file: '*', by: '07:30', calendar: us-federal}\n";
	const struct expectation *e;

	file("site.yaml", SITE);
	file("transfers/bank.yaml", transfer);
	load("");
	e = site->flows[0].expect;
	assert_string_equal(e[0].zone, "Europe/Berlin");
	assert_string_equal(e[0].calendar->name, "target2");
	assert_string_equal(e[1].zone, "UTC");
	assert_null(e[1].calendar);
	assert_string_equal(e[2].zone, "Europe/Berlin");
	assert_string_equal(e[2].calendar->name, "us-federal");
}

static void a_flow_has_what_its_yaml_says(void **state)
{
	const struct support_file *settings;
	const struct flow *flow;

	file("site.yaml", SITE);
	file("flows/in.yaml", "flow: a\nowner: o\nfrom: [{file: 'x/*', after: delete, name: first}, {file: 'y/*'}]\n"
			      "duplicates: {by: ['$envelope.id'], within: 2d}\nsteps:\n  - decode: json\n  - map: "
			      "m.jq\n  - map: m.jq\npublish: t.v1\n"
			      "on-reject: {publish: t.refused.v1}\nexpect: {event: t.v1, key: .number, within: 2h}\n");
	file("mappings/m.jq", ".");
	load("");
	flow = &site->flows[0];
	settings = flow->sources[0].endpoint.settings;
	assert_int_equal(flow->sources_count, 2);
	assert_string_equal(flow->sources[0].endpoint.name, "first");
	assert_string_equal(flow->sources[1].endpoint.name, "a.2");
	assert_string_equal(settings->file, "x/*");
	assert_int_equal(settings->after, 2);
	assert_int_equal(flow->duplicates, DUPLICATES_ENVELOPE);
	assert_int_equal(flow->duplicates_by.count, 1);
	assert_int_equal(flow->duplicates_within_ms, 2LL * 24 * 3600 * 1000);
	assert_int_equal(flow->steps_count, 3);
	assert_string_equal(flow->steps[1].label, "map:m.jq");
	assert_string_equal(flow->steps[2].label, "map:m.jq#2");
	assert_string_equal(flow->queue, "in.a");
	assert_string_equal(flow->publish, "t.v1");
	assert_string_equal(flow->reject_publish, "t.refused.v1");
	assert_int_equal(flow->publishes_count, 2);
	assert_int_equal(flow->expect_count, 1);
	assert_int_equal(flow->expect[0].within_ms, 2LL * 3600 * 1000);
}

static void an_operation_takes_the_systems_settings_and_may_change_them(void **state)
{
	const struct support_target *settings;
	const struct flow *flow;
	struct span url;

	file("site.yaml", SITE);
	file("systems/support.yaml",
	     "system: support\nowner: care\nurl: http://127.0.0.1:1\nheaders: {A: one, B: two}\nretry: "
	     "1d\noperations:\n"
	     "  create: {path: /entitlements, headers: {B: three}, effect: {key: '$(.id)', remembers: 48h}}\n");
	file("flows/f.yaml", IN
	     "---\nflow: out\nowner: o\nsubscribe: order.received.v1\nto: {operation: support.create, method: PUT}\n");
	load("");
	flow = site_flow(site, span_of("out"));
	settings = flow->sink->settings;
	assert_string_equal(flow->sink->system, "support");
	assert_string_equal(flow->sink->adapter, "http");
	assert_int_equal(flow->sink->effect.kind, EFFECT_KEY);
	assert_int_equal(flow->sink->effect.remembers_ms, 48LL * 3600 * 1000);
	assert_int_equal(flow->sink->retry.for_ms, 24LL * 3600 * 1000);
	assert_int_equal(flow->sink->timeout_ms, 20000);
	assert_true(template_constant(settings->url, &url) && span_is(url, "http://127.0.0.1:1"));
	assert_int_equal(settings->method, 1);
	assert_int_equal(settings->headers.count, 2);
	assert_string_equal(settings->headers.items[1].name, "B");
	assert_true(template_constant(settings->headers.items[1].template, &url) && span_is(url, "three"));
	assert_non_null(site_system(site, span_of("support")));
}

#define ACME "system: acme\nowner: care\nsftp: {host: files.example, port: 2222, age: 9s, exists: number}\n"

static void an_endpoint_takes_from_its_system_how_to_reach_it(void **state)
{
	const struct support_remote *from, *to;
	const struct flow *flow;

	file("site.yaml", SITE);
	file("systems/acme.yaml", ACME);
	file("systems/brix.yaml", "system: brix\nowner: care\nsftp: {host: brix.example}\n");
	file("flows/f.yaml",
	     "flow: in\nowner: o\nfrom: {sftp: 'out/*', system: acme, port: 3}\n"
	     "publish: t.v1\n---\n"
	     "flow: in2\nowner: o\nfrom: {sftp: 'out/*', system: brix}\npublish: t.v1\n---\n"
	     "flow: out\nowner: o\nsubscribe: t.v1\nto: {sftp: 'in/$(.n)', system: acme}\neffect: rename\n");
	load("");
	from = site_flow(site, span_of("in"))->sources[0].endpoint.settings;
	flow = site_flow(site, span_of("out"));
	to = flow->sink->settings;
	assert_string_equal(from->host, "files.example");
	assert_int_equal(from->port, 3); /* its own keys win */
	assert_int_equal(from->age_ms, 9000);
	assert_string_equal(to->host, "files.example");
	assert_int_equal(to->port, 2222);
	assert_int_equal(to->exists, 2);
	assert_string_equal(flow->sink->system, "acme");
	assert_string_equal(site_flow(site, span_of("in"))->sources[0].endpoint.system, "acme");
}

static void an_endpoint_says_a_system_that_can_be_reached_so(void **state)
{
	file("site.yaml", SITE);
	file("systems/acme.yaml", "system: acme\nowner: care\nurl: http://a/\n");
	file("flows/f.yaml",
	     "flow: in\nowner: o\nfrom: {sftp: 'out/*', system: acme}\npublish: t.v1\n---\n"
	     "flow: out\nowner: o\nsubscribe: t.v1\nto: {sftp: 'in/$(.n)', system: acm}\neffect: rename\n");
	expect_report("flows/f.yaml:3:31: error: the system `acme` does not say how to reach it by sftp; add "
		      "`sftp: {host: …}` to its file\n"
		      "flows/f.yaml:9:32: error: there is no system `acm`; did you mean `acme`?\n");
}

static void what_a_system_says_of_reaching_it_is_known_to_one_direction(void **state)
{
	file("site.yaml", SITE);
	file("systems/acme.yaml", "system: acme\nowner: care\nsftp: {hots: a}\n");
	file("systems/brix.yaml", "system: brix\nowner: care\nsftp: b.example\n");
	expect_report("systems/acme.yaml:3:8: error: unknown key `hots`; did you mean `host`?\n"
		      "systems/brix.yaml:3:7: error: `sftp` of a system is a map of settings, such as {host: …}\n");
}

static void the_topology_has_a_queue_for_each_flow_and_each_sink(void **state)
{
	const struct topology_queue *queue;
	struct topology *topology;

	file("site.yaml", SITE);
	file("flows/in.yaml", IN "---\n" OUT);
	load("");
	topology = site_topology_new(site);
	assert_int_equal(topology->count, 4);
	queue = topology_find(topology, span_of("in.orders-out"));
	assert_string_equal(queue->worker, "transform");
	assert_int_equal(queue->topics_count, 1);
	assert_string_equal(queue->topics[0], "order.received.v1");
	assert_int_equal(queue->order, ORDER_HOLD);
	queue = topology_find(topology, span_of("out.orders-out"));
	assert_int_equal(queue->kind, QUEUE_OUT);
	assert_string_equal(queue->worker, "sink:orders-out");
	assert_string_equal(queue->endpoint, "orders-out");
	assert_string_equal(queue->owner, "finance");
	assert_int_equal(queue->order, ORDER_HOLD);
	assert_string_equal(topology_find(topology, span_of(QUEUE_RECORDS))->worker, "record");
	topology_free(topology);
}

static bool has(const char *path)
{
	return bundle_find(bundle, path) != NULL;
}

/* What ships comes into the bundle when it is named, with what it names itself, and not in place of the site's own. */
static void what_ships_is_taken_by_its_name(void **state)
{
	char *shipped = support_path(directory, "shipped");

	file("shipped/edi/base.yaml", "segments: {}\n");
	file("shipped/edi/orders.yaml", "extends: base.yaml\n");
	file("shipped/edi/other.yaml", "\n");
	file("shipped/mappings/orders.jq", ".\n");
	file("shipped/calendars/bank.yaml", "calendar: bank\n");
	file("shipped/calendars/post.yaml", "calendar: post\n");
	file("shipped/calendars/rail.yaml", "calendar: rail\n");
	file("calendars/ours.yaml", "calendar: banker\nsummary: not that of the post\n---\ncalendar: 'rail' # by us\n");
	file("shipped/mappings/ours.jq", ".shipped\n");
	file("mappings/ours.jq", ".ours\n");
	file("site.yaml", SITE);
	file("flows/in.yaml", "# orders.yaml, orders.jq and ours.jq, by post and rail\n" IN);
	setenv("FERRULE_DATA", shipped, 1);
	read_bundle("");
	unsetenv("FERRULE_DATA");
	free(shipped);
	assert_true(has("edi/orders.yaml"));
	assert_true(has("edi/base.yaml"));
	assert_false(has("edi/other.yaml"));
	assert_true(has("mappings/orders.jq"));
	assert_true(has("calendars/post.yaml"));
	assert_true(has("calendars/bank.yaml")); /* it is said in `banker` */
	assert_false(has("calendars/rail.yaml")); /* the site has one of this name in another file */
	assert_true(span_is(*bundle_find(bundle, "mappings/ours.jq"), ".ours\n"));
}

static void a_bundle_read_back_from_its_bytes_is_the_same_revision(void **state)
{
	struct bundle *again;
	struct error error;
	struct buf bytes;

	file("site.yaml", "name: ${FERRULE_TEST_NAME:plain}\n");
	file("flows/in.yaml", IN);
	setenv("FERRULE_TEST_NAME", "from-outside", 1);
	read_bundle("");
	unsetenv("FERRULE_TEST_NAME");
	buf_init(&bytes, 64 << 20);
	bundle_encode(bundle, &bytes);
	again = bundle_decode_new(buf_view(&bytes), &error);
	assert_non_null(again);
	assert_true(id_equal(&again->revision, &bundle->revision));
	site = site_load_new(again, support_registry(), directory, &findings);
	assert_non_null(site);
	assert_string_equal(site->name, "from-outside");
	site_free(site);
	site = NULL;
	bundle_free(again);
	for (size_t cut = 0; cut < bytes.len; cut += 97)
		assert_null(bundle_decode_new(span_make(bytes.data, cut), &error));
	buf_free(&bytes);
}

static void a_revision_changes_with_a_text_a_variable_or_the_environment(void **state)
{
	struct id first, second;

	file("site.yaml", "name: ${FERRULE_TEST_NAME:plain}\n");
	file("environments/test.yaml", "OTHER: x\n");
	read_bundle("");
	first = bundle->revision;
	read_bundle("");
	assert_true(id_equal(&first, &bundle->revision));
	read_bundle("test");
	assert_false(id_equal(&first, &bundle->revision));
	setenv("FERRULE_TEST_NAME", "x", 1);
	read_bundle("");
	unsetenv("FERRULE_TEST_NAME");
	second = bundle->revision;
	assert_false(id_equal(&first, &second));
	file("mappings/new.jq", ".");
	read_bundle("");
	assert_false(id_equal(&first, &bundle->revision));
}

static void an_environments_values_come_before_those_of_the_process(void **state)
{
	file("site.yaml", "name: ${FERRULE_TEST_NAME}\n");
	file("environments/prod.yaml", "FERRULE_TEST_NAME: from-file\n");
	setenv("FERRULE_TEST_NAME", "from-process", 1);
	load("prod");
	unsetenv("FERRULE_TEST_NAME");
	assert_string_equal(site->name, "from-file");
	assert_string_equal(json_string_value(json_object_get(bundle->variables, "FERRULE_TEST_NAME")), "from-file");
}

static void an_unknown_environment_is_named_with_the_nearest(void **state)
{
	struct error error;

	file("site.yaml", SITE);
	file("environments/prod.yaml", "A: b\n");
	assert_null(bundle_read_new(directory, "prd", &error));
	assert_string_equal(error.code, "site.environment");
	assert_non_null(strstr(error.text, "--env prod`?"));
}

static void a_directory_without_a_site_says_what_to_do(void **state)
{
	struct error error;

	assert_null(bundle_read_new(directory, NULL, &error));
	assert_string_equal(error.code, "site.missing");
	assert_non_null(strstr(error.text, "ferrule init"));
	assert_null(bundle_read_new("/nonexistent/site", NULL, &error));
	assert_string_equal(error.code, "site.missing");
}

static void a_link_out_of_the_site_is_refused_and_one_inside_is_followed(void **state)
{
	char *outside = support_tmpdir(), *target = support_path(outside, "secret.yaml"),
	     *link = support_path(directory, "flows/x.yaml");
	struct error error;

	file("site.yaml", SITE);
	file("flows/in.yaml", IN);
	support_write(target, span_of("flow: x\n"));
	assert_int_equal(symlink(target, link), 0);
	assert_null(bundle_read_new(directory, NULL, &error));
	assert_string_equal(error.code, "site.unreadable");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("../flows/in.yaml", link), 0);
	bundle = bundle_read_new(directory, NULL, &error);
	assert_non_null(bundle);
	assert_non_null(bundle_find(bundle, "flows/x.yaml"));
	support_rmtree(outside);
	free(outside);
	free(target);
	free(link);
}

static void a_flow_for_another_environment_is_left_out(void **state)
{
	file("site.yaml", SITE);
	file("environments/prod.yaml", "A: b\n");
	file("flows/in.yaml", IN "env: prod\n");
	load("");
	assert_int_equal(site->flows_count, 0);
	site_free(site);
	site = NULL;
	load("prod");
	assert_int_equal(site->flows_count, 1);
}

static void all_mistakes_are_told_in_one_pass(void **state)
{
	file("site.yaml", "name: test\nretenton: {queue: 1d}\n");
	file("flows/a.yaml", "flow: a\nfrom: {file: x}\npublish: a.v1\n---\nflow: b\nowner: o\nsubscribe: "
			     "a.v2\nsteps:\n  - mop: x.jq\nto: {file: y}\n");
	expect_report("flows/a.yaml:1:1: error: `owner` is missing: the team that answers for it\n"
		      "flows/a.yaml:7:12: error: no flow publishes to a.v2; did you mean `a.v1`?\n"
		      "flows/a.yaml:9:5: error: unknown step `mop`; did you mean `map`?\n"
		      "flows/a.yaml:10:6: error: `effect` is missing: how is a delivery made once and found again? "
		      "Fitting here: `effect: rename` (the "
		      "temporary file tells whether it happened), `effect: none` (an interrupted delivery is put in "
		      "doubt and a person decides)\n"
		      "site.yaml:2:1: error: unknown key `retenton`; did you mean `retention`?\n");
}

static void secrets_that_others_can_read_are_an_error(void **state)
{
	char *secrets = support_path(directory, "secrets");

	file("site.yaml", SITE);
	file("secrets/token", "x\n");
	assert_int_equal(chmod(secrets, 0750), 0);
	read_bundle("");
	assert_int_equal(site_inspect(bundle, support_registry(), directory, &findings), -1);
	assert_string_equal(findings.list[0].code, "secret.mode");
	findings_free(&findings);
	findings_init(&findings);
	assert_int_equal(chmod(secrets, 0700), 0);
	assert_int_equal(site_inspect(bundle, support_registry(), directory, &findings), 0);
	free(secrets);
}

static void count_secret(void *arg, const char *name)
{
	assert_string_equal(name, "hook");
	++*(int *)arg;
}

static void a_site_tells_which_secrets_it_needs(void **state)
{
	int count = 0;

	file("site.yaml", "name: test\nlisten: {http: 0}\n");
	file("flows/in.yaml", "flow: a\nowner: o\nfrom: {webhook: /a, secret: {secret: hook}}\npublish: a.v1\n");
	load("");
	site_secrets(site, count_secret, &count);
	assert_int_equal(count, 1);
}

static void findings_are_json_for_programs(void **state)
{
	json_t *list;

	file("site.yaml", "name: Test\n");
	read_bundle("");
	assert_int_equal(site_inspect(bundle, support_registry(), directory, &findings), -1);
	list = report_json_new(&findings);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "code")), "name.form");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "line")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "column")), 7);
	json_decref(list);
}

/* A cheap generator: the same mutations each time. */
static uint32_t chance(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void mutate(char *text, size_t len, uint32_t *seed)
{
	static const char marks[] = ":-{}[]'\"#&*!|>%@,?\n\t $.0a\xff";

	for (uint32_t n = 1 + chance(seed) % 4; n > 0; n--) {
		size_t at = chance(seed) % len, length = chance(seed) % 20;

		if (chance(seed) % 3 == 0 && at + 2 * length < len)
			memmove(text + at, text + at + length, length);
		else
			text[at] = marks[chance(seed) % (sizeof marks - 1)];
	}
}

static void reading_never_crashes_on_mutated_files(void **state)
{
	static const char original[] = IN
		"---\n" OUT "---\nflow: c\nowner: o\nsubscribe: order.received.v1\nretry: {for: 1d, from: 1s, to: 2s}\n"
		"steps:\n  - route:\n      - {when: .a, publish: b.v1}\n  - validate: {contract: order/v1, keys: "
		"[.number]}\n"
		"to: {operation: s.op, name: n}\neffect: {key: '$(.id)', remembers: 1h}\nexpect: {event: e.v1, within: "
		"1h}\n"
		"---\nsystem: s\nowner: o\nurl: http://${HOST:localhost}/\noperations: {op: {path: /x}}\n";
	char text[sizeof original];
	uint32_t seed = 4711;
	struct error error;

	file("site.yaml", "name: t\nlisten: {http: 0}\n");
	for (int i = 0; i < 1500; i++) {
		memcpy(text, original, sizeof original);
		mutate(text, sizeof original - 1, &seed);
		file(i % 2 ? "flows/f.yaml" : "systems/s.yaml", text);
		bundle = bundle_read_new(directory, NULL, &error);
		assert_non_null(bundle);
		site = site_load_new(bundle, support_registry(), directory, &findings);
		assert_true(!site == (findings.errors > 0));
		site_free(site);
		bundle_free(bundle);
		findings_free(&findings);
		findings_init(&findings);
	}
	site = NULL;
	bundle = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_simple_site_loads_and_has_its_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_transfer_expects_is_judged_in_its_zone_on_its_working_days,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flow_has_what_its_yaml_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_endpoint_takes_from_its_system_how_to_reach_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_endpoint_says_a_system_that_can_be_reached_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_system_says_of_reaching_it_is_known_to_one_direction, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_operation_takes_the_systems_settings_and_may_change_them, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_topology_has_a_queue_for_each_flow_and_each_sink, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_ships_is_taken_by_its_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bundle_read_back_from_its_bytes_is_the_same_revision, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_revision_changes_with_a_text_a_variable_or_the_environment, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_environments_values_come_before_those_of_the_process, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_unknown_environment_is_named_with_the_nearest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_directory_without_a_site_says_what_to_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_link_out_of_the_site_is_refused_and_one_inside_is_followed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_flow_for_another_environment_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_mistakes_are_told_in_one_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_that_others_can_read_are_an_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_site_tells_which_secrets_it_needs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(findings_are_json_for_programs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reading_never_crashes_on_mutated_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
