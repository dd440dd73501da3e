/* The file source through the suite of sources. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/conformance/endpoint.h"
#include "tests/conformance/pairs.h"
#include "tests/conformance/source.h"
#include "tests/support/support.h"

extern const struct source_ops file_source_ops;

struct spot {
	char *root, *drop, *archive;
	struct arena *arena;
	struct endpoint *endpoint;
};

static void *set_up(void)
{
	struct spot *spot = mem_alloc(sizeof *spot);

	spot->root = support_tmpdir();
	spot->drop = support_path(spot->root, "drop");
	spot->archive = support_path(spot->root, "kept");
	mkdir(spot->drop, 0755);
	spot->arena = arena_new();
	spot->endpoint = test_endpoint(spot->arena, "file", spot->root, file_source_ops.options,
				       file_source_ops.settings_size, "file", "drop/*", "age", "0s", "after", "move",
				       "to", "kept", "rejected", "kept", "ignore", "*.tmp", PAIRS_SETTINGS);
	return spot;
}

static void tear_down(void *arg)
{
	struct spot *spot = arg;

	support_rmtree(spot->root);
	arena_free(spot->arena);
	free(spot->root);
	free(spot->drop);
	free(spot->archive);
	free(spot);
}

static const struct endpoint *endpoint(void *arg)
{
	return ((struct spot *)arg)->endpoint;
}

static void put(void *arg, const char *name, struct span content)
{
	char *path = support_path(((struct spot *)arg)->drop, name);

	pairs_put(path, content);
	support_write(path, content);
	free(path);
}

static void take_away(void *arg, const char *name)
{
	char *path = support_path(((struct spot *)arg)->drop, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static bool waits(void *arg, const char *name)
{
	char *path = support_path(((struct spot *)arg)->drop, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static unsigned kept(void *arg)
{
	return pairs_kept(((struct spot *)arg)->archive);
}

int main(void)
{
	static const char *const faults[] = {"file.fetched",	    "test.seen",    "file.mkdir", "file.archived",
					     "file.archive-synced", "file.settled", PAIRS_FAULTS("file") NULL};
	static const char *const awkward[] = {"with space.edi", "new\nline.edi", "Größe.edi", "..edi",
					      "a..b.edi",	"-rf",		 "$(id).edi", "%s%n.edi",
					      "\xff\xfe.edi",	"'\"`;.edi",	 "..."};
	static const struct source_fixture fixture = {"file source" PAIRS_NAME,
						      &file_source_ops,
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
