/* Writing the members of an object at a place where there is room for all of them. See edi_values.c. */
#ifndef FERRULE_TRANSFORMERS_EDI_PEN_H
#define FERRULE_TRANSFORMERS_EDI_PEN_H

#include <stdio.h>

#include "transformers/edi/edi_judge_private.h"

struct pen {     /* what is written goes there; each member with a comma behind it */
	char *o; /* NULL: nothing is */
};

static inline void copy(struct pen *pen, const char *text, size_t len)
{
	pen->o = edi_copy(pen->o, text, len);
}

static inline void put_char(struct pen *pen, char c)
{
	*pen->o++ = c;
}

static inline void put_byte(struct pen *pen, const struct edi_syntax *syntax, const struct edi_cell *cell,
			    unsigned char byte)
{
	if (byte == '"' || byte == '\\')
		put_char(pen, '\\');
	if (byte < 0x20 || byte == 0x7f) {
		pen->o += sprintf(pen->o, "\\u%04x", byte);
	} else if (byte >= 0x80 && (cell->odd & EDI_CELL_BINARY)) {
		put_char(pen, (char)(0xc0 | byte >> 6));
		put_char(pen, (char)(0x80 | (byte & 0x3f)));
	} else if (byte >= 0x80 && syntax->charset) {
		const char *text = syntax->charset->utf8[byte - 0x80];
		size_t n = strlen(text);

		memcpy(pen->o, text, n);
		pen->o += n;
	} else {
		put_char(pen, (char)byte);
	}
}

static inline void put_odd(struct pen *pen, const struct edi_judge *j, const struct edi_cell *cell)
{
	for (uint32_t i = 0; i < cell->len; i++) {
		if ((cell->odd & EDI_CELL_RELEASED) && cell->p[i] == j->syntax->release && i + 1 < cell->len)
			i++;
		put_byte(pen, j->syntax, cell, (unsigned char)cell->p[i]);
	}
}

static inline void put_cell(struct pen *pen, const struct edi_judge *j, const struct edi_cell *cell)
{
	if (cell->odd)
		put_odd(pen, j, cell);
	else
		copy(pen, cell->p, cell->len);
}

static inline void put_string(struct pen *pen, const struct edi_judge *j, const struct edi_cell *cell)
{
	put_char(pen, '"');
	put_cell(pen, j, cell);
	put_char(pen, '"');
}

static inline void put_bytes(struct pen *pen, const char *text, size_t len)
{
	memcpy(pen->o, text, len);
	pen->o += len;
}

static inline void put_text(struct pen *pen, const char *text, size_t len)
{
	put_char(pen, '"');
	put_bytes(pen, text, len);
	put_char(pen, '"');
}

static inline void put_label(struct pen *pen, const struct edi_label *label)
{
	copy(pen, label->text, label->len);
}

static inline const struct edi_label *name_of(const struct edi_judge *j, const struct edi_slot *slot)
{
	return j->keys == EDI_KEYS_POSITIONS ? &slot->by_position : &slot->by_name;
}

#endif
