/* Option tables. Every module that can be configured declares one beside its code; from it come the parsing of the
 * YAML into the module's own struct, check's messages, the editors' schema and the manual. */
#ifndef FERRULE_BASE_OPTION_H
#define FERRULE_BASE_OPTION_H

#include <stdint.h>

#include "base/node.h"

enum option_type {                     /* the C type of the field */
		   OPTION_TEXT,        /* const char * */
		   OPTION_INT,         /* int64_t; range "1..65535" */
		   OPTION_SIZE,        /* uint64_t bytes; "64KiB", "10MB", "512"; range as for INT */
		   OPTION_RATE,        /* uint64_t bytes a second; "2MB/s"; range as for SIZE */
		   OPTION_DURATION,    /* int64_t milliseconds; "90s", "5d" */
		   OPTION_BOOL,        /* bool; true, false, yes, no, on, off */
		   OPTION_ENUM,        /* int, the index in range "first|second|third" */
		   OPTION_EXPRESSION,  /* struct expression *, jq; range: words that are none, "transaction" */
		   OPTION_EXPRESSIONS, /* struct expression_list, a list of jq, or one */
		   OPTION_TEMPLATE,    /* struct template *, text with $(.jq) */
		   OPTION_TEMPLATES,   /* struct template_map, a map of names to templates */
		   OPTION_TEXTS,       /* struct text_list, a list of texts, or one */
		   OPTION_SECRET,      /* const char *, the secret's name, from {secret: NAME} */
		   OPTION_MAPPING,     /* struct expression *, the file of that name under mappings/ */
		   OPTION_MAPPINGS,    /* struct mapping_map, a map of names to files under mappings/ */
		   OPTION_FILE,        /* const char *, the name of a file under the folder that range names */
		   OPTION_FILES,       /* struct text_list, a list of such names, or one */
		   OPTION_TABLE,       /* a struct described by `table`, embedded at the offset; the node is a map */
		   /* const struct node *, for the module to read itself; table, range and flags below tell editors and
		    * the reference what may stand there */
		   OPTION_NODE,
};

enum option_flag {
	OPTION_REQUIRED = 1,
	OPTION_MAIN = 2, /* the one a bare scalar stands for: `encode: xml` is `encode: {format: xml}` */
	/* OPTION_NODE only, told to editors and readers: */
	OPTION_LIST = 4,  /* a list of what table and range say, or one */
	OPTION_NAMED = 8, /* a map of names to what table and range say */
	OPTION_CERTIFICATE = 16, /* OPTION_TEXT only: a PEM file, whose end is watched (site_certificates) */
	OPTION_HOST_KEYS = 32,	 /* OPTION_TEXT only: a file of others' host keys, whose changes are recorded */
};

struct option {
	const char *name;
	enum option_type type;
	size_t offset;
	const char *fallback; /* the default as it would be written, or NULL: the field stays zero */
	/* As the type says, or NULL. OPTION_NODE: the words it may be, and in <> what else, a part of the editors'
	 * schema (config/editor_schema.c): "content|none|<expressions>" */
	const char *range;
	const char *help; /* one line, a sentence without a full stop */
	unsigned flags;
	const struct option *table; /* OPTION_TABLE; OPTION_NODE: the keys of a map that may stand there */
	/* OPTION_ENUM: the keys that a word brings with it (by its index), which stand beside this one. They go into a
	 * struct of their own, whose address is put into the void * at more_offset. NULL, or gives NULL: none. */
	const struct option_more *(*more)(int word);
	size_t more_offset;
};

struct option_more {
	const struct option *table;
	size_t size; /* of the struct that it fills */
};

#define OPTION_END                                                                                                     \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}

struct text_list {
	const char **items;
	size_t count;
};

struct expression_list {
	struct expression **items;
	size_t count;
};

struct template_map {
	struct named_template {
		const char *name;
		struct template *template;
	} * items;
	size_t count;
};

struct mapping_map {
	struct named_mapping {
		const char *name;
		struct expression *mapping;
	} *items;
	size_t count;
};

/* What filling needs from its surroundings: memory, where findings go, and how a mapping's text is found. */
struct option_context {
	struct arena *arena;
	struct findings *findings;
	/* The text of mappings/NAME, or NULL; `file` becomes its path in the site. */
	const struct span *(*mapping)(void *site, const char *name, const char **file);
	void *site;
	const char *const *mappings; /* the names there are, for suggestions; may be NULL */
	size_t mappings_count;
	/* Whether there is FOLDER/NAME; if not, *near is a name that may be meant, or NULL. The pointer may be NULL:
	 * files are not looked for. */
	bool (*file)(void *site, const char *folder, const char *name, const char **near);
};

/* Fills `into` (zeroed by the caller) from a map, or from a bare scalar or list, which is the OPTION_MAIN's value. A
 * key with nothing behind it counts as absent. An optional OPTION_TABLE that is absent gets its defaults. Every mistake
 * becomes a finding (`option.unknown`, `option.missing`, `option.type`, `option.range`, `option.enum`, `option.secret`,
 * `option.mapping`, `option.file`); returns -1 when there was any error, and then `into` is only partly filled. Keys
 * named in `also` (NULL-terminated, or NULL) are left to the caller. Nothing is compiled: expressions are compiled when
 * first run, or by expression_check. */
int option_fill(struct option_context *, const struct node *, const struct option *table, const char *const *also,
		void *into);
/* The index of a word of an OPTION_ENUM; -1: it is none. */
int option_word(const struct option *, const char *word);
/* The further keys of a table that one of its words brings, when they were filled into `settings`. NULL: none; then
 * *more is unchanged. */
const struct option *option_more_of(const struct option *table, const void *settings, const void **more);

#endif
