/* What FTP servers tell of files: facts of MLSD and MLST (RFC 3659), and LIST, which no standard describes and people
 * read. Pure: a line in, a file out; nothing of it is trusted. */
#ifndef FERRULE_ADAPTERS_FTP_LIST_H
#define FERRULE_ADAPTERS_FTP_LIST_H

#include "base/span.h"
#include "broker-adapters/remote/remote.h"

/* "Type=file;Size=12;Modify=20260102030405; name". False: it is no such line, it is about the folder itself or the one
 * above, or the name is none that a file in this folder can have. The name is part of the line. */
bool ftp_read_facts(struct span line, struct remote_attrs *, struct span *name);
/* The same of an answer to MLST, whose name is a path: only its facts. */
bool ftp_read_own_facts(struct span line, struct remote_attrs *);
/* As `ls -l` writes it, or DIR of DOS. Its times have no zone: they are compared with each other and nothing else.
 * `now`, in seconds, tells the year where it is left out. */
bool ftp_read_list(struct span line, int64_t now, struct remote_attrs *, struct span *name);
/* Can it be a name in a folder: no slash, no control characters, not . or .. */
bool ftp_name_fits(struct span name);

#endif
