/* Support for tests. See support.h. */
#include "config.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
	pid_t owner; /* children that fork off and end must not clean up */
	size_t count;
	char *directories[256];
} made;

static void must(bool ok, const char *what, const char *path)
{
	if (!ok)
		fail_msg("%s %s: %s", what, path, strerror(errno));
}

static void clean_up(void)
{
	for (size_t i = 0; i < made.count; i++) {
		if (made.owner == getpid())
			support_rmtree(made.directories[i]);
		free(made.directories[i]);
	}
	made.count = 0;
}

char *support_tmpdir(void)
{
	const char *base = getenv("TMPDIR");
	char path[4096];

	snprintf(path, sizeof path, "%s/ferrule-test.XXXXXX", base && *base ? base : "/tmp");
	must(mkdtemp(path) != NULL, "making", path);
	if (!made.owner) {
		made.owner = getpid();
		atexit(clean_up);
	}
	if (made.owner == getpid() && made.count < sizeof made.directories / sizeof *made.directories)
		made.directories[made.count++] = strdup(path);
	return strdup(path);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	if (type == FTW_DNR || type == FTW_D)
		chmod(path, 0700);
	return remove(path) && errno != ENOENT;
}

void support_rmtree(const char *path)
{
	nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

char *support_path(const char *directory, const char *name)
{
	size_t size = strlen(directory) + strlen(name) + 2;
	char *path = malloc(size);

	snprintf(path, size, "%s/%s", directory, name);
	return path;
}

void support_write(const char *path, struct span content)
{
	char *copy = strdup(path);
	int fd;

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		must(mkdir(copy, 0755) == 0 || errno == EEXIST, "making", copy);
		*slash = '/';
	}
	free(copy);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(fd >= 0, "opening", path);
	while (content.len) {
		ssize_t n = write(fd, content.data, content.len);

		must(n > 0, "writing", path);
		content = span_make(content.data + n, content.len - (size_t)n);
	}
	must(close(fd) == 0, "closing", path);
}

char *support_read(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0, size = 4096;
	char *data;

	if (fd < 0 && errno == ENOENT)
		return NULL;
	must(fd >= 0, "opening", path);
	data = malloc(size);
	for (;;) {
		ssize_t n = read(fd, data + used, size - used - 1);

		must(n >= 0, "reading", path);
		if (n == 0)
			break;
		used += (size_t)n;
		if (used + 1 == size)
			data = realloc(data, size *= 2);
	}
	close(fd);
	data[used] = '\0';
	if (len)
		*len = used;
	return data;
}

unsigned support_count(const char *directory)
{
	DIR *dir = opendir(directory);
	unsigned count = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

int support_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
	     getsockname(fd, (struct sockaddr *)&address, &size) == 0, "finding", "a free port");
	close(fd);
	return ntohs(address.sin_port);
}

bool support_until(bool (*holds)(void *), void *arg, int wait_ms)
{
	struct timespec pause = {.tv_nsec = 5000000};

	for (int waited = 0; !holds(arg); waited += 5) {
		if (waited >= wait_ms)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void support_skip(const char *why)
{
	printf("# skipped: %s\n", why);
	skip();
}
