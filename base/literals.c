/* A hash table by address. See literals.h. */
#include "config.h"
#include "base/literals.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_SIZE 64

static struct literal *place_of(const struct literals *literals, const char *text)
{
	size_t at = ((uintptr_t)text >> 3) * 0x9e3779b97f4a7c15ull >> 20 & (literals->size - 1);

	while (literals->places[at].text && literals->places[at].text != text)
		at = (at + 1) & (literals->size - 1);
	return &literals->places[at];
}

static void grow(struct literals *literals)
{
	struct literals old = *literals;

	literals->size = old.size ? 2 * old.size : FIRST_SIZE;
	literals->places = mem_alloc(literals->size * sizeof *literals->places);
	for (size_t i = 0; i < old.size; i++)
		if (old.places[i].text)
			*place_of(literals, old.places[i].text) = old.places[i];
	free(old.places);
}

unsigned *literals_number(struct literals *literals, const char *text)
{
	struct literal *place;

	if (2 * literals->count >= literals->size)
		grow(literals);
	place = place_of(literals, text);
	if (!place->text) {
		place->text = text;
		literals->count++;
	}
	return &place->number;
}

void literals_free(struct literals *literals)
{
	free(literals->places);
	*literals = (struct literals){0};
}
