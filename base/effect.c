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
