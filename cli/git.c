/* Asking git. See git.h. */
#include "config.h"
#include "cli/git.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32
#define COMPLAINT_MAX 400
#define NOT_THERE 127

static void become_git(const char *directory, const char *const *words, int in, int out, int complaint)
{
	const char *arguments[WORDS_MAX + 4] = {"git", "-C", directory};
	size_t n = 3;

	while (*words && n < WORDS_MAX + 3)
		arguments[n++] = *words++;
	setpgid(0, 0); /* what git starts ends with it */
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(complaint, 2) < 0)
		_exit(1);
	setenv("LC_ALL", "C", 1);
	setenv("GIT_OPTIONAL_LOCKS", "0", 1);
	setenv("GIT_TERMINAL_PROMPT", "0", 1);
	execvp("git", (char *const *)arguments);
	_exit(errno == ENOENT ? NOT_THERE : 1);
}

/* False: nothing more will come. */
static bool take(int fd, struct buf *into)
{
	char bytes[16384];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n > 0)
		buf_append(into, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* False: git has all of it, or wants no more. */
static bool give(int fd, struct span *input)
{
	ssize_t n = input->len ? send(fd, input->data, input->len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n > 0)
		*input = span_make(input->data + n, input->len - (size_t)n);
	return input->len && (n > 0 || errno == EINTR || errno == EAGAIN);
}

/* Speaks with git until it has said everything; false: it was silent for too long. */
static bool converse(int *in, struct span input, int out, struct buf *said, int complaint, struct buf *complained)
{
	struct pollfd all[] = {{*in, POLLOUT, 0}, {out, POLLIN, 0}, {complaint, POLLIN, 0}};
	int ready;

	while (all[1].fd >= 0 || all[2].fd >= 0) {
		ready = poll(all, 3, GIT_SILENCE_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return false;
		if (all[0].fd >= 0 && all[0].revents && !give(*in, &input)) {
			close(*in);
			*in = all[0].fd = -1;
		}
		if (all[1].fd >= 0 && all[1].revents && !take(out, said))
			all[1].fd = -1;
		if (all[2].fd >= 0 && all[2].revents && !take(complaint, complained))
			all[2].fd = -1;
	}
	return true;
}

static int judge(int status, const struct buf *said, struct buf *complained, struct error *error)
{
	char *end;

	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE)
		return error_set(error, ERROR_REJECT, "git.missing",
				 "git is not installed, and the site's history cannot be asked");
	if (said->full)
		return error_set(error, ERROR_REJECT, "git.too-large", "git said more than %zu bytes", said->max);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	buf_char(complained, '\0');
	end = complained->data ? strchr(complained->data, '\n') : NULL;
	if (end)
		*end = '\0';
	return error_set(error, ERROR_REJECT, "git.failed", "%s",
			 complained->data && *complained->data ? complained->data : "git ended without saying why");
}

struct conversation {
	int in[2], out[2], complaint[2]; /* ours, git's; git's, ours; git's, ours */
};

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int begin(struct conversation *c, struct error *error)
{
	*c = (struct conversation){{-1, -1}, {-1, -1}, {-1, -1}};
	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->in) && !pipe2(c->out, O_CLOEXEC) &&
	    !pipe2(c->complaint, O_CLOEXEC))
		return 0;
	return error_errno(error, ERROR_REJECT, "git.failed", "a pipe to git");
}

static void end(struct conversation *c)
{
	for (int i = 0; i < 2; i++) {
		shut(&c->in[i]);
		shut(&c->out[i]);
		shut(&c->complaint[i]);
	}
}

static int speak(struct conversation *c, pid_t child, struct span input, struct buf *out, struct error *error)
{
	struct buf complaint;
	int status = 0, result;
	bool silent;

	shut(&c->in[1]);
	shut(&c->out[1]);
	shut(&c->complaint[1]);
	buf_init(&complaint, COMPLAINT_MAX);
	silent = !converse(&c->in[0], input, c->out[0], out, c->complaint[0], &complaint);
	if (silent)
		kill(-child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	result = silent ? error_set(error, ERROR_REJECT, "git.time",
				    "git said nothing for %d s and was ended; try the same by hand: is the repository "
				    "on a disk that answers?",
				    GIT_SILENCE_MS / 1000)
			: judge(status, out, &complaint, error);
	buf_free(&complaint);
	return result;
}

int git_run(const char *directory, const char *const *words, struct span input, struct buf *out, struct error *error)
{
	struct conversation c;
	int result = -1;
	pid_t child;

	if (!begin(&c, error)) {
		child = fork();
		if (child == 0)
			become_git(directory, words, c.in[1], c.out[1], c.complaint[1]);
		if (child > 0)
			setpgid(child, child); /* whoever is first */
		result = child > 0 ? speak(&c, child, input, out, error)
				   : error_errno(error, ERROR_REJECT, "git.failed", "starting git");
	}
	end(&c);
	return result;
}
