/* The FTP sink through the suite of sinks, on a real server. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker-adapters/ftp/ftp.h"
#include "tests/conformance/sink.h"
#include "tests/support/ftp_lab.h"
#include "tests/support/support.h"

extern const struct sink_ops ftp_sink_ops;

struct spot {
	char *root, *away;
	struct arena *arena;
	struct endpoint *endpoint;
	unsigned taken;
};

static void *set_up(void)
{
	struct spot *spot = mem_alloc(sizeof *spot);

	ftp_lab_need();
	ftp_lab_clean();
	spot->root = support_tmpdir();
	spot->away = support_path(spot->root, "away");
	mkdir(spot->away, 0755);
	spot->arena = arena_new();
	spot->endpoint = ftp_lab_endpoint(spot->arena, spot->root, ftp_sink_ops.options, ftp_sink_ops.settings_size,
					  "inbox/$(.number).xml", NULL);
	return spot;
}

static void tear_down(void *arg)
{
	struct spot *spot = arg;

	support_rmtree(spot->root);
	arena_free(spot->arena);
	free(spot->root);
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

	if (ftp_sink_ops.address(spot->endpoint, &input, message, &error))
		fail_msg("%s: %s", error.code, error.text);
	json_decref(body);
}

/* The partner moves files away under names of their own, or deletes them. */
static unsigned effects(void *arg, const char *name, bool take)
{
	struct spot *spot = arg;
	char to[512], *file = mem_printf("%s.xml", name), *from = ftp_lab_path("inbox", file);
	unsigned n = 0;

	for (int i = 0; i < 4; i++) {
		snprintf(to, sizeof to, "%s/%s.%d", spot->away, name, i);
		n += access(to, F_OK) == 0;
	}
	if (!access(from, F_OK)) {
		if (take) {
			snprintf(to, sizeof to, "%s/%s.%u", spot->away, name, n);
			unlink(from);
			support_write(to, SPAN_NONE);
		}
		n++;
	}
	free(file);
	free(from);
	return n;
}

static char *content(void *arg, const char *name, size_t *len)
{
	char *file = mem_printf("%s.xml", name), *path = ftp_lab_path("inbox", file), *bytes;

	bytes = support_read(path, len);
	free(file);
	free(path);
	return bytes;
}

static unsigned hidden(void)
{
	char *path = ftp_lab_path("inbox", NULL);
	DIR *folder = opendir(path);
	struct dirent *found;
	unsigned n = 0;

	while (folder && (found = readdir(folder)))
		n += found->d_name[0] == '.' && strcmp(found->d_name, ".") && strcmp(found->d_name, "..");
	if (folder)
		closedir(folder);
	free(path);
	return n;
}

static bool none_hidden(void *arg)
{
	return hidden() == 0;
}

/* What goes last goes without waiting for the answer. */
static unsigned leftovers(void *arg)
{
	support_until(none_hidden, NULL, 1000);
	return hidden();
}

static void unreachable(void *arg, bool gone)
{
	char *in = ftp_lab_path("inbox", NULL), *aside = ftp_lab_path("gone", NULL);

	assert_int_equal(gone ? rename(in, aside) : rename(aside, in), 0);
	free(in);
	free(aside);
}

int main(void)
{
	static const char *const faults[] = {
		"ftp.opened",     "ftp.written",   "ftp.synced",      "remote.marked",   "remote.renaming",
		"remote.renamed", "remote.reaped", "remote.resolved", "remote.unmarked", NULL};
	static const char *const doubtful[] = {NULL};
	static const struct sink_fixture fixture = {"ftp sink on " FTP_LAB,
						    &ftp_sink_ops,
						    set_up,
						    tear_down,
						    endpoint,
						    address,
						    effects,
						    content,
						    leftovers,
						    unreachable,
						    faults,
						    "",
						    doubtful,
						    true};

	return sink_suite(&fixture);
}
