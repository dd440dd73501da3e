/* The SFTP source through the suite of sources, on a real server. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker-adapters/sftp/sftp_files.h"
#include "tests/conformance/pairs.h"
#include "tests/conformance/source.h"
#include "tests/support/sftp_lab.h"
#include "tests/support/support.h"

extern const struct source_ops sftp_source_ops;

struct spot {
	char *root;
	struct arena *arena;
	struct endpoint *endpoint;
	unsigned puts;
};

static void *set_up(void)
{
	struct spot *spot = mem_alloc(sizeof *spot);

	sftp_lab_need();
	sftp_lab_clean();
	spot->root = support_tmpdir();
	spot->arena = arena_new();
	spot->endpoint = sftp_lab_endpoint(spot->arena, spot->root, sftp_source_ops.options,
					   sftp_source_ops.settings_size, "outbox/*", "age", "0s", "after", "move",
					   "to", "archive/kept", "rejected", "archive/kept", "ignore", "*.tmp",
					   PAIRS_SETTINGS);
	return spot;
}

static void tear_down(void *arg)
{
	struct spot *spot = arg;

	support_rmtree(spot->root);
	arena_free(spot->arena);
	free(spot->root);
	free(spot);
}

static const struct endpoint *endpoint(void *arg)
{
	return ((struct spot *)arg)->endpoint;
}

/* SFTP tells times in seconds: those of what is put one after the other are told apart by hand. */
static void put(void *arg, const char *name, struct span content)
{
	struct spot *spot = arg;
	char *path = sftp_lab_path("outbox", name);
	struct timespec times[2] = {{.tv_sec = time(NULL) - 5000 + spot->puts},
				    {.tv_sec = time(NULL) - 5000 + spot->puts}};

	spot->puts++;
	pairs_put(path, content);
	support_write(path, content);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void take_away(void *arg, const char *name)
{
	char *path = sftp_lab_path("outbox", name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static bool waits(void *arg, const char *name)
{
	char *path = sftp_lab_path("outbox", name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static unsigned kept(void *arg)
{
	char *path = sftp_lab_path("archive", "kept");
	unsigned n = pairs_kept(path);

	free(path);
	return n;
}

int main(void)
{
	static const char *const faults[] = {"sftp.read",     "remote.fetched", "test.seen", "remote.mkdir",
					     "remote.archived", "remote.settled", PAIRS_FAULTS("remote") NULL};
	static const char *const awkward[] = {"with space.edi", "new\nline.edi", "Größe.edi", "..edi",
					      "a..b.edi",       "-rf",           "$(id).edi", "%s%n.edi",
					      "\xff\xfe.edi",   "'\"`;.edi",     "..."};
	static const struct source_fixture fixture = {"sftp source on " SFTP_LAB PAIRS_NAME,
						      &sftp_source_ops,
						      set_up,
						      tear_down,
						      endpoint,
						      put,
						      take_away,
						      waits,
						      kept,
						      faults,
						      sizeof awkward / sizeof *awkward,
						      awkward};

	return source_suite(&fixture);
}
