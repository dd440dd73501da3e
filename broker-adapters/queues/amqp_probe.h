/* Is a broker alive there? A TCP connection that is tried without blocking and closed again, before librabbitmq,
 * which waits, is asked to connect. Without TLS the broker has to answer the protocol header: a kernel takes
 * connections for a broker that hangs. Resolving the name may block. */
#ifndef FERRULE_ADAPTERS_AMQP_PROBE_H
#define FERRULE_ADAPTERS_AMQP_PROBE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"

struct probe;
/* Called once, from the loop; the probe is gone then. NULL: alive. */
typedef void probe_fn(void *arg, const struct error *);

struct probe *probe_new(struct loop *, const char *host, int port, bool greet, probe_fn *, void *arg);
void probe_free(struct probe *); /* without a call; NULL is legal */

#endif
