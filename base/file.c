/* See file.h. */
#include "config.h"
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

int file_write_all(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes.data += n;
		bytes.len -= (size_t)n;
	}
	return 0;
}
