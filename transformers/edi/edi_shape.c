/* Shapes of segments, sixty-four bytes at a time. See edi_shape.h. */
#include "config.h"
#include "transformers/edi/edi_shape.h"

#include "transformers/edi/edi_chunk.h"

#define LONGEST 1024 /* bytes of a segment; longer ones go another way */

#ifdef __SSE2__
static const char *take_by_class(const struct edi_syntax *syntax, const char *p, struct edi_shape *shape)
{
	uint64_t components = 0, empty = 0;
	unsigned n = 0, high = 0;
	const char *before = p;
	chunk wide[5];

	for (int i = 0; i < 5; i++)
		wide[i] = load(syntax->wide[i]);
	for (const char *block = p; block < p + LONGEST; block += 2 * STEP)
		for (unsigned bits = look(block, wide, ~0u, &high); bits; bits &= bits - 1) {
			const char *at = block + __builtin_ctz(bits);
			uint8_t class = syntax->class[(uint8_t)*at];

			if (n == EDI_SHAPE_MAX || (class != EDI_ELEMENT && class != EDI_COMPONENT && class != EDI_END))
				return NULL;
			components |= (uint64_t)(class != EDI_ELEMENT) << n;
			empty |= (uint64_t)(at == before) << n;
			before = at + 1;
			shape->at[n++] = (uint32_t)(at - p);
			if (class != EDI_END)
				continue;
			shape->bits = components | empty << EDI_SHAPE_MAX;
			shape->cells = n - 1;
			return at;
		}
	return NULL;
}
#endif

#ifdef AVX2
#define BITS __attribute__((target("avx2,bmi,bmi2,popcnt")))

struct look { /* a bit for each byte of sixty-four */
	uint64_t element, component, end, odd;
};

BITS static inline uint64_t bits_of(__m256i low, __m256i high)
{
	return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

BITS static inline uint64_t find(__m256i low, __m256i high, char c)
{
	const __m256i wide = _mm256_set1_epi8(c);

	return bits_of(_mm256_cmpeq_epi8(low, wide), _mm256_cmpeq_epi8(high, wide));
}

BITS static inline void look_at(const struct edi_syntax *syntax, const char *p, struct look *look)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p),
		high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
	unsigned low_signs, high_signs;

	look->odd = look_wide(p, syntax->columns, &low_signs);
	look->odd |= (uint64_t)look_wide(p + 32, syntax->columns, &high_signs) << 32;
	look->element = find(low, high, syntax->element);
	look->component = find(low, high, syntax->wide[1][0]);
	look->end = find(low, high, syntax->terminator);
	look->odd &= ~(look->element | look->component | look->end);
	look->odd |= low_signs | (uint64_t)high_signs << 32;
}

#define KEEP(i) (at[i] = base + (uint32_t)_tzcnt_u64(bits), bits &= bits - 1)

/* Eight at a time; behind the last they mean nothing. */
BITS static inline void keep(uint32_t *at, uint64_t bits, uint32_t base)
{
	for (; bits; at += 8) {
		KEEP(0);
		KEEP(1);
		KEEP(2);
		KEEP(3);
		KEEP(4);
		KEEP(5);
		KEEP(6);
		KEEP(7);
	}
}

/* Without a branch that depends on what stands in the segment, but for its length. */
BITS static const char *take_by_bits(const struct edi_syntax *syntax, const char *p, struct edi_shape *shape)
{
	uint64_t components = 0, empty = 0, carry = 0;
	unsigned n = 0;

	for (const char *block = p; block < p + LONGEST; block += 64) {
		struct look look;
		uint64_t within, marks;
		unsigned count;

		look_at(syntax, block, &look);
		within = look.end ^ (look.end - 1); /* up to the terminator; all, where there is none */
		marks = (look.element | look.component | look.end) & within;
		count = (unsigned)_mm_popcnt_u64(marks);
		if ((look.odd & within) || n + count > EDI_SHAPE_MAX)
			return NULL;
		components |= _pext_u64(look.component | look.end, marks) << n;
		empty |= _pext_u64(marks << 1 | carry, marks) << n;
		keep(shape->at + n, marks, (uint32_t)(block - p));
		n += count;
		carry = marks >> 63;
		if (!look.end)
			continue;
		shape->bits = components | empty << EDI_SHAPE_MAX;
		shape->cells = n - 1;
		return block + _tzcnt_u64(look.end);
	}
	return NULL;
}

/* The first processors of AMD that have these instructions take a hundred cycles for one. */
static bool has_bits(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
	       !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2");
}
#endif

edi_shape_taking *edi_shape_way(void)
{
#ifdef AVX2
	if (has_bits())
		return take_by_bits;
#endif
#ifdef __SSE2__
	return take_by_class;
#else
	return NULL;
#endif
}
