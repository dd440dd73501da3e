/* The adapters and transformers that exist. Filled by services/registry.c (registry_get), the one file that names them;
 * config reads their option tables and never knows which there are. */
#ifndef FERRULE_CONFIG_REGISTRY_H
#define FERRULE_CONFIG_REGISTRY_H

#include "base/adapter.h"
#include "base/broker.h"
#include "base/db.h"
#include "base/transformer.h"
#include "config/transfer.h"

/* Which key of `from:` and `to:` names which adapter: {file: …} and {webhook: …}; `operation` is resolved by config
 * through systems/. */
struct registry {
	const struct broker_ops *const *brokers; /* each list ends with NULL */
	const struct db_ops *const *stores;
	const struct source_ops *const *sources;
	const struct server_ops *const *servers;
	const struct sink_ops *const *sinks;
	const struct transformer_ops *const *transformers;
	/* What a JSON Schema has against it, as one of 2020-12: calls each with the place in the schema (a JSON
	 * pointer) and a sentence; mistake false: it is allowed, but hardly meant. `name` is the contract's; `document`
	 * finds others by name or $id (transformer_context.contract). NULL: it is not looked at. */
	void (*inspect_schema)(const json_t *schema, const char *name,
			       const json_t *(*document)(void *site, const char *address), void *site,
			       void (*each)(void *arg, bool mistake, const char *pointer, const char *message),
			       void *arg);
	/* What a calendar or a schedule has against it: -1. NULL: it is not looked at. */
	int (*check_calendar)(const struct calendar_spec *, struct error *);
	int (*check_schedule)(const struct schedule_spec *, struct error *);
};

#endif
