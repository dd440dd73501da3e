/* CSV of more than a window, made here, so that it is known what must come. The cases of a few lines are golden. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"
#include "tests/support/chain.h"
#include "tests/support/support.h"

#define ROWS 6000

static unsigned dice(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

/* A field of any length, as CSV and as JSON. */
static void add_field(unsigned *seed, struct buf *csv, struct buf *json)
{
	static const char *const plain[] = {"a", " ", "\\", "pump 40 l/min", "\xc3\xbc", "=", "'"},
				 *const special[] = {",", "\r\n", "\r", "\n", "\"", ";", "\t"};
	unsigned pieces = dice(seed, 100) ? dice(seed, 12) : 5000;
	bool quoted = dice(seed, 3) == 0;
	struct buf text;
	json_t *value;

	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < pieces; i++)
		buf_text(&text, quoted && !dice(seed, 3) ? special[dice(seed, 7)] : plain[dice(seed, 7)]);
	if (quoted)
		buf_char(csv, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"')
			buf_char(csv, '"');
		buf_char(csv, text.data[i]);
	}
	if (quoted)
		buf_char(csv, '"');
	value = json_stringn(text.data ? text.data : "", text.len);
	tree_write(json, value, 0);
	json_decref(value);
	buf_free(&text);
}

static void make_document(unsigned seed, struct buf *csv, struct buf *json)
{
	static const char *const ends[] = {"\r\n", "\n", "\r"};

	buf_text(csv, "one,two,three\r\n");
	for (unsigned row = 0; row < ROWS; row++) {
		for (unsigned field = 0; field < 3; field++) {
			buf_text(csv, field ? "," : "");
			buf_text(json, field == 0 ? "{\"one\":" : field == 1 ? ",\"two\":" : ",\"three\":");
			add_field(&seed, csv, json);
		}
		buf_text(csv, ends[dice(&seed, 3)]);
		buf_text(json, "}\n");
	}
}

/* The members of what came, without what tests/support/chain.c puts around them. */
static void check_lines(struct span came, struct span wanted)
{
	for (unsigned row = 0; row < ROWS; row++) {
		const char *end = memchr(came.data, '\n', came.len), *stop = memchr(wanted.data, '\n', wanted.len);
		json_t *line, *want;

		assert_non_null(end);
		line = tree_parse_new(span_make(came.data, (size_t)(end - came.data)), NULL);
		want = tree_parse_new(span_make(wanted.data, (size_t)(stop - wanted.data)), NULL);
		if (!json_equal(json_object_get(line, "out"), want))
			fail_msg("row %u: %.*s", row + 1, (int)(end - came.data > 2000 ? 2000 : end - came.data),
				 came.data);
		json_decref(line);
		json_decref(want);
		came = span_make(end + 1, came.len - (size_t)(end + 1 - came.data));
		wanted = span_make(stop + 1, wanted.len - (size_t)(stop + 1 - wanted.data));
	}
	assert_int_equal(came.len, 0);
}

/* As UTF-16: of what is beyond ASCII there is only U+00FC. */
static void widen(struct buf *csv)
{
	struct buf wide;

	buf_init(&wide, 64 << 20);
	buf_append(&wide, "\xff\xfe", 2);
	for (size_t i = 0; i < csv->len; i++) {
		bool ascii = (unsigned char)csv->data[i] < 0x80;
		const char unit[2] = {ascii ? csv->data[i] : '\xfc', '\0'};

		buf_append(&wide, unit, sizeof unit);
		i += !ascii;
	}
	buf_free(csv);
	*csv = wide;
}

static void check_document(const char *config, bool wide, unsigned seed)
{
	struct made_chain *made = made_chain_new(config, ".", "csv", NULL);
	struct came came = {0};
	struct buf csv, json;
	struct error error;

	buf_init(&csv, 64 << 20);
	buf_init(&json, 64 << 20);
	make_document(seed, &csv, &json);
	if (wide)
		widen(&csv);
	assert_true(csv.len > 1 << 20);
	assert_int_equal(made_chain_run(made, buf_view(&csv), SPAN_NONE, &came, &error), 0);
	assert_int_equal(came.published, ROWS);
	check_lines(buf_view(&came.lines), buf_view(&json));
	buf_free(&came.lines);
	buf_free(&csv);
	buf_free(&json);
	made_chain_free(made);
}

static void rows_of_any_length_come_as_they_were(void **state)
{
	check_document("{\"steps\":[{\"decode\":{\"format\":\"csv\",\"separator\":\",\"}}]}", false, 1);
}

static void what_is_converted_comes_as_well(void **state)
{
	check_document("{\"steps\":[{\"decode\":{\"format\":\"csv\",\"separator\":\",\"}}]}", true, 2);
}

static void flows_are_told_what_the_document_is(void **state)
{
	struct made_chain *made = made_chain_new(
		"{\"steps\":[{\"decode\":\"csv\"},{\"filter\":\"$envelope.csv == {charset: \\\"CP1252\\\", separator: "
		"\\\";\\\"}\"}]}",
		".", "csv", NULL);
	struct came came = {0};
	struct error error;

	assert_int_equal(made_chain_run(made, span_of("a;b\nM\xfcller;2\n"), SPAN_NONE, &came, &error), 0);
	assert_int_equal(came.published, 1);
	buf_free(&came.lines);
	made_chain_free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_any_length_come_as_they_were),
		cmocka_unit_test(what_is_converted_comes_as_well),
		cmocka_unit_test(flows_are_told_what_the_document_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
