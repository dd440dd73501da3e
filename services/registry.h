/* The one list of brokers, stores, adapters and transformers. */
#ifndef FERRULE_SERVICES_REGISTRY_H
#define FERRULE_SERVICES_REGISTRY_H

#include "config/registry.h"

const struct registry *registry_get(void);

#endif
