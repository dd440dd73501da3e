/* An endpoint as its adapter gets it: a name, the adapter's own settings and what the flow says about delivering. */
#ifndef FERRULE_BASE_ENDPOINT_H
#define FERRULE_BASE_ENDPOINT_H

#include "base/expression.h"
#include "base/option.h"

enum effect_kind { EFFECT_UNDECLARED, EFFECT_RENAME, EFFECT_KEY, EFFECT_MATCH, EFFECT_NONE };

/* effect: rename | {key: …, remembers: 24h} | {match: operation} | none */
struct effect_spec {
	enum effect_kind kind;
	struct template *key;  /* the idempotency key; NULL: the effect key in hexadecimal */
	int64_t remembers_ms;  /* how long the target knows it; 0: for ever */
};

/* retry: {for: 5d, from: 1s, to: 15m} */
struct retry_spec {
	int64_t for_ms, from_ms, to_ms;
};

struct endpoint {
	const char *name;     /* unique among the site's; the queue is out.<name> */
	const char *adapter;  /* "file", "http" */
	const char *flow;
	const char *system;   /* "" when it belongs to none */
	const char *root;     /* absolute directory that relative paths start from: the site's */
	const char *secrets;  /* the secrets directory */
	const void *settings; /* filled from the adapter's option table */
	struct place place;
	/* sinks */
	struct effect_spec effect;
	struct retry_spec retry;
	int64_t timeout_ms;
	const char *archive; /* where a copy of each delivered file is kept, relative to root; NULL: nowhere */
	int64_t retain_ms;   /* how long; 0: for ever */
};

#endif
