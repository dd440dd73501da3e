/* The site's history, asked of git as a child process: no shell, no network, nothing written. */
#ifndef FERRULE_CLI_GIT_H
#define FERRULE_CLI_GIT_H

#include "base/buf.h"
#include "base/error.h"

/* git -C DIRECTORY WORDS…; what it says goes into `out` (initialised; its maximum is the limit). Blocks until it ends.
 * REJECT `git.missing` (there is no git), `git.failed` (with what it said on standard error), `git.too-large`. */
int git_run(const char *directory, const char *const *words, struct buf *out, struct error *);

#endif
