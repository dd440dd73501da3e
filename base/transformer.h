/* What a transformer implements, and the items that pass along a chain. Transformers do no I/O and read no clock; the
 * same input gives the same output, identities included. */
#ifndef FERRULE_BASE_TRANSFORMER_H
#define FERRULE_BASE_TRANSFORMER_H

#include <jansson.h>

#include "base/endpoint.h"
#include "base/hold.h"
#include "base/message.h"
#include "base/spill.h"

enum form { FORM_BYTES, FORM_TREE, FORM_EITHER };

/* What passes from step to step. The chain owns it; a step takes what it needs and emits new ones. */
struct item {
	enum form form;
	struct reader *bytes; /* FORM_BYTES */
	json_t *tree; /* FORM_TREE; shared, so never changed in place. FORM_BYTES: what was encoded, for the sink's
			 templates, or NULL */
	json_t *facts; /* what decoders said: {"interchange":…,"group":…,"transaction":…}; shared; merged into $envelope
			*/
	struct span media_type;
	struct span path;     /* ordinals below the input, from 1: "3", "3/1"; see out_level */
	struct span position; /* for people */
	uint64_t offset, length; /* range of the input document, where known; length 0: not known */
	/* Of bytes that come out otherwise each time they are made (an encryption): the digest of what they were made
	 * from, which counts as theirs where two are compared. None: the bytes themselves do. */
	struct id stands;
	struct span *ids;     /* the same path as identity: declared values stand in place of ordinals (out_declare) */
	size_t ids_count;
	struct span group; uint32_t group_index, group_size;
	struct span contract; /* "order/v1" once validated */
	struct attr keys[MESSAGE_KEYS_MAX];
	size_t keys_count;
};

struct out; /* the rest of the chain */

/* A copy of `from` with everything but its content: the usual start of a new item. It must end in one of the four calls
 * below. In out_arena. */
struct item *out_item(struct out *, const struct item *from);
/* Memory for the item that is being made: forgotten as soon as none of this step's items is outstanding. Not for what a
 * step itself remembers. */
struct arena *out_arena(struct out *);
/* The item is one of many in what this step was given: goes one level down, to that ordinal (or ordinals: "2/1/3"). */
void out_level(struct out *, struct item *, const char *ordinal);
/* These values, unique in what the step was given, and not the ordinal of the last level, are what makes it itself. */
void out_declare(struct out *, struct item *, const struct span *values, size_t n);
/* Takes the item (and its references); the item that the step was given may be passed on as it is. -1: stop now and
 * return -1 as well (the error is set). */
int out_emit(struct out *, struct item *, struct error *);
/* This item, or this part of it, goes no further: a dead letter in the same unit. The neighbours go on. Takes it; -1 as
 * for out_emit. */
int out_reject(struct out *, struct item *, const struct error *why, struct error *);
/* It goes no further, as the flow wishes (filter). Takes it. */
int out_drop(struct out *, struct item *, const char *why, struct error *);
/* Goes on in one of the step's branches (transformer_ops.branches), instead of with what follows. Takes it. */
int out_branch(struct out *, struct item *, size_t branch, struct error *);
/* The same item once more, content and all, for a step that sends it several ways. In out_arena; ends as out_item's. */
struct item *out_twin(struct out *, const struct item *from);
/* Leaves the chain here, to wait in a durable step (transformer_ops.durable), which the steps behind it get it from.
 * Takes it; `hold` is borrowed for the call. */
int out_hold(struct out *, struct item *, const struct hold *, struct error *);
/* The item is one more part of the whole input: sets its group and its place in it. How many there were is told when
 * all of the input has passed (chain_events.group). */
void out_part(struct out *, struct item *);
/* This group has so many parts, which was not known when the first of them went on. -1 as for out_emit. */
int out_group(struct out *, struct span group, uint32_t size, struct error *);
/* Work goes on though nothing was emitted for a while (64 KiB of input read, say): tells the watchdog. -1 as for
 * out_emit. */
int out_tick(struct out *, struct error *);
/* What a table of the store says of these keys (an array of texts): *values is a new object of those that are there.
 * May wait for the queue process. REJECT `lookup.offline` where there is no store; RETRY when it does not answer. */
