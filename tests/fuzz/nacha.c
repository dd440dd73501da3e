/* Fuzz target: any bytes as ACH files. */
#include "config.h"
#include "tests/fuzz/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_key keys[] = {{"format", "nacha"}};

	fuzz_decode(keys, 1, data, size);
	return 0;
}
