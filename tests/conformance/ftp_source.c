/* The FTP source through the suite of sources, on a real server. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker-adapters/ftp/ftp.h"
#include "tests/conformance/source.h"
#include "tests/support/ftp_lab.h"
#include "tests/support/support.h"

extern const struct source_ops ftp_source_ops;

struct spot {
	char *root;
	struct arena *arena;
	struct endpoint *endpoint;
	unsigned puts;
};

static void *set_up(void)
{
	struct spot *spot = mem_alloc(sizeof *spot);

	ftp_lab_need();
	ftp_lab_clean();
	spot->root = support_tmpdir();
	spot->arena = arena_new();
	spot->endpoint = ftp_lab_endpoint(spot->arena, spot->root, ftp_source_ops.options, ftp_source_ops.settings_size,
					  "outbox/*", "age", "0s", "after", "move", "to", "archive/kept", "rejected",
					  "archive/kept", "ignore", "*.tmp", NULL);
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

/* FTP tells times in seconds: those of what is put one after the other are told apart by hand. */
static void put(void *arg, const char *name, struct span content)
{
	struct spot *spot = arg;
	char *path = ftp_lab_path("outbox", name);
	struct timespec times[2] = {{.tv_sec = time(NULL) - 5000 + spot->puts},
				    {.tv_sec = time(NULL) - 5000 + spot->puts}};

	spot->puts++;
	support_write(path, content);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void take_away(void *arg, const char *name)
{
	char *path = ftp_lab_path("outbox", name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static bool waits(void *arg, const char *name)
{
	char *path = ftp_lab_path("outbox", name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static unsigned kept(void *arg)
{
	char *path = ftp_lab_path("archive", "kept");
	DIR *folder = opendir(path);
	struct dirent *found;
	unsigned n = 0;

	while (folder && (found = readdir(folder)))
		n += strcmp(found->d_name, ".") && strcmp(found->d_name, "..");
	if (folder)
		closedir(folder);
	free(path);
	return n;
}

int main(void)
{
	static const char *const faults[] = {"ftp.read",        "remote.fetched", "test.seen", "remote.mkdir",
					     "remote.archived", "remote.settled", NULL};
	static const char *const awkward[] = {
		"with space.edi", " led by one.edi", "Größe.edi", "..edi", "a..b.edi",   "-rf",
		"$(id).edi",      "%s%n.edi",        "'\"`;.edi", "...",   "a -> b.edi", "semi;colon=1; 2"};
	static const struct source_fixture fixture = {"ftp source on " FTP_LAB,
						      &ftp_source_ops,
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
