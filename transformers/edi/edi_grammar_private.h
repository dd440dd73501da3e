/* What the files that read dictionaries, grammars and overlays share. See edi_grammar.h. */
#ifndef FERRULE_TRANSFORMERS_EDI_GRAMMAR_PRIVATE_H
#define FERRULE_TRANSFORMERS_EDI_GRAMMAR_PRIVATE_H

#include "transformers/edi/edi_grammar.h"

struct edi_source {
	const char *name;
	const struct node *root; /* NULL: it cannot be read, which was said */
	struct edi_dictionary *dictionary;
	bool open; /* it is being read: who extends itself is found by this */
	struct edi_source *next;
};

struct edi_known { /* a data element, or a list of codes, that was read */
	const char *name;
	const void *what;
	struct edi_known *next;
};

struct edi_dictionary {
	const char *file, *of; /* "x12 004010" */
	const struct node *segments, *composites, *elements, *codes;
	struct edi_form **forms;
	size_t forms_count;
	struct edi_known *data, *lists;
	struct edi_dictionary *behind; /* looked into next; or NULL */
};

/* All of them: `code` is literal, so that the lint sees it. */
#define EDI_COMPLAIN(library, node, code, ...)                                                                         \
	finding_add((library)->findings, (node)->place, SEVERITY_ERROR, code, __VA_ARGS__)

/* A file of edi/ as a map; NULL: said. */
struct edi_source *edi_source_get(struct edi_library *, const char *name, struct place asked);
/* Keys that stand in a map and are none of these (separated by |). */
void edi_check_keys(struct edi_library *, const struct node *map, const char *keys);
/* A text that must be there, in the arena; NULL: said, where `needed`. */
const char *edi_text_of(struct edi_library *, const struct node *map, const char *key, bool needed);
/* Words of a scalar, at most `most` of them; 0: it is none, which was said. */
size_t edi_words(struct edi_library *, const struct node *, struct span *words, size_t most);
/* "M", "O", "C", "X", "never". False: none of them. */
bool edi_use_of(struct span, enum edi_use *);
/* "3", ">1": 0 is any number. False: it is none. */
bool edi_max_of(struct span, uint32_t *);
/* "2..20". False: it is none. */
bool edi_size_of(struct span, uint32_t *min, uint32_t *max);
bool edi_is_name(struct span);
bool edi_same_key(const char *name, const char *other); /* as keys of the nested form */
struct edi_label edi_label(struct arena *, const char *name, const char *behind);

struct edi_dictionary *edi_dictionary_get(struct edi_library *, const char *name, struct place asked);
/* What stands in `root` goes before `behind`. of: "x12 004010". */
struct edi_dictionary *edi_dictionary_new(struct edi_library *, const char *file, const struct node *root,
					  struct edi_dictionary *behind, const char *of);
const struct edi_codes *edi_codes_read(struct edi_library *, const struct edi_dictionary *, const struct node *,
				       const struct edi_codes *with);
void edi_slot_label(struct arena *, struct edi_slot *, const char *position);

/* One item of a structure; NULL: said. */
struct edi_node *edi_node_read(struct edi_library *, struct edi_grammar *, const struct node *,
			       struct edi_node *parent);
void edi_node_insert(struct edi_library *, struct edi_node *parent, size_t at, struct edi_node *);
/* By names of loops, "parties/N1", the empty path being the root; NULL: none. */
struct edi_node *edi_node_find(struct edi_node *root, struct span path);
/* The same for an element, "parties/N104" or "REF04-1". */
struct edi_node *edi_element_find(struct edi_node *root, struct span path, unsigned *element, unsigned *component);
/* `change` of an overlay. */
void edi_changes_apply(struct edi_library *, struct edi_grammar *, const struct node *changes);
void edi_balances_read(struct edi_library *, struct edi_grammar *, const struct node *balances);

#endif
