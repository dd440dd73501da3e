/* From a document to a message, known by its identity; on a real queue process. */
#include "config.h"
#include "services/receive.h"

#include "services/session.h"
#include "tests/unit/service_site.h"

struct world {
	char *directory;
	struct session *session;
	struct vault *vault;
};

#define FLOW_DECLARED \
	"flow: declared\nowner: tests\nfrom: {file: 'declared/*.json', after: archive}\n" \
	"duplicates: {by: [$envelope.name], within: 30d}\nsteps: [{decode: json}]\npublish: thing.v1\n"
#define FLOW_ALL \
	"flow: all\nowner: tests\nfrom: {file: 'all/*.json', after: archive}\nduplicates: {by: none}\n" \
	"order: {by: '\"all\"'}\nsteps: [{decode: json}]\npublish: thing.v1\n"

static int up(void **state)
{
	struct world *world = mem_alloc(sizeof *world);
	struct findings findings;
	struct error error = {0};

	*state = world;
	world->directory = small_site();
	put(world->directory, "flows/declared.yaml", FLOW_DECLARED);
	put(world->directory, "flows/all.yaml", FLOW_ALL);
	findings_init(&findings);
	world->session = session_open(world->directory, "", &findings, NULL, &error);
	for (size_t i = 0; !world->session && i < findings.count; i++)
		print_message("%s: %s\n", findings.list[i].place.file, findings.list[i].text);
	findings_free(&findings);
	if (!world->session)
		fail_msg("%s", error.text);
	world->vault = vault_open(session_site(world->session)->vault_path, &error);
	assert_non_null(world->vault);
	return 0;
}

static int down(void **state)
{
	struct world *world = *state;

	vault_close(world->vault);
	session_close(world->session);
	free(world->directory);
	free(world);
	return 0;
}

/* A document of that name and content, taken in by that flow. -1: refused, with the error. */
static int take(struct world *world, struct reception *reception, struct document *document, const char *flow_name,
		const char *name,
		const char *content, int64_t time_ms, struct error *error)
{
	const struct flow *flow = site_flow(session_site(world->session), span_of(flow_name));
	struct reader *reader = reader_new_copy(span_of(content));

	*document = (struct document){.name = span_of(name), .time_ms = time_ms};
	assert_int_equal(vault_put(world->vault, reader, &document->stored, NULL), 0);
	reader_unref(reader);
	return receive_prepare(reception, session_site(world->session), flow, &flow->sources[0].endpoint, document,
			       error);
}

static void accept_now(struct world *world, const char *flow_name, struct reception *receptions, size_t n)
{
	const struct flow *flow = site_flow(session_site(world->session), span_of(flow_name));
	struct unit *unit = unit_new(session_queue(world->session));
	struct error error = {0};

	assert_int_equal(vault_sync(world->vault, NULL), 0);
	if (receive_recognise(session_queue(world->session), receptions, n, &error))
		fail_msg("%s", error.text);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(receive_add(unit, flow, &receptions[i], &error), 0);
	if (unit_commit_wait(unit, &error))
		fail_msg("%s", error.text);
}

static void the_same_content_is_a_duplicate_whatever_its_name(void **state)
{
	struct reception receptions[3];
	struct document documents[3];

	take(*state, &receptions[0], &documents[0], "intake", "a.json", "{\"n\":1}", 1000, NULL);
	take(*state, &receptions[1], &documents[1], "intake", "b.json", "{\"n\":1}", 2000, NULL);
	take(*state, &receptions[2], &documents[2], "intake", "c.json", "{\"n\":2}", 3000, NULL);
	accept_now(*state, "intake", receptions, 3);
	assert_int_equal(receptions[0].seen, SEEN_NEW);
	assert_int_equal(receptions[1].seen, SEEN_BEFORE); /* of its neighbour at hand */
	assert_true(id_equal(&receptions[1].first, &receptions[0].message->id));
	assert_int_equal(receptions[2].seen, SEEN_NEW);
	receive_free(&receptions[1]);
	take(*state, &receptions[1], &documents[1], "intake", "d.json", "{\"n\":1}", 4000, NULL);
	accept_now(*state, "intake", &receptions[1], 1);
	assert_int_equal(receptions[1].seen, SEEN_BEFORE); /* of one long committed */
	for (size_t i = 0; i < 3; i++)
		receive_free(&receptions[i]);
}