int out_lookup(struct out *, const char *table, json_t *keys, json_t **values, struct error *);
/* Notes a value in a table of the store, with the unit of the message; without `replace` what is there stays. The same
 * run sees it at once. -1: as out_lookup. */
int out_remember(struct out *, const char *table, struct span key, json_t *value, bool replace, struct error *);
/* $envelope for expressions: the message's envelope and the item's facts. Borrowed until the item is gone. */
json_t *out_envelope(struct out *, const struct item *);
int64_t out_time_ms(struct out *); /* the message's accepted time: the only time a step sees */
/* An expression's input: the item's tree, $envelope and the site's limits. Borrowed as out_envelope. */
struct expression_input out_input(struct out *, const struct item *);
/* What comes out is written one behind the other and nothing else (by hand, the last step): a step may give a document
 * in pieces, or several lines of JSON at once. */
bool out_in_pieces(struct out *);
size_t out_tree_max(struct out *); /* bytes that may become one tree */
/* A place for bytes of any size that the step makes (spill.h): limited as every document of the site is. The caller
 * takes or frees it. */
struct spill *out_spill(struct out *);
/* The name that the document has from here on ("prices.csv"): $envelope.name, for steps and sinks behind this one.
 * Cut to 255 bytes. */
void out_name(struct out *, struct item *, struct span name);

/* A file of tables/: rows are objects. */
struct lookup_table {
	const char *file; /* "tables/prices.csv" */
	json_t *rows;     /* an array */
	int *lines;       /* of each row, in the file */
	const char **columns;
	size_t columns_count;
};

struct transformer_context { /* what a step's settings may need when it is made ready */
	void *site;
	/* A contract's schema by name ("order/v1") or by its $id, parsed; borrowed. NULL: not there. */
	const json_t *(*contract)(void *site, const char *name);
	/* A table by its file's name ("prices.csv"), read once; borrowed. NULL: not there, or not readable (REJECT
	 * `table.…`). The pointer may be NULL: there are none. */
	const struct lookup_table *(*table)(void *site, const char *name, struct error *);
	/* The text of a file that a setting names (OPTION_FILE), or one that such a file names. By hand: of the file of
	 * that name, else of one that ships. Borrowed as long as the context's site. NULL: not there. The pointer may
	 * be NULL: there are none. */
	const struct span *(*file)(void *site, const char *folder, const char *name);
	/* Where secrets are (base/secret.h), and the site's OpenPGP keyring. NULL: there is none here. */
	const char *secrets, *keys;
};

typedef void branch_fn(void *arg, const struct node *branch, bool shared);

struct transformer_ops {
	const char *name, *help; /* the step's key in YAML */
	const struct option *options;
	size_t settings_size;
	enum form takes, gives; /* FORM_EITHER: as it came */
	enum form (*takes_as)(void *self); /* where it depends on the settings; NULL: takes */
	bool uses_snippet;      /* no step, but the name of a snippet, in whose place config puts that one's steps; its
				   settings are a struct use_settings, and nothing below is there */
	/* What reaches it waits in the store (out_hold): the steps behind it run from a queue of their own. */
	bool durable;
	/* Durable: it closes by the group of a split, so that a part that does not come must be told (enum gap). NULL:
	 * never. */
	bool (*gathers)(const void *settings);
	/* Checks what the option table cannot, offline. NULL: nothing to check. */
	int (*check)(const void *settings, const struct transformer_context *, struct place, struct findings *);
	/* Checks a file of the site that settings could name (`edi/NAME`), whether or not any do. NULL: nothing. */
	void (*check_file)(const struct transformer_context *, const char *folder, const char *name,
			   struct findings *);
	/* The step's branches, in order: calls each with its node, a map with `publish` and perhaps `steps`, which
	 * config reads. `shared`: the same item may take several. NULL: none. */
	void (*branches)(const void *settings, branch_fn *each, void *arg);
	/* Makes it ready in a transform process; NULL: the settings are used as they are. */
	void *(*open)(const void *settings, const struct transformer_context *, struct error *);
	void (*close)(void *);
	/* One item; it belongs to the chain. REJECT: the whole item is a dead letter. RETRY, FATAL: the whole input. */
	int (*run)(void *self, struct item *, struct out *, struct error *);
};

/* What stands for the steps of a snippet. */
struct use_settings {
	const char *snippet;
	const struct node *with; /* a map of parameters, or NULL */
};

#endif
