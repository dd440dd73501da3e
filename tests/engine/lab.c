/* Brokers and databases for the queue process's tests. See lab.h. */
#include "config.h"
#include "tests/engine/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/support.h"

#ifdef BED_SEVERAL
#include "base/finding.h"
#include "base/option.h"

extern const struct broker_ops amqp_ops;
extern const struct db_ops postgresql_ops;

static struct {
	pid_t owner;
	char *directory, pg_port[16], amqp_port[16];
	struct arena *arena; /* of settings: until the program ends */
} lab;

static int run(const char *server, const char *verb, const char *rest)
{
	char *command = mem_printf("%s/tests/lab/%s.sh %s %s/%s %s > /dev/null", SRCDIR, server, verb, lab.directory,
				   server, rest);
	int status = system(command);

	free(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void lab_do(const char *server, const char *verb)
{
	assert_int_equal(run(server, verb, ""), 0);
}

void lab_sql(const char *statement)
{
	char *quoted = mem_printf("\"%s\"", statement);

	assert_int_equal(run("postgresql", "sql", quoted), 0);
	free(quoted);
}

static void down(void)
{
	if (lab.owner != getpid())
		return;
	run("rabbitmq", "down", "");
	run("postgresql", "down", "");
	support_rmtree(lab.directory);
	arena_free(lab.arena);
	free(lab.directory);
}

static void read_env(const char *server, const char *name, char value[16])
{
	char *command = mem_printf("eval $(%s/tests/lab/%s.sh env %s/%s); echo $%s", SRCDIR, server, lab.directory,
				   server, name);
	FILE *out = popen(command, "r");

	free(command);
	if (!out || fscanf(out, "%15s", value) != 1 || pclose(out))
		fail_msg("the lab says nothing of %s", name);
}

static void up(void)
{
	char pid[16];
	int status;

	if (lab.owner)
		return;
	if (system("ls /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server > /dev/null 2>&1"))
		support_skip("RabbitMQ is not installed: apt-get install rabbitmq-server");
	lab.directory = support_tmpdir();
	lab.arena = arena_new();
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	chmod(lab.directory, 0755); /* the server's user must get in */
	status = run("postgresql", "up", pid);
	if (status == 77)
		support_skip("PostgreSQL's server is not installed: apt-get install postgresql");
	lab.owner = getpid();
	atexit(down);
	assert_int_equal(status, 0);
	assert_int_equal(run("rabbitmq", "up", ""), 0);
	read_env("postgresql", "FERRULE_PG_PORT", lab.pg_port);
	read_env("rabbitmq", "AMQP_PORT", lab.amqp_port);
}

struct given {
	const char *name, *value;
};

/* Settings as a site would give them, through the option table. */
static const void *settings_of(const struct option *options, size_t size, const struct given *pairs, size_t n)
{
	struct node *map = arena_alloc(lab.arena, sizeof *map);
	void *settings = arena_alloc(lab.arena, size);
	struct findings findings;

	map->type = NODE_MAP;
	map->count = n;
	map->pairs = arena_alloc(lab.arena, n * sizeof *map->pairs);
	for (size_t i = 0; i < n; i++) {
		map->pairs[i].key =
			(struct node){.type = NODE_SCALAR, .text = arena_span(lab.arena, span_of(pairs[i].name))};
		map->pairs[i].value = arena_alloc(lab.arena, sizeof(struct node));
		*map->pairs[i].value =
			(struct node){.type = NODE_SCALAR, .text = arena_span(lab.arena, span_of(pairs[i].value))};
	}
	findings_init(&findings);
	if (option_fill(&(struct option_context){.arena = lab.arena, .findings = &findings}, map, options, NULL,
			settings))
		fail_msg("options: %s", findings.list[0].text);
	findings_free(&findings);
	return settings;
}

void lab_config(const char *name, struct engine_config *config)
{
	char *prefix;

	up();
	prefix = arena_printf(lab.arena, "%s.", name);
	config->broker = &amqp_ops;
	config->broker_settings = settings_of(amqp_ops.options, amqp_ops.settings_size,
					      (struct given[]){{"host", "127.0.0.1"},
							       {"port", lab.amqp_port},
							       {"user", "guest"},
							       {"exchange", name},
							       {"prefix", prefix},
							       {"new-queue", "0s"}},
					      6);
	config->broker_password = SPAN_LITERAL("guest");
	config->store = &postgresql_ops;
	config->store_settings =
		settings_of(postgresql_ops.options, postgresql_ops.settings_size,
			    (struct given[]){{"host", "127.0.0.1"}, {"port", lab.pg_port}, {"schema", name}}, 3);
	config->store_password = SPAN_LITERAL("ferrule-lab");
}

#else
extern const struct broker_ops spool_ops;
extern const struct db_ops sqlite_ops;

void lab_config(const char *name, struct engine_config *config)
{
	config->broker = &spool_ops;
	config->store = &sqlite_ops;
}

void lab_do(const char *server, const char *verb)
{
}

void lab_sql(const char *statement)
{
}
#endif
