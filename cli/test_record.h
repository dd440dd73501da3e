/* `ferrule test --record KEY`. */
#ifndef FERRULE_CLI_TEST_RECORD_H
#define FERRULE_CLI_TEST_RECORD_H

#include "cli/test.h"

/* Writes tests/KEY.yaml and its input from a document that went through the site. An exit code; everything was said. */
int test_record(struct test_run *, const char *key);

/* Sentences about where today's rehearsal of the whole document differs from its trace. A new reference. */
json_t *test_record_notes_new(json_t *document, const struct rehearsal *whole);

#endif
