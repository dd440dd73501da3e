/* Conformance of sinks. See sink.h. */
#include "config.h"
#include "tests/conformance/sink.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "tests/support/support.h"

#define DOUBT_EXIT 42

static const struct sink_fixture *fixture;

struct world {
	void *place;
	void *sink;
	const struct endpoint *endpoint;
	char *store; /* a directory: intents and receipts as files */
	bool rivals; /* the session that holds an intent is alive */
};

static void expect_none(const struct error *error)
{
	if (error->class != ERROR_NONE)
		fail_msg("%s: %s", error->code, error->text);
}

static void open_sink(struct world *world)
{
	struct error error = {0};

	world->sink = fixture->ops->open(&error);
	expect_none(&error);
	fixture->ops->endpoint(world->sink, world->endpoint, &error);
	expect_none(&error);
}

static int set_up(void **state)
{
	struct world *world = mem_alloc(sizeof *world);

	if (fixture->always[0])
		setenv("FERRULE_FAULTS", fixture->always, 1);
	world->place = fixture->set_up();
	world->endpoint = fixture->endpoint(world->place);
	world->store = support_tmpdir();
	open_sink(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	fixture->ops->close(world->sink);
	fixture->tear_down(world->place);
	support_rmtree(world->store);
	free(world->store);
	free(world);
	return 0;
}

/* A delivery as a role has it in hand. */
struct delivery_of {
	struct message *message;
	struct attempt attempt;
};

static struct delivery_of *delivery_new(struct world *world, const char *name, struct span body)
{
	struct delivery_of *delivery = mem_alloc(sizeof *delivery);
	struct error error = {0};

	delivery->message = message_new();
	delivery->message->id = id_digest(span_of(name));
	message_body_take(delivery->message, reader_new_copy(body));
	message_body_sign(delivery->message, &error);
	expect_none(&error);
	fixture->address(world->place, delivery->message, name);
	delivery->attempt.endpoint = world->endpoint;
	delivery->attempt.message = delivery->message;
	delivery->attempt.key = effect_key(world->endpoint->name, delivery->message);
	buf_init(&delivery->attempt.receipt, 16384);
	return delivery;
}

static void delivery_end(struct world *world, struct delivery_of *delivery, bool settled)
{
	delivery->attempt.settled = settled;
	fixture->ops->abandon(world->sink, &delivery->attempt);
	buf_free(&delivery->attempt.receipt);
	message_free(delivery->message);
	free(delivery);
}

/* A sink that has nothing to do before the intent brings no `prepare`. */
static int ops_prepare(struct world *world, struct delivery_of *delivery, struct error *error)
{
	return fixture->ops->prepare ? fixture->ops->prepare(world->sink, &delivery->attempt, error) : 0;
}

static void prepare(struct world *world, struct delivery_of *delivery)
{
	struct error error = {0};

	ops_prepare(world, delivery, &error);
	expect_none(&error);
}

static void start(struct world *world, struct delivery_of *delivery)
{
	struct error error = {0};

	delivery->attempt.first_ms = clock_now_ms();
	fixture->ops->start(world->sink, &delivery->attempt, &error);
	expect_none(&error);
}

static size_t reap(struct world *world, struct attempt **into, size_t max)
{
	struct error error = {0};
	size_t n = 0;

	for (int i = 0; i < 200 && !n; i++) {
		fixture->ops->reap(world->sink, into, max, &n, -1, 50, &error);
		expect_none(&error);
	}
	return n;
}

static void reap_one(struct world *world, struct delivery_of *delivery)
{
	struct attempt *done = NULL;

	assert_int_equal(reap(world, &done, 1), 1);
	assert_ptr_equal(done, &delivery->attempt);
	expect_none(&delivery->attempt.error);
}

static void deliver(struct world *world, const char *name, struct span body)
{
	struct delivery_of *delivery = delivery_new(world, name, body);

	prepare(world, delivery);
	start(world, delivery);
	reap_one(world, delivery);
	delivery_end(world, delivery, true);
}

static void content_is(struct world *world, const char *name, struct span expected)
{
	size_t len = 0;
	char *content = fixture->content(world->place, name, &len);

	assert_non_null(content);
	assert_true(span_equal(span_make(content, len), expected));
	free(content);
}

/* ---- the tests ------------------------------------------------------------------------------------------------ */

static void a_delivery_is_one_effect_with_those_bytes(void **state)
{
	struct world *world = *state;

	deliver(world, "order-1", SPAN_LITERAL("<order/>"));
	content_is(world, "order-1", SPAN_LITERAL("<order/>"));
	assert_int_equal(fixture->effects(world->place, "order-1", false), 1);
	assert_int_equal(fixture->leftovers(world->place), 0);
}

static void bodies_of_no_and_of_many_bytes_arrive_unchanged(void **state)
{
	struct world *world = *state;
	size_t sizes[] = {0, 1, 65536, (1u << 20) + 1, 5u << 20};
	char name[32];

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *bytes = mem_alloc(sizes[i] + 1);

		for (size_t j = 0; j < sizes[i]; j++)
			bytes[j] = (char)(j * 131 >> 3);
		snprintf(name, sizeof name, "order-%zu", i);
		deliver(world, name, span_make(bytes, sizes[i]));
		content_is(world, name, span_make(bytes, sizes[i]));
		free(bytes);
	}
}

