/* Whether a value is what most of its kind are, told at once and without a call: what is not may still be right. Behind
 * a value there are WINDOW_SLACK bytes that may be read. */
#ifndef FERRULE_TRANSFORMERS_EDI_RIGHT_H
#define FERRULE_TRANSFORMERS_EDI_RIGHT_H

#include "transformers/edi/edi_chunk.h"
#include "transformers/edi/edi_grammar.h"

static inline bool edi_fits(uint32_t n, uint32_t min, uint32_t max)
{
	return n - min <= max - min;
}

/* A code of at most eight bytes that is in the list. */
static inline bool edi_is_code(const struct edi_codes *codes, const char *p, uint32_t len)
{
	static const uint64_t masks[9] = {
		0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, ~(uint64_t)0};
	uint64_t head;

	if (len > 8)
		return false;
	memcpy(&head, p, sizeof head);
	return edi_code_is(codes, head & masks[len], len);
}

/* Digits, a minus in front of them, and a point among them where `point`; as many digits as `data` asks for. */
static inline bool edi_is_number(const char *p, uint32_t len, bool point, uint32_t min, uint32_t max)
{
#ifdef __SSE2__
	const chunk v = load(p), digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	const unsigned all = (1u << (len & 31)) - 1;
	unsigned digits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)),
		 points = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.'))) & all, minus = *p == '-';

	return len <= STEP && ((digits | points | minus) & all) == all && !(points & (points - 1)) &&
	       (point || !points) && len > minus + (points != 0) && edi_fits(len - minus - (points != 0), min, max);
#else
	const char *end = p + len;
	uint32_t digits = 0;

	for (p += len && *p == '-'; p < end; p++) {
		if (*p >= '0' && *p <= '9')
			digits++;
		else if (*p == '.' && point)
			point = false;
		else
			return false;
	}
	return digits && edi_fits(digits, min, max);
#endif
}

/* 20260131; not the 29th of a February. */
static inline bool edi_is_day(const char *p, uint32_t len)
{
	static const uint8_t days[16] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0};
	const uint64_t high = 0xf0f0f0f0f0f0f0f0u, zeros = 0x3030303030303030u, six = 0x0606060606060606u;
	unsigned month, day;
	uint64_t text;

	memcpy(&text, p, sizeof text);
	month = (unsigned)(p[4] - '0') * 10 + (unsigned)(p[5] - '0');
	day = (unsigned)(p[6] - '0') * 10 + (unsigned)(p[7] - '0');
	return len == 8 && (text & high) == zeros && ((text + six) & high) == zeros && month < 16 &&
	       day - 1 < days[month];
}

/* 2026-01-31 of it. */
static inline char *edi_put_day(char *o, const char *p)
{
	memcpy(o, p, 4);
	o[4] = o[7] = '-';
	memcpy(o + 5, p + 4, 2);
	memcpy(o + 8, p + 6, 2);
	return o + 10;
}

#endif
