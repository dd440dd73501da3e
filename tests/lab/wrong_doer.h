/* A target that does everything wrong: a socket by hand, in a process group of its own; what it does is in the path. */
#ifndef FERRULE_TESTS_LAB_WRONG_DOER_H
#define FERRULE_TESTS_LAB_WRONG_DOER_H

#include <sys/types.h>

/* Each request that it got is a line in `log`: the path. Ended by kill(-pid, SIGKILL). */
pid_t wrong_doer(const char *log, unsigned *port);

#endif
