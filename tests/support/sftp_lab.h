/* A real SFTP server for a test program: OpenSSH or ProFTPD, as the makefile says (SFTP_LAB), or OpenSSH with a liar
 * for the files (tests/lab/sftp_liar.c); started with the first need of it, gone with the program. */
#ifndef FERRULE_TESTS_SFTP_LAB_H
#define FERRULE_TESTS_SFTP_LAB_H

#include "base/endpoint.h"
#include "base/mem.h"
#include "broker-adapters/sftp/sftp.h"

struct sftp_lab {
	char *host, *port, *keys, *known_hosts, *home, *password; /* password: NULL where there is none */
	char *directory;
};

const struct sftp_lab *sftp_lab_need(void); /* skips the test where it cannot be had */
void sftp_lab_do(const char *verb);         /* stop, start, rekey */
/* An endpoint for partner acme with its ed25519 key; further keys and values in turn, ended by NULL. The secrets
 * directory is `root`, where the key is put as `key`. */
struct endpoint *sftp_lab_endpoint(struct arena *, const char *root, const struct option *options, size_t settings_size,
				   const char *path, ...);
void sftp_lab_secret(const char *root, const char *name, const char *from); /* copies a file */
char *sftp_lab_path(const char *folder, const char *name);                  /* as seen from here; the caller frees */
void sftp_lab_clean(void);                                                  /* acme's folders are empty again */

#endif
