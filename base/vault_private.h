/* What the vault's files share: vault.c stores, vault_part.c goes on, vault_get.c finds, vault_collect.c takes away. */
#ifndef FERRULE_BASE_VAULT_PRIVATE_H
#define FERRULE_BASE_VAULT_PRIVATE_H

#include "base/crypto.h"
#include "base/vault.h"

#define VAULT_PATH_MAX 300
#define VAULT_NAME_MAX 100
#define VAULT_PENDING_MAX 256
#define VAULT_TRASH_MS (24 * 3600 * 1000LL)

/* An entry of a pack: magic, u32 length, digest, content. It describes itself, so that damage is told and a pack can be
 * read without references. */
#define VAULT_MAGIC "FVE1"
#define VAULT_HEADER (4 + 4 + SHA256_SIZE)

/* A large document that lies in tmp/ until the next sync. */
struct vault_pending {
	char tmp[VAULT_NAME_MAX];
	struct id digest;
	uint64_t size;
};

struct vault {
	int directory; /* everything is found from here */
	char writer[17];
	unsigned packs_made, tmps_made;

	int pack;            /* -1: none open; holds a shared lock, so that no collector takes it away */
	char pack_day[9];    /* 20260131 */
	char pack_name[VAULT_NAME_MAX]; /* "<day>/<writer>-<n>" */
	uint64_t pack_written;
	bool pack_new;       /* its directory entry is not durable yet */
	bool pack_dirty;
	struct buf unwritten; /* the end of the pack */

	struct vault_pending *pending;
	size_t pending_count, pending_capacity;
	bool bucket_dirty[256], bucket_known[256];
	void (*tell)(void *arg);
	void *tell_arg;
	int lost;            /* errno: something put since the last sync is gone, and that sync must fail */
};

/* Where a document comes from. */
struct vault_incoming {
	struct span first;
	struct reader *reader;
	uint64_t offset;
	vault_read_fn *read;
	void *arg;
	uint64_t limit;
	struct sha256 *digest; /* of what is in the file already; NULL: nothing */
};

/* Its bytes into the file, and their digest; frees `digest`. */
int vault_stream(struct vault *, struct vault_incoming *, int fd, struct vault_pending *, struct error *);
/* The file is whole: it gets its name with the next sync. */
int vault_put_ended(struct vault *, const struct vault_pending *, struct vault_entry *);

enum vault_kind { VAULT_PACKED, VAULT_FILE };

/* A reference, read. */
struct vault_place {
	enum vault_kind kind;
	char path[VAULT_PATH_MAX]; /* below the vault: "packs/…" or "files/…" */
	char pin[VAULT_NAME_MAX];  /* "p:…" or "f:…" */
	uint64_t offset, length;
	struct id digest;
};

int vault_place_parse(struct vault_place *, struct span ref);
/* errno told; a full disk is `disk.full` for the site */
int vault_error(struct error *, const char *code, const char *what);
int vault_write(struct vault *); /* what is unwritten goes to the pack; -1 with errno, and then `lost` */
void vault_bucket(char path[VAULT_PATH_MAX], const struct id *); /* "files/<aa>" */
/* Moves below the vault, making the target's directory when it is missing. -1 with errno. */
int vault_move(struct vault *, const char *from, const char *to);
/* Finds "packs/…" or "files/…" in the trash and moves it back. False: not there either. */
bool vault_restore(struct vault *, const char *path);

#endif
