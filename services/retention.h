/* Retention of documents: what is older than the site keeps originals and needed by nothing goes to the vault's trash,
 * and from there after a day. The record role does it now and then. */
#ifndef FERRULE_SERVICES_RETENTION_H
#define FERRULE_SERVICES_RETENTION_H

#include "base/queue.h"
#include "base/vault.h"
#include "config/site.h"

/* One round. Waits for the queue process (what is needed) and the disk. Nothing is done when the site keeps originals
 * for ever. */
int retention_collect(const struct site *, struct queue *, struct vault *, struct error *);

#endif
