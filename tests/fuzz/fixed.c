/* Fuzz target: any bytes as fixed-width records of some layouts, which the first byte chooses; what is read without a
 * finding must come back as it was. */
#include "config.h"
#include "tests/fuzz/fixed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool same;

	if (!size)
		return 0;
	fixed_round(fixed_layouts[data[0] % FIXED_LAYOUTS].name, &fixed_context, span_make(data + 1, size - 1), &same);
	if (!same)
		abort();
	return 0;
}
