/* XML as decode reads it: what its files share. libxml2 is behind xml_read.c; nothing here shows it. */
#ifndef FERRULE_TRANSFORMERS_XML_H
#define FERRULE_TRANSFORMERS_XML_H

#include "base/transformer.h"

#define XML_DEPTH_MAX 250        /* libxml2 itself ends at 256 */
#define XML_TAG_MAX (256u << 10) /* bytes of a start tag, or of an internal DTD */
#define XML_NAMES_MAX 20000      /* different names in one document */
#define XML_PATH_MAX 64          /* steps of a path */

/* ---- paths: /a/b, //b, *; a name without a prefix is any namespace's, one with a prefix as the document writes it */
struct xml_path {
	bool anywhere; /* //a/b, or a name alone: at any depth */
	size_t count;
	struct xml_path_step {
		struct span prefix, local; /* prefix.data NULL: any; local.len 0: any name */
	} * steps;
};

struct xml_path_place {             /* an element that is open */
	const char *prefix, *local; /* prefix NULL: none */
};

/* False: it is no path. The text must outlive it. */
bool xml_path_make(struct arena *, const char *text, struct xml_path *);
/* places[0] is the outermost element. */
bool xml_path_matches(const struct xml_path *, const struct xml_path_place *places, size_t depth);

/* ---- what was read: the parts of one item, in its arena */
enum xml_kind { XML_IS_ELEMENT, XML_IS_TEXT, XML_IS_COMMENT, XML_IS_INSTRUCTION, XML_IS_DOCTYPE };

struct xml_name {
	const char *prefix, *local; /* as interned by the reader */
	const char *text;           /* as the JSON form has it */
	uint32_t len;
	struct xml_name *next; /* in the table */
	/* while the JSON of one element is written */
	uint64_t stamp;
	struct xml_group *group;
};

struct xml_attribute {
	const char *name; /* "id", "xlink:href", "xmlns:cac" */
	struct span value;
};

struct xml_part {
	enum xml_kind kind;
	bool blank;                        /* a text: of white space alone; */
	bool preserve;                     /* an element: xml:space is preserve */
	bool listed;                       /* an element: always in an array */
	struct xml_name *name;             /* of an element */
	struct span text;                  /* of a text or comment; data of an instruction */
	const char *target;                /* of an instruction; name of a document type */
	const char *public_id, *system_id; /* of a document type, or NULL */
	struct xml_attribute *attributes;
	size_t attributes_count;
	struct xml_part *first, *last, *next, *parent;
};

/* ---- reading */
struct xml_settings {
	const char *each;
	struct text_list header, arrays;
	int form, names;
	bool space;
	int64_t depth, attributes;
};

enum { XML_FORM_PLAIN, XML_FORM_EXACT };
enum { XML_NAMES_QUALIFIED, XML_NAMES_LOCAL };

struct xml_format { /* decode's settings, ready */
	const struct xml_settings *settings;
	struct arena *arena;
	struct xml_path *each; /* or NULL */
	struct xml_path *headers;
	size_t headers_count;
	struct xml_path *arrays;
	size_t arrays_count;
};

struct xml_item {
	struct xml_part *first;  /* of the document, or the one element */
	uint64_t number;         /* from 1; 0: the whole document */
	uint64_t serial;         /* of items and headers together */
	bool header;             /* it is none, but goes along with those that follow */
	uint64_t offset, length; /* length 0: not known */
	int line;
	const char *root, *space;  /* the document's outermost element and its namespace, or NULL */
	const struct error *fault; /* it cannot be used, for this */
};

/* item_done is called for each item, which is gone when it returns; -1: stop. REJECT: the document, or, where items
 * came before, the rest of it (*rest: from where; SIZE_MAX: not known). */
struct xml_events {
	int (*item_done)(void *arg, const struct xml_item *, struct error *);
	void *arg;
};
int xml_read(const struct xml_format *, struct reader *, struct out *, const struct xml_events *, uint64_t *rest,
	     struct error *);

/* ---- the JSON of an item */
int xml_write_json(const struct xml_format *, const struct xml_item *, struct buf *);

#endif
