/* Writing to a descriptor without losing half of it. */
#ifndef FERRULE_BASE_FILE_H
#define FERRULE_BASE_FILE_H

#include "base/span.h"

/* All of it, whatever interrupts; -1 with errno when the disk does not take it. Blocks. */
int file_write_all(int fd, struct span);

#endif
