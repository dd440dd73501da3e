/* FTP (RFC 959, 2389, 2428, 3659) and FTPS (RFC 4217, or TLS from the first byte) as the source and the sink of this
 * adapter use them. Private to ftp_*.c.
 *
 * ftp_link.c is the connection (the fence around libcurl, with ftp_bulk.c for contents), ftp_client.c single requests,
 * ftp_list.c reads listings, ftp_files.c and ftp_ends.c hand all that to remote/. All calls block for at most `timeout`
 * without a byte from the other side.
 *
 * What FTP does not have, and what stands for it: nothing makes a file only if it is not there, but MKD fails where
 * something is, so a mark is an empty folder; a rename may replace what is there, so it is looked for before; nothing
 * syncs a file to a disk. */
#ifndef FERRULE_ADAPTERS_FTP_H
#define FERRULE_ADAPTERS_FTP_H

#include "broker-adapters/remote/remote.h"

enum ftp_tls { FTP_EXPLICIT, FTP_IMPLICIT, FTP_UNENCRYPTED };
enum ftp_mode { FTP_PASSIVE, FTP_ACTIVE };

/* How to reach the other side: of endpoints, or of their system. */
struct ftp_settings {
	const char *system, *host, *user, *ca, *certificate;
	const char *password, *key, *passphrase; /* names of secrets */
	int64_t port, timeout_ms;
	int tls, mode;
};

struct ftp_source_settings {
	struct ftp_settings connection; /* first, in both */
	struct remote_source_settings files;
};

struct ftp_sink_settings {
	struct ftp_settings connection;
	struct remote_sink_settings files;
};

extern const struct remote_ops ftp_remote_ops;

/* FATAL ftp.settings */
int ftp_check_settings(const struct ftp_settings *, const struct endpoint *, struct error *);

/* ---- the connection (ftp_link.c) ------------------------------------------------------------------------------- */

struct ftp;

/* Connected, TLS as configured, logged in, asked what it can do. NULL: RETRY of the endpoint (ftp.connect, ftp.timeout,
 * ftp.tls, ftp.certificate, ftp.auth …), or FATAL of a secret. */
struct ftp *ftp_open(const struct ftp_settings *, const struct endpoint *, struct error *);
void ftp_close(struct ftp *);
bool ftp_is_lost(const struct ftp *);
int64_t ftp_idle_ms(const struct ftp *);

/* ---- single requests (ftp_client.c): as those of struct remote_ops --------------------------------------------- */

int ftp_fail(struct ftp *, int status, const char *doing, const char *path, struct error *);
int ftp_lstat(struct ftp *, const char *path, struct remote_attrs *, struct error *);
int ftp_rename(struct ftp *, const char *from, const char *to, struct error *);
int ftp_replace(struct ftp *, const char *from, const char *to, struct error *);
int ftp_remove(struct ftp *, const char *path, struct error *);
int ftp_mkdir(struct ftp *, const char *path, struct error *);
int ftp_list(struct ftp *, const char *path, remote_each_fn *, void *arg, struct error *);
bool ftp_times_have_zone(const struct ftp *);

/* ---- contents (ftp_bulk.c) --------------------------------------------------------------------------------------- */

struct ftp_download;
struct ftp_download *ftp_download_new(struct ftp *, const char *path, uint64_t offset, uint64_t size, int *status,
				      struct error *);
ssize_t ftp_download_read(struct ftp_download *, void *into, size_t len, struct error *);
void ftp_download_free(struct ftp_download *);
int ftp_upload(struct ftp *, struct remote_upload *, struct error *);

#endif