static void a_receipt_is_a_json_object(void **state)
{
	struct world *world = *state;
	struct delivery_of *delivery = delivery_new(world, "order-1", SPAN_LITERAL("x"));
	json_t *receipt;

	prepare(world, delivery);
	start(world, delivery);
	reap_one(world, delivery);
	receipt = json_loadb(delivery->attempt.receipt.data, delivery->attempt.receipt.len, 0, NULL);
	assert_true(json_is_object(receipt));
	json_decref(receipt);
	delivery_end(world, delivery, true);
}

static void what_is_only_prepared_has_no_effect(void **state)
{
	struct world *world = *state;
	struct delivery_of *delivery = delivery_new(world, "order-1", SPAN_LITERAL("x"));

	prepare(world, delivery);
	assert_int_equal(fixture->effects(world->place, "order-1", false), 0);
	delivery_end(world, delivery, false);
	assert_int_equal(fixture->effects(world->place, "order-1", false), 0);
	assert_int_equal(fixture->leftovers(world->place), 0);
}

static void many_run_at_once_and_are_reaped_in_portions(void **state)
{
	struct world *world = *state;
	struct delivery_of *deliveries[40];
	struct attempt *done[7];
	size_t reaped = 0, n;
	char name[32];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "order-%d", i);
		deliveries[i] = delivery_new(world, name, span_of(name));
		prepare(world, deliveries[i]);
	}
	for (int i = 0; i < 40; i++)
		start(world, deliveries[i]);
	while (reaped < 40 && (n = reap(world, done, 7))) {
		assert_true(n <= 7);
		for (size_t i = 0; i < n; i++)
			expect_none(&done[i]->error);
		reaped += n;
	}
	assert_int_equal(reaped, 40);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "order-%d", i);
		content_is(world, name, span_of(name));
		delivery_end(world, deliveries[i], true);
	}
	assert_int_equal(fixture->leftovers(world->place), 0);
}

static void an_attempt_that_is_abandoned_while_it_runs_leaves_the_others_alone(void **state)
{
	struct world *world = *state;
	struct delivery_of *first = delivery_new(world, "order-1", SPAN_LITERAL("1"));
	struct delivery_of *second = delivery_new(world, "order-2", SPAN_LITERAL("2"));

	prepare(world, first);
	prepare(world, second);
	start(world, first);
	start(world, second);
	delivery_end(world, first, false);
	reap_one(world, second);
	delivery_end(world, second, true);
	assert_int_equal(fixture->effects(world->place, "order-2", false), 1);
}

static void an_unreachable_target_is_tried_again_later(void **state)
{
	struct world *world = *state;
	struct delivery_of *delivery = delivery_new(world, "order-1", SPAN_LITERAL("x"));
	struct attempt *done = NULL;
	struct error error = {0};

	fixture->unreachable(world->place, true);
	if (!ops_prepare(world, delivery, &error) &&
	    !fixture->ops->start(world->sink, &delivery->attempt, &error)) {
		assert_int_equal(reap(world, &done, 1), 1);
		error = done->error;
	}
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	delivery_end(world, delivery, true);
	fixture->unreachable(world->place, false);
	deliver(world, "order-1", SPAN_LITERAL("x"));
	assert_int_equal(fixture->effects(world->place, "order-1", false), 1);
}

/* ---- interruptions: a role in a process of its own, with files for a store ------------------------------------ */

