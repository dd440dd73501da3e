/* The event loop of a role: file descriptors and timers, one thread, epoll underneath. Callbacks may add and remove
 * anything, themselves included. Signals arrive as a descriptor (signalfd) like everything else. */
#ifndef FERRULE_BASE_LOOP_H
#define FERRULE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct watch; /* a descriptor that is watched */
struct timer;

#define LOOP_READ 1u
#define LOOP_WRITE 2u
#define LOOP_HANGUP 4u /* always reported */

typedef void loop_fd_fn(void *arg, unsigned events);
typedef void loop_timer_fn(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop *); /* watches and timers that are left go with it; descriptors stay open */
struct watch *loop_watch(struct loop *, int fd, unsigned events, loop_fd_fn *, void *arg);
void loop_events(struct watch *, unsigned events); /* what is watched for from now on */
void loop_unwatch(struct watch *); /* NULL is legal; before the descriptor is closed */
/* After `ms`, then every `every_ms` when that is not 0. */
struct timer *loop_timer(struct loop *, int64_t ms, int64_t every_ms, loop_timer_fn *, void *arg);
void loop_cancel(struct timer *); /* NULL is legal */
/* Waits for at most wait_ms (-1: no limit) and calls what is due; 0, or -1 when epoll fails. */
int loop_once(struct loop *, int wait_ms);
void loop_run(struct loop *); /* until loop_stop */
void loop_stop(struct loop *);
bool loop_stopped(const struct loop *);
/* A role's signals as a descriptor: SIGTERM. SIGINT and SIGHUP are blocked, since a terminal's Ctrl-C and hang-up reach
 * the whole group and the supervisor decides; SIGPIPE is ignored. -1 with errno. */
int loop_signals(void);
int loop_fd(const struct loop *); /* the epoll descriptor, to nest this loop in another poller */

#endif
