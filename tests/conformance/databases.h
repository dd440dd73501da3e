/* A database for the conformance suites, of the kind that the program was built for (TEST_DATABASE): a file, or a
 * PostgreSQL of its own. */
#ifndef FERRULE_TESTS_DATABASES_H
#define FERRULE_TESTS_DATABASES_H

#include "tests/support/support.h"

#include "base/db.h"

#define TEST_IS_POSTGRESQL (!strcmp(TEST_DATABASE, "postgresql"))

int databases_up(void **state);   /* group setup */
int databases_down(void **state); /* group teardown */
/* A connection to the database of that name, which is made when it is not there. Skips the test when the server is not
 * installed. */
struct db *database_open(const char *kind, const char *name);
struct db *database_open_reader(const char *kind, const char *name);
int database_try(const char *kind, const char *name, struct db *, struct error *); /* the same without judging */
void database_close(struct db *);
const char *database_path(const char *name); /* of a file; borrowed until the next call */
void databases_kill(void);                   /* the server, as a power cut would */
void databases_start(void);                  /* again */

/* Ends the test with the error's text unless the call, which is given `done` as its error, succeeded. */
extern struct error *const done;
#define assert_done(call)                                                                                              \
	do {                                                                                                           \
		if (call)                                                                                              \
			fail_msg("%s: %s: %s", #call, done->code, done->text);                                         \
	} while (0)
int64_t database_number(struct db *, const char *sql); /* the first column of the first row; -1 when there is none */

#endif
