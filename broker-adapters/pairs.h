/* Files that come in pairs: a document and its sidecar, which has the document's name and a suffix and says what it
 * must be (base/sidecar.h). Shared by the sources of files, here or on another machine.
 *
 * A pair is put away in three steps: the sidecar gets a hidden name that says what is becoming of its document
 * (".ferrule-taken-NAME.sha256", ".ferrule-refused-NAME.sha256"), the document goes, the sidecar follows. So whatever a
 * crash leaves is known: a document beside its hidden sidecar is a pair still, and a hidden sidecar alone follows its
 * document. */
#ifndef FERRULE_ADAPTERS_PAIRS_H
#define FERRULE_ADAPTERS_PAIRS_H

#include "base/adapter.h"
#include "broker-adapters/names.h"
#include "broker-adapters/taking.h"

#define PAIR_NAME 256

enum pair_kind { PAIR_NONE, PAIR_SIDECAR, PAIR_TAKEN, PAIR_REFUSED };

/* What a name is, and whose: the document's name goes into `of`. Suffix NULL: no sidecars. */
enum pair_kind pair_kind(const char *suffix, const char *name, char of[PAIR_NAME]);
/* The sidecar's name; false: it is too long for one. kind PAIR_SIDECAR, or a hidden one. */
bool pair_name(char out[PAIR_NAME], enum pair_kind, const char *name, const char *suffix);
/* The name of a sidecar in the archive: that of its document there, and the suffix. */
void pair_placed(char out[PAIR_NAME], const char *placed, const char *suffix);

/* Is the document what its sidecar says? REJECT sidecar.form, sidecar.name, sidecar.mismatch. Reads all of it. */
int pair_check(const char *suffix, struct span text, struct span name, struct vault *, const struct vault_entry *,
	       struct error *);

/* What lies there and waits for its other half: the longest-waiting, and how many there are. */
#define HALVES_MAX 10
struct halves {
	struct half {
		char name[NAME_SHOWN], lacks[NAME_SHOWN];
		int64_t since_ms;
	} list[HALVES_MAX];
	size_t kept, count;
};
/* A document without its sidecar (sidecar false), or a sidecar alone; `name` is the document's. */
void halves_add(struct halves *, const char *name, const char *suffix, bool sidecar, int64_t since_ms);
void halves_tell(const struct halves *, int64_t patience_ms, source_half_fn *, void *arg);

#endif
