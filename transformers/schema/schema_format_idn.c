/* Names of hosts in any script: IDNA 2008 (RFC 5890 to 5893) as far as general categories tell which characters are
 * letters, with the exceptions and contexts of RFC 5892; Punycode (RFC 3492). Bidirectional rules are not looked at. */
#include "config.h"
#include "transformers/schema/schema_format.h"

#include <ctype.h>
#include <stdint.h>

#include "base/utf8.h"
#include "transformers/schema/schema_pattern.h"

#define LABEL_MAX 63
#define HOST_MAX 253

/* Letters, digits and marks that may stand in a label (RFC 5892, sections 2 and 2.6), and what needs its neighbours:
 * a middle dot between two l, Greek and Hebrew signs, the Katakana dot, joiners behind a virama or between letters that
 * join, Arabic digits of one kind. */
#define VIRAMA                                                                                                         \
	"[\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a\\u0eba\\u0f84"   \
	"\\u1039\\u103a\\u1714\\u1734\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3\\u2d7f\\ua806\\ua8c4\\ua953"    \
	"\\ua9c0\\uaaf6\\uabed]"
#define JOINING "[\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Mongolian}\\p{Script=Nko}]"
static const char allowed[] =
	"^(?!\\p{M})(?!.*[\\u0640\\u07fa\\u302e\\u302f\\u3031-\\u3035\\u303b])"
	"(?!.*[\\u0660-\\u0669].*[\\u06f0-\\u06f9])(?!.*[\\u06f0-\\u06f9].*[\\u0660-\\u0669])"
	"(?!(?=.*\\u30fb)(?!.*[\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Han}]))"
	"(?:[-\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}\\u00df\\u03c2\\u06fd\\u06fe\\u0f0b\\u3007\\u30fb]"
	"|(?<=l)\\u00b7(?=l)|\\u0375(?=\\p{Script=Greek})|(?<=\\p{Script=Hebrew})[\\u05f3\\u05f4]"
	"|(?<=" VIRAMA ")[\\u200c\\u200d]|(?<=" JOINING ")\\u200c(?=" JOINING "))+$";

/* ---- Punycode */
#define BASE 36
#define T_MIN 1
#define T_MAX 26

static uint32_t adapt(uint32_t delta, uint32_t count, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / count;
	for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
		delta /= BASE - T_MIN;
	return k + (BASE - T_MIN + 1) * delta / (delta + 38);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
	return k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
}

/* Without xn--. The number of code points, or -1. */
static int decode(struct span text, uint32_t *points, size_t max)
{
	uint32_t n = 128, i = 0, bias = 72;
	size_t at = text.len, count = 0;

	while (at && text.data[at - 1] != '-')
		at--;
	for (size_t j = 0; at && j < at - 1; j++)
		points[count++] = (uint32_t)(unsigned char)tolower((unsigned char)text.data[j]);
	while (at < text.len) {
		uint32_t before = i, weight = 1;

		for (uint32_t k = BASE;; k += BASE) {
			char c = at < text.len ? (char)tolower((unsigned char)text.data[at++]) : '\0';
			uint32_t digit = c >= 'a' && c <= 'z'   ? (uint32_t)(c - 'a')
					 : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 26
								: BASE;
			uint32_t t = threshold(k, bias);

			if (digit == BASE || digit > (UINT32_MAX - i) / weight)
				return -1;
			i += digit * weight;
			if (digit < t)
				break;
			if (weight > UINT32_MAX / (BASE - t))
				return -1;
			weight *= BASE - t;
		}
		bias = adapt(i - before, (uint32_t)count + 1, before == 0);
		n += i / ((uint32_t)count + 1);
		i %= (uint32_t)count + 1;
		if (count == max || n > 0x10ffff || (n >= 0xd800 && n < 0xe000))
			return -1;
		memmove(points + i + 1, points + i, (count - i) * sizeof *points);
		points[i++] = n;
		count++;
	}
	return (int)count;
}

