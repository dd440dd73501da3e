/* Values of the nested form back to what stands in a document: implied decimals, dates. See edi_nested.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"
#include "transformers/edi/edi_nested.h"

#include <ctype.h>

#define DIGITS_MAX 40

/* ---- numbers */
size_t edi_imply_back(struct span text, unsigned decimals, char *into, const char **why)
{
	const char *p = text.data, *end = p + text.len;
	char *o = into, *digits;
	unsigned places = 0;
	bool point = false;

	*why = "it is no number";
	if (text.len > DIGITS_MAX)
		return 0;
	if (p < end && *p == '-')
		*o++ = *p++;
	digits = o;
	for (; p < end; p++) {
		if (*p == '.' && !point) {
			point = true;
		} else if (!isdigit((unsigned char)*p)) {
			return 0;
		} else if (places < decimals || !point) {
			*o++ = *p;
			places += point;
		} else if (*p != '0') {
			*why = "it has more decimals than the element";
			return 0;
		}
	}
	if (o == digits)
		return 0;
	for (; places < decimals; places++)
		*o++ = '0';
	while (o - digits > 1 && *digits == '0')
		memmove(digits, digits + 1, (size_t)(--o - digits));
	return (size_t)(o - into);
}

bool edi_is_original(const struct edi_data *data, struct span value, struct span original)
{
	struct edi_cell cell = {.p = original.data, .len = (uint32_t)original.len};
	char text[64];
	size_t n = original.len < sizeof text ? edi_decimal(data, &cell, text) : 0;

	return n ? span_equal(value, span_make(text, n)) : span_equal(value, original);
}

/* ---- dates and times */
/* What the pattern would read; edi_follow() says whether it does. */
static size_t strip(const char *pattern, struct span iso, char *into)
{
	bool range = strchr(pattern, '|') != NULL;
	size_t n = 0;

	for (size_t i = *pattern == 'y' && iso.len > 2 ? 2 : 0; i < iso.len; i++) {
		char c = iso.data[i];

		if (c == '/' && range)
			into[n++] = '-';
		else if (isdigit((unsigned char)c))
			into[n++] = c;
	}
	return n;
}

size_t edi_iso_back(const struct edi_slot *slot, struct span iso, struct span format, char *into)
{
	struct edi_cell code = {.p = format.data, .len = (uint32_t)format.len};
	char again[80];
	size_t n, m;
	const char *pattern;

	if (iso.len > 30)
		return 0;
	switch (slot->iso) {
	case EDI_ISO_DATE:
		pattern = slot->data.max < 8 ? "yMD" : "YMD";
		break;
	case EDI_ISO_TIME:
		pattern = iso.len <= 5 ? "hm" : "hms";
		break;
	default:
		pattern = format.len ? edi_pattern_of(&code) : NULL;
		break;
	}
	n = pattern ? strip(pattern, iso, into) : 0;
	m = n && n <= 20 ? edi_follow(pattern, into, n, again) : 0;
	return m && span_equal(iso, span_make(again, m)) ? n : 0;
}

const char *edi_iso_format(const struct edi_slot *slot, struct span iso)
{
	static const struct {
		size_t len;
		const char *before, *behind; /* X12's 1250, EDIFACT's 2379 */
	} formats[] = {{10, "D8", "102"}, {16, "DT", "203"}, {19, NULL, "204"}, {5, "TM", "401"},
		       {8, NULL, "402"},  {7, NULL, "610"},  {4, NULL, "602"},  {21, "RD8", "718"}};

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (formats[i].len == iso.len)
			return slot->iso == EDI_ISO_BEFORE ? formats[i].before : formats[i].behind;
	return NULL;
}
