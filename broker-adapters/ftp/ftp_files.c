/* FTP as folders on another machine: the requests of ftp.h under the names that every protocol has. See
 * remote/remote.h. */
#include "config.h"
#include "broker-adapters/ftp/ftp.h"

static struct ftp *of(struct remote *remote)
{
	return (struct ftp *)remote; /* its first field */
}

static const char *files_host(const struct endpoint *endpoint)
{
	return ((const struct ftp_settings *)endpoint->settings)->host;
}

static struct remote *files_open(const struct endpoint *endpoint, struct error *error)
{
	struct ftp *ftp = ftp_open(endpoint->settings, endpoint, error);
	struct remote *remote = (struct remote *)ftp;

	if (remote)
		remote->ops = &ftp_remote_ops;
	return remote;
}

static void files_close(struct remote *remote)
{
	ftp_close(of(remote));
}

static bool files_is_lost(const struct remote *remote)
{
	return ftp_is_lost((const struct ftp *)remote);
}

static int64_t files_idle_ms(const struct remote *remote)
{
	return ftp_idle_ms((const struct ftp *)remote);
}

static bool files_times_have_zone(const struct remote *remote)
{
	return ftp_times_have_zone((const struct ftp *)remote);
}

/* As far as one can know: ftp_replace does what else is to be done. */
static bool files_can_replace(const struct remote *remote)
{
	return true;
}

static int files_fail(struct remote *remote, int status, const char *doing, const char *path, struct error *error)
{
	return ftp_fail(of(remote), status, doing, path, error);
}

static int files_lstat(struct remote *remote, const char *path, struct remote_attrs *attrs, struct error *error)
{
	return ftp_lstat(of(remote), path, attrs, error);
}

static int files_lstat_two(struct remote *remote, const char *a, int *status_a, struct remote_attrs *attrs_a,
			   const char *b, int *status_b, struct remote_attrs *attrs_b, struct error *error)
{
	*status_b = -1;
	*status_a = ftp_lstat(of(remote), a, attrs_a, error);
	if (*status_a >= 0)
		*status_b = ftp_lstat(of(remote), b, attrs_b, error);
	return *status_b < 0 ? -1 : 0;
}

static int files_rename(struct remote *remote, const char *from, const char *to, struct error *error)
{
	return ftp_rename(of(remote), from, to, error);
}

static int files_replace(struct remote *remote, const char *from, const char *to, struct error *error)
{
	return ftp_replace(of(remote), from, to, error);
}

static int files_remove(struct remote *remote, const char *path, struct error *error)
{
	return ftp_remove(of(remote), path, error);
}

static int files_mkdir(struct remote *remote, const char *path, struct error *error)
{
	return ftp_mkdir(of(remote), path, error);
}

static int files_list(struct remote *remote, const char *path, remote_each_fn *each, void *arg, struct error *error)
{
	return ftp_list(of(remote), path, each, arg, error);
}

static struct remote_download *files_download(struct remote *remote, const char *path, uint64_t offset, uint64_t size,
					      int *status, struct error *error)
{
	return (struct remote_download *)ftp_download_new(of(remote), path, offset, size, status, error);
}

static ssize_t files_read(struct remote_download *download, void *into, size_t len, struct error *error)
{
	return ftp_download_read((struct ftp_download *)download, into, len, error);
}

static void files_read_end(struct remote_download *download)
{
	ftp_download_free((struct ftp_download *)download);
}

static int files_upload(struct remote *remote, struct remote_upload *upload, struct error *error)
{
	return ftp_upload(of(remote), upload, error);
}

const struct remote_ops ftp_remote_ops = {
	.name = "ftp",
	.spoken = "an FTP server",
	.damaged = "ftp.damaged",
	.full = "ftp.full",
	.permission = "ftp.permission",
	.missing = "ftp.missing",
	.connect = "ftp.connect",
	.timeout = "ftp.timeout",
	.source_files = offsetof(struct ftp_source_settings, files),
	.sink_files = offsetof(struct ftp_sink_settings, files),
	.host = files_host,
	.open = files_open,
	.close = files_close,
	.is_lost = files_is_lost,
	.idle_ms = files_idle_ms,
	.times_have_zone = files_times_have_zone,
	.can_replace = files_can_replace,
	.fail = files_fail,
	.lstat = files_lstat,
	.lstat_two = files_lstat_two,
	.rename = files_rename,
	.replace = files_replace,
	.remove = files_remove,
	.remove_later = files_remove,
	.mkdir = files_mkdir,
	.list = files_list,
	.download_new = files_download,
	.download_read = files_read,
	.download_free = files_read_end,
	.upload = files_upload,
};
