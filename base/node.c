/* Trees as YAML gives them. See node.h. */
#include "config.h"
#include "base/node.h"

const struct node *node_find(const struct node *map, const char *key)
{
	if (!map || map->type != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (span_is(map->pairs[i].key.text, key))
			return map->pairs[i].value;
	return NULL;
}
