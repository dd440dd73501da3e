/* Reading small files ahead: those of a batch are asked for at once, and each is looked at once more when it was read,
 * as if it had been read alone. What changes meanwhile or cannot be read is left to be read, and reported, by itself.
 */
#include "config.h"
#include "broker-adapters/remote/remote_source.h"

#include <stdlib.h>

#define AHEAD (8u << 20) /* bytes at a time */

struct reading {
	struct remote_source *source;
	struct remote_held *held;
};

/* 0 exactly what was listed is in `bytes`. */
static int read_all(struct remote *remote, const char *path, char *bytes, uint64_t size)
{
	struct remote_download *download;
	uint64_t at = 0;
	ssize_t n = -1;
	int status;

	download = remote->ops->download_new(remote, path, 0, size + 1, &status, NULL);
	while (download && at <= size &&
	       (n = remote->ops->download_read(download, bytes + at, (size_t)(size + 1 - at), NULL)) > 0)
		at += (uint64_t)n;
	remote->ops->download_free(download);
	return n == 0 && at == size ? 0 : -1;
}

static void read_one(void *arg)
{
	const struct reading *reading = arg;
	struct remote_held *held = reading->held;
	struct remote *remote = reading->source->remote;
	char *path = remote_source_path(reading->source, held->name, ""),
	     *bytes = mem_alloc((size_t)held->stamp.size + 1);
	struct remote_attrs attrs;
	struct stamp now;
	bool good = !read_all(remote, path, bytes, held->stamp.size) &&
		    remote_lstat(remote, path, &attrs, NULL) == REMOTE_OK;

	now = good ? remote_stamp(&attrs) : (struct stamp){0};
	if (good && stamp_same(&now, &held->stamp))
		held->content = bytes;
	else
		free(bytes);
	free(path);
}

void remote_source_read_ahead(struct remote_source *source, struct remote_held *first)
{
	struct reading all[REMOTE_AT_ONCE];
	void *args[REMOTE_AT_ONCE];
	uint64_t bytes = 0;
	size_t n = 0;

	for (struct remote_held *held = first; held && n < REMOTE_AT_ONCE; held = held->next) {
		struct error refused;

		if (held->document.failed || held->content ||
		    taking_size(&source->settings->taking, source->folder, held->shown, held->stamp.size, &refused))
			continue;
		bytes += held->stamp.size;
		if (held->stamp.size > REMOTE_SMALL || bytes > AHEAD)
			break;
		all[n] = (struct reading){source, held};
		args[n] = &all[n];
		n++;
	}
	if (n > 1 && source->ops->many && !remote_source_connect(source, &(struct error){0}))
		source->ops->many(source->remote, read_one, args, n);
}
