/* Formats of JSON Schema 2020-12 (validation, section 7.3). Only for schema*.c.
 *
 * date, time, date-time, duration (RFC 3339), email, idn-email (RFC 5321, 6531), hostname, idn-hostname (RFC 1123, 5890
 * and following), ipv4, ipv6 (RFC 2673, 4291), uri, uri-reference, iri, iri-reference (RFC 3986, 3987), uri-template
 * (RFC 6570), uuid (RFC 4122), json-pointer, relative-json-pointer (RFC 6901), regex (ECMA 262). */
#ifndef FERRULE_TRANSFORMERS_SCHEMA_FORMAT_H
#define FERRULE_TRANSFORMERS_SCHEMA_FORMAT_H

#include <stdint.h>

#include "base/span.h"

struct format {
	const char *name, *words; /* "a date, such as 2026-03-02" */
	bool (*fits)(struct span text);
};

const struct format *schema_format(const char *name); /* NULL: not known, so everything fits */

/* Of the names that are known the one that is meant, perhaps; or NULL. */
const char *schema_format_near(const char *name);

/* Those of names in networks (schema_format_net.c). */
bool format_email(struct span);
bool format_idn_email(struct span);
bool format_hostname(struct span);
bool format_idn_hostname(struct span);
bool format_ipv4(struct span);
bool format_ipv6(struct span);
bool format_uri(struct span);
bool format_uri_reference(struct span);
bool format_iri(struct span);
bool format_iri_reference(struct span);
bool format_uri_template(struct span);
/* Takes one code point off the front of what is not empty (schema_format_idn.c). */
uint32_t format_take_point(struct span *);

#endif
