/* What the files of fixed-width records share: fixed.c (documents, settings), fixed_value.c and fixed_number.c (a
 * field's bytes and its value), fixed_read.c (a record to JSON), fixed_write.c (JSON to a record).
 *
 * A value has one usual way to be written. Where the bytes are another way that says the same (blanks in front of a
 * number, a packed sign F), they are noted in the line's `raw`, by the field's path, so that encoding gives them again.
 */
#ifndef FERRULE_TRANSFORMERS_FIXED_H
#define FERRULE_TRANSFORMERS_FIXED_H

#include "transformers/records/layout.h"

/* ---- values */
/* Appends the value as JSON. *unusual: fixed_value_write gives other bytes for it. REJECT `fixed-width.…`. */
int fixed_value_read(const struct layout *, const struct field *, struct span bytes, struct buf *json, bool *unusual,
		     struct error *);
/* Appends the field's bytes. NULL or null: nothing, where the type can say that. */
int fixed_value_write(const struct layout *, const struct field *, const json_t *value, struct buf *bytes,
		      struct error *);
/* The same for numbers and dates, as text; fixed_number.c, fixed_date.c. */
int fixed_number_read(const struct layout *, const struct field *, struct span bytes, struct buf *text, bool *unusual,
		      struct error *);
int fixed_number_write(const struct layout *, const struct field *, struct span text, struct buf *bytes,
		       struct error *);
int fixed_date_read(const struct layout *, const struct field *, struct span bytes, struct buf *text, struct error *);
int fixed_date_write(const struct layout *, const struct field *, struct span text, struct buf *bytes, struct error *);
void fixed_pad(const struct layout *, char pad, size_t n, struct buf *bytes);
bool fixed_is_all(struct span bytes, unsigned char byte);

/* ---- records */
struct fixed_path {
	const struct field *field;
	size_t index; /* from 1; 0: it occurs once */
};

/* What is remembered while a record is read or written. */
struct fixed_state {
	const struct layout *layout;
	struct fixed_path path[2 * LAYOUT_DEPTH_MAX + 2];
	int depth;
	char slots[LAYOUT_SLOTS_MAX][LAYOUT_SLOT_SIZE]; /* values that others depend on */
};

void fixed_path_text(const struct fixed_state *, char *into, size_t size); /* "lines[2].price" */
/* How often it occurs; -1: the field that says it does not. */
int64_t fixed_times(const struct fixed_state *, const struct field *);
const struct field *fixed_chosen(const struct fixed_state *, const struct field *choice); /* NULL: none */
bool fixed_matches(const struct layout_when *, struct span value); /* white space behind it does not count */
void fixed_remember(struct fixed_state *, const struct field *, struct span json);

/* Appends {"record":…,"fields":{…},"raw":{…},"length":n without its last brace. REJECT, with field and byte. `may_end`:
 * fields at its end may be missing. */
int fixed_read_record(struct fixed_state *, const struct layout_record *, struct span bytes, bool may_end,
		      struct buf *json, struct error *);
/* Appends the bytes of such a line, without what separates records. */
int fixed_write_record(struct fixed_state *, const json_t *line, struct buf *bytes, struct error *);

/* ---- documents (fixed.c, encode_fixed.c) */
#define FIXED_RDW 4 /* bytes of a record descriptor word */
#define FIXED_MARK "\xef\xbb\xbf"
#define FIXED_END_MAX 64 /* bytes of a line end, with the empty lines behind it */

struct fixed_settings {
	const char *layout;
	int each;
	int64_t records_max;
};

struct fixed {
	const struct fixed_settings *settings;
	struct layout *layout;
};

extern const struct option fixed_encode_options[];
int fixed_check(const void *settings, const struct transformer_context *, struct place, struct findings *);
void *fixed_open(const void *settings, const struct transformer_context *, struct error *); /* a struct fixed */
void fixed_close(void *);
/* A line end in the layout's character set, of at most 8 bytes. */
size_t fixed_line_end(const struct layout *, const char *utf8, char into[8]);

#endif
