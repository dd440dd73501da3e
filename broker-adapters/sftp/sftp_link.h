/* The SSH connection's own: what sftp_link.c (session), sftp_login.c and sftp_key.c (whose key is it) know
 * of each other. They are the fence around libssh2. */
#ifndef FERRULE_ADAPTERS_SFTP_LINK_H
#define FERRULE_ADAPTERS_SFTP_LINK_H

#include <libssh2.h>

#include "broker-adapters/sftp/sftp.h"

/* One of the servers on the way: the last, or the one to jump from. */
struct sftp_server {
	const char *host, *user, *password, *key, *passphrase;
	int64_t port;
	const struct text_list *host_keys;
	bool agent;
};

struct sftp_link {
	const struct sftp_settings *settings;
	const struct endpoint *endpoint;
	struct sftp_server server;
	struct sftp_link *outer; /* the jump host's, or NULL */
	int fd;
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel; /* of the subsystem, or of an outer link the way on */
	struct span answer;       /* to what is asked at login; only then */
	bool branch;              /* the session is another's, only the channel its own */
	struct peer_key *stranger; /* while connecting: where the key of a jump host goes that is not the pinned one; */
	bool stopped;              /* … and it went there */
	bool closing;             /* nothing goes through it any more */
	int64_t deadline;         /* while connecting: monotonic; 0: each wait has its own */
};

/* Waits until the other side can go on; -1: RETRY sftp.timeout after `timeout` of silence. */
int sftp_link_wait(struct sftp_link *, int64_t *silent_since, const char *doing, struct error *);
/* From libssh2's last error. */
int sftp_link_fail(struct sftp_link *, const char *code, const char *doing, struct error *);

/* RETRY sftp.auth, sftp.key; or FATAL of a secret. */
int sftp_login(struct sftp_link *, struct error *);

/* Is it a key that is pinned? 0 it is; 1 it is not, *error says what is wrong; -1 the file cannot be read. */
int sftp_key_check(struct sftp_link *, struct peer_key *, struct error *);

#endif
