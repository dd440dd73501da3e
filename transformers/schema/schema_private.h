/* A compiled schema, shared by the files of the validator. Only for schema*.c.
 *
 * A rule is one subschema. Rules of one $id (or one document without) form a resource, which has the base of their
 * references and their anchors. Everything lives in the schema's arena; keys and values of keywords are borrowed from
 * the documents. */
#ifndef FERRULE_TRANSFORMERS_SCHEMA_PRIVATE_H
#define FERRULE_TRANSFORMERS_SCHEMA_PRIVATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/mem.h"
#include "transformers/schema/schema.h"
#include "transformers/schema/schema_format.h"
#include "transformers/schema/schema_pattern.h"

enum vocabulary {
	VOCABULARY_CORE = 1,
	VOCABULARY_APPLICATOR = 2,
	VOCABULARY_UNEVALUATED = 4,
	VOCABULARY_VALIDATION = 8,
	VOCABULARY_FORMAT = 16,
	VOCABULARY_FORMAT_ASSERTION = 32,
	VOCABULARY_OTHERS = 64, /* content, meta-data: nothing that is asserted */
	VOCABULARIES_DEFAULT = 1 | 2 | 4 | 8 | 16 | 64,
};

/* Earlier drafts differ in what a contract's references may lead to; only where keywords changed their meaning. */
enum dialect { DIALECT_2020, DIALECT_2019, DIALECT_7 };

struct rule;

struct anchor {
	const char *name;
	struct rule *rule;
	bool dynamic;
	struct anchor *next;
};

struct resource {
	const char *uri;
	const json_t *root;
	struct rule *rule; /* NULL while it is being made */
	unsigned vocabularies;
	enum dialect dialect;
	bool main; /* of the document that was asked for, or within it */
	struct anchor *anchors;
};

struct address { /* under which a resource can be referred to */
	const char *uri;
	struct resource *resource;
	struct address *same_bucket;
};

struct member { /* a name that `properties` or `required` speak of */
	const char *key;
	size_t len;
	uint32_t hash;
	struct rule *rule; /* NULL: it is only required */
	bool required;
	struct member *same_bucket;
};

struct pattern_rule {
	struct pattern *pattern;
	struct rule *rule;
};

struct dependent {
	const char *key;
	const json_t *required; /* a list of names, or NULL */
	struct rule *rule;      /* or NULL */
	const char *keyword;
};

struct object_rules {
	struct member *members, **buckets;
	size_t members_count, mask, required_count;
	struct pattern_rule *patterns;
	size_t patterns_count;
	struct rule *others, *names;
	struct dependent *dependents;
	size_t dependents_count, dependents_capacity;
	double min, max;
};

struct array_rules {
	struct rule **prefix, *items, *contains;
	size_t prefix_count;
	double min, max, min_contains, max_contains;
	bool unique;
};

struct text_rules {
	double min, max;
	struct pattern *pattern;
	const struct format *format;
};

struct number_rules {
	const json_t *min, *max, *above, *below, *multiple; /* NULL: none */
};

struct rule_list {
	struct rule **items;
	size_t count;
};

struct logic_rules {
	struct rule *reference, *dynamic_reference;
	const char *dynamic_name; /* NULL: the dynamic reference is like a plain one */
	struct rule_list all, any, one;
	struct rule * not, *condition, *then, *otherwise;
};

enum verdict { VERDICT_RULES, VERDICT_ALWAYS, VERDICT_NEVER };

struct rule {
	enum verdict verdict;
	unsigned types; /* bits 1 << enum kind; 0: any */
	const struct resource *resource;
	const json_t *json;
	const json_t *constant, *enumeration;
	const char **texts; /* of an enumeration, sorted */
	size_t texts_count;
	struct object_rules *object;
	struct array_rules *array;
	struct text_rules *text;
	struct number_rules *number;
	struct logic_rules *logic;
	struct rule *unevaluated_members, *unevaluated_items;
	bool secret; /* values are not shown: writeOnly, x-ferrule-personal */
	/* its place: below which rule, by which keyword, and by which name or (>= 0) number below that */
	const struct rule *parent;
	const char *keyword, *key;
	long index;
	const char *start; /* the pointer of a rule without parent */
	struct rule *same_bucket;
};

enum kind { KIND_NULL, KIND_BOOLEAN, KIND_OBJECT, KIND_ARRAY, KIND_NUMBER, KIND_STRING, KIND_INTEGER };

#define SCHEMA_BUCKETS 1024

struct schema {
	struct arena *arena;
	struct schema_options options;
	struct rule *root;
	struct rule **rules; /* buckets, by the JSON that they were made of */
	size_t rules_count;
	struct address **addresses; /* buckets */
	size_t documents_count;
	struct pattern **patterns;
	size_t patterns_count, patterns_capacity;
	json_t *metaschemas; /* those that were needed, by address; NULL: none */
};

