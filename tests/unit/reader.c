/* Readers: memory, files and ranges look the same. */
#include "config.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/reader.h"

#define SIZE 100000

static char *content(void)
{
	char *bytes = malloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	return bytes;
}

static struct reader *from_file(const char *bytes, uint64_t offset, uint64_t size)
{
	char *directory = support_tmpdir(), *path = support_path(directory, "f");
	struct reader *reader;

	support_write(path, span_make(bytes, SIZE));
	reader = reader_new_fd(open(path, O_RDONLY), offset, size);
	support_rmtree(directory);
	free(path);
	free(directory);
	return reader;
}

/* Every way to read it gives these bytes. */
static void assert_reads(struct reader *reader, const char *bytes, size_t size)
{
	struct error error = {0};
	char chunk[777];
	uint8_t digest[32], expected[32];
	struct span view;
	struct buf buf;
	ssize_t n;
	size_t at = 0;

	assert_int_equal(reader_size(reader), size);
	while ((n = reader_read(reader, at, chunk, sizeof chunk, &error)) > 0) {
		assert_memory_equal(chunk, bytes + at, (size_t)n);
		at += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, size);
	assert_int_equal(reader_view(reader, &view, &error), 0);
	assert_true(span_equal(view, span_make(bytes, size)));
	buf_init(&buf, size + 1);
	buf_char(&buf, '!');
	assert_int_equal(reader_all(reader, &buf, &error), 0);
	assert_true(span_equal(span_make(buf.data + 1, buf.len - 1), span_make(bytes, size)));
	buf_free(&buf);
	assert_int_equal(reader_digest(reader, digest, &error), 0);
	sha256(span_make(bytes, size), expected);
	assert_memory_equal(digest, expected, 32);
}

static void memory_reads_as_it_was_copied(void **state)
{
	char *bytes = content(), *mine = content();
	struct reader *reader = reader_new_copy(span_make(mine, SIZE)), *none = reader_new_copy(SPAN_NONE);

	memset(mine, 0, SIZE);
	assert_reads(reader, bytes, SIZE);
	assert_reads(none, bytes, 0);
	reader_unref(reader);
	reader_unref(none);
	reader_unref(NULL);
	free(bytes);
	free(mine);
}

static void a_range_of_a_file_reads_alike(void **state)
{
	static const size_t ranges[][2] = {{0, SIZE}, {0, 0}, {1, 10}, {4095, 2}, {4096, 4096}, {50001, 49999}};
	char *bytes = content();

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		struct reader *reader = from_file(bytes, ranges[i][0], ranges[i][1]);

		assert_reads(reader, bytes + ranges[i][0], ranges[i][1]);
		reader_unref(reader);
	}
	free(bytes);
}

static void a_slice_of_a_slice_keeps_what_it_needs_and_is_clipped(void **state)
{
	char *bytes = content();
	struct reader *file = from_file(bytes, 100, SIZE - 100), *slice = reader_new_slice(file, 1000, 5000),
		      *inner = reader_new_slice(slice, 4000, 5000), *beyond = reader_new_slice(slice, 6000, 1);

	reader_unref(file);
	assert_reads(slice, bytes + 1100, 5000);
	reader_unref(slice);
	assert_reads(inner, bytes + 5100, 1000);
	assert_reads(beyond, bytes, 0);
	reader_unref(inner);
	reader_unref(beyond);
	free(bytes);
}

static void a_file_that_is_shorter_than_it_was_is_a_retry(void **state)
{
	char *bytes = content(), chunk[100];
	struct reader *reader = from_file(bytes, 0, SIZE + 50);
	struct error error = {0};
	struct span view;
	uint8_t digest[32];

	assert_int_equal(reader_read(reader, SIZE - 10, chunk, 100, &error), 10);
	assert_int_equal(reader_read(reader, SIZE, chunk, 100, &error), -1);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_string_equal(error.code, "disk.short");
	assert_int_equal(reader_view(reader, &view, &error), -1);
	assert_int_equal(reader_digest(reader, digest, &error), -1);
	reader_unref(reader);
	free(bytes);
}

static void a_body_past_the_buffers_maximum_is_rejected(void **state)
{
	struct reader *reader = reader_new_copy(SPAN_LITERAL("12345"));
	struct error error = {0};
	struct buf buf;

	buf_init(&buf, 4);
	assert_int_equal(reader_all(reader, &buf, &error), -1);
	assert_int_equal(error.class, ERROR_REJECT);
	assert_string_equal(error.code, "body.too-large");
	assert_int_equal(buf.len, 0);
	buf_free(&buf);
	buf_init(&buf, 8);
	buf_text(&buf, "12345678901");
	assert_true(buf.full);
	assert_int_equal(reader_all(reader, &buf, &error), -1);
	buf_free(&buf);
	reader_unref(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_reads_as_it_was_copied),
		cmocka_unit_test(a_range_of_a_file_reads_alike),
		cmocka_unit_test(a_slice_of_a_slice_keeps_what_it_needs_and_is_clipped),
		cmocka_unit_test(a_file_that_is_shorter_than_it_was_is_a_retry),
		cmocka_unit_test(a_body_past_the_buffers_maximum_is_rejected),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
