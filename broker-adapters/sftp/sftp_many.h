/* Many files at once over one connection. What is done with each is written as if it were alone: request, answer, next
 * request. Here several such walks go side by side, each on a stack of its own in this one thread: who waits for an
 * answer gives way, and the requests of all go out together. So the order of steps is kept for each file, and a round
 * trip is paid for all of them once. */
#ifndef FERRULE_ADAPTERS_SFTP_MANY_H
#define FERRULE_ADAPTERS_SFTP_MANY_H

#include "broker-adapters/sftp/sftp_wire.h"

/* As `many`, `in_many` and `claim` of struct remote_ops. */
void sftp_many(struct sftp *, remote_one_fn *one, void *const *args, size_t n);
bool sftp_in_many(const struct sftp *);
void sftp_claim(struct sftp *, const char *path);

/* For sftp_wire.c: the next answer for whoever runs now; and whose answer it will be. */
int sftp_many_next(struct sftp *, struct sftp_reply *, struct error *);
void sftp_many_owns(struct sftp *, uint32_t id);
void sftp_many_free(struct sftp_many *);

#endif
