/* What the files of `ferrule test` share. */
#ifndef FERRULE_CLI_TEST_H
#define FERRULE_CLI_TEST_H

#include "cli/verb.h"
#include "services/coverage.h"
#include "services/rehearsal.h"

/* A site with the values of one `with:`. */
struct test_site {
	struct test_site *next;
	json_t *with;
	struct site *site;
	struct stage *stage;
};

enum test_result { TEST_OK, TEST_FAILED, TEST_BROKEN /* it cannot be run */ };

struct test_outcome {
	const struct trial *trial;
	enum test_result result;
	char *text; /* why, for people; NULL when it is ok */
	int64_t ms;
	bool updated; /* what it expects is rewritten */
};

struct test_edits;

struct test_run {
	const struct arguments *arguments;
	const char *directory;
	struct bundle *bundle;
	struct findings findings;
	size_t site_errors;      /* of the findings: what check says of the site itself */
	struct test_site *sites; /* the first has no `with` */
	struct trials trials;
	struct test_outcome *outcomes;
	size_t count, capacity, ok, failed;
	int64_t ms;
	bool update, color;
	unsigned updated;
	struct test_edits *edits;  /* --update */
	struct coverage *coverage; /* --coverage, or NULL */
};

/* Opens the site and reads its tests. Not 0: everything was said, exit with *code. */
int test_open(struct test_run *, const struct arguments *, const char *directory, int *code);
void test_close(struct test_run *);
/* The site with the test's `with:`. NULL: findings or the error say why. */
struct test_site *test_site_for(struct test_run *, const struct trial *, struct error *);

/* cli/test_report.c */
void test_report_one(const struct test_run *, const struct test_outcome *);
void test_report_end(const struct test_run *);
int test_write_junit(const struct test_run *, const char *path, struct error *);

#endif
