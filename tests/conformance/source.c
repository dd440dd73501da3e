/* Conformance of sources. See source.h. */
#include "config.h"
#include "tests/conformance/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "tests/support/support.h"

#define DOCUMENTS_MAX 64

static const struct source_fixture *fixture;

struct world {
	void *place;
	void *source;
	char *directory;
	struct vault *vault;
};

static void expect_none(const struct error *error)
{
	if (error->class != ERROR_NONE)
		fail_msg("%s: %s", error->code, error->text);
}

static void open_source(struct world *world)
{
	struct error error = {0};

	world->source = fixture->ops->open(fixture->endpoint(world->place), &error);
	if (!world->source)
		expect_none(&error);
}

static void reopen(struct world *world)
{
	fixture->ops->close(world->source);
	open_source(world);
}

static int set_up(void **state)
{
	struct world *world = mem_alloc(sizeof *world);
	struct error error = {0};

	world->place = fixture->set_up();
	world->directory = support_tmpdir();
	world->vault = vault_open(world->directory, &error);
	expect_none(&error);
	open_source(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	fixture->ops->close(world->source);
	vault_close(world->vault);
	support_rmtree(world->directory);
	free(world->directory);
	fixture->tear_down(world->place);
	free(world);
	return 0;
}

static size_t poll_source(struct world *world, struct document **into, size_t max)
{
	struct error error = {0};
	size_t found = 0;

	fixture->ops->poll(world->source, into, max, &found, &error);
	expect_none(&error);
	return found;
}

static void fetch(struct world *world, struct document *document)
{
	struct error error = {0};

	fixture->ops->fetch(world->source, document, world->vault, &error);
	expect_none(&error);
}

static void settle(struct world *world, struct document *document, enum settlement how)
{
	struct error error = {0};

	fixture->ops->settle(world->source, document, how, &error);
	expect_none(&error);
}

static void put_text(struct world *world, const char *name, const char *text)
{
	fixture->put(world->place, name, span_of(text));
}

static void content_is(struct world *world, const struct document *document, struct span content)
{
	struct error error = {0};
	struct reader *reader;
	struct id digest = id_digest(content);
	struct span bytes;

	assert_int_equal(document->stored.size, content.len);
	assert_true(id_equal(&document->stored.digest, &digest));
	vault_sync(world->vault, &error);
	reader = vault_get_new(world->vault, span_of(document->stored.ref), &error);
	expect_none(&error);
	reader_view(reader, &bytes, &error);
	assert_true(span_equal(bytes, content));
	reader_unref(reader);
}

/* ---- the tests ------------------------------------------------------------------------------------------------ */

static void an_empty_place_gives_nothing(void **state)
{
	struct document *documents[4];

	assert_int_equal(poll_source(*state, documents, 4), 0);
	assert_int_equal(poll_source(*state, documents, 4), 0);
}

static void a_document_comes_with_its_name_and_its_bytes(void **state)
{
	struct world *world = *state;
	struct document *document;

	put_text(world, "order-1.edi", "ISA*00*");
	assert_int_equal(poll_source(world, &document, 1), 1);
	assert_false(document->failed);
	assert_true(span_is(document->name, "order-1.edi"));
	assert_true(document->identity_text.len > 0);
	assert_true(document->time_ms > 0);
	fetch(world, document);
	content_is(world, document, SPAN_LITERAL("ISA*00*"));
	fixture->ops->forget(world->source, document);
}

static void documents_of_no_and_of_many_bytes_come_unchanged(void **state)
{
	struct world *world = *state;
	size_t sizes[] = {0, 1, 65536, 65537, 3u << 20};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct document *document;
		char *bytes = mem_alloc(sizes[i] + 1);

		for (size_t j = 0; j < sizes[i]; j++)
			bytes[j] = (char)(j * 131 >> 3);
		fixture->put(world->place, "bytes.edi", span_make(bytes, sizes[i]));
		assert_int_equal(poll_source(world, &document, 1), 1);
		fetch(world, document);
		content_is(world, document, span_make(bytes, sizes[i]));
		settle(world, document, SETTLE_ACCEPTED);
		fixture->ops->forget(world->source, document);
		free(bytes);
	}
}

