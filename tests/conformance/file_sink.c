/* The file sink through the suite of sinks, with a rename that refuses to overwrite and with hard links instead. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/conformance/endpoint.h"
#include "tests/conformance/sink.h"
#include "tests/support/support.h"

extern const struct sink_ops file_sink_ops;

struct spot {
	char *root, *in, *away;
	struct arena *arena;
	struct endpoint *endpoint;
	unsigned taken;
};

static void *set_up(void)
{
	struct spot *spot = mem_alloc(sizeof *spot);

	spot->root = support_tmpdir();
	spot->in = support_path(spot->root, "in");
	spot->away = support_path(spot->root, "away");
	mkdir(spot->in, 0755);
	mkdir(spot->away, 0755);
	spot->arena = arena_new();
	spot->endpoint = test_endpoint(spot->arena, "file", spot->root, file_sink_ops.options,
				       file_sink_ops.settings_size, "file", "in/$(.number).xml", NULL);
	return spot;
}

static void tear_down(void *arg)
{
	struct spot *spot = arg;

	support_rmtree(spot->root);
	arena_free(spot->arena);
	free(spot->root);
	free(spot->in);
	free(spot->away);
	free(spot);
}

static const struct endpoint *endpoint(void *arg)
{
	return ((struct spot *)arg)->endpoint;
}

static void address(void *arg, struct message *message, const char *name)
{
	struct spot *spot = arg;
	json_t *body = json_pack("{s:s}", "number", name);
	struct expression_input input = {.body = body};
	struct error error = {0};

	if (file_sink_ops.address(spot->endpoint, &input, message, &error))
		fail_msg("%s: %s", error.code, error.text);
	json_decref(body);
}

/* The reader moves files to `away` under names of its own, or deletes them: both are seen in the wild. */
static unsigned effects(void *arg, const char *name, bool take)
{
	struct spot *spot = arg;
	char from[512], to[512];
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		snprintf(to, sizeof to, "%s/%s.%d", spot->away, name, i);
		n += access(to, F_OK) == 0;
	}
	snprintf(from, sizeof from, "%s/%s.xml", spot->in, name);
	if (access(from, F_OK))
		return n;
	if (take) {
		snprintf(to, sizeof to, "%s/%s.%u", spot->away, name, n);
		if (spot->taken++ % 2) {
			unlink(from);
			support_write(to, SPAN_NONE);
		} else {
			rename(from, to);
		}
	}
	return n + 1;
}

static char *content(void *arg, const char *name, size_t *len)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s.xml", ((struct spot *)arg)->in, name);
	return support_read(path, len);
}

static unsigned leftovers(void *arg)
{
	DIR *folder = opendir(((struct spot *)arg)->in);
	struct dirent *found;
	unsigned n = 0;

	while (folder && (found = readdir(folder)))
		n += found->d_name[0] == '.' && strcmp(found->d_name, ".") && strcmp(found->d_name, "..");
	if (folder)
		closedir(folder);
	return n;
}

static void unreachable(void *arg, bool gone)
{
	struct spot *spot = arg;
	char *hidden = support_path(spot->root, "gone");

	assert_int_equal(gone ? rename(spot->in, hidden) : rename(hidden, spot->in), 0);
	free(hidden);
}

int main(void)
{
#ifdef BY_LINK
	static const char *const faults[] = {
		"file.opened",	  "file.written",  "file.synced", "file.placed",  "file.marked",
		"file.dirsynced", "file.linking",  "file.linked", "file.renamed", "file.reaped",
		"file.resolved",  "file.unmarked", NULL};
	static const char *const doubtful[] = {"file.linking", "file.linked", NULL};
	static const char always[] = "file.no-exclusive-rename%1=fail";
#else
	static const char *const faults[] = {
		"file.opened",	"file.written", "file.synced",	 "file.placed",	  "file.marked", "file.dirsynced",
		"file.renamed", "file.reaped",	"file.resolved", "file.unmarked", NULL};
	static const char *const doubtful[] = {NULL};
	static const char always[] = "";
#endif
	static const struct sink_fixture fixture = {"file sink", &file_sink_ops, set_up,  tear_down, endpoint,
						    address,	 effects,	 content, leftovers, unreachable,
						    faults,	 always,	 doubtful, false};

	return sink_suite(&fixture);
}
