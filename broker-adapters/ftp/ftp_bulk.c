/* Contents of files over FTP: libcurl pushes and we pull, with a bounded buffer in between. See ftp.h. */
#include "config.h"
#include "broker-adapters/ftp/ftp_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/pace.h"
#include "base/progress.h"

#define HOLD (1u << 20)      /* bytes that wait to be read */
#define EXCESS (256u * 1024) /* of a file that is longer than wanted: read to its end, or the connection is given up   \
			      */

/* ---- download -------------------------------------------------------------------------------------------------- */

struct ftp_download {
	struct ftp *ftp;
	struct buf waiting;
	size_t used; /* of what waits */
	uint64_t taken, size;
	uint64_t dropped;
	bool paused, ended, dropping;
	CURLcode result;
};

static size_t on_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct ftp_download *download = arg;

	download->ftp->heard_ms = clock_tick_ms();
	if (download->dropping) {
		download->dropped += size * n;
		return download->dropped > EXCESS ? 0 : size * n;
	}
	if (download->waiting.len - download->used + size * n > HOLD) {
		download->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (download->used) {
		memmove(download->waiting.data, download->waiting.data + download->used,
			download->waiting.len - download->used);
		download->waiting.len -= download->used;
		download->used = 0;
	}
	return buf_append(&download->waiting, data, size * n) ? 0 : size * n;
}

static bool has_some(void *arg)
{
	const struct ftp_download *download = arg;

	return !download->dropping && download->waiting.len > download->used;
}

/* More bytes, or the end. */
static void pull(struct ftp_download *download)
{
	if (download->paused) {
		download->paused = false;
		download->ftp->heard_ms = clock_tick_ms();
		curl_easy_pause(download->ftp->easy, CURLPAUSE_CONT);
	}
	if (!has_some(download))
		ftp_run(download->ftp, has_some, download, &download->ended, &download->result);
	if (download->ended)
		ftp_end(download->ftp);
}

/* What is refused is the file's; what breaks off is the connection's. */
static int judge(struct ftp_download *download, struct error *error)
{
	struct ftp *ftp = download->ftp;

	if (!download->ended || download->result == CURLE_OK)
		return REMOTE_OK;
	if (download->result == CURLE_FTP_COULDNT_USE_REST) { /* it cannot begin within a file; libcurl hangs up */
		ftp->lost = true;
		return REMOTE_UNSUPPORTED;
	}
	if (download->result == CURLE_PARTIAL_FILE || download->result == CURLE_WRITE_ERROR)
		ftp->code = 0;
	if (ftp_lost_by(ftp, download->result, error))
		return -1;
	return ftp->code ? ftp_status(ftp, ftp->code) : REMOTE_FAILURE;
}

struct ftp_download *ftp_download_new(struct ftp *ftp, const char *path, uint64_t offset, uint64_t size, int *status,
				      struct error *error)
{
	static const char *const watched[] = {"RETR ", "SIZE "};
	struct ftp_download *download;
	CURL *easy;

	*status = REMOTE_DENIED;
	if (!ftp_path_fits(path))
		return NULL;
	if (ftp->lost) {
		*status = ftp_lost_by(ftp, CURLE_RECV_ERROR, error);
		return NULL;
	}
	download = mem_alloc(sizeof *download);
	download->ftp = ftp;
	download->taken = offset;
	download->size = size;
	buf_init(&download->waiting, HOLD);
	easy = ftp_begin(ftp, path, watched, 2);
	ftp->ascii = false;
	curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)offset);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, download);
	pull(download);
	*status = judge(download, error);
	if (*status == REMOTE_OK)
		return download;
	ftp_download_free(download);
	return NULL;
}

