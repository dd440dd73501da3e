/* Stored messages (dead letters, doubts) as JSON answers carry them: envelope and body in base64. */
#ifndef FERRULE_CLI_LETTER_H
#define FERRULE_CLI_LETTER_H

#include <jansson.h>

#include "services/session.h"

/* The message of an answer, with its body at hand when that travels inline. NULL: the error. */
struct message *letter_message_new(const json_t *letter, struct error *);
/* Its body, from the answer or from the vault. */
int letter_body(struct session *, const json_t *letter, struct buf *, struct error *);
/* The beginning of a body under a title, if a terminal can show it. */
void letter_print(const char *title, struct span bytes);
/* Brings a dead letter to its queue again, under today's revision, and marks it as replayed, in one unit. again: what
 * was delivered before is delivered anew, as a generation of its own. */
int letter_replay(struct session *, const json_t *letter, bool again, struct error *);
/* Brings a doubtful delivery to its endpoint's queue again and withdraws its intent, in one unit. */
int letter_resend(struct session *, const json_t *doubt, const char *note, struct error *);
/* Into the queue, with the record that it was replayed, in one unit. */
int letter_publish(struct session *, const struct message *, const char *queue, struct error *);
/* What every replay does to a message: today's revision, no history of failures, a new life span. */
void letter_refresh(struct session *, struct message *, bool again);

#endif
