/* Fuzz target: any bytes as TRADACOMS; what is read without a finding must be the same bytes when it is encoded
 * again. */
#include "config.h"
#include "tests/fuzz/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool same;

	round_trip("tradacoms", span_make(data, size), &same);
	if (!same)
		abort();
	return 0;
}