ssize_t ftp_download_read(struct ftp_download *download, void *into, size_t len, struct error *error)
{
	size_t n;
	int status;

	if (download->taken >= download->size)
		return 0;
	if (!has_some(download) && !download->ended)
		pull(download);
	n = download->waiting.len - download->used;
	if (!n) {
		status = judge(download, error);
		return status > 0 ? ftp_fail(download->ftp, status, "reading", "the file", error) : status;
	}
	n = n < len ? n : len;
	n = n < download->size - download->taken ? n : (size_t)(download->size - download->taken);
	memcpy(into, download->waiting.data + download->used, n);
	download->used += n;
	download->taken += n;
	progress_tell(download->taken, download->size);
	pace_took(n);
	download->ftp->heard_ms = clock_tick_ms();
	return (ssize_t)n;
}

void ftp_download_free(struct ftp_download *download)
{
	struct ftp *ftp;

	if (!download)
		return;
	ftp = download->ftp;
	download->dropping = true;
	if (!download->ended)
		pull(download);
	if (download->result != CURLE_OK && !ftp->lost)
		ftp->lost = download->result != CURLE_REMOTE_FILE_NOT_FOUND &&
			    download->result != CURLE_FTP_COULDNT_RETR_FILE &&
			    download->result != CURLE_REMOTE_ACCESS_DENIED;
	if (!ftp->lost && download->result == CURLE_OK)
		FAULT("ftp.read");
	buf_free(&download->waiting);
	free(download);
}

/* ---- upload ---------------------------------------------------------------------------------------------------- */

struct sending {
	struct ftp *ftp;
	struct remote_upload *upload;
	uint64_t at, size;
	bool begun, failed;
	struct error *error;
};

/* The first call says that the server takes the file; from where on, its answer to REST has said. */
static size_t on_wanted(char *into, size_t size, size_t n, void *arg)
{
	struct sending *sending = arg;
	struct remote_upload *upload = sending->upload;
	ssize_t got;

	sending->ftp->heard_ms = clock_tick_ms();
	if (!sending->begun) {
		sending->begun = upload->opened = true;
		if (upload->offset && sending->ftp->codes[1] != 350)
			upload->offset = 0;
		sending->at = upload->offset;
		FAULT("ftp.opened");
	}
	if (sending->at >= sending->size)
		return 0;
	got = reader_read(upload->body, sending->at, into, (size_t)pace_window(size * n), sending->error);
	if (got <= 0) {
		sending->failed = true;
		if (got == 0)
			error_set(sending->error, ERROR_RETRY, "file.body", "the body of the message ended early");
		return CURL_READFUNC_ABORT;
	}
	sending->at += (uint64_t)got;
	progress_tell(sending->at, sending->size);
	pace_took((uint64_t)got);
	sending->ftp->heard_ms = clock_tick_ms();
	return (size_t)got;
}

/* STOR, behind a REST where it goes on: libcurl would append, which is another thing where the part is longer. */
static int store(struct sending *sending, struct error *error)
{
	static const char *const watched[] = {"STOR ", "REST "};
	struct remote_upload *upload = sending->upload;
	struct ftp *ftp = sending->ftp;
	CURL *easy = ftp_begin(ftp, upload->path, watched, 2);
	struct curl_slist *rest = NULL;
	CURLcode result = CURLE_OK;
	char command[40];
	bool ended;

	ftp->ascii = false;
	if (upload->offset) {
		snprintf(command, sizeof command, "*REST %llu", (unsigned long long)upload->offset);
		rest = curl_slist_append(rest, command);
	}
	curl_easy_setopt(easy, CURLOPT_PREQUOTE, rest);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_wanted);
	curl_easy_setopt(easy, CURLOPT_READDATA, sending);
	ftp_run(ftp, NULL, NULL, &ended, &result);
	ftp_end(ftp);
	curl_easy_setopt(easy, CURLOPT_PREQUOTE, NULL);
	curl_slist_free_all(rest);
	if (sending->failed) {
		ftp->lost = true;
		return -1;
	}
	ftp->code = ftp->codes[0];
	if (result == CURLE_OK && sending->at < sending->size)
		result = CURLE_SEND_ERROR; /* the server took the end of a broken line for the file's */
	if (ftp_lost_by(ftp, result, error))
		return -1;
	FAULT("ftp.written");
	return ftp->codes[0] ? ftp_status(ftp, ftp->codes[0]) : REMOTE_FAILURE;
}

