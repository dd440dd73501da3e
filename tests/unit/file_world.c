/* See file_world.h. */
#include "config.h"
#include "tests/unit/file_world.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "tests/conformance/endpoint.h"

struct file_world w;

int set_up(void **state)
{
	struct error error = {0};

	w.root = support_tmpdir();
	w.drop = support_path(w.root, "drop");
	w.vault_path = support_path(w.root, "vault");
	mkdir(w.drop, 0755);
	w.arena = arena_new();
	w.vault = vault_open(w.vault_path, &error);
	assert_non_null(w.vault);
	w.source = NULL;
	return 0;
}

int tear_down(void **state)
{
	clock_set(0);
	file_source_ops.close(w.source);
	vault_close(w.vault);
	arena_free(w.arena);
	support_rmtree(w.root);
	free(w.root);
	free(w.drop);
	free(w.vault_path);
	return 0;
}

void source_with(const char *pattern, const char *k1, const char *v1, const char *k2, const char *v2)
{
	struct error error = {0};
	const struct endpoint *endpoint =
		test_endpoint(w.arena, "file", w.root, file_source_ops.options, file_source_ops.settings_size, "file",
			      pattern, k1, v1, k1 ? k2 : NULL, v2, NULL);

	file_source_ops.close(w.source);
	w.source = file_source_ops.open(endpoint, &error);
	if (!w.source)
		fail_msg("%s", error.text);
}

void put(const char *name, const char *text)
{
	char *path = support_path(w.drop, name);

	support_write(path, span_of(text));
	free(path);
}

bool there(const char *path)
{
	char *whole = support_path(w.root, path);
	struct stat st;
	bool found = !lstat(whole, &st);

	free(whole);
	return found;
}

bool holds(const char *path, const char *text)
{
	char *whole = support_path(w.root, path), *content = support_read(whole, NULL);
	bool same = content && !strcmp(content, text);

	free(whole);
	free(content);
	return same;
}

size_t look(struct document **into, size_t max)
{
	struct error error = {0};
	size_t found = 0;

	if (file_source_ops.poll(w.source, into, max, &found, &error))
		fail_msg("%s", error.text);
	return found;
}

struct document *one(void)
{
	struct document *document = NULL;

	assert_int_equal(look(&document, 1), 1);
	return document;
}

void none(void)
{
	struct document *document;

	assert_int_equal(look(&document, 1), 0);
}

void fetch(struct document *document)
{
	struct error error = {0};

	if (file_source_ops.fetch(w.source, document, w.vault, &error))
		fail_msg("%s", error.text);
}

void forget(struct document *document)
{
	file_source_ops.forget(w.source, document);
}

void settle(struct document *document, enum settlement how)
{
	struct error error = {0};

	if (file_source_ops.settle(w.source, document, how, &error))
		fail_msg("%s", error.text);
	forget(document);
}

void take(enum settlement how)
{
	struct document *document = one();

	fetch(document);
	settle(document, how);
}

void today(char day[CLOCK_TEXT])
{
	clock_format(clock_now_ms(), day);
	day[10] = '\0';
}

const char *archived(const char *name)
{
	static char path[512];
	char day[CLOCK_TEXT];

	today(day);
	snprintf(path, sizeof path, "drop/archive/%s/%s", day, name);
	return path;
}
