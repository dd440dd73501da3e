/* What a transformer implements, and the items that pass along a chain. Transformers do no I/O and read no clock; the
 * same input gives the same output, identities included. */
#ifndef FERRULE_BASE_TRANSFORMER_H
#define FERRULE_BASE_TRANSFORMER_H

#include <jansson.h>

#include "base/endpoint.h"
#include "base/message.h"

enum form { FORM_BYTES, FORM_TREE, FORM_EITHER };

/* What passes from step to step. The chain owns it; a step takes what it needs and emits new ones. */
struct item {
	enum form form;
	struct reader *bytes; /* FORM_BYTES */
	json_t *tree;         /* FORM_TREE; shared, so never changed in place */
	json_t *facts;        /* what decoders said: {"interchange":…,"group":…,"transaction":…}; shared; merged into $envelope */
	struct span media_type;
	struct span path;     /* ordinals below the input: "3/0" */
	struct span position; /* for people */
	uint64_t offset, length; /* range of the input document, where known; length 0: not known */
	struct span *ids;     /* declared identity (split's id); replaces the ordinal in the message id */
	size_t ids_count;
	struct span group; uint32_t group_index, group_size;
	struct span contract; /* "order/v1" once validated */
	struct attr keys[MESSAGE_KEYS_MAX];
	size_t keys_count;
};

struct out; /* the rest of the chain */

/* A copy of `from` with everything but its content: the usual start of a new item. In the chain's arena for this input. */
struct item *out_item(struct out *, const struct item *from);
struct arena *out_arena(struct out *);
/* Takes the item (and its references). -1: stop now and return -1 as well (FATAL or RETRY of the whole input; the error is set). */
int out_emit(struct out *, struct item *, struct error *);
/* This item, or this part of it, goes no further: a dead letter in the same unit. The neighbours go on. -1 as for out_emit. */
int out_reject(struct out *, const struct item *, const struct error *why, struct error *);
/* It goes no further, as the flow wishes (filter). */
int out_drop(struct out *, const struct item *, const char *why, struct error *);
/* Leaves the chain here: to a topic, instead of what follows (route). */
int out_publish(struct out *, struct item *, const char *topic, struct error *);
/* $envelope for expressions: the message's envelope and the item's facts. Borrowed until the item is gone. */
json_t *out_envelope(struct out *, const struct item *);
int64_t out_time_ms(struct out *); /* the message's accepted time: the only time a step sees */

struct transformer_context { /* what a step's settings may need when it is made ready */
	void *site;
	/* A contract's schema by name ("order/v1"), parsed; borrowed. NULL: not there. */
	const json_t *(*contract)(void *site, const char *name);
};

struct transformer_ops {
	const char *name, *help; /* the step's key in YAML */
	const struct option *options;
	size_t settings_size;
	enum form takes, gives; /* FORM_EITHER: as it came */
	/* Checks what the option table cannot, offline. NULL: nothing to check. */
	int (*check)(const void *settings, const struct transformer_context *, struct place, struct findings *);
	/* Makes it ready in a transform process; NULL: the settings are used as they are. */
	void *(*open)(const void *settings, const struct transformer_context *, struct error *);
	void (*close)(void *);
	/* One item; it belongs to the chain. REJECT: the whole item is a dead letter. RETRY, FATAL: the whole input. */
	int (*run)(void *self, struct item *, struct out *, struct error *);
};

#endif
