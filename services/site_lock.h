/* The lock of a site: one supervisor at a time, and a new one only when the last process of the old one is gone. The
 * lock belongs to an open file that every process of the site inherits. */
#ifndef FERRULE_SERVICES_SITE_LOCK_H
#define FERRULE_SERVICES_SITE_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/* Makes the run directory (mode 0700) and takes the lock; the descriptor, to be kept open. Waits up to wait_ms for
 * workers that a dead supervisor left behind, for one that is ending and for commands, and logs at once for whom; no
 * more than 3 s for a supervisor that goes on. FATAL `site.running` with the process id when somebody runs it. */
int site_lock(const char *run_path, int wait_ms, struct error *);
void site_lock_ending(int lock); /* its holder is ending: who waits for the lock waits on */
/* Does a supervisor or another command hold it now? */
bool site_locked(const char *run_path);
/* For one command, none of which waits; *lock is -1 when somebody else has it. Commands take turns: who has the turn is
 * the only one that looks at the lock or connects, and keeps the turn for as long as it has a queue process of its own.
 * So the queue process that is met with the turn in hand is never another command's, which would end without warning.
 */
int site_turn_try(const char *run_path, int *turn, struct error *);
int site_lock_try(const char *run_path, int *lock, struct error *);
/* Whoever holds the lock, for a message: FATAL `site.running`. Returns -1. */
int site_lock_refused(const char *run_path, struct error *);

#endif