static void the_same_file_after_a_crash_becomes_the_same_message(void **state)
{
	struct reception first, second;
	struct document document;

	take(*state, &first, &document, "intake", "a.json", "{\"n\":1}", 1000, NULL);
	take(*state, &second, &document, "intake", "a.json", "{\"n\":1}", 1000, NULL);
	assert_true(id_equal(&first.message->id, &second.message->id));
	receive_free(&second);
	take(*state, &second, &document, "intake", "a.json", "{\"n\":1}", 5000, NULL);
	assert_false(id_equal(&first.message->id, &second.message->id)); /* dropped anew */
	receive_free(&first);
	receive_free(&second);
}

static void a_declared_identity_with_other_content_is_a_conflict(void **state)
{
	struct reception first, again, other;
	struct document document;
	struct error error;

	take(*state, &first, &document, "declared", "order-1", "{\"n\":1}", 1000, NULL);
	accept_now(*state, "declared", &first, 1);
	assert_int_equal(first.seen, SEEN_NEW);
	take(*state, &again, &document, "declared", "order-1", "{\"n\":1}", 2000, NULL);
	accept_now(*state, "declared", &again, 1);
	assert_int_equal(again.seen, SEEN_BEFORE);
	assert_false(again.conflict);
	take(*state, &other, &document, "declared", "order-1", "{\"n\":2}", 3000, NULL);
	accept_now(*state, "declared", &other, 1);
	assert_true(other.conflict);
	receive_conflict(&other, &error);
	assert_string_equal(error.code, "identity.conflict");
	assert_false(id_equal(&other.message->id, &first.message->id));
	receive_free(&first);
	receive_free(&again);
	receive_free(&other);
}

static void without_recognition_each_file_is_new_but_not_the_same_file_twice(void **state)
{
	struct reception receptions[2];
	struct document documents[2];

	take(*state, &receptions[0], &documents[0], "all", "day-1", "same", 1000, NULL);
	take(*state, &receptions[1], &documents[1], "all", "day-2", "same", 1000, NULL);
	accept_now(*state, "all", receptions, 2);
	assert_int_equal(receptions[0].seen, SEEN_NEW);
	assert_int_equal(receptions[1].seen, SEEN_NEW);
	/* the flow asks for order: both have its one key */
	assert_true(message_order_find(receptions[0].message, SPAN_LITERAL("all")) != 0);
	assert_true(message_order_find(receptions[0].message, SPAN_LITERAL("all")) ==
		    message_order_find(receptions[1].message, SPAN_LITERAL("all")));
	receive_free(&receptions[0]);
	receive_free(&receptions[1]);
}

static void accepted_anew_at_somebodys_wish_it_is_new(void **state)
{
	struct reception first, second;
	struct document document;

	take(*state, &first, &document, "intake", "a.json", "{\"n\":1}", 1000, NULL);
	accept_now(*state, "intake", &first, 1);
	take(*state, &second, &document, "intake", "a.json", "{\"n\":1}", 1000, NULL);
	receive_renew(&second, 77);
	accept_now(*state, "intake", &second, 1);
	assert_int_equal(second.seen, SEEN_NEW);
	assert_false(id_equal(&first.message->id, &second.message->id));
	receive_free(&first);
	receive_free(&second);
}

static void what_passes_the_sites_limit_is_refused(void **state)
{
	struct reception reception;
	struct document document;
	struct error error = {0};
	char large[1002];

	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	assert_int_equal(take(*state, &reception, &document, "intake", "large", large, 1, &error), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, "document.too-large");
	large[1000] = '\0';
	assert_int_equal(take(*state, &reception, &document, "intake", "fits", large, 1, &error), 0);
	receive_free(&reception);
}

#define WITH_SITE(test) cmocka_unit_test_setup_teardown(test, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SITE(the_same_content_is_a_duplicate_whatever_its_name),
		WITH_SITE(the_same_file_after_a_crash_becomes_the_same_message),
		WITH_SITE(a_declared_identity_with_other_content_is_a_conflict),
		WITH_SITE(without_recognition_each_file_is_new_but_not_the_same_file_twice),
		WITH_SITE(accepted_anew_at_somebodys_wish_it_is_new),
		WITH_SITE(what_passes_the_sites_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
