/* A real FTP server for a test program. See ftp_lab.h. */
#include "config.h"
#include "tests/support/ftp_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

#define PAIRS_MAX 24

static struct ftp_lab lab;
static char *told;
static bool tried;

static char *run(const char *verb, const char *more)
{
	char *command = mem_printf("'%s/tests/lab/ftp-%s.sh' %s '%s' %s", SRCDIR, FTP_LAB, verb, lab.directory, more),
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
	char *key = mem_printf("FTP_%s=", name);
	const char *at = strstr(text, key);
	char *value = at ? mem_span_dup(span_make(at + strlen(key), strcspn(at + strlen(key), "\n"))) : NULL;

	free(key);
	return value;
}

static void down(void)
{
	free(run("down", ""));
}

const struct ftp_lab *ftp_lab_need(void)
{
	char while_pid[40];

	if (lab.port)
		return &lab;
	if (tried)
		support_skip("the server could not be started");
	tried = true;
	if (geteuid() != 0)
		support_skip("an FTP server with an account of its own needs root");
	lab.directory = mem_printf("/tmp/ferrule-ftp-%s-%d", FTP_LAB, (int)getpid());
	snprintf(while_pid, sizeof while_pid, "--while %d", (int)getpid());
	told = run("up", while_pid);
	if (!told)
		fail_msg("the server did not start");
	lab.port = value_of(told, "PORT");
	lab.home = value_of(told, "HOME");
	lab.ca = value_of(told, "CA");
	lab.client = value_of(told, "CLIENT");
	lab.password = value_of(told, "PASSWORD");
	atexit(down);
	return &lab;
}

const char *ftp_lab_port(const char *name)
{
	static char *ports[32]; /* those that were asked for, for the length of the program */
	char *port;

	ftp_lab_need();
	port = value_of(told, name);
	if (!port)
		support_skip("this server has nothing of the kind");
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		if (!ports[i])
			return ports[i] = port;
		if (!strcmp(ports[i], port)) {
			free(port);
			return ports[i];
		}
	}
	fail_msg("a server with more than 32 ports");
	return NULL;
}

void ftp_lab_do(const char *verb)
{
	char *text = run(verb, "");

	assert_non_null(text);
	free(text);
}

static void add(struct arena *arena, struct node *map, const char *key, const char *value)
{
	struct pair *pair = &map->pairs[map->count++];

	pair->key.text = span_of(key);
	pair->value = arena_alloc(arena, sizeof *pair->value);
	pair->value->text = span_of(value);
}

struct endpoint *ftp_lab_endpoint(struct arena *arena, const char *root, const struct option *options,
				  size_t settings_size, const char *path, ...)
{
	struct endpoint *endpoint = arena_alloc(arena, sizeof *endpoint);
	struct node *map = arena_alloc(arena, sizeof *map);
	struct ftp_settings *settings = arena_alloc(arena, settings_size);
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	char *secret = support_path(root, "password");
	const char *key;
	va_list args;

	ftp_lab_need();
	support_write(secret, span_of(lab.password));
	chmod(secret, 0600);
	free(secret);
	map->type = NODE_MAP;
	map->pairs = arena_alloc(arena, PAIRS_MAX * sizeof *map->pairs);
	add(arena, map, "path", path);
	va_start(args, path);
	while ((key = va_arg(args, const char *)))
		add(arena, map, key, va_arg(args, const char *));
	va_end(args);
	if (!node_find(map, "host"))
		add(arena, map, "host", "127.0.0.1");
	if (!node_find(map, "user"))
		add(arena, map, "user", "acme");
	if (!node_find(map, "port"))
		add(arena, map, "port", lab.port);
	if (!lab.ca && !node_find(map, "tls"))
		add(arena, map, "tls", "unencrypted");
	if (!node_find(map, "ca") && !node_find(map, "tls"))
		add(arena, map, "ca", lab.ca);
	findings_init(&findings);
	if (option_fill(&context, map, options, NULL, settings)) {
		for (size_t i = 0; i < findings.count; i++)
			print_error("%s: %s\n", findings.list[i].code, findings.list[i].text);
		fail_msg("the option table refuses the settings of the test");
	}
	findings_free(&findings);
	settings->password = "password";
	*endpoint = (struct endpoint){.name = "under-test",
				      .adapter = "ftp",
				      .flow = "a-flow",
				      .system = "",
				      .root = root,
				      .secrets = root,
				      .settings = settings,
				      .retry = {.for_ms = 60000, .from_ms = 10, .to_ms = 100}};
	return endpoint;
}

char *ftp_lab_path(const char *folder, const char *name)
{
	return mem_printf("%s/%s%s%s", lab.home, folder, name ? "/" : "", name ? name : "");
}

void ftp_lab_clean(void)
{
	static const char *const folders[] = {"inbox", "outbox", "archive"};

	for (size_t i = 0; i < 3; i++) {
		char *path = ftp_lab_path(folders[i], NULL);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		support_rmtree(path);
		assert_int_equal(mkdir(path, 0750), 0);
		assert_int_equal(chown(path, st.st_uid, st.st_gid), 0);
		free(path);
	}
}
