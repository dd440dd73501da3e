/* What the files of `ferrule dead` share. */
#ifndef FERRULE_CLI_DEAD_H
#define FERRULE_CLI_DEAD_H

#include "cli/site.h"

/* A filter as dead.list takes it, from the options. *code: 0, or usage was said. */
json_t *dead_filter(const struct arguments *, int64_t limit, int *code);
/* One in full, by its number or by (the beginning of) its message's id. NULL: it was said. */
json_t *dead_get(const struct arguments *, struct session *, const char *which, int *code);
/* What people call it: its keys, else the document that it came from. */
const char *dead_name(char *text, const json_t *letter);

int dead_replay(const struct arguments *, struct session *);
int dead_discard(const struct arguments *, struct session *);
int dead_edit(const struct arguments *, struct session *);

#endif
