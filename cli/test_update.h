/* `ferrule test --update`: what came, written as what is expected. */
#ifndef FERRULE_CLI_TEST_UPDATE_H
#define FERRULE_CLI_TEST_UPDATE_H

#include "cli/test.h"

/* A change of one file of tests: lines from..to (1-based, inclusive; to < from: inserted before from) become the text.
 */
struct test_edit {
	struct place place;
	int from, to;
	char *text;
};

struct test_edits {
	struct test_edit *list;
	size_t count, capacity;
};

/* Notes what has to change so that this test passes. Files that the test names are written at once. Not 0: it cannot be
 * done, `why` says so. */
int test_update_note(struct test_edits *, const struct test_run *, const struct trial *, const struct test_site *,
		     const struct rehearsal *, const struct comparison *, struct error *why);
/* Writes the files. */
int test_update_write(struct test_edits *, const struct test_run *, struct error *);
void test_update_free(struct test_edits *);

/* Everything that happened, as sections of a test: {published: […], …}; a new reference. `compact`: bodies as `has`. */
json_t *test_sections_new(const struct rehearsal *);
json_t *test_item_new(const struct happened *);

#endif
