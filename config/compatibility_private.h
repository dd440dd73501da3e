/* What the files of the comparison share. One side is the writer (w), whose documents the reader (r) must understand:
 * the question is always whether every document of w is one of r. See compatibility.h. */
#ifndef FERRULE_CONFIG_COMPATIBILITY_PRIVATE_H
#define FERRULE_CONFIG_COMPATIBILITY_PRIVATE_H

#include "config/compatibility.h"

/* A place in a schema or in a document, back to its root. */
struct path {
	const struct path *up;
	const char *name; /* NULL: the index */
	size_t index;
};

struct schema_document {
	const json_t *root;
	const char *name; /* how it was referred to; NULL: the schema that is compared itself */
	bool writer;
	struct schema_document *next;
	/* A schema inside another with an $id of its own: references in it begin there. */
	struct schema_document *home; /* the outermost; NULL: it is that itself */
	const struct path *path;      /* where it stands in that */
	const char *base;             /* its address, "" where it has none */
};

enum {
	SKIP_ANY = 1, /* the union of this part was decided already */
	SKIP_ONE = 2,
	SKIP_IMPLIED = 4, /* the writer has the same part, so whatever it says holds */
};

/* How a schema was come to, by $ref, allOf and unions of one. */
struct trail {
	const json_t *schema;
	const struct trail *up;
	int depth;
};

/* One schema object among those that must all hold. */
struct part {
	const json_t *schema;
	const struct path *path;
	struct schema_document *document;
	unsigned skip;
	const struct trail *trail; /* it is its first */
	const char *opaque;        /* a reference in it that leads nowhere known; NULL: there is none */
};

/* Types as sets; a number is an integer or has a fraction. */
enum {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_INTEGER = 4,
	TYPE_FRACTION = 8,
	TYPE_NUMBER = 12,
	TYPE_STRING = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64,
	TYPE_ALL = 127,
};

#define PARTS_MAX 256

/* Schemas that must all hold, with $ref, allOf and unions of one already followed. Nothing in it: anything goes. */
struct conj {
	struct part *parts; /* in the round's arena */
	size_t count, capacity;
	unsigned types;
	bool nothing;     /* no value is valid */
	bool constrained; /* some part forbids something */
	bool chosen;      /* one case of a union that the writer has */
	bool mixed;       /* … beside what it says in every case */
};

struct compare {
	const struct compatibility_options *options;
	struct compatibility *result;
	struct error *error;
	struct arena *arena; /* of this round */
	struct schema_document *documents;
	struct memo *memo;
	struct pattern *patterns;
	json_t *made; /* schemas of our own making */
	const struct path *field;
	const char *writer, *reader; /* "old", "new" */
	bool forward;
	size_t version;
	unsigned trial, depth, steps;
	unsigned no_fine, no_breaking; /* of these nothing is said just now */
	bool same_definitions;         /* $defs of both sides are equal */
	bool assumed;                  /* some answer of this round rests on one that was not known yet */
	bool corrected;                /* some answer is no that was yes so far */
	bool failed;
};

/* ---- schemas (compatibility_schema.c) --------------------------------------------------------------------------- */
const struct path *path_name(struct compare *, const struct path *up, const char *name);
const struct path *path_index(struct compare *, const struct path *up, size_t index);
struct schema_document *schema_document_new(struct compare *, const json_t *root, const char *name, bool writer);
void conj_init(struct conj *);
struct conj conj_copy(struct compare *, const struct conj *); /* may be changed without changing the other */
void conj_add(struct compare *, struct conj *, const json_t *schema, const struct path *, struct schema_document *);
/* The schema under `keyword` of a part, and where it has an index or name, below that. */
void conj_add_below(struct compare *, struct conj *, const struct part *, const char *keyword);
void conj_add_index(struct compare *, struct conj *, const struct part *, const char *keyword, size_t);
void conj_add_name(struct compare *, struct conj *, const struct part *, const char *keyword, const char *name);
bool conj_open(const struct conj *); /* anything goes */
/* The reader's schemas, those marked that the writer has word by word. */
struct conj conj_implied(struct compare *, const struct conj *w, const struct conj *r);
bool conj_bare(const struct conj *); /* says one thing only */
/* What the schemas say of a property, and how: by name, by pattern, by what is said of the others. `writer` is the
 * other side, or NULL where this one writes: what unevaluated… forbids depends on what else looked at it, and where
 * that is not known, a writer counts as free and a reader as strict. */
