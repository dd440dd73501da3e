/* Grammars of EDI documents, compiled: what docs/grammars.md describes, from the YAML of a dictionary, a grammar of it
 * and overlays (edi_dictionary.c, edi_grammar_read.c, edi_grammar_change.c), as a tree that a transaction's segments
 * are walked along (edi_walk.c). Compiled once; nothing here changes afterwards. */
#ifndef FERRULE_TRANSFORMERS_EDI_GRAMMAR_H
#define FERRULE_TRANSFORMERS_EDI_GRAMMAR_H

#include "base/option.h"
#include "base/transformer.h"

#define EDI_SLOTS_MAX 64     /* elements of a segment, components of a composite */
#define EDI_NODES_MAX 2000   /* segments and loops of a grammar */
#define EDI_DEPTH_MAX 12     /* loops within loops */
#define EDI_NAME_MAX 48      /* characters of a name */
#define EDI_RULE_MAX 10      /* elements of a condition */
#define EDI_GRAMMARS_MAX 100 /* files that one step names */
#define EDI_BALANCES_MAX 20
#define EDI_TERMS_MAX 32
#define EDI_UNITS_MAX 8
#define EDI_MAYBE_MAX 8 /* parts of a sum that a sender may count, or not */

/* ---- what the data elements are */
enum edi_type {
	EDI_TYPE_TEXT, /* AN, an, ID */
	EDI_TYPE_ALPHA,
	EDI_TYPE_DATE,
	EDI_TYPE_TIME,
	EDI_TYPE_REAL,    /* R, and EDIFACT's n */
	EDI_TYPE_IMPLIED, /* N0 to N9 */
	EDI_TYPE_BINARY,
};

struct edi_code {
	uint64_t head; /* its first eight bytes */
	const char *text, *title;
	uint32_t len;
};

struct edi_codes {
	struct edi_code *table; /* open addressing; text NULL: free */
	size_t mask, count;
	bool open; /* others are allowed, too */
};

struct edi_data {
	const char *number; /* "353" */
	const char *title;
	enum edi_type type;
	uint8_t decimals; /* EDI_TYPE_IMPLIED */
	uint32_t min, max;
	const struct edi_codes *codes; /* NULL: anything goes */
	bool guide_codes, guide_size;  /* an overlay says so */
};

enum edi_use { EDI_OPTIONAL, EDI_MANDATORY, EDI_NEVER };

/* A date or time is told in the ISO form, too: by its type, or by what another element of the same place says. */
enum edi_iso {
	EDI_ISO_NONE,
	EDI_ISO_DATE,
	EDI_ISO_TIME,
	EDI_ISO_BEFORE /* 1250 in front */,
	EDI_ISO_BEHIND /* 2379 */
};

#define EDI_LABEL_SLACK 64 /* bytes behind a label that may be read */

struct edi_label {
	const char *text; /* "purpose":" with quotes and colon, and what a string opens with */
	size_t len;       /* without that */
};

/* An element of a segment, or a component of a composite. */
struct edi_slot {
	const char *name;
	struct edi_label by_name;
	struct edi_data data;   /* not of a composite */
	struct edi_slot *parts; /* of a composite; NULL: it is none */
	size_t parts_count;
	const char *composite; /* "C040" */
	uint64_t needed;       /* parts that must be there: bit 0 is the first */
	enum edi_use use;
	enum edi_iso iso;
	uint32_t max; /* repetitions */
	bool guide;   /* an overlay says how it is used */
	bool single;  /* it has neither parts nor repetitions */
	bool plain;   /* told as it is: no date, and no number whose point is moved */
	struct edi_label by_position, iso_name, iso_position, raw_name, raw_position;
};

struct edi_rule { /* a condition of X12: P0304 */
	char kind;
	uint8_t count, at[EDI_RULE_MAX];
	uint64_t bits, first; /* all of them; the first alone */
};

struct edi_form {     /* a segment */
	uint32_t key; /* of the tag: edi_key */
	char tag[4];
	const char *name, *title;
	struct edi_slot *slots;
	size_t slots_count;
	struct edi_rule *rules;
	size_t rules_count;
	uint64_t needed;
};

/* ---- what a document is made of */
struct edi_node {
	uint32_t key; /* a loop's: of the segment that it begins with */
	uint32_t max; /* 0: any number */
	enum edi_use use;
	bool loop, guide;
	uint16_t index;              /* among its parent's children */
	uint16_t depth;              /* of the root: 0 */
	uint16_t count;              /* of children */
	const struct edi_form *form; /* a segment's */
	struct edi_node *parent, **children;
	uint32_t needed_until; /* behind the last child that must be there */
	const uint32_t *keys;  /* of the children */
	const uint8_t *uses;   /* and how they are used */
	const char *name;      /* its key in the nested form */
	struct edi_label by_name, by_position;
	bool terms; /* balances look at it */
	bool unit;  /* an element of it names a business unit */
};

