/* UTF-8 to a text with escape sequences, for the encoder, and for the reader that makes sure of what it will write. See
 * edi_escapes.h. */
#include "config.h"
#include "transformers/edi/edi_escapes.h"

#include "base/utf8.h"

bool edi_escaping_take(struct iso2022 *sets, struct iso2022_state *state, struct span bytes)
{
	struct iso2022_unit unit;

	while (bytes.len) {
		iso2022_read(sets, state, bytes, &unit);
		if (unit.kind != ISO2022_ESCAPE || unit.len > bytes.len)
			return false;
		*state = unit.after;
		bytes = span_make(bytes.data + unit.len, bytes.len - unit.len);
	}
	return true;
}

static uint32_t character_of(const char *p, size_t n)
{
	static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)*p & masks[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static bool is_run(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* ASCII where nothing else is in hand. */
static size_t put_run(const struct iso2022_state *state, struct span text, struct buf *out)
{
	size_t n = 0;

	if (state->utf8 || state->left || !iso2022_is_ascii(state))
		return 0;
	while (n < text.len && is_run((unsigned char)text.data[n]))
		n++;
	buf_append(out, text.data, n);
	return n;
}

/* One character. Its bytes; 0: it cannot be written. */
static size_t put_one(struct edi_escaping *e, struct span text, bool noted, struct buf *out, uint32_t *foreign)
{
	size_t n = (unsigned char)*text.data < 0x80 ? 1 : utf8_character(text);

	if (!n)
		return 0;
	*foreign = character_of(text.data, n);
	if (noted ? iso2022_put_plain(e->sets, &e->state, *foreign, out)
		  : iso2022_put(e->sets, e->profile, &e->state, *foreign, out))
		return 0;
	return n;
}

static size_t next_stop(const struct edi_escaping *e, size_t at, const struct edi_escape *notes, size_t count,
			size_t len)
{
	size_t stop = len;

	if (count && notes->at < stop)
		stop = (size_t)notes->at;
	if (e->object_len && at < e->object_at && e->object_at < stop)
		stop = e->object_at;
	return stop;
}

static int put_text(struct edi_escaping *e, struct span text, const struct edi_escape *notes, size_t count,
		    struct buf *out, uint32_t *foreign)
{
	bool noted = notes != NULL;
	size_t at = 0;

	while (at < text.len || count) {
		size_t n, stop;

		if (count && notes->at <= at) {
			if (notes->at < at || !edi_escaping_take(e->sets, &e->state, notes->bytes))
				return -1;
			buf_span(out, notes->bytes);
			notes++;
			count--;
			continue;
		}
		if (at >= text.len)
			return -1;
		if (e->object_len && at == e->object_at) {
			if (e->object_len > text.len - at)
				return -1;
			buf_append(out, text.data + at, e->object_len);
			at += e->object_len;
			continue;
		}
		stop = next_stop(e, at, notes, count, text.len);
		n = put_run(&e->state, span_make(text.data + at, stop - at), out);
		if (!n)
			n = put_one(e, span_make(text.data + at, text.len - at), noted, out, foreign);
		if (!n)
			return -1;
		at += n;
	}
	return 0;
}

int edi_escaping_put(struct edi_escaping *e, struct span text, const struct edi_escape *notes, size_t count,
		     struct buf *out, uint32_t *foreign)
{
	struct iso2022_state was = e->state;
	size_t from = out->len;

	*foreign = 0;
	if (!put_text(e, text, notes, count, out, foreign))
		return 0;
	e->state = was;
	out->len = from;
	return -1;
}