static void a_poll_gives_at_most_what_was_asked_and_each_once(void **state)
{
	struct world *world = *state;
	struct document *documents[DOCUMENTS_MAX];
	size_t count = 0, found;
	char name[32];

	for (int i = 0; i < 25; i++) {
		snprintf(name, sizeof name, "order-%02d.edi", i);
		put_text(world, name, name);
	}
	while ((found = poll_source(world, documents + count, 7))) {
		assert_true(found <= 7);
		count += found;
	}
	assert_int_equal(count, 25);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_false(span_equal(documents[i]->name, documents[j]->name));
	for (size_t i = 0; i < count; i++)
		fixture->ops->forget(world->source, documents[i]);
}

static void the_oldest_comes_first(void **state)
{
	struct world *world = *state;
	struct document *documents[3];

	put_text(world, "b.edi", "1");
	usleep(20000);
	put_text(world, "c.edi", "2");
	usleep(20000);
	put_text(world, "a.edi", "3");
	assert_int_equal(poll_source(world, documents, 3), 3);
	assert_true(span_is(documents[0]->name, "b.edi"));
	assert_true(span_is(documents[1]->name, "c.edi"));
	assert_true(span_is(documents[2]->name, "a.edi"));
	for (int i = 0; i < 3; i++)
		fixture->ops->forget(world->source, documents[i]);
}

static void what_was_not_settled_comes_again(void **state)
{
	struct world *world = *state;
	struct document *document;

	put_text(world, "order-1.edi", "x");
	assert_int_equal(poll_source(world, &document, 1), 1);
	fetch(world, document);
	fixture->ops->forget(world->source, document);
	assert_int_equal(poll_source(world, &document, 1), 1);
	fixture->ops->forget(world->source, document);
	reopen(world);
	assert_int_equal(poll_source(world, &document, 1), 1);
	fixture->ops->forget(world->source, document);
}

static void what_was_settled_is_kept_and_does_not_come_again(void **state)
{
	static const enum settlement each[] = {SETTLE_ACCEPTED, SETTLE_DUPLICATE, SETTLE_DUPLICATE_OF_DEAD,
					       SETTLE_REFUSED};
	struct world *world = *state;
	struct document *document;

	for (unsigned i = 0; i < 4; i++) {
		put_text(world, "order-1.edi", "the same name each time");
		assert_int_equal(poll_source(world, &document, 1), 1);
		fetch(world, document);
		settle(world, document, each[i]);
		fixture->ops->forget(world->source, document);
		assert_false(fixture->waits(world->place, "order-1.edi"));
		assert_int_equal(fixture->kept(world->place), i + 1);
		assert_int_equal(poll_source(world, &document, 1), 0);
	}
	reopen(world);
	assert_int_equal(poll_source(world, &document, 1), 0);
}

static void settling_twice_is_settling_once(void **state)
{
	struct world *world = *state;
	struct document *document;

	put_text(world, "order-1.edi", "x");
	assert_int_equal(poll_source(world, &document, 1), 1);
	fetch(world, document);
	settle(world, document, SETTLE_ACCEPTED);
	settle(world, document, SETTLE_ACCEPTED);
	fixture->ops->forget(world->source, document);
	assert_int_equal(fixture->kept(world->place), 1);
}

static void another_document_of_that_name_is_not_settled_with_the_first(void **state)
{
	struct world *world = *state;
	struct document *document;

	put_text(world, "order-1.edi", "first");
	assert_int_equal(poll_source(world, &document, 1), 1);
	fetch(world, document);
	fixture->take_away(world->place, "order-1.edi");
	put_text(world, "order-1.edi", "second, and longer");
	settle(world, document, SETTLE_ACCEPTED);
	fixture->ops->forget(world->source, document);
	assert_int_equal(poll_source(world, &document, 1), 1);
	fetch(world, document);
	content_is(world, document, SPAN_LITERAL("second, and longer"));
	fixture->ops->forget(world->source, document);
}

