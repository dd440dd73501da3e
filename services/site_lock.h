/* The lock of a site: one supervisor at a time, and a new one only when the last process of the old one is gone. The
 * lock belongs to an open file that every process of the site inherits. */
#ifndef FERRULE_SERVICES_SITE_LOCK_H
#define FERRULE_SERVICES_SITE_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/* Makes the run directory (mode 0700) and takes the lock; the descriptor, to be kept open. Waits up to wait_ms for
 * workers that a dead supervisor left behind. FATAL `site.running` with the process id when somebody runs it. */
int site_lock(const char *run_path, int wait_ms, struct error *);
/* Does a supervisor or another command hold it now? */
bool site_locked(const char *run_path);
/* For one command with a queue process of its own: takes the lock if it is free, without waiting. *holder says who has
 * it instead, and *lock is then -1. */
enum site_holder { SITE_FREE, SITE_RUNS, SITE_COMMAND };
int site_lock_try(const char *run_path, int *lock, enum site_holder *holder, struct error *);
/* Whoever holds the lock, for a message: FATAL `site.running`. Returns -1. */
int site_lock_refused(const char *run_path, struct error *);

#endif
