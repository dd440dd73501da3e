/* What lineage.c and lineage_trace.c share; nobody else includes it. */
#ifndef FERRULE_OPERATIONS_LINEAGE_PRIVATE_H
#define FERRULE_OPERATIONS_LINEAGE_PRIVATE_H

#include "operations/lineage.h"

struct lineage {
	struct db db;
};

#endif
