/* The connection's own: what ftp_link.c (libcurl), ftp_client.c (requests) and ftp_bulk.c (contents) know of each
 * other. They are the fence around libcurl as it speaks FTP. */
#ifndef FERRULE_ADAPTERS_FTP_LINK_H
#define FERRULE_ADAPTERS_FTP_LINK_H

#include <curl/curl.h>

#include "base/buf.h"
#include "broker-adapters/ftp/ftp.h"

#define FTP_COMMANDS 3
#define FTP_LINES_MAX (64u * 1024) /* of one answer */

struct ftp {
	struct remote remote; /* first */
	const struct ftp_settings *settings;
	const struct endpoint *endpoint;
	struct secret *password, *key, *passphrase;
	CURLM *multi;
	CURL *easy;
	bool added;  /* easy is in multi: something is under way */
	bool lost;   /* nothing more comes of it */
	bool inside; /* logged in: whoever connects once more is refused */
	bool newest_tls;
	bool timed_out, quitting;
	bool bye; /* it said that it ends the connection: 421 */
	int64_t heard_ms; /* the last byte of any kind */
	char why[CURL_ERROR_SIZE];
	/* what it can */
	bool has_facts, has_utf8, no_all;
	/* the answers to what is under way */
	const char *commands[FTP_COMMANDS]; /* a whole one, or one that begins like this and ends with a space */
	unsigned codes[FTP_COMMANDS];       /* 0: no answer came */
	int answering;                      /* the one that was sent last; -1: none of them */
	unsigned code;                      /* the last of them */
	char said[160];                     /* and its words */
	struct buf lines;                   /* all of its lines, with \n */
	bool ascii;                         /* after a listing: sizes are asked for in binary */
};

/* One or more commands in turn; each is asked whatever the one before came to. ftp->codes, ->code, ->said and ->lines
 * say what the server answered. 0, or -1 when it did not (lost). */
int ftp_command(struct ftp *, const char *const *commands, size_t n, struct error *);

/* A transfer: begun with the path (a folder's ends with a slash; NULL: none), options set, then run. `watched` are the
 * beginnings of commands whose answers are wanted. */
CURL *ftp_begin(struct ftp *, const char *path, const char *const *watched, size_t n);
/* Until it has ended, or `enough` says so; *ended tells, and *result. -1: the other side was silent (ended as well). */
void ftp_run(struct ftp *, bool (*enough)(void *), void *arg, bool *ended, CURLcode *result);
void ftp_end(struct ftp *); /* also of what has not ended, which loses the connection */
/* Is the connection lost by that? Then -1 and the error; else 0. */
int ftp_lost_by(struct ftp *, CURLcode, struct error *);

/* What the last answer means; `code` 0: no answer. */
int ftp_status(const struct ftp *, unsigned code);
/* Can it be sent in a command? */
bool ftp_path_fits(const char *path);

#endif
