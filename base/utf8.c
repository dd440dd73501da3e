/* UTF-8. See utf8.h. */
#include "config.h"
#include "base/utf8.h"

/* Bytes of the character at the front, 0 when there is no valid one: no overlong forms, no surrogates, nothing past U+10FFFF. */
static size_t character(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, size;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t size = forms[i].size;

		if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
			continue;
		if (len < size || (size > 1 && (s[1] < forms[i].second_low || s[1] > forms[i].second_high)))
			return 0;
		for (size_t at = 2; at < size; at++)
			if ((s[at] & 0xc0) != 0x80)
				return 0;
		return size;
	}
	return 0;
}

bool utf8_is_clean(struct span text)
{
	for (size_t at = 0, n; at < text.len; at += n) {
		n = character((const unsigned char *)text.data + at, text.len - at);
		if (!n)
			return false;
	}
	return true;
}

void utf8_clean(struct buf *out, struct span text)
{
	for (size_t at = 0, n; at < text.len; at += n) {
		n = character((const unsigned char *)text.data + at, text.len - at);
		if (n)
			buf_append(out, text.data + at, n);
		else
			buf_text(out, "\xef\xbf\xbd");
		n += !n;
	}
}