static bool stored(struct world *world, const char *what)
{
	char *path = support_path(world->store, what);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static void store(struct world *world, const char *what, struct span content)
{
	char *path = support_path(world->store, what);

	support_write(path, content);
	free(path);
}

static void forget(struct world *world, const char *what)
{
	char *path = support_path(world->store, what);

	unlink(path);
	free(path);
}

/* Of a child: what it met is told to whoever reads the log. */
static void fails(int code, const struct error *error)
{
	print_error("a worker ends with %d: %s: %s\n", code, error->code, error->text);
	_exit(code);
}

/* Only one is the first. */
static bool intend(struct world *world)
{
	char *path = support_path(world->store, "intent");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	free(path);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void finish(struct world *world, struct delivery_of *delivery)
{
	FAULT("test.done");
	store(world, "receipt", buf_view(&delivery->attempt.receipt));
	FAULT("test.settled");
	delivery_end(world, delivery, true);
	FAULT("test.abandoned");
	_exit(0);
}

static void run_attempt(struct world *world, struct delivery_of *delivery)
{
	struct attempt *done;
	struct error error = {0};

	delivery->attempt.first_ms = 1;
	if (fixture->ops->start(world->sink, &delivery->attempt, &error))
		fails(12, &error);
	if (reap(world, &done, 1) != 1 || done->error.class != ERROR_NONE)
		fails(13, &done->error);
	finish(world, delivery);
}

static void play_role(struct world *world, const char *name)
{
	struct delivery_of *delivery = delivery_new(world, name, SPAN_LITERAL("<order/>"));
	enum resolved answer = RESOLVED_UNKNOWN;
	struct error error = {0};

	if (ops_prepare(world, delivery, &error))
		_exit(10);
	FAULT("test.prepared");
	if (stored(world, "receipt")) {
		delivery->attempt.first_ms = 1;
		delivery_end(world, delivery, true);
		_exit(0);
	}
	if (intend(world)) {
		FAULT("test.intended");
		run_attempt(world, delivery);
	}
	delivery->attempt.first_ms = 1;
	if (world->rivals) { /* busy: it comes again later */
		delivery_end(world, delivery, false);
		_exit(0);
	}
	if (fixture->ops->resolve(world->sink, &delivery->attempt, &answer, &error))
		fails(11, &error);
	FAULT("test.resolved");
	if (answer == RESOLVED_HAPPENED)
		finish(world, delivery);
	if (answer == RESOLVED_NOT)
		run_attempt(world, delivery);
	_exit(DOUBT_EXIT);
}

static pid_t start_role(struct world *world, const char *name, const char *faults)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		setenv("FERRULE_FAULTS", faults, 1);
		open_sink(world);
		play_role(world, name);
	}
	return child;
}

/* 0 it ran to its end, DOUBT_EXIT it does not know, -1 it was killed. */
static int role_in_child(struct world *world, const char *name, const char *faults)
{
	pid_t child = start_role(world, name, faults);
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return -1;
	}
	if (WEXITSTATUS(status) && WEXITSTATUS(status) != DOUBT_EXIT)
		fail_msg("the role failed with %d under %s", WEXITSTATUS(status), faults);
	return WEXITSTATUS(status);
}

static bool may_doubt(const char *fault)
{
	for (size_t i = 0; fixture->doubtful[i]; i++)
		if (!strcmp(fixture->doubtful[i], fault))
			return true;
	return false;
}

static const char *const role_faults[] = {
	"test.prepared", "test.intended", "test.resolved", "test.done", "test.settled", "test.abandoned", NULL};

static size_t all_faults(const char **into)
{
	size_t n = 0;

	for (size_t i = 0; fixture->faults[i]; i++)
		into[n++] = fixture->faults[i];
	for (size_t i = 0; role_faults[i]; i++)
		into[n++] = role_faults[i];
	return n;
}

