/* The site's history, asked of git as a child process: no shell, no network, nothing written. */
#ifndef FERRULE_CLI_GIT_H
#define FERRULE_CLI_GIT_H

#include "base/buf.h"
#include "base/error.h"

#define GIT_SILENCE_MS 10000

/* git -C DIRECTORY WORDS…, which is told `input`; what it says goes into `out` (initialised; its maximum is the limit).
 * Blocks until it ends; one that neither takes nor says anything for GIT_SILENCE_MS is ended. REJECT `git.missing`
 * (there is no git), `git.failed` (with what it said on standard error), `git.too-large`, `git.time`. */
int git_run(const char *directory, const char *const *words, struct span input, struct buf *out, struct error *);

#endif
