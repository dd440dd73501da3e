/* Databases for the conformance suites. See databases.h. */
#include "config.h"
#include "tests/conformance/databases.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"

extern const struct db_ops sqlite_ops, postgresql_ops;

static struct error done_error;
struct error *const done = &done_error;

static struct {
	char *directory, *path;
	char port[16];
	bool missing;
} lab;

static int run_lab(const char *verb)
{
	char *command = mem_printf("%s/tests/lab/postgresql.sh %s %s/pg %d", SRCDIR, verb, lab.directory,
				   (int)getpid());
	int status = system(command);

	free(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int port_read(void)
{
	char *command = mem_printf("eval $(%s/tests/lab/postgresql.sh env %s/pg); echo $FERRULE_PG_PORT", SRCDIR,
				   lab.directory);
	FILE *out = popen(command, "r");
	bool read = out && fscanf(out, "%15s", lab.port) == 1;

	free(command);
	return out && pclose(out) == 0 && read ? 0 : -1;
}

/* The server's user must be able to get into the directory. */
static int server_up(void)
{
	int status = -1;

	if (chmod(lab.directory, 0755) == 0)
		status = run_lab("up");
	lab.missing = status == 77;
	return lab.missing ? 0 : status ? -1 : port_read();
}

int databases_up(void **state)
{
	lab.directory = support_tmpdir();
	return TEST_IS_POSTGRESQL ? server_up() : 0;
}

int databases_down(void **state)
{
	if (TEST_IS_POSTGRESQL && !lab.missing)
		run_lab("down");
	support_rmtree(lab.directory);
	free(lab.directory);
	free(lab.path);
	return 0;
}

void databases_kill(void)
{
	assert_int_equal(run_lab("kill"), 0);
}

void databases_start(void)
{
	assert_int_equal(run_lab("start"), 0);
}

const char *database_path(const char *name)
{
	free(lab.path);
	lab.path = mem_printf("%s/%s.db", lab.directory, name);
	return lab.path;
}

/* Settings as a site would give them, through the option table. They live in an arena until the program ends. */
static const void *settings_of(const struct db_ops *ops, const char *schema)
{
	struct {
		const char *name, *value;
	} given[] = {{"host", "127.0.0.1"},
		     {"port", lab.port},
		     {"schema", schema},
		     {"timeout", "2s"},
		     {"connect-timeout", "3s"}};
	static struct arena *arena;
	struct findings findings;
	struct node *map;
	void *settings;

	arena = arena ? arena : arena_new();
	settings = arena_alloc(arena, ops->settings_size);
	map = arena_alloc(arena, sizeof *map);
	map->type = NODE_MAP;
	map->count = ops == &postgresql_ops ? sizeof given / sizeof *given : 0;
	map->pairs = arena_alloc(arena, (map->count + 1) * sizeof *map->pairs);
	for (size_t i = 0; i < map->count; i++) {
		map->pairs[i].key = (struct node){.type = NODE_SCALAR,
						  .text = arena_span(arena, span_of(given[i].name))};
		map->pairs[i].value = arena_alloc(arena, sizeof(struct node));
		*map->pairs[i].value = (struct node){.type = NODE_SCALAR,
						     .text = arena_span(arena, span_of(given[i].value))};
	}
	findings_init(&findings);
	if (option_fill(&(struct option_context){.arena = arena, .findings = &findings}, map, ops->options, NULL,
			settings))
		fail_msg("options: %s", findings.list[0].text);
	findings_free(&findings);
	return settings;
}

int database_try(const char *kind, const char *name, struct db *db, struct error *error)
{
	db->ops = !strcmp(kind, "sqlite") ? &sqlite_ops : &postgresql_ops;
	db->self = db->ops->open(settings_of(db->ops, name), database_path(name), SPAN_LITERAL("ferrule-lab"), error);
	return db->self ? 0 : -1;
}

struct db *database_open(const char *kind, const char *name)
{
	struct db *db;

	if (lab.missing)
		support_skip("PostgreSQL's server is not installed: apt-get install postgresql");
	db = mem_alloc(sizeof *db);
	assert_done(database_try(kind, name, db, done));
	return db;
}

struct db *database_open_reader(const char *kind, const char *name)
{
	struct db *db = mem_alloc(sizeof *db);
	struct error error = {0};

	db->ops = !strcmp(kind, "sqlite") ? &sqlite_ops : &postgresql_ops;
	db->self = db->ops->open_reader(settings_of(db->ops, name), database_path(name), SPAN_LITERAL("ferrule-lab"),
					&error);
	if (!db->self)
		fail_msg("%s: %s", error.code, error.text);
	return db;
}

void database_close(struct db *db)
{
	db->ops->close(db->self);
	free(db);
}

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(int64_t *)arg = row[0].number;
	return 1;
}

int64_t database_number(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert_done(db_run(db, sql, NULL, 0, take_number, &n, done));
	return n;
}
