/* The queue process: the engine with the site's broker and store, run by the supervisor, or by a verb when no site
 * runs. */
#ifndef FERRULE_SERVICES_QUEUE_ROLE_H
#define FERRULE_SERVICES_QUEUE_ROLE_H

#include "base/topology.h"
#include "config/site.h"
#include "services/board.h"

/* In the forked process: until SIGTERM, or until `life` reaches its end. The exit status. */
int queue_role_run(const struct site *, const struct topology *, struct board_slot *, int life);

#endif
