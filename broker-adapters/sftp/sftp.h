/* SFTP (draft-ietf-secsh-filexfer-02, the version 3 that every server speaks) as the source and the sink of this
 * adapter use it: one connection, requests in a row or many under way, time-outs that hold. Private to sftp*.c.
 *
 * sftp_link.c is the SSH connection (the fence around libssh2), sftp_wire.c the packets, sftp_client.c single requests,
 * sftp_bulk.c the contents of files. All calls block for at most `timeout` without a byte from the other side. */
#ifndef FERRULE_ADAPTERS_SFTP_H
#define FERRULE_ADAPTERS_SFTP_H

#include <stddef.h>

#include "base/adapter.h"
#include "base/reader.h"
#include "broker-adapters/remote/remote.h"

#define SFTP_PATH_MAX 4096

/* How to reach the other side: of endpoints, or of their system. */
struct sftp_settings {
	const char *system, *host, *user, *known_hosts, *proxy;
	const char *password, *key, *passphrase; /* names of secrets */
	int64_t port, timeout_ms, keepalive_ms, channels;
	struct text_list host_keys;
	bool agent;
	struct {
		const char *host, *user, *password, *key, *passphrase;
		int64_t port;
		struct text_list host_keys;
	} jump;
};

extern const struct option sftp_jump_options[];

/* Rows of an option table for `struct type` with the field `connection`. */
#define SFTP_OPTION(kind, field) .type = kind, .offset = offsetof(struct SFTP_OF, connection.field)
#define SFTP_OPTIONS \
	{.name = "system", \
	 SFTP_OPTION(OPTION_TEXT, system), \
	 .help = "The system whose file says under `sftp` how to reach it; what stands here wins"}, \
		{.name = "host", SFTP_OPTION(OPTION_TEXT, host), .help = "The server's name or address"}, \
		{.name = "port", \
		 SFTP_OPTION(OPTION_INT, port), \
		 .fallback = "22", \
		 .range = "1..65535", \
		 .help = "Its port"}, \
		{.name = "user", SFTP_OPTION(OPTION_TEXT, user), .help = "The account there"}, \
		{.name = "key", \
		 SFTP_OPTION(OPTION_SECRET, key), \
		 .help = "Our private key (ed25519, ecdsa or rsa), as ssh-keygen writes it"}, \
		{.name = "passphrase", SFTP_OPTION(OPTION_SECRET, passphrase), .help = "What opens the private key"}, \
		{.name = "password", \
		 SFTP_OPTION(OPTION_SECRET, password), \
		 .help = "The account's password, where there is no key"}, \
		{.name = "agent", \
		 SFTP_OPTION(OPTION_BOOL, agent), \
		 .fallback = "no", \
		 .help = "Use the keys of the running ssh-agent (SSH_AUTH_SOCK)"}, \
		{.name = "host-key", \
		 SFTP_OPTION(OPTION_TEXTS, host_keys), \
		 .help = "Fingerprints of the server's key, as in SHA256:…; any other is refused, and known-hosts is " \
			 "not asked"}, \
		{.name = "known-hosts", \
		 SFTP_OPTION(OPTION_TEXT, known_hosts), \
		 .fallback = "known_hosts", \
		 .flags = OPTION_HOST_KEYS, \
		 .help = "File of servers' keys in the form of OpenSSH, relative to the site; `ferrule transfer " \
			 "trust` adds to it"}, \
		{.name = "timeout", \
		 SFTP_OPTION(OPTION_DURATION, timeout_ms), \
		 .fallback = "30s", \
		 .range = "1s..1h", \
		 .help = "How long connecting may take, and how long the server may be silent after a request"}, \
		{.name = "keep-alive", \
		 SFTP_OPTION(OPTION_DURATION, keepalive_ms), \
		 .fallback = "15s", \
		 .range = "1s..1h", \
		 .help = "A sign of life after so long without traffic: while an answer is awaited, and between " \
			 "looks and deliveries while the connection is held, which is for ten minutes"}, \
		{.name = "channels", \
		 SFTP_OPTION(OPTION_INT, channels), \
		 .fallback = "8", \
		 .range = "1..16", \
		 .help = "Channels of the one connection that many small files may use side by side; 1 where the " \
			 "server wants no more"}, \
		{.name = "proxy", \
		 SFTP_OPTION(OPTION_TEXT, proxy), \
		 .help = "SOCKS5 proxy on the way, as in socks5://proxy.example:1080"}, \
	{ \
		.name = "jump", SFTP_OPTION(OPTION_TABLE, jump), .table = sftp_jump_options, \
		.help = "SSH server on the way, whose key is pinned as well" \
	}

int sftp_check_settings(const struct sftp_settings *, const struct endpoint *, struct error *);

/* ---- the connection (sftp_link.c) ------------------------------------------------------------------------------ */

struct sftp_link;

/* Connected, its key recognised, logged in, the subsystem started. NULL: RETRY of the endpoint (sftp.connect,
 * sftp.timeout, sftp.host-key, sftp.auth, sftp.key …). */
