/* Names of members of an archive: read in the character set they are in, and refused where they lead out of it.
 * Pure. */
#ifndef FERRULE_TRANSFORMERS_ZIP_NAME_H
#define FERRULE_TRANSFORMERS_ZIP_NAME_H

#include "base/buf.h"
#include "base/error.h"

#define ZIP_NAME_MAX 1024

/* Appends the name as UTF-8: as it is when it is that, else from code page 437, which ZIP means where nothing else is
 * said (APPNOTE 6.3.10, appendix D). Backslashes become slashes. REJECT `zip.path`: it is empty, too long, absolute,
 * holds `..`, a drive or a control character. */
int zip_name(struct buf *, struct span raw, struct error *);

#endif
