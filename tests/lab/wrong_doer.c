/* See wrong_doer.h. Each connection is a child. */
#include "config.h"
#include "tests/support/support.h"
#include "tests/lab/wrong_doer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lab/http_lab.h"

static void read_request(int fd, char *into, size_t size)
{
	size_t used = 0;
	char *end = NULL, *length;
	size_t body = 0;

	into[0] = '\0';
	while (used + 1 < size) {
		ssize_t n;

		if (end && used >= (size_t)(end - into) + 4 + body)
			return;
		n = recv(fd, into + used, size - used - 1, 0);
		if (n <= 0) {
			if (!used)
				_exit(0);
			return;
		}
		used += (size_t)n;
		into[used] = '\0';
		if (!end && (end = strstr(into, "\r\n\r\n"))) {
			length = strcasestr(into, "content-length:");
			body = length ? strtoul(length + 15, NULL, 10) : 0;
		}
	}
}

static void reset(int fd)
{
	struct linger hard = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	_exit(0);
}

static void say(int fd, const char *text)
{
	lab_send(fd, text);
}

static _Noreturn void do_wrong(int fd, const char *log)
{
	static char request[1 << 20], path[256], piece[8192];
	bool first = true;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody hangs on behind a test that was ended */

	for (;;) {
		FILE *file;

		read_request(fd, request, sizeof request);
		path[0] = '\0';
		sscanf(request, "%*s %255s", path);
		file = fopen(log, "a"); /* what a target would have done */
		fprintf(file, "%s\n", path);
		fclose(file);
		if (strcmp(path, "/hang") == 0) {
			for (;;)
				pause();
		} else if (strcmp(path, "/close") == 0) {
			_exit(0);
		} else if (strcmp(path, "/reset") == 0) {
			reset(fd);
		} else if (strcmp(path, "/cut") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
			_exit(0);
		} else if (strcmp(path, "/cut-error") == 0) {
			say(fd, "HTTP/1.1 422 No\r\nContent-Length: 100\r\n\r\nhalf");
			_exit(0);
		} else if (strcmp(path, "/cut-head") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Le");
			_exit(0);
		} else if (strcmp(path, "/garbage") == 0) {
			say(fd, "SSH-2.0-OpenSSH_9.2\r\nnonsense\r\n");
			_exit(0);
		} else if (strcmp(path, "/drip") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
			for (;; usleep(20000))
				say(fd, "x");
		} else if (strcmp(path, "/huge") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
			memset(piece, 'x', sizeof piece - 1);
			while (send(fd, piece, sizeof piece - 1, MSG_NOSIGNAL) > 0)
				continue;
			_exit(0);
		} else if (strcmp(path, "/heads") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\n");
			while (send(fd, "X-Again: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 58,
				    MSG_NOSIGNAL) > 0)
				continue;
			_exit(0);
		} else if (strcmp(path, "/redirect") == 0) {
			say(fd, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/evil\r\nContent-Length: 0\r\n\r\n");
		} else if (strcmp(path, "/later") == 0) {
			say(fd, "HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
		} else if (strcmp(path, "/echo") == 0) {
			snprintf(piece, sizeof piece, "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n%.4000s", request);
			say(fd, piece);
			_exit(0);
		} else if (strcmp(path, "/informational") == 0) {
			say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
			_exit(0);
		} else if (strcmp(path, "/second") == 0 &&
			   !first) { /* the kept connection ends under the second request */
			_exit(0);
		} else {
			say(fd, "HTTP/1.1 200 OK\r\nX-Request-Id: r-1\r\nContent-Length: 2\r\n\r\nok");
		}
		first = false;
	}
}

pid_t wrong_doer(const char *log, unsigned *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	*port = ntohs(address.sin_port);
	pid = fork();
	if (pid) {
		setpgid(pid, pid); /* here as well, or the end may come before it has a group to kill */
		close(fd);
		return pid;
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (peer >= 0 && fork() == 0)
			do_wrong(peer, log);
		if (peer >= 0)
			close(peer);
	}
}