struct sftp_link *sftp_link_open(const struct sftp_settings *, const struct endpoint *, struct error *);
void sftp_link_close(struct sftp_link *);
/* All of it, or -1: RETRY of the endpoint (sftp.lost, sftp.timeout). */
int sftp_link_send(struct sftp_link *, struct span, struct error *);
/* At least one byte. */
ssize_t sftp_link_receive(struct sftp_link *, void *into, size_t len, struct error *);

/* Another channel of the same connection, with a server of its own behind it; closed before that. NULL: there is none.
 */
struct sftp_link *sftp_link_branch(struct sftp_link *, struct error *);
/* What there is now; 0 nothing. */
ssize_t sftp_link_try(struct sftp_link *, void *into, size_t len, struct error *);
/* Until there may be something for one of them, all of one connection; *silent_since is 0 at first. -1 as
 * sftp_link_receive. */
int sftp_link_wait_any(struct sftp_link *const *, size_t n, int64_t *silent_since, struct error *);

/* The server's key as it shows it now, without logging in: the `look` of both ends. */
int sftp_look(const struct sftp_settings *, const struct endpoint *, struct peer_key *, struct error *);

/* ---- single requests (sftp_client.c) --------------------------------------------------------------------------- */

enum sftp_status {
	SFTP_OK = 0,
	SFTP_EOF = 1,
	SFTP_NO_SUCH_FILE = 2,
	SFTP_DENIED = 3,
	SFTP_FAILURE = 4,
	SFTP_UNSUPPORTED = 8,
	SFTP_EXISTS = 11,
	SFTP_NO_SPACE = 14,
	SFTP_QUOTA = 15,
};

struct sftp;

struct sftp *sftp_open(const struct sftp_settings *, const struct endpoint *, struct error *);
void sftp_close(struct sftp *);
bool sftp_is_lost(const struct sftp *);     /* nothing more comes of it: close it and open another */
int sftp_check(struct sftp *, struct error *); /* -1: it is lost, RETRY of the endpoint */
int64_t sftp_idle_ms(const struct sftp *);  /* since its last answer */
/* While nothing is asked of it, about each second: after `keep-alive` without traffic it is asked something, without
 * waiting for the answer; when that has not come within `timeout`, or the line has ended, it is lost. */
void sftp_breathe(struct sftp *);
bool sftp_can_replace(const struct sftp *); /* rename over an existing file, at once (posix-rename@openssh.com) */

/* Each returns SFTP_OK, the server's status (> 0), or -1 when the connection is lost: RETRY of the endpoint. */
int sftp_lstat(struct sftp *, const char *path, struct remote_attrs *, struct error *);
int sftp_rename(struct sftp *, const char *from, const char *to, struct error *); /* fails where `to` exists */
int sftp_replace(struct sftp *, const char *from, const char *to, struct error *);
/* Either of them, and in the same round what lstat says of `from` then: some say that they renamed, and
 * did not. */
int sftp_rename_look(struct sftp *, bool replace, const char *from, const char *to, int *left, struct error *);
int sftp_remove(struct sftp *, const char *path, struct error *);
int sftp_mkdir(struct sftp *, const char *path, struct error *);
int sftp_touch(struct sftp *, const char *path, struct error *); /* an empty file that was not there */
/* Whether it worked is not asked. */
int sftp_remove_later(struct sftp *, const char *path, struct error *);
/* Both at once. */
int sftp_lstat_two(struct sftp *, const char *a, int *status_a, struct remote_attrs *, const char *b, int *status_b,
		   struct remote_attrs *, struct error *);
int sftp_list(struct sftp *, const char *path, remote_each_fn *, void *arg, struct error *);

/* Version 3 has no status for a full disk: a plain failure to write into `path`, where so much was still to come, is
 * SFTP_NO_SPACE when the server, asked how much room there is, has less (statvfs@openssh.com). Else the status. */
int sftp_why_not_written(struct sftp *, int status, const char *path, uint64_t missing);

/* What a status means: RETRY of the endpoint with a stable code (sftp.permission, sftp.missing, sftp.full,
 * sftp.failure). Returns -1. A lost connection's error is left as it is. */
int sftp_fail(struct sftp *, int status, const char *doing, const char *path, struct error *);

/* ---- contents (sftp_bulk.c) -------------------------------------------------------------------------------------- */

struct sftp_download;
/* Opens the file to be read from `offset` to its end, at most `size` bytes from its start. NULL: *status, or -1. */
struct sftp_download *sftp_download_new(struct sftp *, const char *path, uint64_t offset, uint64_t size, int *status,
					struct error *);
/* The next bytes; 0 at the end, -1 an error (class RETRY: lost, or the server's own). */
ssize_t sftp_download_read(struct sftp_download *, void *into, size_t len, struct error *);
void sftp_download_free(struct sftp_download *); /* closes the file there, if the connection is still good */

int sftp_upload(struct sftp *, struct remote_upload *, struct error *);

#endif
