/* check --against: today's contracts held against those of an earlier revision. */
#ifndef FERRULE_CLI_CHECK_AGAINST_H
#define FERRULE_CLI_CHECK_AGAINST_H

#include "base/error.h"
#include "base/finding.h"

/* Adds `contract.breaking`, `contract.suspect` and `contract.removed` and sorts the findings. `revision` is what git
 * calls one: HEAD, a tag, a branch, a commit. REJECT `git.*` when git has no answer, `site.*` when the site cannot be
 * read. */
int check_against(const char *directory, const char *revision, struct findings *, struct error *);

#endif
