/* Sixteen bytes at once, where the machine can: which of them are not plain text. See edi_json.c. */
#ifndef FERRULE_TRANSFORMERS_EDI_CHUNK_H
#define FERRULE_TRANSFORMERS_EDI_CHUNK_H

#ifdef __SSE2__
#include <emmintrin.h>

#define STEP 16

typedef __m128i chunk;

static inline chunk load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void store(char *o, chunk v)
{
	_mm_storeu_si128((__m128i *)(void *)o, v);
}

/* A bit for each byte that is not plain text. */
static inline unsigned special(chunk v, const chunk wide[5])
{
	chunk m = _mm_or_si128(_mm_cmpeq_epi8(v, wide[0]), _mm_cmpeq_epi8(v, wide[1]));

	m = _mm_or_si128(m, _mm_or_si128(_mm_cmpeq_epi8(v, wide[2]), _mm_cmpeq_epi8(v, wide[3])));
	m = _mm_or_si128(m, _mm_or_si128(_mm_cmpeq_epi8(v, wide[4]), _mm_cmpeq_epi8(v, _mm_set1_epi8('"'))));
	m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
	m = _mm_or_si128(m, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
	m = _mm_or_si128(m, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
	return (unsigned)_mm_movemask_epi8(m);
}

static inline unsigned signs(chunk v)
{
	return (unsigned)_mm_movemask_epi8(v);
}

/* Thirty-two bytes: a bit for each that is not plain text. */
static inline unsigned look(const char *p, const chunk wide[5], unsigned mask, unsigned *high)
{
	chunk a = load(p), b = load(p + STEP);
	unsigned sign = signs(a) | signs(b) << STEP;

	*high |= sign;
	return special(a, wide) | special(b, wide) << STEP | (sign & mask);
}
#endif

#endif
