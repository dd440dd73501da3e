/* The adapters and transformers that exist. Filled by services/registry.c (registry_get), the one file that names them;
 * config reads their option tables and never knows which there are. */
#ifndef FERRULE_CONFIG_REGISTRY_H
#define FERRULE_CONFIG_REGISTRY_H

#include "base/adapter.h"
#include "base/broker.h"
#include "base/db.h"
#include "base/transformer.h"

/* Which key of `from:` and `to:` names which adapter: {file: …} and {webhook: …}; `operation` is resolved by config
 * through systems/. */
struct registry {
	const struct broker_ops *const *brokers; /* each list ends with NULL */
	const struct db_ops *const *stores;
	const struct source_ops *const *sources;
	const struct server_ops *const *servers;
	const struct sink_ops *const *sinks;
	const struct transformer_ops *const *transformers;
};

#endif
