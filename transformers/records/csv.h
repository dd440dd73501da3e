/* What the files of the CSV reader share: csv.c (settings, documents), csv_start.c (what a document is: separator,
 * columns), csv_row.c (a row to JSON). */
#ifndef FERRULE_TRANSFORMERS_CSV_H
#define FERRULE_TRANSFORMERS_CSV_H

#include "transformers/text.h"

enum csv_ragged { RAGGED_REJECT, RAGGED_PAD, RAGGED_KEEP };
enum csv_stray { STRAY_TEXT, STRAY_REJECT, STRAY_LOOSE };
enum csv_each { EACH_ROW, EACH_DOCUMENT };

enum csv_header { HEADER_YES, HEADER_NO, HEADER_WRONG };

struct csv_settings {
	const char *separator, *quote, *charset;
	const struct node *header;
	int ragged, stray, each;
	bool trim, excel_text;
	int64_t skip, columns_max, rows_max;
	uint64_t field_max;
};

struct csv_columns {
	struct arena *arena;
	struct span *names;    /* UTF-8, all different */
	struct span *prefixes; /* {"NAME":" of the first, ","NAME":" of the others */
	size_t count;
};

void csv_columns_free(struct csv_columns *);
/* Names that are empty or there twice get one that is not; takes what is in the JSON array. */
void csv_columns_make(struct csv_columns *, const json_t *names);

/* ---- settings (csv_options.c) */
extern const struct option csv_options[];
int csv_check(const void *settings, const struct transformer_context *, struct place, struct findings *);
enum csv_header csv_header_word(const struct node *scalar);

/* ---- a row (csv_row.c) */
enum csv_result {
	CSV_ROW,
	CSV_BLANK, /* an empty line */
	CSV_MORE,  /* the bytes end within it */
	CSV_BAD,   /* refused, and known where it ends */
	CSV_LOST,  /* refused, and not known where it ends: go on behind the first line end */
};

struct csv_row {
	/* how: set once */
	char separator, quote; /* quote: the separator where there is none */
	bool trim, excel_text;
	enum csv_ragged ragged;
	enum csv_stray stray;
	size_t columns_max, field_max;
	const struct csv_columns *columns; /* NULL: an array */
	size_t width;                      /* of an array; 0: any */
	/* what came of it */
	size_t fields, used, lines; /* used: bytes, with the line end; lines: that it goes over */
	size_t json_len;            /* of what was appended */
	bool high;                  /* there may be bytes beyond ASCII */
	struct error why;           /* CSV_BAD, CSV_LOST: without the place, but for the field */
};

/* The row at the front of the text, which is not empty and of which WINDOW_SLACK bytes more may be read; `last`:
 * nothing follows. Appends its JSON when it is CSV_ROW. */
enum csv_result csv_row_read(struct csv_row *, struct span text, bool last, struct buf *json);
size_t csv_line_end(struct span text, size_t *end); /* where the first line end starts; *end: of how many bytes */

/* ---- the start of a document (csv_start.c) */
/* `sep=;`: its length with the line end, 0: none. */
size_t csv_told_separator(struct span text, bool last, char *separator);
char csv_guess_separator(struct span text, bool last, char quote);

#endif