static void a_document_that_vanished_is_no_error_of_the_endpoint(void **state)
{
	struct world *world = *state;
	struct document *document;
	struct error error = {0};

	put_text(world, "order-1.edi", "x");
	assert_int_equal(poll_source(world, &document, 1), 1);
	fixture->take_away(world->place, "order-1.edi");
	assert_int_equal(fixture->ops->fetch(world->source, document, world->vault, &error), -1);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_MESSAGE);
	fixture->ops->forget(world->source, document);
	assert_int_equal(poll_source(world, &document, 1), 0);
}

static void a_document_that_vanished_is_settled_already(void **state)
{
	struct world *world = *state;
	struct document *document;

	put_text(world, "order-1.edi", "x");
	assert_int_equal(poll_source(world, &document, 1), 1);
	fetch(world, document);
	fixture->take_away(world->place, "order-1.edi");
	settle(world, document, SETTLE_ACCEPTED);
	fixture->ops->forget(world->source, document);
}

static void awkward_names_come_and_are_settled(void **state)
{
	struct world *world = *state;
	struct document *document;

	for (size_t i = 0; i < fixture->awkward_count; i++) {
		put_text(world, fixture->awkward[i], fixture->awkward[i]);
		assert_int_equal(poll_source(world, &document, 1), 1);
		assert_false(document->failed);
		assert_true(span_is(document->identity_text, fixture->awkward[i]));
		fetch(world, document);
		content_is(world, document, span_of(fixture->awkward[i]));
		settle(world, document, SETTLE_ACCEPTED);
		fixture->ops->forget(world->source, document);
		assert_int_equal(fixture->kept(world->place), i + 1);
	}
}

/* ---- crashes -------------------------------------------------------------------------------------------------- */

/* What a role does, in a process of its own that dies at the point. `seen` is a file that says the document is safe. */
static void receive_in_child(struct world *world, const char *seen, const char *faults)
{
	struct document *document = NULL;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		struct vault *vault;
		struct error error = {0};
		size_t found = 0;

		setenv("FERRULE_FAULTS", faults, 1);
		world->source = fixture->ops->open(fixture->endpoint(world->place), &error);
		vault = vault_open(world->directory, &error);
		if (!vault || !world->source || fixture->ops->poll(world->source, &document, 1, &found, &error))
			_exit(10);
		if (found) {
			bool known = access(seen, F_OK) == 0;

			if (fixture->ops->fetch(world->source, document, vault, &error) || vault_sync(vault, &error))
				_exit(11);
			support_write(seen, SPAN_LITERAL("seen"));
			FAULT("test.seen");
			if (fixture->ops->settle(world->source, document, known ? SETTLE_DUPLICATE : SETTLE_ACCEPTED,
						 &error))
				_exit(12);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_crash_anywhere_loses_nothing_and_keeps_one(void **state)
{
	struct world *world = *state;
	char *seen = support_path(world->directory, "seen"), faults[64];

#ifndef FERRULE_FAULTS
	skip();
#endif
	for (size_t i = 0; fixture->faults[i]; i++) {
		unlink(seen);
		put_text(world, "order-1.edi", "through a crash");
		snprintf(faults, sizeof faults, "%s:1=kill", fixture->faults[i]);
		receive_in_child(world, seen, faults);
		receive_in_child(world, seen, "");
		assert_false(fixture->waits(world->place, "order-1.edi"));
		assert_int_equal(access(seen, F_OK), 0);
		if (fixture->kept(world->place) != i + 1)
			fail_msg("after a crash at %s %u are kept, not %zu", fixture->faults[i],
				 fixture->kept(world->place), i + 1);
	}
	free(seen);
}

int source_suite(const struct source_fixture *under_test)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_place_gives_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_document_comes_with_its_name_and_its_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(documents_of_no_and_of_many_bytes_come_unchanged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_poll_gives_at_most_what_was_asked_and_each_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_oldest_comes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_settled_comes_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_settled_is_kept_and_does_not_come_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(settling_twice_is_settling_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_document_of_that_name_is_not_settled_with_the_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_document_that_vanished_is_no_error_of_the_endpoint, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_document_that_vanished_is_settled_already, set_up, tear_down),
		cmocka_unit_test_setup_teardown(awkward_names_come_and_are_settled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_crash_anywhere_loses_nothing_and_keeps_one, set_up, tear_down),
	};

	fixture = under_test;
	return cmocka_run_group_tests_name(under_test->name, tests, NULL, NULL);
}
