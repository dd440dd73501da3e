/* A registry of adapters and transformers that only have option tables: enough to read sites, whatever the real ones
 * grow. */
#ifndef FERRULE_TESTS_SUPPORT_REGISTRY_H
#define FERRULE_TESTS_SUPPORT_REGISTRY_H

#include "config/registry.h"

const struct registry *support_registry(void);

/* What the tables fill, for tests that look. */
struct support_file {
	const char *file;
	int after;
	int64_t age_ms;
};
struct support_drop {
	struct template *path;
	int exists;
};
struct support_remote {
	const char *path, *host, *system;
	struct template *file;
	int64_t port, age_ms;
	int exists;
};
struct support_target {
	struct template *url, *path;
	int method;
	struct template_map headers;
	const char *token;
	int64_t timeout_ms;
};
struct support_webhook {
	const char *path, *secret;
};
struct support_listen {
	const char *address;
	int64_t port;
};
struct support_word {
	const char *word;
};
struct support_map {
	struct expression *mapping;
};
struct support_validate {
	const char *contract;
	struct expression_list keys;
};

#endif
