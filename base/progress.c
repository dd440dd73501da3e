/* Progress within one long call. See progress.h. */
#include "config.h"
#include "base/progress.h"

#include <stddef.h>

static progress_fn *listener;
static void *listener_arg;

void progress_listen(progress_fn *fn, void *arg)
{
	listener = fn;
	listener_arg = arg;
}

void progress_tell(uint64_t done, uint64_t total)
{
	if (listener)
		listener(listener_arg, done, total);
}
