/* The event loop. See loop.h. */
#include "config.h"
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define EVENTS_AT_ONCE 64

struct watch {
	struct loop *loop;
	struct watch *next;
	int fd;
	unsigned events;
	bool gone; /* freed after the round in which it was removed */
	loop_fd_fn *call;
	void *arg;
};

struct timer {
	struct loop *loop;
	struct timer *next;
	int64_t due, every;
	bool gone;
	loop_timer_fn *call;
	void *arg;
};

struct loop {
	int epoll;
	bool stopped;
	unsigned depth; /* rounds under way: a callback may run the loop again */
	struct watch *watches;
	struct timer *timers; /* unsorted: a role has a handful */
};

struct loop *loop_new(void)
{
	struct loop *loop = mem_alloc(sizeof *loop);

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		abort();
	return loop;
}

static void sweep(struct loop *loop, bool all)
{
	for (struct watch **at = &loop->watches; *at;) {
		struct watch *watch = *at;

		if (!watch->gone && !all) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch);
	}
	for (struct timer **at = &loop->timers; *at;) {
		struct timer *timer = *at;

		if (!timer->gone && !all) {
			at = &timer->next;
			continue;
		}
		*at = timer->next;
		free(timer);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	sweep(loop, true);
	close(loop->epoll);
	free(loop);
}

static struct epoll_event event_of(struct watch *watch)
{
	struct epoll_event event = {.data.ptr = watch};

	event.events = (watch->events & LOOP_READ ? EPOLLIN : 0u) | (watch->events & LOOP_WRITE ? EPOLLOUT : 0u);
	return event;
}

struct watch *loop_watch(struct loop *loop, int fd, unsigned events, loop_fd_fn *call, void *arg)
{
	struct watch *watch = mem_alloc(sizeof *watch);
	struct epoll_event event;

	*watch = (struct watch){.loop = loop, .next = loop->watches, .fd = fd, .events = events, .call = call,
				.arg = arg};
	loop->watches = watch;
	event = event_of(watch);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		abort();
	return watch;
}

void loop_events(struct watch *watch, unsigned events)
{
	struct epoll_event event;

	if (watch->gone || watch->events == events) /* its descriptor may be somebody else's by now */
		return;
	watch->events = events;
	event = event_of(watch);
	epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_unwatch(struct watch *watch)
{
	if (!watch || watch->gone)
		return;
	epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->gone = true;
}

struct timer *loop_timer(struct loop *loop, int64_t ms, int64_t every_ms, loop_timer_fn *call, void *arg)
{
	struct timer *timer = mem_alloc(sizeof *timer);

	*timer = (struct timer){.loop = loop, .next = loop->timers, .due = clock_tick_ms() + ms, .every = every_ms,
				.call = call, .arg = arg};
	loop->timers = timer;
	return timer;
}

void loop_cancel(struct timer *timer)
{
	if (timer)
		timer->gone = true;
}

static int wait_for(struct loop *loop, int wait_ms)
{
	int64_t now = clock_tick_ms();

	for (struct timer *t = loop->timers; t; t = t->next) {
		int64_t left = t->due - now;

		if (t->gone)
			continue;
		if (left < 0)
			left = 0;
		if (left > INT_MAX)
			left = INT_MAX;
		if (wait_ms < 0 || left < wait_ms)
			wait_ms = (int)left;
	}
	return wait_ms;
}

static void call_timers(struct loop *loop)
{
	int64_t now = clock_tick_ms();

	for (struct timer *t = loop->timers; t; t = t->next) {
		if (t->gone || t->due > now)
			continue;
		if (t->every)
			t->due = now + t->every;
		else
			t->gone = true;
		t->call(t->arg);
	}
}

static unsigned events_from(uint32_t epoll)
{
	return (epoll & EPOLLIN ? LOOP_READ : 0u) | (epoll & EPOLLOUT ? LOOP_WRITE : 0u) |
	       (epoll & (EPOLLHUP | EPOLLERR) ? LOOP_HANGUP : 0u);
}

int loop_once(struct loop *loop, int wait_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, wait_for(loop, wait_ms));

	if (n < 0 && errno != EINTR)
		return -1;
	loop->depth++;
	for (int i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;

		if (!watch->gone)
			watch->call(watch->arg, events_from(events[i].events));
	}
	call_timers(loop);
	if (--loop->depth == 0)
		sweep(loop, false);
	return 0;
}

void loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped)
		if (loop_once(loop, -1))
			abort();
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

bool loop_stopped(const struct loop *loop)
{
	return loop->stopped;
}

int loop_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigdelset(&set, SIGINT);
	sigdelset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int loop_fd(const struct loop *loop)
{
	return loop->epoll;
}
