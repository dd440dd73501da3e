/* ferrule init: a new site to start from, with sample documents. */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/schema.h"
#include "config/site.h"
#include "services/registry.h"

#define DEPTH_MAX 8
#define TEMPLATES_MAX 32
#define NEXT_MAX 65536

static const struct verb_option options[] = {
	{"template", "NAME", "what to start from: empty, file-to-http, edi-to-erp or order-to-cash (if not given)",
	 NULL},
	{"json", NULL, "what was made, as JSON", NULL},
	{.name = NULL},
};

struct init {
	const struct arguments *arguments;
	const char *to;
	json_t *secrets; /* the files that were made */
};

static int fail(const struct init *init, const char *what, const char *path)
{
	verb_refused(init->arguments, EXIT_FINDINGS, "init.file", "%s %s: %s", what, path, strerror(errno));
	return -1;
}

static int copy_file(const struct init *init, const char *from, const char *to)
{
	char chunk[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, result = -1;
	ssize_t n = -1;

	if (in < 0)
		return fail(init, "reading", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	while (out >= 0 && (n = read(in, chunk, sizeof chunk)) > 0)
		if (write(out, chunk, (size_t)n) != n)
			break;
	if (out < 0 || n != 0)
		fail(init, "writing", to);
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
	return !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "demo.sh") || !strcmp(name, "next.txt") ||
	       !strcmp(name, "data");
}

static int copy_tree(const struct init *init, const char *from, const char *to, int depth)
{
	DIR *directory = opendir(from);
	struct dirent *entry;
	int result = 0;

	if (!directory)
		return fail(init, "reading", from);
	if (depth > DEPTH_MAX || (mkdir(to, 0755) && errno != EEXIST)) {
		closedir(directory);
		return fail(init, "making", to);
	}
	while (!result && (entry = readdir(directory))) {
		char *source = mem_printf("%s/%s", from, entry->d_name),
		     *target = mem_printf("%s/%s", to, entry->d_name);
		struct stat status;

		if (!left_out(entry->d_name) && !stat(source, &status))
			result = S_ISDIR(status.st_mode) ? copy_tree(init, source, target, depth + 1)
							 : copy_file(init, source, target);
		free(source);
		free(target);
	}
	closedir(directory);
	return result;
}

static int ignore_secrets(const struct init *init)
{
	const char *to = init->to;
	char *path = mem_printf("%s/.gitignore", to), *secrets = mem_printf("%s/secrets", to);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), result = 0;
	static const char text[] =
		"# What a site keeps while it runs, and what must never be in git\ndata/\ndrop/\nkeys/\nsecrets/\n";

	if (fd >= 0) {
		if (write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
			result = fail(init, "writing", path);
		close(fd);
	}
	if (!result && mkdir(secrets, 0700) && errno != EEXIST)
		result = fail(init, "making", secrets);
	if (!result)
		chmod(secrets, 0700);
	free(path);
	free(secrets);
	return result;
}

/* A random value: good as a webhook's signing secret, and as a token until the real one is known. */
static void make_secret(void *arg, const char *name)
{
	struct init *init = arg;
	char *path = mem_printf("%s/secrets/%s", init->to, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unsigned char bytes[32];
	struct buf text;

	buf_init(&text, 256);
	crypto_random(bytes, sizeof bytes);
	buf_text(&text, "whsec_");
	base64_encode(&text, span_make(bytes, sizeof bytes));
	buf_char(&text, '\n');
	if (fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len)
		json_array_append_new(init->secrets, json_string(path));
	else if (errno != EEXIST)
		fail(init, "writing", path);
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	free(path);
}

/* Every secret that the new site refers to, so that it runs as it is. */
static void make_secrets(struct init *init)
{
	struct error error = {0};
	struct findings findings;
	struct bundle *bundle = bundle_read_new(init->to, "", &error);
	struct site *site;

	findings_init(&findings);
	site = bundle ? site_load_new(bundle, registry_get(), init->to, &findings) : NULL;
	if (site)
		site_secrets(site, make_secret, init);
	site_free(site);
	findings_free(&findings);
	bundle_free(bundle);
}

/* Editors find there what may stand in the site's YAML: its files name them in their first lines. */
static int make_schemas(const struct init *init)
{
	struct error error = {0};
	json_t *files = schema_write_new(init->to, &error);

	if (!files)
		verb_failed(init->arguments, &error);
	json_decref(files);
	return files ? 0 : -1;
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

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Templates that ship, for the message that there is no such one. */
static int unknown_template(const struct arguments *arguments, const char *name)
{
	char path[PATH_MAX];
	const char *names[TEMPLATES_MAX];
	struct dirent *entry;
	struct buf known;
	size_t n = 0;
	DIR *directory;
	int code;

	config_shipped(path, sizeof path, "sample");
	directory = opendir(path);
	while (directory && n < TEMPLATES_MAX && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			names[n++] = mem_strdup(entry->d_name);
	buf_init(&known, NEXT_MAX);
	qsort(names, n, sizeof *names, by_name);
	for (size_t i = 0; i < n; i++)
		buf_printf(&known, "%s%s", i == 0 ? "there is " : i + 1 < n ? ", " : " and ", names[i]);
	code = verb_unknown(arguments, "template", name, names, n, known.data ? known.data : "none ships");
	buf_free(&known);
	while (n)
		free((void *)(uintptr_t)names[--n]);
	if (directory)
		closedir(directory);
	return code;
}

/* A word as a shell takes it: within '…' where it has anything but letters, digits and - _ . / + : = , @ %. What is put
 * beside it (`@site@/drop`) makes one word with it. */
static void shell_word(struct buf *text, const char *word)
{
	bool plain = *word;

	for (const char *at = word; *at; at++)
		plain = plain && (isalnum((unsigned char)*at) || strchr("-_./+:=,@%", *at));
	if (plain) {
		buf_text(text, word);
		return;
	}
	buf_char(text, '\'');
	for (; *word; word++)
		if (*word == '\'')
			buf_text(text, "'\\''");
		else
			buf_char(text, *word);
	buf_char(text, '\'');
}

/* A line of next.txt with the program's name and the site's directory in place. */
static char *next_step_new(const struct init *init, const char *line)
{
	const char *program = strchr(init->arguments->program, '/') ? init->arguments->program : "ferrule", *at;
	struct buf text;

	buf_init(&text, NEXT_MAX);
	for (; (at = strchr(line, '@')); line = at) {
		bool site = !strncmp(at, "@site@", 6);

		buf_append(&text, line, (size_t)(at - line));
		shell_word(&text, site ? init->to : program);
		at += site ? 6 : strlen("@ferrule@");
	}
	buf_text(&text, line);
	return buf_take(&text);
}

/* What to type next, as it stands, in this directory: the template's next.txt says it. */
static json_t *next_steps(const struct init *init, const char *from)
{
	char *path = mem_printf("%s/next.txt", from), line[1024], *step;
	FILE *file = fopen(path, "re");
	json_t *steps = json_array();

	while (file && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = 0;
		step = next_step_new(init, line);
		json_array_append_new(steps, json_string(step));
		free(step);
	}
	if (file)
		fclose(file);
	free(path);
	return steps;
}

static void tell(const struct init *init, const char *name, const char *from)
{
	json_t *answer = json_pack("{s:s s:s s:O s:o}", "directory", init->to, "template", name, "secrets",
				   init->secrets, "next", next_steps(init, from));
	const json_t *line;
	size_t i;

	if (init->arguments->json) {
		verb_print_json(answer);
	} else {
		printf("%s is ready; %s/README.md says what it shows. Next:\n", init->to, init->to);
		json_array_foreach(json_object_get(answer, "next"), i, line)
			printf("  %s\n", json_string_value(line));
		json_array_foreach(init->secrets, i, line)
			printf("%s holds a random secret; put the real one there when you have it\n",
			       json_string_value(line));
	}
	json_decref(answer);
}

static int init(const struct arguments *arguments)
{
	const char *name = argument_given(arguments, "template") ? argument(arguments, "template") : "order-to-cash";
	struct init init = {.arguments = arguments, .to = arguments->words[0], .secrets = json_array()};
	char *from = template_path(name);
	int code = EXIT_FINDINGS;

	if (strchr(name, '/') || *name == '.' || access(from, R_OK)) {
		code = unknown_template(arguments, name);
	} else if (!empty_or_new(init.to)) {
		verb_refused(arguments, code, "init.exists", "%s exists and is not empty: name a new directory",
			     init.to);
	} else if (!copy_tree(&init, from, init.to, 0) && !ignore_secrets(&init) && !make_schemas(&init)) {
		make_secrets(&init);
		tell(&init, name, from);
		code = EXIT_DONE;
	}
	json_decref(init.secrets);
	free(from);
	return code;
}

const struct verb verb_init = {
	.name = "init",
	.words = "DIR",
	.words_min = 1,
	.words_max = 1,
	.summary = "Write a new site with a working sample",
	.text = "  ferrule init my-site\n  ferrule init other-site --template file-to-http\n\nTemplates:\n"
		"\n  order-to-cash  X12 files and CRM webhooks to ERP, support tool and finance: everything once\n"
		"  edi-to-erp     partners' X12 orders to one CSV file each, a mapping for each partner\n"
		"  file-to-http   files with a record a line to an HTTP API, once and in order\n"
		"  empty          a name and a folder\n"
		"\nEach has a README, and all but the last have tests and runbooks. It prints what to type next. "
		"Secrets\n"
		"that the site needs get random values.\n",
	.json = "{directory, template, secrets: [file], next: [command]}",
	.options = options,
	.run = init,
};
