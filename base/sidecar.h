/* Sidecars: small files that say what another must be. Checksums as sha256sum and md5sum write them (GNU: DIGEST, two
 * spaces or " *", NAME) or BSD (SHA256 (NAME) = DIGEST), a digest alone, and control totals (bytes, lines, sha256 …,
 * one NAME=VALUE or NAME: VALUE a line). Pure: reads what it is given, no file and no clock. */
#ifndef FERRULE_SIDECAR_H
#define FERRULE_SIDECAR_H

#include "base/crypto.h"
#include "base/error.h"
#include "base/reader.h"

#define SIDECAR_MAX (64u * 1024)
#define SIDECAR_FORM_MAX 8

struct sidecar {
	enum digest_kind kind; /* of `digest`; by its length where nothing else says it */
	bool has_digest, has_bytes, has_lines;
	uint8_t digest[DIGEST_MAX];
	uint64_t bytes, lines;
};

/* Which of its lines is about this document: the one that names it (folders do not count), or the only one there is
 * when that names none. REJECT `sidecar.form`: nothing in it can be understood; `sidecar.name`: it is about others. */
int sidecar_read(struct sidecar *, struct span text, struct span name, struct error *);
/* Is the document what it says? Reads all of it; tick (may be NULL) is called now and then, -1 stops. REJECT
 * `sidecar.mismatch`, with what was expected and what came. RETRY when the disk fails. */
int sidecar_check(const struct sidecar *, struct reader *, int (*tick)(void *arg, struct error *), void *arg,
		  struct error *);
/* The text of one for a document: GNU form, or BSD's. */
int sidecar_make(struct buf *, enum digest_kind, bool bsd, struct span name, struct reader *,
		 int (*tick)(void *arg, struct error *), void *arg, struct error *);

#endif
