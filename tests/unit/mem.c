/* Allocation and arenas. */
#include "config.h"
#include "tests/support/support.h"

#include <stdalign.h>
#include <stdlib.h>

#include "base/mem.h"

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void memory_comes_zeroed_also_when_nothing_is_asked_for(void **state)
{
	char *p = mem_alloc(1000), *none = mem_alloc(0);

	assert_true(all_zero(p, 1000));
	assert_non_null(none);
	free(p);
	free(none);
}

static void texts_are_copied(void **state)
{
	char *a = mem_strdup("abc"), *b = mem_span_dup(span_make("abcdef", 2)), *c = mem_printf("%d-%s", 7, "x");

	assert_string_equal(a, "abc");
	assert_string_equal(b, "ab");
	assert_string_equal(c, "7-x");
	assert_null(mem_strdup(NULL));
	free(a);
	free(b);
	free(c);
}

static void arrays_grow_by_doubling_and_keep_what_they_hold(void **state)
{
	size_t capacity = 0;
	int *list = NULL;

	for (int i = 0; i < 1000; i++) {
		list = mem_grow(list, &capacity, (size_t)i + 1, sizeof *list);
		list[i] = i;
	}
	assert_int_equal(capacity, 1024);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(list[i], i);
	free(list);
}

static void an_arena_gives_aligned_zeroed_pieces_that_do_not_overlap(void **state)
{
	static const size_t sizes[] = {1, 3, 16, 100, 5000, 7, 4096, 2, 70000, 64};
	struct arena *arena = arena_new();
	char *pieces[200];

	for (size_t i = 0; i < 200; i++) {
		size_t size = sizes[i % 10];

		pieces[i] = arena_alloc(arena, size);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		assert_true(all_zero(pieces[i], size));
		memset(pieces[i], (int)i + 1, size);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t n = 0; n < sizes[i % 10]; n++)
			assert_int_equal((unsigned char)pieces[i][n], (unsigned char)(i + 1));
	assert_true(arena_size(arena) >= 20 * 79000);
	arena_free(arena);
}

static void a_reset_arena_gives_zeroed_memory_again_and_holds_one_block(void **state)
{
	struct arena *arena = arena_new();

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) {
			char *p = arena_alloc(arena, 100);

			assert_true(all_zero(p, 100));
			memset(p, 'x', 100);
		}
		arena_reset(arena);
		assert_true(arena_size(arena) <= 4096);
	}
	arena_free(arena);
	arena_free(NULL);
}

static void an_arena_copies_texts_and_spans_with_a_nul_behind(void **state)
{
	struct arena *arena = arena_new();
	struct span span = arena_span(arena, span_make("abcdef", 3)), none = arena_span(arena, SPAN_NONE);

	assert_int_equal(span.len, 3);
	assert_string_equal(span.data, "abc");
	assert_int_equal(none.len, 0);
	assert_string_equal(none.data, "");
	assert_string_equal(arena_strdup(arena, "text"), "text");
	assert_null(arena_strdup(arena, NULL));
	assert_string_equal(arena_printf(arena, "%05d", 42), "00042");
	arena_free(arena);
}

static void what_was_allocated_since_a_mark_is_forgotten(void **state)
{
	struct arena *arena = arena_new();
	struct arena_mark empty = arena_mark(arena), mark;
	char *first = arena_strdup(arena, "first"), *second;
	size_t held = arena_size(arena);

	mark = arena_mark(arena);
	second = arena_strdup(arena, "second");
	arena_alloc(arena, 1 << 20);
	arena_alloc(arena, 100000);
	arena_rewind(arena, mark);
	assert_int_equal(arena_size(arena), held);
	assert_string_equal(first, "first");
	assert_ptr_equal(arena_alloc(arena, 7), second);
	assert_string_equal(second, ""); /* zeroed again */
	arena_rewind(arena, empty);
	assert_int_equal(arena_size(arena), 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_allocated_since_a_mark_is_forgotten),
		cmocka_unit_test(memory_comes_zeroed_also_when_nothing_is_asked_for),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(arrays_grow_by_doubling_and_keep_what_they_hold),
		cmocka_unit_test(an_arena_gives_aligned_zeroed_pieces_that_do_not_overlap),
		cmocka_unit_test(a_reset_arena_gives_zeroed_memory_again_and_holds_one_block),
		cmocka_unit_test(an_arena_copies_texts_and_spans_with_a_nul_behind),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
