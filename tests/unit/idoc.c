/* decode: idoc and encode: idoc together: what is read and written again is the same bytes, in every shape of file that
 * the golden folders of idoc have. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/chain.h"
#include "tests/support/support.h"

#define BOTH                                                                                                           \
	"{\"steps\": [{\"decode\": {\"format\": \"idoc\", \"layouts\": \"%s\"}}, "                                     \
	"{\"encode\": {\"format\": \"idoc\", \"layouts\": \"%s\"}}]}"

static char *golden(const char *name)
{
	return mem_printf("%s/tests/golden/idoc/%s", getenv("FERRULE_SRCDIR") ? getenv("FERRULE_SRCDIR") : SRCDIR,
			  name);
}

/* Bytes that are no UTF-8 are told as a character each, behind a word. */
static void add_text(struct buf *into, const char *text)
{
	bool bytes = !strncmp(text, "bytes: ", 7);

	for (const char *p = bytes ? text + 7 : text; *p; p++) {
		bool wide = bytes && ((unsigned char)*p & 0xe0) == 0xc0;

		buf_char(into, wide ? (char)(((unsigned char)p[0] & 3) << 6 | ((unsigned char)p[1] & 0x3f)) : *p);
		p += wide;
	}
}

static void same(const char *name, const char *layout)
{
	char *directory = golden(name), *path = support_path(directory, "in"),
	     *config = mem_printf(BOTH, layout, layout);
	struct made_chain *made = made_chain_new(config, directory, "idoc", NULL);
	struct came came = {0};
	struct error error;
	struct buf again;
	size_t len;
	char *in = support_read(path, &len), *rest, *line;

	buf_init(&again, 1 << 20);
	if (made_chain_run(made, span_make(in, len), SPAN_NONE, &came, &error) || came.dead)
		fail_msg("%s: %s", name, came.lines.data);
	rest = mem_span_dup(buf_view(&came.lines));
	for (line = strtok(rest, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *tree = json_loads(line, 0, NULL);

		add_text(&again, json_string_value(json_object_get(tree, "text")));
		json_decref(tree);
	}
	if (!span_equal(buf_view(&again), span_make(in, len)))
		fail_msg("%s is written as\n%s", name, again.data);
	made_chain_free(made);
	buf_free(&came.lines);
	buf_free(&again);
	free(rest);
	free(in);
	free(path);
	free(config);
	free(directory);
}

static void what_is_read_is_written_as_the_same_bytes(void **state)
{
	same("order", "ORDERS05.yaml");
	same("latin-1-trimmed-crlf", "ORDERS05.yaml");
	same("fixed-records", "ORDERS05.yaml");
	same("scattered", "ORDERS05.yaml");
	same("as-sent-otherwise", "ORDERS05.yaml");
	same("we60-report", "zorder01.txt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_written_as_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
