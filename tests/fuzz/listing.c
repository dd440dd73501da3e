/* Fuzz target: lines of FTP servers' listings; what comes of one is a name that a folder can have. */
#include "config.h"

#include <stdlib.h>

#include "broker-adapters/ftp/ftp_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_of(struct span line, struct span name)
{
	if (!ftp_name_fits(name) || name.data < line.data || name.data + name.len > line.data + line.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	for (size_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t n = end ? (size_t)(end - text) - at : size - at;
		struct span line = span_make(text + at, n), name;
		struct remote_attrs attrs;

		if (ftp_read_facts(line, &attrs, &name))
			must_be_of(line, name);
		if (ftp_read_list(line, 1795456710, &attrs, &name))
			must_be_of(line, name);
		ftp_read_own_facts(line, &attrs);
		at += n + 1;
	}
	return 0;
}
