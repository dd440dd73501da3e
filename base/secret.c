/* Secrets. See secret.h. */
#include "config.h"
#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SECRET_MAX (64u * 1024)
#define NAME_MAX_LENGTH 64

struct secret {
	size_t len;
	char *bytes;
};

bool secret_name_fits(struct span name)
{
	if (!name.len || name.len > NAME_MAX_LENGTH || name.data[0] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.data[i]) && !strchr("-_.", name.data[i] ? name.data[i] : ' '))
			return false;
	return true;
}

struct secret *secret_from(struct span value)
{
	struct secret *secret = mem_alloc(sizeof *secret);

	secret->len = value.len;
	secret->bytes = mem_span_dup(value);
	return secret;
}

struct span secret_reveal(const struct secret *secret)
{
	return span_make(secret->bytes, secret->len);
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret->bytes, secret->len);
	free(secret->bytes);
	free(secret);
}

static const char *environment(const char *name)
{
	char variable[sizeof "FERRULE_SECRET_" + NAME_MAX_LENGTH] = "FERRULE_SECRET_";
	size_t at = strlen(variable);

	for (; *name && at + 1 < sizeof variable; name++)
		variable[at++] = isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_';
	variable[at] = '\0';
	return getenv(variable);
}

int secret_directory_state(const char *directory, struct error *error)
{
	struct stat status;

	if (stat(directory, &status))
		return errno == ENOENT || errno == ENOTDIR
			       ? 1
			       : error_errno(error, ERROR_FATAL, "secret.unreadable", "the secrets directory %s",
					     directory);
	if (status.st_mode & 077)
		return error_set(error, ERROR_FATAL, "secret.mode",
				 "others may look into the secrets directory %s: chmod 700 %s", directory, directory);
	if (status.st_uid != geteuid() && status.st_uid != 0 && geteuid() != 0)
		return error_set(error, ERROR_FATAL, "secret.unreadable",
				 "the secrets directory %s belongs to somebody else", directory);
	if (faccessat(AT_FDCWD, directory, X_OK, AT_EACCESS))
		return error_errno(error, ERROR_FATAL, "secret.unreadable", "the secrets directory %s", directory);
	return 0;
}

static char *path_of(const char *directory, const char *name)
{
	return mem_printf("%s/%s", directory, name);
}

static struct secret *read_secret(int fd, const char *path, struct error *error)
{
	char *bytes = mem_alloc(SECRET_MAX + 1);
	struct secret *secret = NULL;
	size_t len = 0;
	ssize_t n;

	while (len <= SECRET_MAX && ((n = read(fd, bytes + len, SECRET_MAX + 1 - len)) > 0 ||
				     (n < 0 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	if (n < 0)
		error_errno(error, ERROR_FATAL, "secret.unreadable", "reading the secret %s", path);
	else if (len > SECRET_MAX)
		error_set(error, ERROR_FATAL, "secret.missing", "the secret %s is larger than %u bytes", path,
			  SECRET_MAX);
	else {
		len -= len && bytes[len - 1] == '\n';
		len -= len && bytes[len - 1] == '\r';
		if (len)
			secret = secret_from(span_make(bytes, len));
		else
			error_set(error, ERROR_FATAL, "secret.missing", "the secret %s is empty", path);
	}
	explicit_bzero(bytes, SECRET_MAX + 1);
	free(bytes);
	return secret;
}

struct secret *secret_new(const char *directory, const char *name, struct error *error)
{
	const char *value = NULL;
	struct secret *secret = NULL;
	char *path = NULL;
	int fd = -1, checked;

	if (!secret_name_fits(span_of(name))) {
		error_set(error, ERROR_FATAL, "secret.missing", "a secret cannot have this name");
		return NULL;
	}
	checked = secret_directory_state(directory, error);
	if (checked < 0)
		return NULL;
	path = path_of(directory, name);
	if (checked == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		secret = read_secret(fd, path, error);
	else if (checked == 0 && errno != ENOENT)
		error_errno(error, ERROR_FATAL, "secret.unreadable", "opening the secret %s", path);
	else if ((value = environment(name)) && *value)
		secret = secret_from(span_of(value));
	else
		error_set(error, ERROR_FATAL, "secret.missing", "the secret `%s` is missing: write it to %s, mode 600",
			  name, path);
	if (fd >= 0)
		close(fd);
	free(path);
	return secret;
}

int secret_state(const char *directory, const char *name, struct error *error)
{
	struct stat status = {0};
	const char *value;
	char *path;
	int checked, fd = -1;

	if (!secret_name_fits(span_of(name)))
		return 1;
	checked = secret_directory_state(directory, error);
	if (checked < 0)
		return -1;
	path = path_of(directory, name);
	if (checked == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0) {
		checked = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 ? 0 : 1;
		close(fd);
	} else if (checked == 0 && errno != ENOENT) {
		checked = error_errno(error, ERROR_FATAL, "secret.unreadable", "opening the secret %s", path);
	} else {
		value = environment(name);
		checked = value && *value ? 0 : 1;
	}
	free(path);
	return checked;
}
