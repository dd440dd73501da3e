/* What tests of every area need: directories, files, ports and skipping. Everything ends the test on failure. */
#ifndef FERRULE_TESTS_SUPPORT_H
#define FERRULE_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

/* A new directory under TMPDIR or /tmp; the caller frees the name. What is left of it goes when the program that made
 * it ends, or earlier with support_rmtree. */
char *support_tmpdir(void);
void support_rmtree(const char *path); /* a file or a directory with all that is in it; fine when it is not there */
char *support_path(const char *directory, const char *name); /* "directory/name"; the caller frees */
void support_write(const char *path, struct span content);   /* makes missing directories on the way */
/* NULL when there is no such file; the caller frees; NUL-terminated */
char *support_read(const char *path, size_t *len);
/* entries, without those that begin with a dot; 0 when it is not there */
unsigned support_count(const char *directory);
int support_free_port(void); /* on 127.0.0.1: free a moment ago */
/* Waits until the condition holds, asking every 5 ms; false when it did not within wait_ms. */
bool support_until(bool (*holds)(void *), void *arg, int wait_ms);
void support_skip(const char *why); /* leaves the test, which counts as skipped */

#endif
