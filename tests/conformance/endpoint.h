/* Endpoints for tests, with settings filled through the adapter's own option table. */
#ifndef FERRULE_TESTS_ENDPOINT_H
#define FERRULE_TESTS_ENDPOINT_H

#include "base/endpoint.h"

/* Keys and values in turn, ended by NULL; everything lives in the arena. Fails the test when the table refuses them. */
struct endpoint *test_endpoint(struct arena *, const char *adapter, const char *root, const struct option *options,
			       size_t settings_size, ...);

#endif
