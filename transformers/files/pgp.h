/* OpenPGP (RFC 4880) through GnuPG, with a keyring of the site's own: what the steps encrypt, decrypt, sign and verify
 * and the verb `key` stand on. The fence around gpgme is pgp.c and pgp_keys.c. Keys are named by their fingerprints and
 * trusted because somebody wrote these into the site: the web of trust has no say. GnuPG judges by today's clock which
 * keys have expired. Calls block as long as GnuPG works, and start its processes; a gpg-agent ends with pgp_free. */
#ifndef FERRULE_TRANSFORMERS_PGP_H
#define FERRULE_TRANSFORMERS_PGP_H

#include "base/option.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/spill.h"

#define PGP_FINGERPRINT 65 /* digits of the longest, and a NUL */
#define PGP_SIGNATURES_MAX 16

struct pgp;

/* The keyring is a directory of this user's with mode 0700: why not, or NULL. */
const char *pgp_keyring_fault(const char *home);
/* RETRY `openpgp.keyring`: it is not there, or not that; `openpgp.engine`: there is no GnuPG. */
struct pgp *pgp_new(const char *home, struct error *);
void pgp_free(struct pgp *); /* NULL is legal */
void pgp_passphrase(struct pgp *, struct secret *); /* takes it; of every secret key that is used from now on */
/* Ends the gpg-agent of a keyring, if there is one, and waits for that: for who may have lost the process that started
 * it. */
void pgp_end_agent(const char *home);

/* ---- keys */
struct pgp_key {
	char fingerprint[PGP_FINGERPRINT]; /* of the primary key, upper case */
	char user[200];
	int64_t expires_ms; /* the first of what it needs for what it can do; 0: never */
	bool secret, expired, revoked, disabled, encrypts, signs;
};

/* 40 or 64 hexadecimal digits, with spaces or without; writes them in upper case, without. */
bool pgp_fingerprint(const char *text, char out[PGP_FINGERPRINT]);
/* REJECT `openpgp.key-unknown` when it is not in the keyring. */
int pgp_find(struct pgp *, const char *fingerprint, bool secret, struct pgp_key *, struct error *);
typedef void pgp_each_fn(void *arg, const struct pgp_key *, const char *what);
/* All keys; what: "public" or "secret". */
int pgp_each(struct pgp *, pgp_each_fn *, void *arg, struct error *);
int pgp_each_public(struct pgp *, pgp_each_fn *, void *arg, struct error *); /* those alone: starts no gpg-agent */
/* Takes the keys of an export, armored or not; makes the keyring if it is missing. what: "new", "changed" or "known".
 * REJECT `openpgp.import`: there is no key in it. */
int pgp_import(const char *home, struct span bytes, pgp_each_fn *, void *arg, struct error *);

/* ---- work */
enum pgp_verdict { PGP_GOOD, PGP_BAD, PGP_UNKNOWN, PGP_KEY_EXPIRED, PGP_KEY_REVOKED, PGP_EXPIRED, PGP_UNCLEAR };

struct pgp_signature {
	char fingerprint[PGP_FINGERPRINT]; /* of the primary key where it is known, else as the signature names it */
	enum pgp_verdict verdict;
	int64_t made_ms;
};

struct pgp_work {
	struct reader *in;
	struct spill *out;
	int (*tick)(void *arg, struct error *); /* bytes went in or out. -1: stop; NULL: nobody wants to know */
	void *arg;
	uint64_t size;                          /* of what comes out, at most; 0: no matter */
	int64_t ratio;
	/* filled */
	uint8_t digest[32]; /* SHA-256 of what went in */
	struct pgp_signature signatures[PGP_SIGNATURES_MAX];
	size_t signatures_count; /* PGP_SIGNATURES_MAX: perhaps more */
};

struct pgp_how {
	const char *const *to; /* fingerprints */
	size_t to_count;
	const char *sign;      /* a fingerprint, or NULL */
	bool armor, compress;
};

enum pgp_form { PGP_INLINE, PGP_DETACHED, PGP_CLEAR };

/* -1: REJECT for what the document or the keys are to blame for (codes `openpgp.…` in config/error_codes.c), RETRY
 * when GnuPG or the disk failed. Nothing of what lies in `out` then may be used. */
int pgp_encrypt(struct pgp *, struct pgp_work *, const struct pgp_how *, struct error *);
int pgp_decrypt(struct pgp *, struct pgp_work *, struct error *);
int pgp_sign(struct pgp *, struct pgp_work *, const char *fingerprint, enum pgp_form, bool armor, struct error *);
/* detached: a signature of `in`, and nothing comes out; empty: `in` has it within. */
int pgp_verify(struct pgp *, struct pgp_work *, struct span detached, struct error *);

#endif
