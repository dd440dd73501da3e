/* Opening what a site's `store:` names. See site_store.h. */
#include "config.h"
#include "services/site_store.h"

#include <stdio.h>

#include "base/secret.h"

static int open_file(const struct site *site, const char *file, bool reader, struct db *db, struct error *error)
{
	struct secret *password = NULL;
	struct span revealed = SPAN_NONE;
	char path[4200];

	if (site->store_secret) {
		password = secret_new(site->secrets_path, site->store_secret, error);
		if (!password)
			return -1;
	}
	if (password)
		revealed = secret_reveal(password);
	snprintf(path, sizeof path, "%s/%s", site->data_path, file);
	db->ops = site->store;
	db->self = (reader ? db->ops->open_reader : db->ops->open)(site->store_settings, path, revealed, error);
	secret_free(password);
	return db->self ? 0 : -1;
}

void site_db_close(struct db *db)
{
	if (db->self)
		db->ops->close(db->self);
	db->self = NULL;
}

int site_db_open(const struct site *site, struct db *db, struct error *error)
{
	return open_file(site, "site.db", false, db, error);
}

int site_db_reader(const struct site *site, struct db *db, struct error *error)
{
	return open_file(site, "site.db", true, db, error);
}

struct lineage *site_lineage_open(const struct site *site, struct error *error)
{
	struct db db;

	return open_file(site, "lineage.db", false, &db, error) ? NULL : lineage_open_take(db, error);
}

struct lineage *site_lineage_reader(const struct site *site, struct error *error)
{
	struct db db;

	return open_file(site, "lineage.db", true, &db, error) ? NULL : lineage_reader_take(db, error);
}
