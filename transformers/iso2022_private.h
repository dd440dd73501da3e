/* What the files of ISO 2022 share: iso2022.c (the sets, reading) and iso2022_write.c. See iso2022.h. */
#ifndef FERRULE_TRANSFORMERS_ISO2022_PRIVATE_H
#define FERRULE_TRANSFORMERS_ISO2022_PRIVATE_H

#include "transformers/iso2022.h"

#define ISO2022_ESC '\x1b'
#define ISO2022_SO '\x0e'
#define ISO2022_SI '\x0f'

enum iso2022_shape { SHAPE_94 = 1, SHAPE_96, SHAPE_94_94 };

struct iso2022_set {
	enum iso2022_shape shape;
	char final;          /* of the escape sequences that designate it */
	const char *charset; /* that has its characters, behind this prefix and from this byte on (text_codes) */
	const char *prefix;
	uint8_t first;
};

extern const struct iso2022_set iso2022_sets[]; /* set number 1 is iso2022_sets[0], which is ASCII */
#define ISO2022_ASCII 1

uint8_t iso2022_set_of(enum iso2022_shape, char final); /* 0: not known */
/* The code of the character in the set: two bytes, or the second of them, without sign bits; 0: it has none. */
unsigned iso2022_code(struct iso2022 *, uint8_t set, uint32_t character);

#endif
