/* ferrule init: a new site to start from, with sample documents. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/verb.h"
#include "config/site.h"
#include "services/registry.h"

#define DEPTH_MAX 8

static const struct verb_option options[] = {
	{"template", "NAME", "which sample to start from (order-to-cash)"},
	{NULL, NULL, NULL},
};

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "ferrule init: %s %s: %s\n", what, path, strerror(errno));
	return -1;
}

static int copy_file(const char *from, const char *to)
{
	char chunk[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, result = -1;
	ssize_t n = -1;

	if (in < 0)
		return fail("reading", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	while (out >= 0 && (n = read(in, chunk, sizeof chunk)) > 0)
		if (write(out, chunk, (size_t)n) != n)
			break;
	if (out < 0 || n != 0)
		fail("writing", to);
	else
		result = 0;
	close(in);
	if (out >= 0)
		close(out);
	return result;
}

/* What belongs to running the sample as a demo, and what a run left behind, is no part of a new site. */
static bool left_out(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "demo.sh") || !strcmp(name, "data");
}

static int copy_tree(const char *from, const char *to, int depth)
{
	DIR *directory = opendir(from);
	struct dirent *entry;
	int result = 0;

	if (!directory)
		return fail("reading", from);
	if (depth > DEPTH_MAX || (mkdir(to, 0755) && errno != EEXIST)) {
		closedir(directory);
		return fail("making", to);
	}
	while (!result && (entry = readdir(directory))) {
		char *source = mem_printf("%s/%s", from, entry->d_name),
		     *target = mem_printf("%s/%s", to, entry->d_name);
		struct stat status;

		if (!left_out(entry->d_name) && !stat(source, &status))
			result = S_ISDIR(status.st_mode) ? copy_tree(source, target, depth + 1)
							 : copy_file(source, target);
		free(source);
		free(target);
	}
	closedir(directory);
	return result;
}

static int ignore_secrets(const char *to)
{
	char *path = mem_printf("%s/.gitignore", to), *secrets = mem_printf("%s/secrets", to);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), result = 0;
	static const char text[] =
		"# What a site keeps while it runs, and what must never be in git\ndata/\ndrop/\nsecrets/\n";

	if (fd >= 0) {
		if (write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
			result = fail("writing", path);
		close(fd);
	}
	if (!result && mkdir(secrets, 0700) && errno != EEXIST)
		result = fail("making", secrets);
	if (!result)
		chmod(secrets, 0700);
	free(path);
	free(secrets);
	return result;
}

/* A random value: good as a webhook's signing secret, and as a token until the real one is known. */
static void make_secret(void *arg, const char *name)
{
	char *path = mem_printf("%s/secrets/%s", (const char *)arg, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unsigned char bytes[32];
	struct buf text;

	buf_init(&text, 256);
	crypto_random(bytes, sizeof bytes);
	buf_text(&text, "whsec_");
	base64_encode(&text, span_make(bytes, sizeof bytes));
	buf_char(&text, '\n');
	if (fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len)
		printf("%s holds a random secret; put the real one there when you have it\n", path);
	else if (errno != EEXIST)
		fail("writing", path);
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	free(path);
}

/* Every secret that the new site refers to, so that it runs as it is. */
static void make_secrets(const char *to)
{
	struct error error = {0};
	struct findings findings;
	struct bundle *bundle = bundle_read_new(to, "", &error);
	struct site *site;

	findings_init(&findings);
	site = bundle ? site_load_new(bundle, registry_get(), to, &findings) : NULL;
	if (site)
		site_secrets(site, make_secret, (void *)(uintptr_t)to);
	site_free(site);
	findings_free(&findings);
	bundle_free(bundle);
}

static bool empty_or_new(const char *path)
{
	return rmdir(path) == 0 || errno == ENOENT;
}

static char *template_path(const char *name)
{
	char path[PATH_MAX], *what = mem_printf("sample/%s", name);

	config_shipped(path, sizeof path, what);
	free(what);
	return mem_strdup(path);
}

static int init(const struct arguments *arguments)
{
	const char *to = arguments->words[0],
		   *name = argument_given(arguments, "template") ? argument(arguments, "template") : "order-to-cash";
	char *from = template_path(name);
	int code = EXIT_FINDINGS;

	if (strchr(name, '/') || access(from, R_OK))
		code = verb_usage(arguments, "there is no template `%s`", name);
	else if (!empty_or_new(to))
		fprintf(stderr, "ferrule init: %s exists and is not empty: name a new directory\n", to);
	else if (!copy_tree(from, to, 0) && !ignore_secrets(to)) {
		printf("%s is ready. Read %s/site.yaml and %s/flows/, then:\n  ferrule check %s\n  ferrule run %s\n",
		       to, to, to, to, to);
		make_secrets(to);
		code = EXIT_DONE;
	}
	free(from);
	return code;
}

const struct verb verb_init = {
	.name = "init",
	.words = "DIR",
	.words_min = 1,
	.words_max = 1,
	.summary = "Write a new site with a working sample",
	.options = options,
	.run = init,
};
