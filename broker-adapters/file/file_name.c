/* Names of the file sink: where a message goes, which is partly a stranger's word, and the hidden names of its
 * effect. */
#include "config.h"
#include "broker-adapters/file/file_sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

bool hidden_is_there(int directory, const struct id *key, enum hidden which, struct stat *st)
{
	char name[HIDDEN_NAME];

	hidden_name(name, key, which);
	return !fstatat(directory, name, st, AT_SYMLINK_NOFOLLOW);
}

int hidden_unlink(int directory, const struct id *key, enum hidden which)
{
	char name[HIDDEN_NAME];

	hidden_name(name, key, which);
	return unlinkat(directory, name, 0) && errno != ENOENT ? -1 : 0;
}

/* ---- sweep ---------------------------------------------------------------------------------------------------- */

struct sweep {
	int64_t before_ns;
	bool (*needed)(void *, const struct id *);
	void *arg;
	unsigned removed;
};

static void sweep_folder(struct sweep *sweep, int parent, const char *path, unsigned depth)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *found;
	struct stat st;
	struct id key;

	if (!folder && fd >= 0)
		close(fd);
	while (folder && (found = readdir(folder))) {
		if (hidden_key(found->d_name, &key)) {
			if (!fstatat(fd, found->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
			    file_ns(st.st_ctim) < sweep->before_ns && !sweep->needed(sweep->arg, &key) &&
			    !unlinkat(fd, found->d_name, 0))
				sweep->removed++;
		} else if (depth && found->d_name[0] != '.') {
			sweep_folder(sweep, fd, found->d_name, depth - 1);
		}
	}
	if (folder)
		closedir(folder);
}

int file_sink_address(const struct endpoint *endpoint, const struct expression_input *input, struct message *message,
		      struct error *error)
{
	const struct file_sink_settings *settings = endpoint->settings;

	return name_address(settings->file, input, message, error);
}

int file_sink_sweep(void *arg, const struct endpoint *endpoint, int64_t older_than_ms,
		    bool (*needed)(void *, const struct id *), void *needed_arg, unsigned *removed, struct error *error)
{
	const struct file_sink_settings *settings = endpoint->settings;
	struct span source = template_source(settings->file);
	size_t fixed = name_fixed_length(settings->file);
	/* whatever its age: a reader that takes the file away now changes its other name's time */
	int64_t before_ns = older_than_ms ? (clock_now_ms() - older_than_ms) * 1000000 : INT64_MAX;
	struct sweep sweep = {before_ns, needed, needed_arg, 0};
	char *path = mem_printf("%.*s", (int)fixed, source.data), *folder = file_path(endpoint->root, path);
	unsigned depth = 0;
	int fd;

	for (size_t i = fixed; i < source.len; i++)
		depth += source.data[i] == '/';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		sweep_folder(&sweep, fd, ".", depth > 8 ? 8 : depth);
		close(fd);
	}
	free(path);
	free(folder);
	*removed = sweep.removed;
	return 0; /* a missing folder is for prepare to tell */
}
