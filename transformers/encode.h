/* What a format of `encode` is: a writer of one tree. Formats are files of their own; encode.c lists them. */
#ifndef FERRULE_TRANSFORMERS_ENCODE_H
#define FERRULE_TRANSFORMERS_ENCODE_H

#include "base/transformer.h"

struct encode_settings {
	int format;
	/* xml */
	const char *root;
	bool declaration;
	const char *doctype;
	/* csv */
	const struct node *columns;
	struct expression *rows;
	bool header, safe;
	const char *separator;
	int line_end;
	/* xml, json */
	bool pretty;
	/* json */
	bool canonical;
	/* x12, edifact, tradacoms */
	int charset;
	struct expression *envelope;
	struct text_list grammars;
	/* a format with options of its own (encode_format.more): what they say */
	void *of_format;
};

enum { LINE_CRLF, LINE_LF };

struct encode_column {
	const char *name;
	struct expression *value; /* NULL: the member of that name */
};

struct encode {
	const struct encode_settings *settings;
	const struct encode_format *format;
	struct arena *arena;
	struct encode_column *columns;
	size_t columns_count;
	void *self; /* of the format: what its open gave, else its settings */
};

struct encode_format {
	const char *name, *media_type;
	/* Appends the bytes. REJECT with the place in the tree. The buffer's maximum is checked by the caller. */
	int (*write)(const struct encode *, const struct expression_input *, struct buf *, struct error *);
	/* Does all of it, from bytes or a tree, in place of write. NULL: write. */
	int (*run)(const struct encode *, struct item *, struct out *, struct error *);
	/* As of struct decode_format (format.h). A format that brings options has none of the flat ones above; check
	 * and open of one that brings none get the struct encode_settings. */
	struct option_more more;
	int (*check)(const void *settings, const struct transformer_context *, struct place, struct findings *);
	void *(*open)(const void *settings, const struct transformer_context *, struct error *);
	void (*close)(void *self);
};

extern const struct encode_format encode_xml, encode_csv, encode_json, encode_x12, encode_edifact, encode_tradacoms,
	encode_fixed_width, encode_idoc, encode_bai2;

#endif
