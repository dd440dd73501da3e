/* Fuzz target: any bytes as an audit trail, a record a line; behind the first that is refused nothing is judged. */
#include "config.h"

#include <stdint.h>

#include "operations/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size);
	struct audit_check check = {0};
	struct error error = {0};

	while (rest.len) {
		const char *end = memchr(rest.data, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.data) : rest.len;

		if (audit_check_line(&check, span_make(rest.data, len), &error))
			break;
		rest = span_make(rest.data + len + (end != NULL), rest.len - len - (end != NULL));
	}
	if (check.signed_number > check.head.number || check.keys_count > AUDIT_KEYS_MAX)
		__builtin_trap();
	return 0;
}
