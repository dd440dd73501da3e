/* SAP IDocs: what reading and writing share. Flat files are a control record EDI_DC40 of 524 characters and data
 * records EDI_DD40 of 63 and up to 1,000 (SAP's interface of release 4); what stands in those 1,000 says a layout. */
#ifndef FERRULE_TRANSFORMERS_IDOC_H
#define FERRULE_TRANSFORMERS_IDOC_H

#include <jansson.h>

#include "base/transformer.h"

#define IDOC_CONTROL 524 /* characters */
#define IDOC_HEAD 63     /* of a data record, before its fields */
#define IDOC_DATA 1000   /* of the fields */
#define IDOC_DEPTH_MAX 20
#define IDOC_SEGMENTS_MAX 200000 /* of one IDoc */
#define IDOC_FILES_MAX 16        /* layouts whose order is judged, those behind them are not */

struct idoc_field {
	const char *name;
	size_t length; /* characters */
};

struct idoc_segment {
	const char *type;       /* E1EDP01 */
	const char *definition; /* E2EDP01001, as flat files have it */
	const char *parent;     /* the type it stands below; NULL: at the top */
	struct idoc_field *fields;
	size_t fields_count;
	size_t min, max;                         /* how often it stands below one parent; max 0: as often as it likes */
	const char *idoc;                        /* ORDERS05: of its file, or NULL */
	size_t file;                             /* which of the files, from 0: in one they stand in their order */
	const struct idoc_segment *child, *next; /* those below it, and beside it */
};

struct idoc_layout {
	struct idoc_segment *segments;
	size_t count, capacity;
	const char *idoc;                 /* ORDERS05: of the first file */
	const struct idoc_segment *child; /* those at the top */
};

extern const struct idoc_field idoc_control[]; /* of EDI_DC40; ended by NULL */
extern const struct idoc_field idoc_head[];    /* SEGNAM MANDT DOCNUM SEGNUM PSGNUM HLEVEL */

struct idoc_settings {
	struct text_list layouts;
	int form;           /* encode */
	int unknown, check; /* decode */
};
enum { IDOC_FLAT, IDOC_XML };
enum { IDOC_TAKE, IDOC_REJECT };

/* Files of layouts/: YAML, or (NAME.txt) the report of a parser that transaction WE60 exports. Mistakes are findings
 * `layout.…`, those in YAML with their place. -1: there were any. Names live in the arena. */
int idoc_layout_read(struct idoc_layout *, struct arena *, const struct text_list *files,
		     const struct transformer_context *, struct place asked, struct findings *);
/* By type or definition, of any version of it; NULL: not known. */
const struct idoc_segment *idoc_segment_find(const struct idoc_layout *, struct span name);
/* The type that a definition has by SAP's rule: E2EDP01001 is E1EDP01. */
void idoc_type_of(struct span definition, char into[31]);

/* decode's and encode's: a layout made ready. */
struct idoc {
	const struct idoc_settings *settings;
	struct arena *arena;
	struct idoc_layout layout;
};
int idoc_check(const void *settings, const struct transformer_context *, struct place, struct findings *);
void *idoc_open(const void *settings, const struct transformer_context *, struct error *);
void idoc_close(void *);

enum { IDOC_STRUCTURE = 1, IDOC_CONTENT = 2 };

/* Holds what decode gives against the layout. IDOC_CONTENT: parents, fields and their lengths, unknown segments;
 * IDOC_STRUCTURE: what must be there, how often, and in which order, which the settings may ask for as well. -1: REJECT
 * `idoc.…`. */
int idoc_judge(const struct idoc *, const json_t *tree, unsigned what, struct error *why);

#define IDOC_LAYOUTS_OPTION                                                                                            \
	{                                                                                                              \
		.name = "layouts", .type = OPTION_FILES, .offset = offsetof(struct idoc_settings, layouts),            \
		.range = "layouts", .flags = OPTION_REQUIRED,                                                          \
		.help = "what stands in segments: files in layouts/, YAML or (.txt) the parser's report of "           \
			"transaction WE60"                                                                             \
	}

/* IDocs in XML; see struct decode_format. */
int idoc_read_xml(const struct idoc *, struct item *, struct out *, struct error *);

#endif
