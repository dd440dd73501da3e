/* The characters of one-byte sets. See edi.h. */
#include "config.h"
#include "transformers/edi/edi.h"

#include <iconv.h>
#include <stdio.h>
#include <strings.h>

static void make_latin1(struct edi_charset *charset)
{
	for (unsigned i = 0; i < 128; i++) {
		unsigned c = 0x80 + i;

		charset->utf8[i][0] = (char)(0xc0 | c >> 6);
		charset->utf8[i][1] = (char)(0x80 | (c & 0x3f));
	}
}

static bool is_one_byte(iconv_t conversion)
{
	char in[2] = "A", out[8], *from = in, *to = out;
	size_t left = 1, room = sizeof out;

	return iconv(conversion, &from, &left, &to, &room) != (size_t)-1 && to == out + 1 && out[0] == 'A';
}

int edi_charset_make(struct edi_charset *charset, const char *name)
{
	iconv_t conversion;

	memset(charset, 0, sizeof *charset);
	snprintf(charset->name, sizeof charset->name, "%s", name);
	if (!strcasecmp(name, "ISO-8859-1")) {
		make_latin1(charset);
		return 0;
	}
	conversion = iconv_open("UTF-8", name);
	if (conversion == (iconv_t)-1)
		return -1;
	if (!is_one_byte(conversion)) {
		iconv_close(conversion);
		return -1;
	}
	for (unsigned i = 0; i < 128; i++) {
		char in = (char)(0x80 + i), out[8] = "", *from = &in, *to = out;
		size_t left = 1, room = 3;

		iconv(conversion, NULL, NULL, NULL, NULL);
		if (iconv(conversion, &from, &left, &to, &room) != (size_t)-1 && !left)
			memcpy(charset->utf8[i], out, (size_t)(to - out));
	}
	iconv_close(conversion);
	return 0;
}