/* Dies at the first point, then at the second, then may work; a reader takes away what it finds after each. */
static void die_twice(struct world *world, const char *first, const char *second, unsigned round, bool reader)
{
	char faults[200], name[32];
	int result, tries = 0;

	snprintf(name, sizeof name, "order-%u", round);
	forget(world, "intent");
	forget(world, "receipt");
	snprintf(faults, sizeof faults, "%s:1=kill,%s", first, fixture->always);
	role_in_child(world, name, faults);
	fixture->effects(world->place, name, reader);
	snprintf(faults, sizeof faults, "%s:1=kill,%s", second, fixture->always);
	role_in_child(world, name, faults);
	fixture->effects(world->place, name, reader);
	do
		result = role_in_child(world, name, fixture->always);
	while (result < 0 && ++tries < 3);
	if (result == DOUBT_EXIT) {
		if (!may_doubt(first) && !may_doubt(second))
			fail_msg("does not know after %s and %s", first, second);
		/* A person looks, and has it sent again only when it is not there. */
		if (fixture->effects(world->place, name, reader))
			store(world, "receipt", SPAN_NONE);
		else
			forget(world, "intent");
		result = role_in_child(world, name, fixture->always);
	}
	assert_int_equal(result, 0);
	role_in_child(world, name, fixture->always); /* delivered once more: recognised, and tidied up */
	if (fixture->effects(world->place, name, reader) != 1)
		fail_msg("%u effects after %s and %s", fixture->effects(world->place, name, false), first, second);
	if (fixture->leftovers(world->place))
		fail_msg("%u left behind after %s and %s", fixture->leftovers(world->place), first, second);
}

static bool is_short(void)
{
	return fixture->slow && !getenv("FERRULE_LONG");
}

static void die_everywhere(struct world *world, bool reader)
{
	const char *faults[64];
	size_t n = all_faults(faults);
	unsigned round = 0;

#ifndef FERRULE_FAULTS
	skip();
#endif
	if (!(fixture->ops->traits & (SINK_WITNESS | SINK_MATCH | SINK_KEY)))
		skip();
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (!is_short() || j == (i * 7 + (reader ? 5 : 2)) % n)
				die_twice(world, faults[i], faults[j], round++, reader);
}

static void two_crashes_anywhere_end_in_one_effect(void **state)
{
	die_everywhere(*state, false);
}

static void two_crashes_anywhere_end_in_one_effect_though_a_reader_takes_it_away(void **state)
{
	die_everywhere(*state, true);
}

/* Every point is now and then a moment longer than usual, as on a machine that has much else to do. */
static char *slow_faults(unsigned round)
{
	struct buf text;
	char seed[16];

	snprintf(seed, sizeof seed, "%u", round);
	setenv("FERRULE_FAULT_SEED", seed, 1);
	buf_init(&text, 4096);
	buf_text(&text, fixture->always);
	for (size_t i = 0; fixture->faults[i]; i++)
		buf_printf(&text, "%s%s%%3=pause", text.len ? "," : "", fixture->faults[i]);
	return buf_take(&text);
}

/* Several workers have one message: as when the broker gave it to another while the first still lived. */
static void several_live_workers_make_one_effect(void **state)
{
	struct world *world = *state;
	char name[32];

	for (int round = 0; round < (is_short() ? 8 : 60); round++) {
		char *faults = round % 2 ? slow_faults((unsigned)round) : mem_strdup(fixture->always);
		pid_t child[3];
		int status;

		snprintf(name, sizeof name, "order-%d", round);
		forget(world, "intent");
		forget(world, "receipt");
		world->rivals = true;
		for (int i = 0; i < 3; i++) {
			child[i] = start_role(world, name, faults);
			usleep(round % 2 ? (unsigned)(round * 7919 + i * 104729) % 10000 : 0);
		}
		free(faults);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(waitpid(child[i], &status, 0), child[i]);
			assert_true(WIFEXITED(status));
			if (WEXITSTATUS(status) != 10) /* one may be asked to come later, before its intent */
				assert_int_equal(WEXITSTATUS(status), 0);
		}
		world->rivals = false;
		assert_int_equal(role_in_child(world, name, fixture->always), 0);
		assert_int_equal(role_in_child(world, name, fixture->always), 0);
		assert_int_equal(fixture->effects(world->place, name, false), 1);
		assert_int_equal(fixture->leftovers(world->place), 0);
	}
}

int sink_suite(const struct sink_fixture *under_test)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_delivery_is_one_effect_with_those_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bodies_of_no_and_of_many_bytes_arrive_unchanged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_receipt_is_a_json_object, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_only_prepared_has_no_effect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_run_at_once_and_are_reaped_in_portions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_attempt_that_is_abandoned_while_it_runs_leaves_the_others_alone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unreachable_target_is_tried_again_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(several_live_workers_make_one_effect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_crashes_anywhere_end_in_one_effect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_crashes_anywhere_end_in_one_effect_though_a_reader_takes_it_away,
						set_up, tear_down),
	};

	fixture = under_test;
	return cmocka_run_group_tests_name(under_test->name, tests, NULL, NULL);
}
