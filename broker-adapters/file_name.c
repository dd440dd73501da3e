/* Names of the file sink: where a message goes, which is partly a stranger's word, and the hidden names of its
 * effect. */
#include "config.h"
#include "broker-adapters/file_sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

#define PATH_LIMIT 1024 /* of what a template gives */
#define VALUE_LIMIT 200 /* of one value in it */
#define DEPTH_LIMIT 8   /* of folders that are swept */

/* ---- address: the path, from the message ---------------------------------------------------------------------- */

static int refuse_value(struct span value, const char *why, struct error *error)
{
	char shown[FILE_SHOWN];

	file_show(shown, value);
	shown[80] = '\0';
	return error_set(error, ERROR_REJECT, "file.name", "the value \"%s\" cannot be part of a file name: it %s",
			 shown, why);
}

/* What stands in a message must not choose another folder, hide the file or trick whoever lists it. */
static int escape_value(struct buf *into, struct span value, struct error *error)
{
	if (value.len > VALUE_LIMIT)
		return refuse_value(value, "is longer than 200 bytes", error);
	if (value.len && value.data[0] == '.')
		return refuse_value(value, "begins with a dot", error);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c == '/' || c == '\\')
			return refuse_value(value, "contains a slash", error);
		if (c < ' ' || c == 0x7f || (c == 0xc2 && i + 1 < value.len && (unsigned char)value.data[i + 1] < 0xa0))
			return refuse_value(value, "contains a control character", error);
	}
	return buf_span(into, value) ? refuse_value(value, "makes the path too long", error) : 0;
}

int file_refuse_path(struct span path, const char *why, struct error *error)
{
	char shown[FILE_SHOWN];

	file_show(shown, path);
	return error_set(error, ERROR_REJECT, "file.name", "the path \"%s\" %s", shown, why);
}

/* How much of the path is the site's own directory, up to the first part that a value has a hand in. */
size_t file_fixed_length(const struct template *template)
{
	struct span source = template_source(template);
	size_t fixed = 0;

	for (size_t i = 0; i < source.len && source.data[i] != '$'; i++)
		if (source.data[i] == '/')
			fixed = i + 1;
	return fixed;
}

static int check_path(struct span path, size_t fixed, struct error *error)
{
	for (size_t at = fixed, end; at <= path.len; at = end + 1) {
		const char *slash = at < path.len ? memchr(path.data + at, '/', path.len - at) : NULL;

		end = slash ? (size_t)(slash - path.data) : path.len;
		if (end == at)
			return file_refuse_path(path, "has an empty name in it; a value is missing", error);
		if (path.data[at] == '.')
			return file_refuse_path(path, "has a name in it that begins with a dot; a value is missing",
						error);
		if (end - at > NAME_MAX)
			return file_refuse_path(path, "has a name of more than 255 bytes", error);
	}
	return 0;
}

int file_sink_address(const struct endpoint *endpoint, const struct expression_input *input, struct message *message,
			     struct error *error)
{
	const struct file_sink_settings *settings = endpoint->settings;
	struct buf path;
	int result = -1;

	buf_init(&path, PATH_LIMIT);
	if (template_render(settings->file, input, escape_value, &path, error))
		goto done;
	if (path.full) {
		file_refuse_path(buf_view(&path), "is longer than 1024 bytes", error);
		goto done;
	}
	if (check_path(buf_view(&path), file_fixed_length(settings->file), error))
		goto done;
	result = message_attr(message, SPAN_LITERAL("path"), buf_view(&path), error);
done:
	buf_free(&path);
	return result;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

static const char *const hidden_ends[] = {".tmp", ".mark", ".link", ".part"};

void hidden_name(char out[HIDDEN_NAME], const struct id *key, enum hidden which)
{
	char hex[ID_TEXT];

	id_hex(key, hex);
	snprintf(out, HIDDEN_NAME, ".ferrule-%s%s", hex, hidden_ends[which]);
}

/* Is the name of that form? */
static bool hidden_key(const char *name, struct id *key)
{
	return !strncmp(name, ".ferrule-", 9) && strlen(name) >= 9 + 64 && !id_parse(key, span_make(name + 9, 64)) &&
	       name[9 + 64] == '.';
}

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

int file_sink_sweep(void *arg, const struct endpoint *endpoint, int64_t older_than_ms,
		    bool (*needed)(void *, const struct id *), void *needed_arg, unsigned *removed, struct error *error)
{
	const struct file_sink_settings *settings = endpoint->settings;
	struct span source = template_source(settings->file);
	size_t fixed = file_fixed_length(settings->file);
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
