/* A real FTP server for a test program, as the makefile says (FTP_LAB), started with the first need of it, gone with
 * the program. */
#ifndef FERRULE_TESTS_FTP_LAB_H
#define FERRULE_TESTS_FTP_LAB_H

#include "base/endpoint.h"
#include "base/mem.h"
#include "broker-adapters/ftp/ftp.h"

struct ftp_lab {
	char *home, *ca, *client, *password, *port;
	char *directory;
};

const struct ftp_lab *ftp_lab_need(void); /* skips the test where it cannot be had */
void ftp_lab_do(const char *verb);        /* stop, start */
/* The port with this way of things, as the script names it; skips the test where the server has none. */
const char *ftp_lab_port(const char *name);
/* An endpoint for partner acme with the password, TLS on request and our authority (none where the server has none);
 * further keys and values in turn, ended by NULL. The secrets directory is `root`, where the password is put as
 * `password`. */
struct endpoint *ftp_lab_endpoint(struct arena *, const char *root, const struct option *options, size_t settings_size,
				  const char *path, ...);
char *ftp_lab_path(const char *folder, const char *name); /* as seen from here; the caller frees */
void ftp_lab_clean(void);                                 /* acme's folders are empty again */

#endif
