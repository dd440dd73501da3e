/* Secrets: referred to by name, kept outside the site, read only by the process that needs them, never printed.
 * NAME is a file NAME in the secrets directory (mode 0700 or it is refused), else the environment variable
 * FERRULE_SECRET_NAME (name in upper case, - and . as _). */
#ifndef FERRULE_BASE_SECRET_H
#define FERRULE_BASE_SECRET_H

#include "base/buf.h"
#include "base/error.h"

struct secret; /* its bytes are wiped when freed */

/* NULL: FATAL `secret.missing`, `secret.mode`, `secret.unreadable` */
struct secret *secret_new(const char *directory, const char *name, struct error *);
struct secret *secret_from(struct span value); /* tests, and values that were handed over */
struct span secret_reveal(const struct secret *); /* borrowed; a trailing newline of the file is not part of it */
void secret_free(struct secret *);
bool secret_name_fits(struct span); /* 1 to 64 letters, digits, - _ and ., not . first */
/* For check, without reading it: 0 it could be read now, by this process; 1 it is not there, or empty; -1 it is there
 * and secret_new would refuse it, or nothing there can be read: why, as secret_new says it. */
int secret_state(const char *directory, const char *name, struct error *);
int secret_directory_state(const char *directory, struct error *); /* the same of the directory alone */

#endif
