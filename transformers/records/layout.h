/* Layouts of records of fixed positions: from YAML (layouts/NAME.yaml), or from a COBOL copybook (layouts/NAME.cpy), by
 * itself or named in the YAML. layout.c has the model, layout_yaml.c and layout_copybook.c read the two forms.
 *
 * Entries of a record follow one another without a hole: what no field covers is a gap of its own. */
#ifndef FERRULE_TRANSFORMERS_LAYOUT_H
#define FERRULE_TRANSFORMERS_LAYOUT_H

#include "base/transformer.h"
#include "transformers/text.h"

#define LAYOUT_DEPTH_MAX 20
#define LAYOUT_RECORD_MAX ((size_t)1 << 20) /* bytes of a record */
#define LAYOUT_SLOTS_MAX 64
#define LAYOUT_SLOT_SIZE 64

enum field_type {
	FIELD_TEXT,
	FIELD_NUMBER, /* digits, with a sign or point that stands there */
	FIELD_ZONED,  /* digits, the last of which has the sign in its zone */
	FIELD_PACKED, /* two digits a byte, the sign in the last half */
	FIELD_BINARY, /* two's complement */
	FIELD_DATE,
	FIELD_GROUP,  /* without a name: its fields are those of what holds it */
	FIELD_CHOICE, /* one of `fields`, which lie over one another */
	FIELD_GAP,
};

enum field_sign { SIGN_AUTO, SIGN_NONE, SIGN_LEADING, SIGN_TRAILING, SIGN_YES };
enum framing { FRAMING_LINES, FRAMING_FIXED, FRAMING_RDW };

struct layout_when {
	const char *field;   /* whose value decides; NULL: always */
	int slot;            /* that remembers it */
	struct text_list is; /* any of these */
	size_t at, length;   /* of a record: the bytes, from 0 */
};

struct field {
	const char *name; /* NULL: of a gap, a nameless group */
	struct span key;  /* "name": as JSON text */
	enum field_type type;
	size_t length; /* of one; of a group its largest */
	size_t digits; /* of a number, at most; 0: as many as its bytes can hold */
	int decimals;
	enum field_sign sign;
	bool right, little;
	char pad, point; /* point 0: implied */
	const char *format;
	bool array;
	size_t times_min, times_max;
	const char *depends;        /* the field that says how many */
	int depends_slot, slot;     /* -1: none */
	const struct field *counts; /* the array that this field counts; NULL: none */
	const char *redefines;      /* while it is read */
	struct layout_when when;
	struct field **fields;
	size_t fields_count;
	struct place place;
};

struct layout_record {
	const char *name;
	struct span key; /* as JSON text, in quotes */
	struct layout_when when;
	bool conditional;
	struct field *fields; /* a group */
	struct place place;
};

struct layout {
	struct arena *arena;
	struct text_set set;
	const char *charset;
	enum framing framing;
	const char *line_end; /* in UTF-8 */
	size_t length;        /* FRAMING_FIXED: of every record */
	struct layout_record *records;
	size_t records_count;
	int slots;
};

/* Reads and checks layouts/NAME; mistakes become findings with their place. NULL: there was one. */
struct layout *layout_new(const char *name, const struct transformer_context *, struct findings *);
void layout_free(struct layout *);

/* ---- for layout_yaml.c and layout_copybook.c */
/* A field with the defaults of its type; at the end of the group. */
struct field *layout_field(struct layout *, struct field *group, struct place);
/* When all is read: choices, slots, lengths, keys. */
void layout_finish(struct layout *, struct findings *);
/* `when` and `redefines` of YAML over a copybook's fields are by name. */
struct field *layout_find(struct field *group, const char *name);
/* Records are the copybook's levels 01. Names as they stand there, or in small letters with _ for -. */
void layout_read_copybook(struct layout *, const char *file, struct span text, bool as_is, struct findings *);
int layout_read_yaml(struct layout *, const char *file, struct span text, const struct transformer_context *,
		     struct findings *);

#endif
