/* A real SFTP server for a test program. See sftp_lab.h. */
#include "config.h"
#include "tests/support/sftp_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

#define PAIRS_MAX 24

static struct sftp_lab lab;
static bool tried;

static bool is_liar(void)
{
	return !strcmp(SFTP_LAB, "liar");
}

static char *run(const char *verb, const char *more)
{
	char *command = mem_printf("%s '%s/tests/lab/sftp-%s.sh' %s '%s' %s",
				   is_liar() ? "LAB_LIAR='" BUILDDIR "/tests/lab/sftp_liar'" : "", SRCDIR,
				   is_liar() ? "openssh" : SFTP_LAB, verb, lab.directory, more),
	     text[4096];
	FILE *from = popen(command, "r");
	size_t n = from ? fread(text, 1, sizeof text - 1, from) : 0;
	int failed = from ? pclose(from) : -1;

	text[n] = '\0';
	free(command);
	return failed ? NULL : mem_strdup(text);
}

static char *value_of(const char *text, const char *name)
{
	char *key = mem_printf("%s=", name);
	const char *at = strstr(text, key);
	char *value = at ? mem_span_dup(span_make(at + strlen(key), strcspn(at + strlen(key), "\n"))) : NULL;

	free(key);
	return value;
}

static void down(void)
{
	free(run("down", ""));
}

const struct sftp_lab *sftp_lab_need(void)
{
	char while_pid[40], *text;

	if (lab.port)
		return &lab;
	if (tried)
		support_skip("the server could not be started");
	tried = true;
	if (geteuid() != 0)
		support_skip("an SFTP server with accounts of its own needs root");
	lab.directory = mem_printf("/tmp/ferrule-sftp-%s-%d", SFTP_LAB, (int)getpid());
	snprintf(while_pid, sizeof while_pid, "--while %d", (int)getpid());
	text = run("up", while_pid);
	if (!text)
		fail_msg("the server did not start");
	lab.host = value_of(text, "SFTP_HOST");
	lab.port = value_of(text, "SFTP_PORT");
	lab.keys = value_of(text, "SFTP_KEYS");
	lab.known_hosts = value_of(text, "SFTP_KNOWN_HOSTS");
	lab.home = value_of(text, "SFTP_HOME");
	lab.password = value_of(text, "SFTP_PASSWORD");
	free(text);
	atexit(down);
	return &lab;
}

void sftp_lab_do(const char *verb)
{
	char *text = run(verb, "");

	assert_non_null(text);
	free(text);
}

void sftp_lab_secret(const char *root, const char *name, const char *from)
{
	char *source = from[0] == '/' ? mem_strdup(from) : mem_printf("%s/%s", lab.keys, from),
	     *path = support_path(root, name);
	size_t len = 0;
	char *bytes = support_read(source, &len);

	assert_non_null(bytes);
	support_write(path, span_make(bytes, len));
	chmod(path, 0600);
	free(bytes);
	free(path);
	free(source);
}

static void add(struct arena *arena, struct node *map, const char *key, const char *value)
{
	struct pair *pair = &map->pairs[map->count++];

	pair->key.text = span_of(key);
	pair->value = arena_alloc(arena, sizeof *pair->value);
	pair->value->text = span_of(value);
}

/* The server's keys, at another port if a line is in between. */
static const char *known_hosts_for(struct arena *arena, const char *root, struct span port)
{
	const char *path = arena_printf(arena, "%s/known_hosts.%.*s", root, SPAN_ARGS(port)), *at;
	char *keys = support_read(lab.known_hosts, NULL), *line, *rest;
	struct buf text;

	if (span_is(port, lab.port)) {
		free(keys);
		return lab.known_hosts;
	}
	buf_init(&text, 65536);
	for (line = strtok_r(keys, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		at = strchr(line, ' ');
		buf_printf(&text, "[127.0.0.1]:%.*s%s\n", SPAN_ARGS(port), at);
	}
	support_write(path, buf_view(&text));
	buf_free(&text);
	free(keys);
	return path;
}

struct endpoint *sftp_lab_endpoint(struct arena *arena, const char *root, const struct option *options,
				   size_t settings_size, const char *path, ...)
{
	struct endpoint *endpoint = arena_alloc(arena, sizeof *endpoint);
	struct node *map = arena_alloc(arena, sizeof *map);
	struct sftp_settings *settings = arena_alloc(arena, settings_size);
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	const char *key;
	va_list args;

	sftp_lab_need();
	sftp_lab_secret(root, "key", "acme");
	map->type = NODE_MAP;
	map->pairs = arena_alloc(arena, PAIRS_MAX * sizeof *map->pairs);
	add(arena, map, "path", path);
	add(arena, map, "host", lab.host);
	add(arena, map, "user", "acme");
	va_start(args, path);
	while ((key = va_arg(args, const char *)))
		add(arena, map, key, va_arg(args, const char *));
	va_end(args);
	if (!node_find(map, "port"))
		add(arena, map, "port", lab.port);
	if (!node_find(map, "known-hosts"))
		add(arena, map, "known-hosts", known_hosts_for(arena, root, node_find(map, "port")->text));
	findings_init(&findings);
	if (option_fill(&context, map, options, NULL, settings)) {
		for (size_t i = 0; i < findings.count; i++)
			print_error("%s: %s\n", findings.list[i].code, findings.list[i].text);
		fail_msg("the option table refuses the settings of the test");
	}
	findings_free(&findings);
	settings->key = "key";
	*endpoint = (struct endpoint){.name = "under-test",
				      .adapter = "sftp",
				      .flow = "a-flow",
				      .system = "",
				      .root = root,
				      .secrets = root,
				      .settings = settings,
				      .retry = {.for_ms = 60000, .from_ms = 10, .to_ms = 100}};
	return endpoint;
}

char *sftp_lab_path(const char *folder, const char *name)
{
	return mem_printf("%s/acme/%s%s%s", lab.home, folder, name ? "/" : "", name ? name : "");
}

void sftp_lab_clean(void)
{
	static const char *const folders[] = {"inbox", "outbox", "archive"};

	for (size_t i = 0; i < 3; i++) {
		char *path = sftp_lab_path(folders[i], NULL);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		support_rmtree(path);
		assert_int_equal(mkdir(path, 0750), 0);
		assert_int_equal(chown(path, st.st_uid, st.st_gid), 0);
		free(path);
	}
}
