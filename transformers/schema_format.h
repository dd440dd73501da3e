/* Formats of JSON Schema. Only for schema.c. */
#ifndef FERRULE_TRANSFORMERS_SCHEMA_FORMAT_H
#define FERRULE_TRANSFORMERS_SCHEMA_FORMAT_H

#include <stdbool.h>

/* date and date-time (RFC 3339), email (its shape only), uuid (RFC 9562). True for formats that are not known. */
bool schema_format_fits(const char *format, const char *text);

#endif
