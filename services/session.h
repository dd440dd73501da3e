/* How a verb reaches a site: through the socket of its queue process; with no site running, one is started under the
 * site's lock for as long as the session lasts. */
#ifndef FERRULE_SERVICES_SESSION_H
#define FERRULE_SERVICES_SESSION_H

#include "base/queue.h"
#include "services/generation.h"

struct session;

/* Loads the site, as it runs when it does, else as its files say, and connects. Waits some seconds for a site that
 * begins or ends just now, and for another command that has it in hand. Findings say why a site cannot be loaded.
 * `running` (may be NULL) tells whether a supervisor runs it. -1 (NULL): FATAL `site.*`, RETRY when the queue process
 * does not answer. */
struct session *session_open(const char *directory, const char *environment, struct findings *, bool *running,
			     struct error *);
void session_close(struct session *);
/* What was just committed is recorded by another process a moment later: waits for it, at most so long. With no
 * supervisor, whose work that is, it starts the record role for this. Without it a trace may lack the last steps;
 * nothing fails. */
void session_settle(struct session *, int wait_ms);
struct queue *session_queue(struct session *);
const struct generation *session_generation(struct session *);
const struct site *session_site(struct session *);

#endif
