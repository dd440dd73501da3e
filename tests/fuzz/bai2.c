/* Fuzz target: any bytes as BAI2 reports. */
#include "config.h"
#include "tests/fuzz/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_key keys[] = {{"format", "bai2"}, {"totals", "note"}};

	fuzz_decode(keys, 1 + size % 2, data, size);
	return 0;
}
