/* Asking git. See git.h. */
#include "config.h"
#include "cli/git.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32
#define COMPLAINT_MAX 400
#define NOT_THERE 127

static void become_git(const char *directory, const char *const *words, int out, int complaint)
{
	const char *arguments[WORDS_MAX + 4] = {"git", "-C", directory};
	int nothing = open("/dev/null", O_RDONLY);
	size_t n = 3;

	while (*words && n < WORDS_MAX + 3)
		arguments[n++] = *words++;
	if (dup2(nothing, 0) < 0 || dup2(out, 1) < 0 || dup2(complaint, 2) < 0)
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

static void take_both(int out, struct buf *said, int complaint, struct buf *complained)
{
	struct pollfd both[] = {{out, POLLIN, 0}, {complaint, POLLIN, 0}};

	while (both[0].fd >= 0 || both[1].fd >= 0) {
		if (poll(both, 2, -1) < 0 && errno != EINTR)
			return;
		if (both[0].fd >= 0 && both[0].revents && !take(out, said))
			both[0].fd = -1;
		if (both[1].fd >= 0 && both[1].revents && !take(complaint, complained))
			both[1].fd = -1;
	}
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

int git_run(const char *directory, const char *const *words, struct buf *out, struct error *error)
{
	int said[2], complained[2], status = 0;
	struct buf complaint;
	pid_t child;

	if (pipe(said) < 0)
		return error_errno(error, ERROR_REJECT, "git.failed", "a pipe to git");
	if (pipe(complained) < 0) {
		close(said[0]);
		close(said[1]);
		return error_errno(error, ERROR_REJECT, "git.failed", "a pipe to git");
	}
	child = fork();
	if (child == 0)
		become_git(directory, words, said[1], complained[1]);
	close(said[1]);
	close(complained[1]);
	buf_init(&complaint, COMPLAINT_MAX);
	if (child > 0)
		take_both(said[0], out, complained[0], &complaint);
	close(said[0]);
	close(complained[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	status = child < 0 ? error_errno(error, ERROR_REJECT, "git.failed", "starting git")
			   : judge(status, out, &complaint, error);
	buf_free(&complaint);
	return status;
}
