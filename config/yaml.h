/* YAML files as node trees; the fence around libyaml.
 *
 * What is read is a plain subset: maps, lists and scalars, several documents in a file. Anchors may stand there, but
 * aliases, tags and keys that are not scalars are findings: an alias is how a small file becomes a large tree, and
 * nobody should have to look up what a value stands for. The same key twice is a finding. Limits: YAML_SIZE_MAX bytes,
 * YAML_DEPTH_MAX levels, YAML_NODES_MAX nodes a file.
 *
 * In values (never in keys) `${NAME}` and `${NAME:default}` are replaced after parsing, so that a value can never
 * change the structure; `$${` stands for a literal `${`. A default may have braces, in pairs, and variables; a value is
 * never looked at again. */
#ifndef FERRULE_CONFIG_YAML_H
#define FERRULE_CONFIG_YAML_H

#include "base/buf.h"
#include "base/node.h"

#define YAML_SIZE_MAX (1024u * 1024)
#define YAML_DEPTH_MAX 48
#define YAML_NODES_MAX 100000

struct yaml_variables {
	/* True when the variable is known; *value is borrowed until the next call. */
	bool (*find)(void *arg, struct span name, struct span *value);
	/* Names that are known, for suggestions; may be NULL. */
	const char *const *names;
	size_t names_count;
	void *arg;
};

struct yaml_documents {
	struct node **items; /* in the arena */
	size_t count;
};

/* Reads every document of a file. Mistakes become findings with their place; -1 when the file could not be read to
 * its end (what came before is in `into` all the same), 0 otherwise, even with findings. `file` must outlive the nodes.
 * `variables` NULL: `${` is left as it is. */
int yaml_read(struct arena *, struct findings *, const char *file, struct span text, const struct yaml_variables *,
	      struct yaml_documents *into);

bool yaml_is_file(const char *path); /* by its ending */
bool yaml_variable_name(struct span); /* letters, digits and _, no digit first */
/* Walks `${NAME}` and `${NAME:default}` in a text; `each` gets names and defaults (data NULL: none). Ill-formed ones
 * are left out, those in defaults come as well. */
void yaml_variables_each(struct span text, void (*each)(void *arg, struct span name, struct span fallback), void *arg);

/* Appends the text with its variables replaced. fault (may be NULL) is told how much was written in front of one that
 * is not defined, or, with an empty name, that is none. */
typedef void yaml_fault_fn(void *arg, size_t at, struct span name);
void yaml_variables_replace(struct span text, const struct yaml_variables *, struct buf *out, yaml_fault_fn *,
			    void *arg);

/* How long `${NAME}` at the front of a text is, and how many bytes stand in its place. False: it is none. */
bool yaml_variable_length(struct span text, const struct yaml_variables *, size_t *length, size_t *bytes);

/* Where byte `offset` of the value (its variables replaced) that yaml_read placed at `start` stands in the file's
 * text: through quotes, escapes, folding and indentation. False: no value starts there. */
bool yaml_place_within(struct span source, struct place start, size_t offset, const struct yaml_variables *,
		       struct place *into);
/* The text of a block starts on the line below its `|` or `>`, at its indentation. */
struct place yaml_block_place(struct span source, struct place);

#endif
