/* What backup.c and backup_restore.c share; nobody else includes it. */
#ifndef FERRULE_SERVICES_BACKUP_PRIVATE_H
#define FERRULE_SERVICES_BACKUP_PRIVATE_H

#include <stdio.h>

#include "base/crypto.h"
#include "services/backup.h"

#define BACKUP_FORMAT 1
#define BACKUP_PATH 4300
#define BACKUP_BLOCK (1u << 20)

struct backup_sum { /* a line of SHA256SUMS */
	char *path;
	char hex[2 * SHA256_SIZE + 1];
};

struct backup {
	const struct site *site;
	const char *name, *previous;
	int to; /* the directory */
	FILE *list;
	struct backup_sum *sums; /* of the previous one, by path */
	size_t sums_count;
	backup_progress_fn *progress;
	void *arg;
	struct backup_summary *summary;
};

/* ---- a store on a server (backup_server.c): in a backup its tables stand in files as a site on one machine has */
/* Makes both files, of one moment. -1: the databases' errors, RETRY `backup.disk`. */
int backup_server_make(const struct site *, const char *site_db, const char *lineage_db, struct error *);
/* Fills the server's tables from them, in one transaction. -1: REJECT `restore.data` (there is something). */
int backup_server_fill(const struct site *, const char *site_db, const char *lineage_db, struct error *);

/* Reads to the end of `in`; writes it as a new file, with the folders on its way, unless `at` is -1. -1 with errno. */
int backup_copy(int in, int at, const char *path, char hex[2 * SHA256_SIZE + 1], uint64_t *size);
/* backup.json and SHA256SUMS; every path is one that a backup can have. Free the sums in any case. */
int backup_read(const char *from, struct backup_summary *, struct backup_sum **, size_t *count, struct error *);
void backup_sums_free(struct backup_sum *, size_t count);

#endif