/* What must agree: the sum, or number, of some elements or segments and what an element says. */
struct edi_term {
	const struct edi_node *node;
	uint8_t element, component;       /* 0: the node itself is counted */
	uint8_t element_by, component_by; /* times this; 0: not */
	uint8_t element_when, component_when;
	bool minus;
	bool only;        /* adds nothing: where the element says something that is not in `when`, nothing is known */
	bool needed;      /* of such: nor is anything known where it says nothing */
	uint8_t group;    /* 0: it counts always; else the part that may count, from 1 */
	const char *when; /* "A|B": the element says one of these; NULL: always */
};

struct edi_balance {
	bool sum; /* else a count */
	struct edi_term terms[EDI_TERMS_MAX];
	size_t terms_count;
	struct edi_term is;
	bool hash;        /* a hash total (X12, element 347) is as good as the sum */
	unsigned maybes;  /* groups of terms that may count */
	int64_t within;   /* in millionths: so much may it differ */
	int64_t each;     /* and so much for each product */
	const char *says; /* as it is written, for people */
	const char *is_says;
};

/* What names the business unit that a loop, or the document, is about: what a 999 tells beside an error in it. */
struct edi_unit {
	const struct edi_node *node;
	uint8_t element, component;
	char says[8]; /* "PO101" */
};

struct edi_dictionary;

struct edi_grammar {
	const char *file;                    /* "x12-004010-850.yaml" */
	const char *format, *version, *type; /* "x12" "004010" "850"; "edifact" "D 96A" "ORDERS" */
	const char *title;
	bool overlay;
	struct edi_node root;
	size_t nodes;
	struct edi_balance *balances;
	size_t balances_count;
	struct edi_unit units[EDI_UNITS_MAX]; /* those of inner loops behind those of outer ones */
	size_t units_count;
	struct edi_dictionary *dictionary;
};

static inline uint32_t edi_key(const char *tag, size_t len)
{
	uint32_t key = 0;

	memcpy(&key, tag, len < 4 ? len : 4);
	return key;
}

/* The same for a tag of two or three characters, where four may be read. */
static inline uint32_t edi_key_of(const char *tag, bool three)
{
	static const char masks[2][4] = {{-1, -1, 0, 0}, {-1, -1, -1, 0}};
	uint32_t key, mask;

	memcpy(&key, tag, sizeof key);
	memcpy(&mask, masks[three], sizeof mask);
	return key & mask;
}

/* ---- reading them: mistakes become findings with their place, and NULL comes back */
struct edi_library { /* what one step reads */
	struct arena *arena;
	struct findings *findings;
	const struct transformer_context *context;
	struct edi_source *sources; /* files that were read */
	size_t nodes, files;
};

/* A grammar or overlay by the name of its file. `asked`: who names it. */
struct edi_grammar *edi_grammar_read(struct edi_library *, const char *name, struct place asked);
/* Whatever it is: a dictionary, too. */
void edi_file_read(struct edi_library *, const char *name);

static inline size_t edi_code_slot(uint64_t head, size_t len)
{
	return (size_t)(((head ^ (uint64_t)len << 56) * 0x9e3779b97f4a7c15u) >> 32);
}

/* One of at most eight bytes is in the list. */
static inline bool edi_code_is(const struct edi_codes *codes, uint64_t head, size_t len)
{
	for (size_t i = edi_code_slot(head, len);; i++) {
		const struct edi_code *code = &codes->table[i & codes->mask];

		if (!code->text)
			return false;
		if (code->head == head && code->len == len)
			return true;
	}
}

const struct edi_code *edi_code_find(const struct edi_codes *, const char *text, size_t len);
/* A segment's, by its key, in the dictionary or those behind it. */
const struct edi_form *edi_form_find(const struct edi_dictionary *, uint32_t key);

/* ---- the grammars of a decoder */
struct edi_grammars {
	struct arena *arena;
	struct transformer_context context; /* for those that are looked for by hand */
	const char *format;
	struct edi_grammar *items[EDI_GRAMMARS_MAX];
	size_t count;
	struct { /* looked for by hand, and not there */
		char file[64];
	} missing[16];
	size_t missing_count;
};

/* All that are named, in their order. -1: findings say why. */
int edi_grammars_check(const struct text_list *names, const char *format, const struct transformer_context *,
		       struct place, struct findings *);
struct edi_grammars *edi_grammars_new(const struct text_list *names, const char *format,
				      const struct transformer_context *, struct error *);
void edi_grammars_free(struct edi_grammars *);
/* The one of this file, where it is for that. */
const struct edi_grammar *edi_grammars_named(const struct edi_grammars *, struct span version, struct span type,
					     struct span file);
/* For "004010" and "850", "D 96A" and "ORDERS": the last that was named. by_hand: else the one that ships. NULL: none;
 * an error there when what ships is broken. */
const struct edi_grammar *edi_grammars_find(struct edi_grammars *, struct span version, struct span type, bool by_hand,
					    struct error *);

#endif