static int ask_size(struct ftp *ftp, const char *path, uint64_t *size, struct error *error)
{
	char *command = mem_printf("SIZE %s", path);
	struct remote_attrs attrs = {0};
	int status = ftp_command(ftp, (const char *const[]){command}, 1, error);

	free(command);
	if (status)
		return -1;
	if (ftp->code == 213) {
		*size = strtoull(ftp->said, NULL, 10);
		return 0;
	}
	status = ftp_lstat(ftp, path, &attrs, error);
	*size = attrs.size;
	return status < 0 ? -1 : 0;
}

/* Whoever makes the mark made it: MKD fails where something is. Accounts that may make no folders make a file. */
static int make_mark(struct ftp *ftp, const char *path, struct error *error)
{
	struct remote_attrs attrs;
	struct remote_upload file = {.path = path};
	struct sending sending = {.ftp = ftp, .upload = &file, .error = error};
	int status = ftp_mkdir(ftp, path, error);

	if (status <= 0 || status == REMOTE_EXISTS)
		return status;
	status = ftp_lstat(ftp, path, &attrs, error);
	if (status != REMOTE_MISSING)
		return status == REMOTE_OK ? REMOTE_EXISTS : status;
	return store(&sending, error);
}

/* A new file: STOR would write over another worker's, so its mark is looked for first. 0 there is none, 1 what it wrote
 * was renamed already, REMOTE_EXISTS it is being delivered, another status nobody can tell, -1. */
static int look_for_others(struct ftp *ftp, struct remote_upload *upload, struct error *error)
{
	struct remote_attrs attrs;
	int status = ftp_lstat(ftp, upload->mark, &attrs, error);

	upload->marked_before = status == REMOTE_OK;
	if (status)
		return status == REMOTE_MISSING ? 0 : status;
	status = ftp_lstat(ftp, upload->path, &attrs, error);
	return status == REMOTE_MISSING ? 1 : status ? status : REMOTE_EXISTS;
}

/* Some do not go on with parts of files, and some write over no file at all. */
static int store_anyhow(struct sending *sending, struct error *error)
{
	struct remote_upload *upload = sending->upload;
	int status = store(sending, error);

	if (status > 0 && upload->offset && !upload->opened) {
		upload->offset = 0;
		status = store(sending, error);
	}
	if (status > 0 && !upload->fresh && !upload->opened && !ftp_remove(sending->ftp, upload->path, error))
		status = store(sending, error);
	return sending->ftp->lost ? -1 : status;
}

int ftp_upload(struct ftp *ftp, struct remote_upload *upload, struct error *error)
{
	struct error ignored;
	struct sending sending = {.ftp = ftp, .upload = upload, .error = error ? error : &ignored};
	int status = 0;
	bool whole;

	if (!ftp_path_fits(upload->path))
		return REMOTE_DENIED;
	sending.size = upload->body ? reader_size(upload->body) : 0;
	if (upload->fresh && upload->mark)
		status = look_for_others(ftp, upload, error);
	if (status == 1) {
		upload->size = sending.size;
		upload->mark_status = REMOTE_EXISTS;
		return REMOTE_OK;
	}
	whole = upload->offset && upload->offset == sending.size; /* an earlier try sent it, and it was read back */
	upload->opened |= whole;
	if (!status && !whole)
		status = store_anyhow(&sending, error);
	if (status)
		return status;
	if (ask_size(ftp, upload->path, &upload->size, error))
		return -1;
	FAULT("ftp.synced");
	if (upload->mark)
		upload->mark_status = make_mark(ftp, upload->mark, error);
	return upload->mark_status < 0 ? -1 : REMOTE_OK;
}