enum { SAID_BY_NAME = 1, SAID_BY_PATTERN = 2, SAID_BY_REST = 4 };
unsigned conj_property(struct compare *, const struct conj *, const struct conj *writer, const char *name,
		       struct conj *out);
void conj_rest(struct compare *, const struct conj *, const struct conj *writer,
	       struct conj *out); /* of properties that nothing is said of */
/* … of the properties that match a pattern. False: it has no such pattern. */
bool conj_pattern(struct compare *, const struct conj *, const struct conj *writer, const char *pattern,
		  struct conj *out);
/* Does the part's unevaluatedProperties leave out the same as one of the writer's? */
bool part_sees_as_writer(const struct conj *w, const struct part *);
void conj_item(struct compare *, const struct conj *, const struct conj *writer, size_t index, struct conj *out);
void conj_items_rest(struct compare *, const struct conj *, const struct conj *writer, struct conj *out);
size_t conj_prefix(const struct conj *); /* positions that have a schema of their own */
const json_t *part_prefix(const struct part *, const char **keyword);
/* The part, or NULL, that has the keyword. */
const struct part *conj_with(const struct conj *, const char *keyword);
unsigned type_of_value(const json_t *);
unsigned types_of_name(const char *);
const char *types_text(struct compare *, unsigned types);
bool pattern_matches(struct compare *, const char *pattern, const char *text); /* false when it is not understood */
bool pattern_understood(struct compare *, const char *pattern);
bool patterns_apart(const char *one, const char *other); /* no name matches both; false where that is not known */
void patterns_free(struct compare *);

/* ---- comparing (compatibility.c and those named) ---------------------------------------------------------------- */
/* Is everything that w allows allowed by r? Says what differs. */
bool compare_subset(struct compare *, const struct conj *w, const struct conj *r);
bool compare_trial(struct compare *, const struct conj *w, const struct conj *r); /* says nothing */
bool compare_values(struct compare *, const struct conj *w, const struct conj *r);
bool compare_objects(struct compare *, const struct conj *w, const struct conj *r);
bool compare_arrays(struct compare *, const struct conj *w, const struct conj *r);
bool compare_logic(struct compare *, const struct conj *w, const struct conj *r);
bool compare_unions(struct compare *, const struct conj *w, const struct conj *r);
void compare_annotations(struct compare *, const struct conj *w, const struct conj *r);
/* The first union of several that is not decided; false: there is none. */
struct choice_of {
	size_t part; /* its place in the conjunction */
	const char *keyword;
	const json_t *list;
};
bool conj_union(const struct conj *, size_t from, struct choice_of *);
/* Leaves out a union that is decided elsewhere. */
void conj_decide(struct conj *, const struct choice_of *);

/* A limit on a size or number. */
struct bound {
	bool given, exclusive;
	double value;
	const struct part *part; /* NULL: it follows from something else */
	const char *keyword;
};
struct bound conj_bound(const struct conj *, const char *inclusive, const char *exclusive, bool upper);
/* `family` is the first word of the code. */
bool compare_bound(struct compare *, const char *family, const char *what, bool upper, const struct bound *w,
		   const struct bound *r);
/* The values that an enum or const allows; NULL: not limited so. */
const struct part *conj_values(const struct conj *, const char **keyword);
const json_t *part_values(struct compare *, const struct part *);

/* Says a difference at a keyword of a part (keyword and name may be NULL). `change` is one of added removed, raised
 * lowered, narrowed extended, closed opened, changed, seen from writer to reader. Returns false when it breaks. */
bool compare_say(struct compare *, enum difference_weight, const char *family, const char *change, const struct part *,
		 const char *keyword, const char *name, const char *format, ...) __attribute__((format(printf, 8, 9)));
bool compare_fail(struct compare *); /* too large or too deep */

#endif