/* ---- compiling (schema_compile.c, schema_resolve.c) */
struct reference {
	struct rule *from;
	const char *text, *keyword;
};

struct compile {
	struct schema *schema;
	struct schema_faults *faults, *doubts; /* doubts: no mistakes, but hardly meant; NULL: nobody asks */
	struct reference *references;
	size_t references_count, references_capacity;
	int depth;
};

/* What follows `what` names the keyword (NULL: the rule itself). */
void compile_fault(struct compile *, const struct rule *, const char *keyword, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void compile_doubt(struct compile *, const struct rule *, const char *keyword, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The rule of this JSON, which stands where the place says; never NULL. */
struct rule *compile_rule(struct compile *, const json_t *, const struct resource *, const struct rule *place);
void compile_keywords(struct compile *, struct rule *);
uint32_t member_hash(const char *key, size_t len);
const struct rule *compile_found(const struct schema *, const json_t *); /* NULL: it was not compiled */
/* A resource of its own for this JSON (its $id, or the address). */
struct resource *resource_new(struct compile *, const json_t *root, const char *uri, const struct resource *around,
			      const struct rule *place);
void resource_anchor(struct compile *, struct resource *, const char *name, struct rule *, bool dynamic);
/* Follows everything that references were noted of, loading documents. */
void compile_references(struct compile *);
/* The document itself, and everything that it refers to. */
void compile_document(struct compile *, const json_t *root);
/* A metaschema of 2020-12 by its address, or NULL. A new reference. */
json_t *schema_meta_new(const char *address);
#define SCHEMA_META_2020 "https://json-schema.org/draft/2020-12/schema"
#define SCHEMA_CONTRACT "contract:/" /* the address of a contract without $id begins so */
#define SCHEMA_META_2019 "https://json-schema.org/draft/2019-09/schema"

/* ---- addresses (schema_uri.c): RFC 3986, section 5.2; the base may be relative, too. Without fragments. */
char *uri_resolve(struct arena *, const char *base, const char *reference);
/* What follows `#`, percent-decoded; "" when there is none. */
char *uri_fragment(struct arena *, const char *reference);

/* ---- checking (schema_check.c, schema_check_value.c) */
struct spot { /* where in the document, from the leaf up */
	const struct spot *up;
	const char *key; /* NULL: an index */
	size_t len, index;
};

struct scope { /* the resources that were entered, from the innermost out */
	const struct scope *up;
	const struct resource *resource;
};

struct seen {                /* which members or items of one value were evaluated */
	uint64_t few, *many; /* `many` when there are more than 64 */
	size_t count;
};

struct check {
	const struct schema *schema;
	struct schema_faults *faults; /* NULL: only whether it fits */
	const struct scope *scope;
	size_t work, work_max;
	int depth, explaining, secret; /* secret: values are not shown */
	bool naming;                   /* the value at hand is the name of a member */
	const char *overrun;           /* what limit was met; everything fails from then on */
};

bool rule_check(struct check *, const struct rule *, const json_t *, const struct spot *, struct seen *);
bool check_object(struct check *, const struct rule *, const json_t *, const struct spot *, struct seen *);
bool check_array(struct check *, const struct rule *, const json_t *, const struct spot *, struct seen *);
void seen_mark(struct seen *, size_t i); /* NULL: nobody asks */
bool seen_has(const struct seen *, size_t i);

/* ---- values (schema_value.c) */
int number_compare(const json_t *, const json_t *);
bool number_is_whole(const json_t *);
bool number_is_multiple(const json_t *, const json_t *of);
bool value_same(const json_t *, const json_t *);
/* The positions of two items that are the same. -1: it would be too much work. */
int value_twice(const json_t *array, size_t *first, size_t *second);
size_t text_length(const json_t *); /* in code points */

/* ---- faults (schema_fault.c): all return false and do nothing when faults are not wanted. `keyword` is that of the
 * rule, NULL: the one that leads to it. */
bool check_fault(struct check *, const struct rule *, const char *keyword, const struct spot *, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
bool fault_type(struct check *, const struct rule *, const char *keyword, unsigned types, const json_t *,
		const struct spot *);
bool fault_enum(struct check *, const struct rule *, const json_t *, const struct spot *);
bool fault_const(struct check *, const struct rule *, const json_t *, const struct spot *);
bool fault_bound(struct check *, const struct rule *, const char *keyword, const json_t *bound, const json_t *,
		 const struct spot *);
bool fault_text(struct check *, const struct rule *, const char *keyword, const json_t *, const struct spot *);
/* A member that may not be there; of these names it may be a slip. */
bool fault_member(struct check *, const struct rule *, const char *keyword, const struct object_rules *,
		  const struct spot *);
void fault_put(struct schema_faults *, char *instance, char *schema, const char *keyword, char *message);
void pointer_put(struct buf *, struct span token); /* "/" and the token, escaped */
char *rule_pointer(const struct rule *, const char *keyword);

#endif
