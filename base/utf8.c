/* UTF-8. See utf8.h. */
#include "config.h"
#include "base/utf8.h"

/* RFC 3629, section 4: no overlong forms, no surrogates, nothing past U+10FFFF. */
static const struct form {
	unsigned char first_low, first_high, second_low, second_high;
	size_t size;
} forms[] = {
	{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool fits(const struct form *form, const unsigned char *s, size_t len)
{
	if (s[0] < form->first_low || s[0] > form->first_high || len < form->size)
		return false;
	if (form->size > 1 && (s[1] < form->second_low || s[1] > form->second_high))
		return false;
	for (size_t at = 2; at < form->size; at++)
		if ((s[at] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t utf8_character(struct span text)
{
	for (size_t i = 0; text.len && i < sizeof forms / sizeof *forms; i++)
		if (fits(&forms[i], (const unsigned char *)text.data, text.len))
			return forms[i].size;
	return 0;
}

bool utf8_is_clean(struct span text)
{
	for (size_t at = 0, n; at < text.len; at += n) {
		n = utf8_character(span_make(text.data + at, text.len - at));
		if (!n)
			return false;
	}
	return true;
}

size_t utf8_cut(struct span text, size_t max)
{
	size_t n = text.len < max ? text.len : max;

	while (n && n < text.len && ((unsigned char)text.data[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void utf8_clean(struct buf *out, struct span text)
{
	for (size_t at = 0, n; at < text.len; at += n) {
		n = utf8_character(span_make(text.data + at, text.len - at));
		if (n)
			buf_append(out, text.data + at, n);
		else
			buf_text(out, "\xef\xbf\xbd");
		n += !n;
	}
}
