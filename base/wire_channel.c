/* Sockets of the queue process and their buffers. See wire.h. */
#include "config.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_ROOM (256u * 1024)
#define KEEP_MAX (512u * 1024) /* an empty buffer larger than this is given back */
#define LISTEN_BACKLOG 128

void channel_init(struct channel *channel, int fd, size_t out_max)
{
	*channel = (struct channel){.fd = fd};
	buf_init(&channel->in, WIRE_FRAME_MAX + 2 * READ_ROOM);
	buf_init(&channel->out, out_max);
}

void channel_close(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	buf_free(&channel->in);
	buf_free(&channel->out);
	channel->in_at = channel->out_at = 0;
}

static void compact(struct buf *buf, size_t *at)
{
	if (*at < buf->len && *at < buf->len / 2)
		return;
	if (*at < buf->len)
		buf_drop(buf, *at);
	else if (buf->capacity > KEEP_MAX)
		buf_free(buf);
	else
		buf_reset(buf);
	*at = 0;
}

ssize_t channel_read(struct channel *channel, size_t most)
{
	char *room;
	ssize_t n;

	compact(&channel->in, &channel->in_at);
	if (most > READ_ROOM)
		most = READ_ROOM;
	if (channel->in_at && channel->in.max - channel->in.len < most) {
		buf_drop(&channel->in, channel->in_at);
		channel->in_at = 0;
	}
	room = buf_room(&channel->in, most);
	if (!room)
		return -1;
	do
		n = read(channel->fd, room, most);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	if (n == 0)
		return -1;
	buf_added(&channel->in, (size_t)n);
	return n;
}

int channel_next(struct channel *channel, uint8_t *type, struct span *payload)
{
	struct span rest = span_make(channel->in.data + channel->in_at, channel->in.len - channel->in_at);
	size_t before = rest.len;
	int result = wire_next(&rest, type, payload);

	channel->in_at += before - rest.len;
	return result;
}

int channel_write(struct channel *channel)
{
	while (channel->out_at < channel->out.len) {
		ssize_t n = send(channel->fd, channel->out.data + channel->out_at, channel->out.len - channel->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return -1;
		channel->out_at += (size_t)n;
	}
	compact(&channel->out, &channel->out_at);
	return 0;
}

size_t channel_unsent(const struct channel *channel)
{
	return channel->out.len - channel->out_at;
}

/* A path longer than sun_path is reached through its directory's descriptor. */
static int address_of(const char *path, struct sockaddr_un *address, int *directory)
{
	const char *slash = strrchr(path, '/');
	char *parent;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*directory = -1;
	if (strlen(path) < sizeof address->sun_path) {
		memcpy(address->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash || strlen(slash) > 60)
		return -1;
	parent = mem_span_dup(span_make(path, (size_t)(slash - path)));
	*directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%.64s", *directory, slash);
	return *directory < 0 ? -1 : 0;
}

static void keep_errno_close(int fd)
{
	int kept = errno;

	if (fd >= 0)
		close(fd);
	errno = kept;
}

int wire_connect(const char *path, struct error *error)
{
	struct sockaddr_un address;
	int directory, fd = -1;

	if (address_of(path, &address, &directory) == 0)
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address)) {
		keep_errno_close(fd);
		fd = -1;
	}
	keep_errno_close(directory);
	if (fd < 0)
		return error_errno(error, ERROR_RETRY, "queue.socket", "connecting to %s", path);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

int wire_listen(const char *path, struct error *error)
{
	char *fresh = mem_printf("%s.new", path);
	struct sockaddr_un address;
	int directory, fd = -1, result = -1;

	if (address_of(fresh, &address, &directory) == 0)
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		mode_t mask = umask(0177);

		unlink(fresh);
		result = bind(fd, (struct sockaddr *)&address, sizeof address);
		umask(mask);
	}
	if (result == 0 && (listen(fd, LISTEN_BACKLOG) || rename(fresh, path)))
		result = -1;
	if (result) {
		error_errno(error, ERROR_RETRY, "queue.socket", "listening on %s", path);
		keep_errno_close(fd);
		fd = -1;
	}
	keep_errno_close(directory);
	free(fresh);
	return fd;
}
