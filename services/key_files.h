/* The keys that a site goes by and that lie in files: its OpenPGP keyring, the certificates that its settings name, and
 * its partners' host keys. What each is now, as a short text, so that a change is noticed whoever made it. Keys of the
 * site's own (secrets) are not looked at. Reads files, and lets GnuPG list the keyring: blocks for moments. */
#ifndef FERRULE_SERVICES_KEY_FILES_H
#define FERRULE_SERVICES_KEY_FILES_H

#include "config/site.h"

struct key_file {
	const char *kind; /* "openpgp", "certificate", "known-hosts" */
	const char *id;   /* a fingerprint, or a path; UTF-8 */
	const char *name; /* whose it is, of a key of the ring; else "" */
	const char *is;   /* "until 2028-11-24", "revoked", "disabled", "sha256:…" */
};

/* Borrowed for the call; a file may come more than once. */
typedef void key_files_fn(void *arg, const struct key_file *);
bool key_files_any(const struct site *); /* may there be any? */
/* False: the keyring cannot be read now, and its keys were left out. A file that is not there, or cannot be read, is
 * left out. */
bool key_files_each(const struct site *, key_files_fn *, void *arg, struct error *);

#endif
