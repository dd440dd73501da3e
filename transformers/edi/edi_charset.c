/* The characters of one-byte sets. See edi.h. */
#include "config.h"
#include "transformers/edi/edi.h"

#include <stdio.h>
#include <strings.h>

#include "transformers/text.h"

static void make_latin1(struct edi_charset *charset)
{
	for (unsigned i = 0; i < 128; i++) {
		unsigned c = 0x80 + i;

		charset->utf8[i][0] = (char)(0xc0 | c >> 6);
		charset->utf8[i][1] = (char)(0x80 | (c & 0x3f));
	}
}

int edi_charset_make(struct edi_charset *charset, const char *name)
{
	struct text_set set;

	memset(charset, 0, sizeof *charset);
	snprintf(charset->name, sizeof charset->name, "%s", name);
	if (!strcasecmp(name, "ISO-8859-1")) {
		make_latin1(charset);
		return 0;
	}
	if (text_set_make(&set, name) || set.ascii['A'] != 'A')
		return -1;
	for (unsigned i = 0; i < 128; i++)
		if (strlen(set.utf8_of[0x80 + i]) < sizeof *charset->utf8)
			snprintf(charset->utf8[i], sizeof *charset->utf8, "%.3s", set.utf8_of[0x80 + i]);
	return 0;
}
