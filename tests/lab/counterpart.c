/* counterpart serve|take|post: see counterpart.h and the usage below. */
#include "config.h"
#include <signal.h>

#include "tests/lab/counterpart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

volatile sig_atomic_t ending;

static const char usage[] =
	"usage:\n"
	"  counterpart serve --log FILE [--port N] [--port-file FILE] [--idempotent | --plain] [--fail-every N] "
	"[--status S]\n"
	"                    [--slow MS] [--hang PATH] [--drop-after-effect N] [--reject TEXT] [--retry-after S] "
	"[--keep DIR]\n"
	"      A target over HTTP. Every effect is a line of JSON in FILE. With --idempotent a key is honoured: the "
	"same\n"
	"      key gets the same answer and no second effect, also after a restart. Ends on SIGTERM with a summary.\n"
	"  counterpart take DIR LOG [--delay MS]\n"
	"      Takes files away from DIR as they arrive; name, size and SHA-256 of each are a line of JSON in LOG.\n"
	"  counterpart post URL FILE… [--secret-file FILE] [--bearer-file FILE] [--id ID] [--for SECONDS]\n"
	"      Posts JSON documents, or the lines of a file of JSON lines, as signed webhooks; again on 503 for up to\n"
	"      SECONDS (60). Prints status and message id of each.\n";

void die(const char *format, ...)
{
	va_list args;

	fputs("counterpart: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

const char *argument_next(int *index, int argc, char **argv)
{
	if (*index + 1 >= argc)
		die("%s needs a value", argv[*index]);
	return argv[++*index];
}

long argument_number(int *index, int argc, char **argv)
{
	const char *name = argv[*index], *text = argument_next(index, argc, argv);
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || end == text || value < 0)
		die("%s takes a number, not %s", name, text);
	return value;
}

int lines_open(const char *path, void (*each)(void *, json_t *), void *arg)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	off_t whole = 0;

	if (!file)
		die("cannot open %s: %s", path, strerror(errno));
	while ((n = getline(&line, &room, file)) > 0 && line[n - 1] == '\n') {
		json_t *value = json_loadb(line, (size_t)n, 0, NULL);

		whole += n;
		if (value && each)
			each(arg, value);
		json_decref(value);
	}
	free(line);
	fclose(file);
	if (ftruncate(fd, whole))
		die("cannot repair %s: %s", path, strerror(errno));
	return fd;
}

int lines_add(int fd, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT), *whole = mem_printf("%s\n", text ? text : "{}");
	size_t len = strlen(whole);
	ssize_t n = write(fd, whole, len);

	free(text);
	free(whole);
	json_decref(line);
	if (n != (ssize_t)len || fdatasync(fd))
		die("cannot write the log: %s", strerror(errno));
	return 0;
}

static void on_signal(int number)
{
	ending = 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "take") == 0)
		return take_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "post") == 0)
		return post_main(argc - 1, argv + 1);
	fputs(usage, argc > 1 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
	return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
