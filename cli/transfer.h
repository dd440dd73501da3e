/* The parts of `ferrule transfer` that have files of their own. */
#ifndef FERRULE_CLI_TRANSFER_H
#define FERRULE_CLI_TRANSFER_H

#include "cli/site.h"

/* account add PARTNER: needs no site. */
int transfer_account(const struct arguments *);
/* trust SYSTEM: asks the other machine alone, and writes its key where it is pinned. The site need not run. */
int transfer_trust(const struct arguments *);
/* sent FLOW: the copies that are kept of what it delivered. */
int transfer_sent(const struct arguments *, struct session *);

#endif
