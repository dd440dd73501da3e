/* The queues of a site: found by name, there and back as bytes. */
#include "config.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/topology.h"

static struct topology *sample(unsigned n)
{
	struct topology *topology = topology_new();

	for (unsigned i = 0; i < n; i++) {
		char name[40];
		struct topology_queue *queue;

		snprintf(name, sizeof name, "in.flow-%u", i);
		queue = topology_add(topology, name);
		queue->flow = arena_printf(topology->arena, "flow-%u", i);
		queue->worker = "transform";
		queue->kind = (enum queue_kind)(i % 3);
		queue->order = (enum order_on_reject)(i / 3 % 3);
		queue->owner = "team";
		queue->runbook = "docs/x.md";
		queue->reject = i % 2 ? "refused.v1" : "";
		queue->system = "erp";
		queue->endpoint = i % 2 ? "erp-drop" : "";
		queue->topics_count = i % 4;
		queue->topics = arena_alloc(topology->arena, 4 * sizeof *queue->topics);
		for (size_t t = 0; t < queue->topics_count; t++)
			queue->topics[t] = arena_printf(topology->arena, "topic-%zu.v1", t);
	}
	return topology;
}

static void every_queue_of_thousands_is_found_by_its_name(void **state)
{
	struct topology *topology = sample(2000);

	assert_int_equal(topology->count, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		char name[40];

		snprintf(name, sizeof name, "in.flow-%u", i);
		assert_ptr_equal(topology_find(topology, span_of(name)), &topology->queues[i]);
	}
	assert_null(topology_find(topology, SPAN_LITERAL("in.flow-2000")));
	assert_null(topology_find(topology, SPAN_LITERAL("")));
	topology_free(topology);
	topology = topology_new();
	assert_null(topology_find(topology, SPAN_LITERAL("x")));
	topology_free(topology);
	topology_free(NULL);
}

static void a_new_queue_has_empty_texts(void **state)
{
	struct topology *topology = topology_new();
	struct topology_queue *queue = topology_add(topology, "in.x");

	assert_string_equal(queue->name, "in.x");
	assert_string_equal(queue->flow, "");
	assert_string_equal(queue->endpoint, "");
	assert_string_equal(queue->system, "");
	assert_string_equal(queue->worker, "");
	assert_string_equal(queue->owner, "");
	assert_string_equal(queue->runbook, "");
	assert_string_equal(queue->reject, "");
	topology_free(topology);
}

static void a_topology_goes_there_and_back(void **state)
{
	static const unsigned sizes[] = {0, 1, 50};

	for (size_t s = 0; s < 3; s++) {
		struct topology *topology = sample(sizes[s]), *back;
		struct buf one, two;

		buf_init(&one, 1000000);
		buf_init(&two, 1000000);
		topology_encode(topology, &one);
		back = topology_decode_new(buf_view(&one), NULL);
		assert_non_null(back);
		topology_encode(back, &two);
		assert_true(span_equal(buf_view(&one), buf_view(&two)));
		for (size_t i = 0; i < topology->count; i++) {
			assert_string_equal(back->queues[i].name, topology->queues[i].name);
			assert_string_equal(back->queues[i].runbook, "docs/x.md");
			assert_int_equal(back->queues[i].order, topology->queues[i].order);
			assert_int_equal(back->queues[i].topics_count, i % 4);
		}
		topology_free(back);
		topology_free(topology);
		buf_free(&one);
		buf_free(&two);
	}
}

static void damaged_bytes_are_refused(void **state)
{
	struct topology *topology = sample(5);
	struct error error = {0};
	unsigned random = 1;
	struct buf buf;

	buf_init(&buf, 100000);
	topology_encode(topology, &buf);
	for (size_t len = 0; len < buf.len; len++) {
		char *copy = malloc(len + 1);

		memcpy(copy, buf.data, len);
		assert_null(topology_decode_new(span_make(copy, len), &error));
		assert_string_equal(error.code, "topology.unreadable");
		free(copy);
	}
	for (unsigned i = 0; i < 5000; i++) {
		char *copy = malloc(buf.len);

		memcpy(copy, buf.data, buf.len);
		for (unsigned n = 0; n < 3; n++) {
			random = random * 1103515245u + 12345u;
			copy[(random >> 8) % buf.len] = (char)(random >> 24);
		}
		topology_free(topology_decode_new(span_make(copy, buf.len), NULL));
		free(copy);
	}
	buf_char(&buf, 'x');
	assert_null(topology_decode_new(buf_view(&buf), &error));
	buf_free(&buf);
	topology_free(topology);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_queue_of_thousands_is_found_by_its_name),
		cmocka_unit_test(a_new_queue_has_empty_texts),
		cmocka_unit_test(a_topology_goes_there_and_back),
		cmocka_unit_test(damaged_bytes_are_refused),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
