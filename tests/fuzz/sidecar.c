/* Fuzz target: any bytes as a sidecar; what was made is read again. */
#include "config.h"

#include <stdlib.h>

#include "base/sidecar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_make(data, size), name = SPAN_LITERAL("orders.csv");
	struct reader *reader = reader_new_copy(bytes);
	struct sidecar sidecar;
	struct error error;
	struct buf text;

	if (!sidecar_read(&sidecar, bytes, name, &error)) {
		if (!sidecar.has_digest && !sidecar.has_bytes && !sidecar.has_lines)
			abort();
		sidecar_check(&sidecar, reader, NULL, NULL, &error);
	}
	buf_init(&text, 4096);
	if (sidecar_make(&text, DIGEST_SHA256, size & 1, name, reader, NULL, NULL, &error) ||
	    sidecar_read(&sidecar, buf_view(&text), name, &error) ||
	    sidecar_check(&sidecar, reader, NULL, NULL, &error))
		abort();
	buf_free(&text);
	reader_unref(reader);
	return 0;
}
