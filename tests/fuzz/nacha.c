/* Fuzz target: any bytes as ACH files. */
#include "config.h"
#include "tests/fuzz/flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct flat_key keys[] = {{"format", "nacha"}};

	flat_decode(keys, 1, NULL, data, size);
	return 0;
}
