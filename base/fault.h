/* Fault points: named places between two lines of what must be durable in order. A build with --enable-faults
 * stops there when told to; any other build has nothing there at all.
 *
 * FERRULE_FAULTS="receive.confirmed:3=kill,vault.sync:1=enospc" in the environment: the third time this process
 * passes the point it kills itself (SIGKILL); `crash` is SIGSEGV, `stop` ends with exit 1, `hang` sleeps for ever,
 * `pause` for 5 ms, `fail` and `enospc` make FAULT_FAILS true with errno EIO or ENOSPC. `%N` in place of `:N` means:
 * each time with chance 1/N, drawn from FERRULE_FAULT_SEED and the process id.
 *
 * FERRULE_FAULT_MARKS names a directory: a point then ends one process of all, leaving NAME.struck there,
 * and NAME.passed says that a process came to it. So a site that starts its processes again comes to its end. */
#ifndef FERRULE_BASE_FAULT_H
#define FERRULE_BASE_FAULT_H

#ifdef FERRULE_FAULTS
#include <stdbool.h>
bool fault_hit(const char *name); /* true: fail here */
#define FAULT(name) ((void)fault_hit(name))
#define FAULT_FAILS(name) fault_hit(name)
#else
#define FAULT(name) ((void)0)
#define FAULT_FAILS(name) 0
#endif

#endif
