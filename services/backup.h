/* Backup and restore of a site: store and spool (one file), lineage, vault, revisions in use, as one consistent
 * whole, while the site runs. Blocks on the disk. A store on PostgreSQL goes, with lineage, into files of the same
 * kind, in one reading transaction (backup_server.c); what was in the queues of its broker is made again from what the
 * store keeps of all that came in (operations/store_intake.c).
 *
 * A backup is a directory, mode 0700:
 *   backup.json     {format, site, revision, made_ms, files, bytes}; written last: without it the backup is not whole
 *   SHA256SUMS      of every other file, as `sha256sum -c` reads it
 *   data/site.db, data/lineage.db, data/audit.key, data/generations/…
 *   vault/packs/…, vault/files/…
 * The databases are copied first, the vault behind them: what a store refers to is in the vault before the store says
 * so, and the collector keeps what it takes away for a day. Lineage may know a little more than the store. */
#ifndef FERRULE_SERVICES_BACKUP_H
#define FERRULE_SERVICES_BACKUP_H

#include "config/site.h"

struct backup_summary {
	char site[128], revision[ID_TEXT];
	int64_t made_ms;
	bool server;                   /* its store was on a server, and its queues are not in it */
	uint64_t files, bytes, linked; /* linked: files that were shared with the previous backup */
};

typedef void backup_progress_fn(void *arg, uint64_t files, uint64_t bytes); /* now and then; may be NULL */

/* Makes the directory `to`, which must not be there. previous (or NULL): an earlier backup on the same file system;
 * packs and files of the vault that it has as well are shared by hard links. -1: REJECT `backup.exists`,
 * `backup.previous`; RETRY `backup.disk`, and the database's errors. */
int backup_make(const struct site *, const char *to, const char *previous, backup_progress_fn *, void *arg,
		struct backup_summary *, struct error *);
/* Reads all of it and compares the digests. -1: REJECT `backup.none`, `backup.damaged` (which file). */
int backup_verify(const char *from, backup_progress_fn *, void *arg, struct backup_summary *, struct error *);
/* Verifies it while it puts it back as the site's data, which must not be there; then notes in the store that from now
 * on nothing that was under way may be sent blindly (store_restored_put). The site must not run. -1: as above, and
 * REJECT `restore.data` (there are data), `restore.site` (of another site), `restore.kind` (of a site on one machine,
 * whose spool a broker cannot be given). */
int backup_restore(const struct site *, const char *from, const char *who, backup_progress_fn *, void *arg,
		   struct backup_summary *, struct error *);
/* Only the note: for databases that were put back by other means. */
int backup_mark(const struct site *, const char *who, struct error *);

#endif
