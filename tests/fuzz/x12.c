/* Fuzz target: any bytes as X12. */
#include "config.h"
#include "tests/fuzz/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_decoder("x12", data, size);
	return 0;
}