/* How many letters follow xn--. */
static size_t encoded_length(const uint32_t *points, size_t count)
{
	uint32_t n = 128, delta = 0, bias = 72, done = 0;
	size_t length, basic;

	for (size_t i = 0; i < count; i++)
		done += points[i] < 128;
	basic = done;
	length = basic + (basic > 0);
	while (done < count) {
		uint32_t next = UINT32_MAX;

		for (size_t i = 0; i < count; i++)
			if (points[i] >= n && points[i] < next)
				next = points[i];
		delta += (next - n) * (done + 1);
		n = next;
		for (size_t i = 0; i < count; i++) {
			uint32_t q = delta;

			delta += points[i] < n;
			if (points[i] != n)
				continue;
			q = delta;
			for (uint32_t k = BASE;; k += BASE, length++) {
				uint32_t t = threshold(k, bias);

				if (q < t)
					break;
				q = (q - t) / (BASE - t);
			}
			length++;
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
		delta++;
		n++;
	}
	return length;
}

/* ---- labels */
static void put_point(struct buf *out, uint32_t c)
{
	if (c >= 0x10000)
		buf_char(out, (char)(0xf0 | c >> 18)), buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
	else if (c >= 0x800)
		buf_char(out, (char)(0xe0 | c >> 12));
	if (c >= 0x800)
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	else if (c >= 0x80)
		buf_char(out, (char)(0xc0 | c >> 6));
	buf_char(out, c < 0x80 ? (char)c : (char)(0x80 | (c & 0x3f)));
}

uint32_t format_take_point(struct span *text)
{
	size_t n = utf8_character(*text);
	uint32_t c = (unsigned char)text->data[0];

	if (n > 1)
		c &= 0x7f >> n;
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)text->data[i] & 0x3f);
	*text = span_make(text->data + (n ? n : 1), text->len - (n ? n : 1));
	return c;
}

static bool is_label(const struct pattern *pattern, const uint32_t *points, size_t count)
{
	struct buf text;
	bool fits;

	if (!count || points[0] == '-' || points[count - 1] == '-' ||
	    (count >= 4 && points[2] == '-' && points[3] == '-') || encoded_length(points, count) + 4 > LABEL_MAX)
		return false;
	buf_init(&text, 4 * LABEL_MAX + 4);
	for (size_t i = 0; i < count; i++)
		put_point(&text, points[i]);
	fits = pattern_match(pattern, buf_view(&text), NULL) == 1;
	buf_free(&text);
	return fits;
}

static bool is_ascii_label(const struct pattern *pattern, const uint32_t *points, size_t count)
{
	uint32_t decoded[LABEL_MAX];
	char text[LABEL_MAX];
	int n;

	if (!count || count > LABEL_MAX || points[0] == '-' || points[count - 1] == '-')
		return false;
	for (size_t i = 0; i < count; i++) {
		text[i] = (char)tolower((int)points[i]);
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	}
	if (count < 4 || text[2] != '-' || text[3] != '-')
		return true;
	if (memcmp(text, "xn", 2))
		return false;
	n = decode(span_make(text + 4, count - 4), decoded, LABEL_MAX);
	return n > 0 && is_label(pattern, decoded, (size_t)n);
}

static bool are_labels(const struct pattern *pattern, struct span text)
{
	uint32_t points[LABEL_MAX];

	for (bool more = true; more;) {
		size_t count = 0;
		bool ascii = true;

		for (more = false; text.len;) {
			uint32_t c = format_take_point(&text);

			if (c == '.' || c == 0x3002 || c == 0xff0e || c == 0xff61) {
				more = true;
				break;
			}
			if (count == LABEL_MAX)
				return false;
			ascii = ascii && c < 128;
			points[count++] = c;
		}
		if (!(ascii ? is_ascii_label : is_label)(pattern, points, count))
			return false;
	}
	return true;
}

bool format_idn_hostname(struct span text)
{
	struct pattern *pattern;
	bool fits;

	if (!text.len || text.len > 4 * HOST_MAX)
		return false;
	pattern = pattern_new(span_of(allowed), NULL);
	fits = pattern && are_labels(pattern, text);
	pattern_free(pattern);
	return fits;
}
