/* Fuzz target: any bytes as CSV. The first byte chooses the settings. */
#include "config.h"
#include "tests/fuzz/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ragged[] = {"reject", "pad", "keep", "keep"},
				 *const stray[] = {"text", "reject", "loose", "loose"},
				 *const charsets[] = {NULL, "UTF-16", "CP1252", "GB18030"};
	unsigned choice = size ? data[0] : 0;
	struct fuzz_key keys[10] = {
		{"format", "csv"},
		{"ragged", ragged[choice & 3]},
		{"stray-quotes", stray[choice >> 2 & 3]},
		{"each", choice & 16 ? "document" : "row"},
		{"header", choice & 32 ? "no" : "yes"},
		{"trim", choice & 64 ? "yes" : "no"},
		{"excel-text", choice & 64 ? "yes" : "no"},
		{"field-max", "300"},
	};
	size_t n = 8;

	if (choice & 128)
		keys[n++] = (struct fuzz_key){"charset", charsets[choice & 3] ? charsets[choice & 3] : "UTF-8"};
	fuzz_decode(keys, n, data + (size > 0), size - (size > 0));
	return 0;
}
