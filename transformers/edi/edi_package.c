/* Where the object of a package lies in a document. See edi_package.h. */
#include "config.h"
#include "transformers/edi/edi_package.h"

#include <ctype.h>
#include <stdio.h>

#define CLOSING_MAX 256 /* bytes of an UNP that is looked for */

bool edi_opens_package(const struct edi_scan *scan, struct span text)
{
	return scan->dialect->package[0] && edi_is(&scan->syntax, text, scan->dialect->package[0]);
}

bool edi_octets(struct span digits, uint64_t *octets)
{
	*octets = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (!isdigit((unsigned char)digits.data[i]) || i == 18)
			return false;
		*octets = *octets * 10 + (uint64_t)(digits.data[i] - '0');
	}
	return digits.len != 0;
}

static bool begins_closing(const struct edi_scan *scan, struct span got)
{
	const char *name = scan->dialect->package[1];
	size_t n = strlen(name);

	return span_starts(got, name) && got.len > n && got.data[n] == scan->syntax.element;
}

/* UNP+ stands there. 1, 0, -1. The window stays where it is: lengths that are wrong shall not move it to and fro. */
static int is_closing(struct edi_scan *scan, uint64_t at, struct error *error)
{
	char bytes[4];
	size_t n = 0;

	while (n < sizeof bytes) {
		ssize_t more = window_peek(&scan->window, at + n, bytes + n, sizeof bytes - n, error);

		if (more < 0)
			return -1;
		if (!more)
			break;
		n += (size_t)more;
	}
	return begins_closing(scan, span_make(bytes, n));
}

/* It is a whole UNP with this reference. */
static bool closes(const struct edi_scan *scan, struct span got, const char *reference)
{
	const char *end = memchr(got.data, scan->syntax.terminator, got.len < CLOSING_MAX ? got.len : CLOSING_MAX);
	struct span text = span_make(got.data, end ? (size_t)(end - got.data) : 0);

	return end && span_is(edi_element(&scan->syntax, text, EDI_UNP_REFERENCE), reference);
}

/* The next UNP with this reference: it is the end of what cannot be cut by its length. */
static int search(struct edi_scan *scan, uint64_t from, const char *reference, uint64_t *found, struct error *error)
{
	const char *name = scan->dialect->package[1];
	struct span got;

	while (from < scan->window.size) {
		const char *at;

		if (window_get(&scan->window, from, CLOSING_MAX, &got, error))
			return -1;
		at = memmem(got.data, got.len, name, strlen(name));
		if (!at) {
			from += got.len > 2 && from + got.len < scan->window.size ? got.len - 2 : got.len;
			continue;
		}
		from += (uint64_t)(at - got.data);
		if (window_get(&scan->window, from, CLOSING_MAX, &got, error))
			return -1;
		if (begins_closing(scan, got) && closes(scan, got, reference)) {
			*found = from;
			return 1;
		}
		from++;
	}
	return 0;
}

/* How many octets the object has; REJECT. */
static int measure(const struct edi_scan *scan, const struct edi_segment *uno, struct edi_package *package)
{
	struct span status = edi_element(&scan->syntax, uno->text, EDI_UNO_STATUS),
		    length = edi_component(&scan->syntax, status, 1), before = edi_component(&scan->syntax, status, 2);
	uint64_t segments = 0;

	if (!edi_octets(length, &package->length))
		return edi_fault(&package->why, scan->dialect, "count",
				 "UNO04 says that the object has \"%.*s\" octets, which is no number of them",
				 SPAN_ARGS(edi_shown(length)));
	if (before.len && (!edi_octets(before, &segments) || segments))
		return edi_fault(&package->why, scan->dialect, "structure",
				 "UNO04 says that segments stand in front of the object, and these are not read");
	return 0;
}

int edi_package_find(struct edi_scan *scan, const struct edi_segment *uno, struct edi_package *package,
		     struct error *error)
{
	struct span reference = edi_element(&scan->syntax, uno->text, EDI_UNO_REFERENCE);
	char copy[EDI_CONTROL_MAX];
	uint64_t size = scan->window.size;
	int is = 0;

	memset(package, 0, sizeof *package);
	package->from = uno->end;
	snprintf(copy, sizeof copy, "%.*s", (int)(reference.len < sizeof copy ? reference.len : sizeof copy - 1),
		 reference.data ? reference.data : "");
	if (!measure(scan, uno, package)) {
		package->closing = package->from + package->length;
		if (package->from < size && package->length < size - package->from)
			is = is_closing(scan, package->closing, error);
		if (!is)
			edi_fault(&package->why, scan->dialect, "truncated",
				  "there is no UNP behind the %llu octets that UNO04 says",
				  (unsigned long long)package->length);
	}
	if (!is)
		is = search(scan, package->from, copy, &package->closing, error);
	edi_seek(scan, is > 0 ? package->closing : size);
	return is;
}
