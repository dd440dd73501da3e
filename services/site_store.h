/* Opening what a site's `store:` and `queue:` name: the one place that knows where the files are and reveals the
 * passwords. */
#ifndef FERRULE_SERVICES_SITE_STORE_H
#define FERRULE_SERVICES_SITE_STORE_H

#include "base/db.h"
#include "config/site.h"
#include "operations/lineage.h"

/* The database of the store (and of the spool): DATA/site.db, or PostgreSQL. Close with site_db_close. */
int site_db_open(const struct site *, struct db *, struct error *);
int site_db_reader(const struct site *, struct db *, struct error *); /* for reading only, beside a running site */
/* Lineage has a file of its own, DATA/lineage.db; in PostgreSQL it has tables of its own. */
struct lineage *site_lineage_open(const struct site *, struct error *); /* for the record role: writes */
struct lineage *site_lineage_reader(const struct site *,
				    struct error *); /* beside it; FATAL `db.missing`: nothing was recorded yet */
void site_db_close(struct db *);

#endif
