/* What the files of masking share. See masking.h. */
#ifndef FERRULE_SERVICES_MASKING_PRIVATE_H
#define FERRULE_SERVICES_MASKING_PRIVATE_H

#include "services/masking.h"

/* How a character was written, so that another can be put in its place. */
enum form { FORM_BYTE, FORM_UTF8, FORM_ESCAPE, FORM_DECIMAL, FORM_HEX, FORM_PERCENT };

/* A letter or digit of a text, folded to lower case; what stands between them is skipped. */
struct unit {
	uint32_t at;
	uint32_t code : 21, form : 3, len : 5;
	bool upper : 1;    /* it was upper case */
	bool adjacent : 1; /* nothing stands between it and the one before */
	bool far : 1;      /* more stands between them than a value's punctuation */
};

struct units {
	struct unit *list;
	size_t count, capacity;
};

/* plain: as it is; else \u00e9, &#233;, &amp; and %C3%A9 are what they stand for. */
void units_read(struct units *, struct span text, bool plain);
void units_free(struct units *);
/* In place: `code`, lower case, in the form and case of the unit. */
void unit_write(char *text, const struct unit *, uint32_t code);
/* Another letter or digit of the same kind and length, by chance; where there is none, the same. */
uint32_t stand_in_for(uint32_t code, bool first);
unsigned chance_below(unsigned); /* of crypto_random */

#endif
