/* The vault keeps documents: originals, large bodies, configuration revisions, what was delivered. A directory:
 *
 *   packs/<day>/<writer>-<n>.pack   documents up to 64 KiB, appended by one process each; synced as a batch
 *   files/<aa>/<sha256>             larger ones, a file each, named by content
 *   trash/                          what the collector took away, for 24 h; get and put restore from it
 *   tmp/                            half-written files, removed when older than a day
 *
 * A reference is text and says where to look: "p:<day>/<writer>-<n>:<offset>:<length>:<sha256>" or
 * "f:<sha256>:<length>". It is worth nothing before vault_sync. There are no reference counts: the collector moves away
 * what is older than the retention and not pinned. Calls block on local disk. */
#ifndef FERRULE_BASE_VAULT_H
#define FERRULE_BASE_VAULT_H

#include "base/id.h"
#include "base/reader.h"

#define VAULT_REF_MAX 200
#define VAULT_PACK_LIMIT (64u * 1024)

struct vault;

struct vault_entry {
	char ref[VAULT_REF_MAX];
	struct id digest;
	uint64_t size;
};

/* Opens the directory, which is made if it is missing. Each process opens its own and writes packs of its own. */
struct vault *vault_open(const char *directory, struct error *);
void vault_close(struct vault *);

/* Called now and then while a large document is stored, so that a watchdog sees the progress. */
void vault_progress(struct vault *, void (*tell)(void *arg), void *arg);

/* Stores all of the reader's bytes (streaming; digest computed on the way). Not durable yet. RETRY on a full disk. */
int vault_put(struct vault *, struct reader *, struct vault_entry *, struct error *);
/* The same from a descriptor read to its end, at most `limit` bytes (REJECT `document.too-large` past it). */
int vault_put_fd(struct vault *, int fd, uint64_t limit, struct vault_entry *, struct error *);
/* The same from a function that gives the next bytes: how many, 0 at the end, -1 an error, which is handed on. */
typedef ssize_t vault_read_fn(void *arg, void *into, size_t len, struct error *);
int vault_put_stream(struct vault *, vault_read_fn *, void *arg, uint64_t limit, struct vault_entry *, struct error *);
/* As vault_put_stream, for what takes long: when it fails for now, or this process dies, its bytes stay in tmp/ under
 * `key`, and the next put with that key goes on behind them, unless the machine was started anew meanwhile. `resume` is
 * told how many there are and where to read them: 0 what comes next goes behind them; 1 they are of no use; -1 an
 * error, and they stay. */
typedef int vault_resume_fn(void *arg, int fd, uint64_t have, struct error *error);
int vault_put_part(struct vault *, const struct id *key, vault_resume_fn *, vault_read_fn *, void *arg, uint64_t limit,
		   struct vault_entry *, struct error *);
/* Makes everything put so far durable. RETRY (`disk.full`, `disk.sync`; scope SITE): nothing that was put since the
 * last sync counts, and all of it must be put again. That is also so after a put that failed in the middle of a
 * batch. */
int vault_sync(struct vault *, struct error *);

/* A reader over a stored document. RETRY when the disk fails; REJECT `vault.missing` when it is not there (retention
 * has passed), `vault.damaged` when a pack's entry does not hold what the reference says. */
struct reader *vault_get_new(struct vault *, struct span ref, struct error *);

/* Keeps a document, and what lies in the same pack, as if it had been put now: for what waited for long and goes on. A
 * document that is not there any more is no error. A power cut may undo it: then the trash keeps it for a day. */
int vault_renew(struct vault *, struct span ref, struct error *);

/* The collector. `pinned` says whether a pack or file (the name as in a ref, "p:<day>/<writer>-<n>" or "f:<sha256>")
 * must stay. Counts what was moved to the trash and what was removed from it. */
struct vault_collected {
	unsigned moved, removed;
	uint64_t bytes;
};
typedef bool vault_pinned_fn(void *arg, const char *name);
int vault_collect(struct vault *, int64_t older_than_ms, vault_pinned_fn *, void *arg, struct vault_collected *,
		  struct error *);

#endif
