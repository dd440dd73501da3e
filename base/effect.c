/* Effects. See effect.h. */
#include "config.h"
#include "base/effect.h"

struct id effect_key(const char *endpoint, const struct message *message)
{
	uint8_t generation[4];
	struct span parts[3] = {span_of(endpoint), id_span(&message->id), span_make(generation, sizeof generation)};

	for (size_t i = 0; i < sizeof generation; i++)
		generation[i] = (uint8_t)(message->generation >> (8 * i));
	return id_of(parts, 3);
}

#define GENERATIONS_SINCE_MS 1750000000000 /* June 2025; tenths of a second since then fit until 2039 */

uint32_t effect_generation(int64_t now_ms)
{
	return (uint32_t)((now_ms - GENERATIONS_SINCE_MS) / 100);
}

int64_t effect_generation_ms(uint32_t generation)
{
	return GENERATIONS_SINCE_MS + (int64_t)generation * 100;
}
