/* Names of hosts within a time. See resolve.h.
 *
 * Each lookup has a thread of its own, since nothing else ends a getaddrinfo before it ends by itself. The two share
 * nothing but `struct lookup`, which whoever is last to leave frees. getaddrinfo_a is no choice: its threads are gone
 * in a process that was forked, and it does not know. */
#include "config.h"
#include "base/resolve.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLICE_MS 500
#define STACK (256u * 1024)

struct lookup {
	pthread_mutex_t mutex;
	pthread_cond_t done;
	char *host, *port;
	int socktype;
	/* under the mutex */
	bool over, left; /* the thread is ready; nobody waits any more */
	int failed;
	struct addrinfo *found;
};

static void lookup_free(struct lookup *lookup)
{
	if (lookup->found)
		freeaddrinfo(lookup->found);
	pthread_cond_destroy(&lookup->done);
	pthread_mutex_destroy(&lookup->mutex);
	free(lookup->host);
	free(lookup->port);
	free(lookup);
}

static void *look(void *arg)
{
	struct lookup *lookup = arg;
	struct addrinfo hints = {.ai_socktype = lookup->socktype}, *found = NULL;
	int failed = getaddrinfo(lookup->host, lookup->port, &hints, &found);
	bool left;

	pthread_mutex_lock(&lookup->mutex);
	lookup->failed = failed;
	lookup->found = failed ? NULL : found;
	lookup->over = true;
	left = lookup->left;
	pthread_cond_signal(&lookup->done);
	pthread_mutex_unlock(&lookup->mutex);
	if (left)
		lookup_free(lookup);
	return NULL;
}

/* Signals are for the one thread that everything else runs in. */
static int start(struct lookup *lookup)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int failed;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	failed = pthread_create(&thread, &attributes, look, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return failed;
}

static void wait_slice(struct lookup *lookup, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&lookup->done, &lookup->mutex, &until);
}

/* With the mutex, which `tick` is called without. */
static const char *wait_for(struct lookup *lookup, int64_t until, bool (*tick)(void *), void *arg)
{
	while (!lookup->over) {
		int64_t left = until - clock_tick_ms();
		bool goes_on = true;

		if (left <= 0)
			return "the name is not resolved in time";
		wait_slice(lookup, left < SLICE_MS ? left : SLICE_MS);
		if (tick && !lookup->over) {
			pthread_mutex_unlock(&lookup->mutex);
			goes_on = tick(arg);
			pthread_mutex_lock(&lookup->mutex);
		}
		if (!goes_on)
			return "the lookup of the name was stopped";
	}
	return lookup->failed ? gai_strerror(lookup->failed) : NULL;
}

static struct lookup *lookup_new(const char *host, const char *port, int socktype)
{
	struct lookup *lookup = mem_alloc(sizeof *lookup);
	pthread_condattr_t attributes;

	*lookup =
		(struct lookup){.host = mem_strdup(host), .port = port ? mem_strdup(port) : NULL, .socktype = socktype};
	pthread_mutex_init(&lookup->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lookup->done, &attributes);
	pthread_condattr_destroy(&attributes);
	return lookup;
}

int resolve(const char *host, const char *port, int socktype, int64_t timeout_ms, bool (*tick)(void *), void *arg,
	    struct addrinfo **found, const char **why)
{
	struct addrinfo numeric = {.ai_socktype = socktype, .ai_flags = AI_NUMERICHOST};
	struct lookup *lookup;
	bool over;
	int failed;

	*found = NULL;
	*why = NULL;
	if (!getaddrinfo(host, port, &numeric, found))
		return 0;
	*found = NULL;
	lookup = lookup_new(host, port, socktype);
	failed = start(lookup);
	if (failed) {
		*why = strerror(failed);
		lookup_free(lookup);
		return -1;
	}
	pthread_mutex_lock(&lookup->mutex);
	*why = wait_for(lookup, clock_tick_ms() + timeout_ms, tick, arg);
	if (!*why) {
		*found = lookup->found;
		lookup->found = NULL;
	}
	over = lookup->over;
	lookup->left = true;
	pthread_mutex_unlock(&lookup->mutex);
	if (over)
		lookup_free(lookup);
	return *why ? -1 : 0;
}
