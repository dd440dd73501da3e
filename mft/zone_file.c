/* Where the zones of the system lie. See zone.h. */
#include "config.h"
#include "mft/zone_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

#define FOLDER "/usr/share/zoneinfo"

/* Letters, digits and _ + - between slashes; the folders of other forms (posix/, right/) are none of the database's. */
static bool is_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");

	return n > 0 && n <= ZONE_NAME_MAX && !name[n] && name[0] != '/' && name[n - 1] != '/' && !strstr(name, "//") &&
	       strncmp(name, "right/", 6) != 0;
}

static int unknown(const char *name, struct error *error)
{
	return error_set(error, ERROR_REJECT, "zone.unknown",
			 "there is no time zone `%.64s` on this machine; zones are named as in Europe/Berlin "
			 "(package tzdata)",
			 name);
}

static int read_all(int fd, struct buf *into)
{
	for (;;) {
		char *room = buf_room(into, 16384);
		ssize_t n = room ? read(fd, room, 16384) : -1;

		if (n <= 0)
			return n < 0 ? -1 : 0;
		buf_added(into, (size_t)n);
	}
}

struct zone *zone_open_new(const char *name, struct error *error)
{
	const char *folder = getenv("TZDIR");
	char path[PATH_MAX];
	struct zone *zone = NULL;
	struct buf text;
	int fd;

	if (!strcmp(name, "UTC"))
		return zone_utc_new();
	if (!is_name(name) || (size_t)snprintf(path, sizeof path, "%s/%s", folder && folder[0] == '/' ? folder : FOLDER,
					       name) >= sizeof path) {
		unknown(name, error);
		return NULL;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		unknown(name, error);
		return NULL;
	}
	buf_init(&text, ZONE_BYTES_MAX + 16384);
	if (read_all(fd, &text))
		unknown(name, error);
	else
		zone = zone_parse_new(buf_view(&text), error);
	if (!zone)
		error_wrap(error, "%.64s", name);
	buf_free(&text);
	close(fd);
	return zone;
}
