/* A document as XPath 2.0 sees it (XDM): nodes in document order, in one array, whose index is their order. What reads
 * XML fills it; nothing here knows a library. A node is followed by its attributes, then by its children. */
#ifndef FERRULE_TRANSFORMERS_XPATH_TREE_H
#define FERRULE_TRANSFORMERS_XPATH_TREE_H

#include <stdint.h>

#include "base/buf.h"

enum xpath_kind {
	XPATH_DOCUMENT,
	XPATH_ELEMENT,
	XPATH_ATTRIBUTE,
	XPATH_TEXT,
	XPATH_COMMENT,
	XPATH_INSTRUCTION,
};

struct xpath_node {
	enum xpath_kind kind;
	uint32_t name;       /* of an element, an attribute, an instruction: into names */
	uint32_t parent;     /* that of a document is itself */
	uint32_t attributes; /* how many follow it */
	uint32_t end;        /* the node behind all that is in it */
	uint32_t line;
	struct span text; /* of what is neither document nor element */
};

struct xpath_name {
	struct span uri, local, prefix; /* the prefix where it was first met */
};

struct xpath_tree {
	struct xpath_node *nodes; /* the document is the first, and what was joined stands behind its end */
	size_t count, capacity;
	uint32_t *joined; /* the documents that were joined: their nodes */
	size_t joined_count, joined_capacity;
	struct xpath_name *names; /* 0: none */
	size_t names_count, names_capacity;
	uint32_t *table; /* of names, by their hash */
	size_t table_size;
	uint32_t open; /* while it is made: the innermost element */
	struct arena *arena;
};

struct xpath_tree *xpath_tree_new(void);
void xpath_tree_free(struct xpath_tree *); /* NULL is legal */
/* In document order: an element, its attributes, what is in it, its end. Everything is copied. */
void xpath_tree_element(struct xpath_tree *, struct span uri, struct span local, struct span prefix, unsigned line);
void xpath_tree_attribute(struct xpath_tree *, struct span uri, struct span local, struct span prefix,
			  struct span value);
void xpath_tree_text(struct xpath_tree *, struct span); /* one behind another becomes one */
void xpath_tree_comment(struct xpath_tree *, struct span);
void xpath_tree_instruction(struct xpath_tree *, struct span target, struct span data);
void xpath_tree_end(struct xpath_tree *); /* of the innermost element */
void xpath_tree_done(struct xpath_tree *);
/* Another document behind this one, so that expressions reach it; its texts stay the other's. Then without all of
 * them again. */
void xpath_tree_join(struct xpath_tree *, const struct xpath_tree *other);
void xpath_tree_part(struct xpath_tree *);

/* 0: no node of the tree has that name. */
uint32_t xpath_tree_name(const struct xpath_tree *, struct span uri, struct span local);
uint32_t xpath_tree_first(const struct xpath_tree *, uint32_t node); /* its first child, or 0 */
uint32_t xpath_tree_next(const struct xpath_tree *, uint32_t node);  /* its next sibling, or 0 */
uint32_t xpath_tree_root(const struct xpath_tree *, uint32_t node);  /* the document that it stands in */
/* The value as a text, in the tree or in the arena. */
struct span xpath_tree_value(const struct xpath_tree *, uint32_t node, struct arena *);
/* "/Invoice/cac:InvoiceLine[2]/@id": as the document writes its names. */
void xpath_tree_place(const struct xpath_tree *, uint32_t node, struct buf *);

/* For those who read a document that they know (rules): an attribute without a namespace; data NULL: not there. */
struct span xpath_tree_get(const struct xpath_tree *, uint32_t element, const char *attribute);
bool xpath_tree_is(const struct xpath_tree *, uint32_t node, const char *uri, const char *local);

#endif
