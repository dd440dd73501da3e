/* Fuzz target: any bytes as BAI2 reports. */
#include "config.h"
#include "tests/fuzz/flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct flat_key keys[] = {{"format", "bai2"}, {"totals", "note"}};

	flat_decode(keys, 1 + size % 2, NULL, data, size);
	return 0;
}
