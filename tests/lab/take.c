/* counterpart take: the reader of an import folder, which takes each file away as it arrives.
 *
 * A file is logged (synced), then removed. Killed between the two, it finds the file again when it starts: same name,
 * inode and time as the last line means that it was counted. */
#include "config.h"
#include <signal.h>

#include "tests/lab/counterpart.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"

struct taker {
	const char *directory;
	int log, dir;
	long delay_ms;
	json_t *last; /* line of the log; only that file may still lie there */
	unsigned long count, bytes;
};

static void remember(void *arg, json_t *line)
{
	struct taker *taker = arg;

	json_decref(taker->last);
	taker->last = json_incref(line);
	taker->count++;
	taker->bytes += (unsigned long)json_integer_value(json_object_get(line, "size"));
}

static bool ends(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

static int visible(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return name[0] != '.' && !ends(name, "~") && !ends(name, ".tmp") && !ends(name, ".part") &&
	       !ends(name, ".partial");
}

static json_int_t stamp(const struct stat *st)
{
	return (json_int_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool counted(const struct taker *taker, const char *name, const struct stat *st)
{
	const char *last = json_string_value(json_object_get(taker->last, "name"));

	return last && strcmp(last, name) == 0 &&
	       json_integer_value(json_object_get(taker->last, "inode")) == (json_int_t)st->st_ino &&
	       json_integer_value(json_object_get(taker->last, "mtime")) == stamp(st);
}

static void digest_file(int fd, char hex[ID_TEXT])
{
	struct sha256 *digest = sha256_new();
	uint8_t out[SHA256_SIZE];
	char bytes[64 * 1024];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		sha256_add(digest, bytes, (size_t)n);
	sha256_end(digest, out);
	sha256_free(digest);
	hex_encode(hex, out, sizeof out);
}

static void take_one(struct taker *taker, const char *name)
{
	int fd = openat(taker->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;
	char hex[ID_TEXT];

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (!counted(taker, name, &st)) {
			json_t *line;

			digest_file(fd, hex);
			line = json_pack("{s:s, s:I, s:s, s:I, s:I, s:I}", "name", name, "size", (json_int_t)st.st_size,
					 "sha256", hex, "at", (json_int_t)clock_now_ms(), "inode",
					 (json_int_t)st.st_ino, "mtime", stamp(&st));
			if (!line)
				die("a name in %s is not UTF-8", taker->directory);
			remember(taker, line);
			lines_add(taker->log, line);
		}
		unlinkat(taker->dir, name, 0);
	}
	close(fd);
}

static void pause_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void sweep(struct taker *taker)
{
	struct dirent **names = NULL;
	int n = scandir(taker->directory, &names, visible, alphasort);

	for (int i = 0; i < n; i++) {
		if (!ending) {
			if (taker->delay_ms)
				pause_ms(taker->delay_ms);
			take_one(taker, names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
}

int take_main(int argc, char **argv)
{
	struct taker taker = {0};
	const char *words[2] = {NULL, NULL};
	int n = 0, watch;
	char events[4096];

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--delay") == 0)
			taker.delay_ms = argument_number(&i, argc, argv);
		else if (argv[i][0] == '-' || n == 2)
			die("take: what is %s?", argv[i]);
		else
			words[n++] = argv[i];
	}
	if (n != 2)
		die("take needs a directory and a log");
	taker.directory = words[0];
	taker.dir = open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (taker.dir < 0 || watch < 0 || inotify_add_watch(watch, words[0], IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		die("cannot watch %s: %s", words[0], strerror(errno));
	taker.log = lines_open(words[1], remember, &taker);
	while (!ending) {
		struct pollfd wait = {.fd = watch, .events = POLLIN};

		sweep(&taker);
		poll(&wait, 1, 500);
		while (read(watch, events, sizeof events) > 0)
			continue;
	}
	printf("took %lu files, %lu bytes\n", taker.count, taker.bytes);
	json_decref(taker.last);
	close(watch);
	close(taker.dir);
	close(taker.log);
	return 0;
}
