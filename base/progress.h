/* Progress within one long call: an adapter that moves a large file tells how far it is, and whoever runs it may show
 * that, or know that it does not hang. Nothing is told unless somebody listens. */
#ifndef FERRULE_BASE_PROGRESS_H
#define FERRULE_BASE_PROGRESS_H

#include <stdint.h>

/* Called often: it must be cheap. Bytes so far, and of all (0: not known). */
typedef void progress_fn(void *arg, uint64_t done, uint64_t total);

void progress_listen(progress_fn *, void *arg); /* of this process; NULL: nobody */
void progress_tell(uint64_t done, uint64_t total);

#endif
