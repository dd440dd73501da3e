/* Files on their way, as the status of a site has them: a line each for people. */
#ifndef FERRULE_CLI_MOVING_H
#define FERRULE_CLI_MOVING_H

#include <jansson.h>

#include "base/buf.h"
#include "cli/verb.h"
#include "services/session.h"

/* "big.dat comes in at bank: 12.3 MB of 80.0 MB (15 %), 2.1 MB/s, 32s left". Where that has more than `columns` (0: as
 * many as it takes), the middle of the name is left out; no byte of a name moves the cursor. */
void moving_line(const json_t *one, size_t columns, struct buf *);
/* Waits until the transfer has done what it was asked for at that time, and shows how far it is; an exit code. */
int moving_wait(const struct arguments *, struct session *, const struct flow *, int64_t asked_ms);

#endif
