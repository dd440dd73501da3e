/* Names of hosts, looked up within a time: getaddrinfo itself waits for name servers that are away as long as
 * resolv.conf says, which is ten seconds for each of them and more. Blocks. */
#ifndef FERRULE_BASE_RESOLVE_H
#define FERRULE_BASE_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/* 0: *found, which is given back with freeaddrinfo. -1: *why, for people, a constant; what getaddrinfo says, that it
 * took too long, or that `tick` (may be NULL), which is asked about twice a second, gave false. A lookup that took too
 * long goes on by itself behind, and what it gives is lost with it. */
int resolve(const char *host, const char *port, int socktype, int64_t timeout_ms, bool (*tick)(void *), void *arg,
	    struct addrinfo **found, const char **why);

#endif
