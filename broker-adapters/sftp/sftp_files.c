/* SFTP as folders on another machine: the requests of sftp.h under the names that every protocol has. See
 * remote/remote.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_files.h"

#include "broker-adapters/sftp/sftp_many.h"

_Static_assert(SFTP_OK == (int)REMOTE_OK && SFTP_NO_SUCH_FILE == (int)REMOTE_MISSING &&
		       SFTP_DENIED == (int)REMOTE_DENIED && SFTP_FAILURE == (int)REMOTE_FAILURE &&
		       SFTP_UNSUPPORTED == (int)REMOTE_UNSUPPORTED && SFTP_EXISTS == (int)REMOTE_EXISTS &&
		       SFTP_NO_SPACE == (int)REMOTE_NO_SPACE && SFTP_QUOTA == (int)REMOTE_QUOTA,
	       "a status of SFTP is passed on as it is");

static struct sftp *of(struct remote *remote)
{
	return (struct sftp *)remote; /* its first field */
}

static const char *files_host(const struct endpoint *endpoint)
{
	return ((const struct sftp_settings *)endpoint->settings)->host;
}

static struct remote *files_open(const struct endpoint *endpoint, struct error *error)
{
	struct sftp *sftp = sftp_open(endpoint->settings, endpoint, error);

	if (!sftp)
		return NULL;
	sftp->remote.ops = &sftp_remote_ops;
	return &sftp->remote;
}

static void files_close(struct remote *remote)
{
	sftp_close(of(remote));
}

static bool files_is_lost(const struct remote *remote)
{
	return sftp_is_lost((const struct sftp *)remote);
}

static int64_t files_idle_ms(const struct remote *remote)
{
	return sftp_idle_ms((const struct sftp *)remote);
}

static void files_breathe(struct remote *remote)
{
	sftp_breathe(of(remote));
}

static bool files_times_have_zone(const struct remote *remote)
{
	return true;
}

static bool files_can_replace(const struct remote *remote)
{
	return sftp_can_replace((const struct sftp *)remote);
}

static int files_fail(struct remote *remote, int status, const char *doing, const char *path, struct error *error)
{
	return sftp_fail(of(remote), status, doing, path, error);
}

static int files_lstat(struct remote *remote, const char *path, struct remote_attrs *attrs, struct error *error)
{
	return sftp_lstat(of(remote), path, attrs, error);
}

static int files_lstat_two(struct remote *remote, const char *a, int *status_a, struct remote_attrs *attrs_a,
			   const char *b, int *status_b, struct remote_attrs *attrs_b, struct error *error)
{
	return sftp_lstat_two(of(remote), a, status_a, attrs_a, b, status_b, attrs_b, error);
}

static int files_rename(struct remote *remote, const char *from, const char *to, struct error *error)
{
	return sftp_rename(of(remote), from, to, error);
}

static int files_replace(struct remote *remote, const char *from, const char *to, struct error *error)
{
	return sftp_replace(of(remote), from, to, error);
}

static int files_rename_look(struct remote *remote, bool replace, const char *from, const char *to, int *left,
			     struct error *error)
{
	return sftp_rename_look(of(remote), replace, from, to, left, error);
}

static int files_remove(struct remote *remote, const char *path, struct error *error)
{
	return sftp_remove(of(remote), path, error);
}

static int files_remove_later(struct remote *remote, const char *path, struct error *error)
{
	return sftp_remove_later(of(remote), path, error);
}

static int files_mkdir(struct remote *remote, const char *path, struct error *error)
{
	return sftp_mkdir(of(remote), path, error);
}

static int files_list(struct remote *remote, const char *path, remote_each_fn *each, void *arg, struct error *error)
{
	return sftp_list(of(remote), path, each, arg, error);
}

static struct remote_download *files_download(struct remote *remote, const char *path, uint64_t offset, uint64_t size,
					      int *status, struct error *error)
{
	return (struct remote_download *)sftp_download_new(of(remote), path, offset, size, status, error);
}

static ssize_t files_read(struct remote_download *download, void *into, size_t len, struct error *error)
{
	return sftp_download_read((struct sftp_download *)download, into, len, error);
}

static void files_read_end(struct remote_download *download)
{
	sftp_download_free((struct sftp_download *)download);
}

static int files_upload(struct remote *remote, struct remote_upload *upload, struct error *error)
{
	return sftp_upload(of(remote), upload, error);
}

static void files_many(struct remote *remote, remote_one_fn *one, void *const *args, size_t n)
{
	sftp_many(of(remote), one, args, n);
}

static bool files_in_many(const struct remote *remote)
{
	return sftp_in_many((const struct sftp *)remote);
}

static void files_claim(struct remote *remote, const char *path)
{
	sftp_claim(of(remote), path);
}

const struct remote_ops sftp_remote_ops = {
	.name = "sftp",
	.spoken = "an SFTP server",
	.damaged = "sftp.damaged",
	.full = "sftp.full",
	.permission = "sftp.permission",
	.missing = "sftp.missing",
	.connect = "sftp.connect",
	.timeout = "sftp.timeout",
	.source_files = offsetof(struct sftp_source_settings, files),
	.sink_files = offsetof(struct sftp_sink_settings, files),
	.host = files_host,
	.open = files_open,
	.close = files_close,
	.is_lost = files_is_lost,
	.idle_ms = files_idle_ms,
	.breathe = files_breathe,
	.times_have_zone = files_times_have_zone,
	.can_replace = files_can_replace,
	.fail = files_fail,
	.lstat = files_lstat,
	.lstat_two = files_lstat_two,
	.rename = files_rename,
	.replace = files_replace,
	.rename_look = files_rename_look,
	.remove = files_remove,
	.remove_later = files_remove_later,
	.mkdir = files_mkdir,
	.list = files_list,
	.download_new = files_download,
	.download_read = files_read,
	.download_free = files_read_end,
	.upload = files_upload,
	.many = files_many,
	.in_many = files_in_many,
	.claim = files_claim,
};
