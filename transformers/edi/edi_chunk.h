/* Sixteen or thirty-two bytes at once, where the machine can: which of them are not plain text. */
#ifndef FERRULE_TRANSFORMERS_EDI_CHUNK_H
#define FERRULE_TRANSFORMERS_EDI_CHUNK_H

#include <stdint.h>

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

#if defined(__x86_64__) && !defined(FERRULE_NO_AVX2)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2"))) /* for functions that run where __builtin_cpu_supports("avx2") */

/* Of 2 * STEP bytes, as look() says it: ASCII is eight rows of sixteen, and a byte is special when the bit of its row
 * is set for its column. sign: a bit for each byte beyond ASCII, which columns say nothing of. */
AVX2 static inline unsigned look_wide(const char *p, const uint8_t columns[16], unsigned *sign)
{
	const __m256i rows = _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32,
					      64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p),
		row = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15)),
		column = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load((const char *)columns)), v),
		m = _mm256_and_si256(column, _mm256_shuffle_epi8(rows, row));

	*sign = (unsigned)_mm256_movemask_epi8(v);
	return ~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(m, _mm256_setzero_si256()));
}
#endif
#endif

#endif
