/* Fuzz target: any bytes as the queues of a site. What is read is found by name, and comes back the same. */
#include "config.h"
#include "base/topology.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error;
	struct topology *topology = topology_decode_new(span_make(data, size), &error), *back;
	struct buf buf, again;

	if (!topology)
		return 0;
	buf_init(&buf, 64 << 20);
	buf_init(&again, 64 << 20);
	for (size_t i = 0; i < topology->count; i++)
		if (topology_find(topology, span_of(topology->queues[i].name)) != &topology->queues[i])
			abort();
	topology_encode(topology, &buf);
	back = topology_decode_new(buf_view(&buf), &error);
	if (!back)
		abort();
	topology_encode(back, &again);
	if (!span_equal(buf_view(&buf), buf_view(&again)))
		abort();
	buf_free(&buf);
	buf_free(&again);
	topology_free(topology);
	topology_free(back);
	return 0;
}
