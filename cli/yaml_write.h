/* Data as YAML that people would write: plain where that is read back as the same, quoted elsewhere. */
#ifndef FERRULE_CLI_YAML_WRITE_H
#define FERRULE_CLI_YAML_WRITE_H

#include <jansson.h>

#include "base/buf.h"

/* Appends the value behind `key:` or `-`, with its line end: on the same line, or as a block whose lines begin with
 * `indent` spaces. */
void yaml_write_value(struct buf *, const json_t *, size_t indent);
void yaml_write_text(struct buf *, struct span text); /* one scalar, without a line end */
/* "key: value", a line or a block; `indent` is the key's. The indentation of the first line is the caller's. */
void yaml_write_pair(struct buf *, const char *key, const json_t *, size_t indent);

#endif
