/* Sequence numbers of transfers: those that are given to what comes in, and those that a partner gives, which may lack
 * some. Pure but for the expression; the state is part of what the store remembers of a source (turns.h):
 * {next, period, given: {MESSAGE: number}} or {next, missing: [[first, last]], repeated}. */
#ifndef FERRULE_SERVICES_TURNS_SEQUENCE_H
#define FERRULE_SERVICES_TURNS_SEQUENCE_H

#include <jansson.h>

#include "base/message.h"
#include "config/transfer.h"

#define SEQUENCE_GIVEN_MAX 200   /* numbers that are kept for messages not known to be accepted */
#define SEQUENCE_MISSING_MAX 100 /* ranges; the oldest go */

/* The number of this message, the same if it was given one before; period: the day or year that numbers begin anew in.
 * Sets its attribute `sequence`. */
void sequence_give(const struct sequence_spec *, json_t *state, const char *period, struct message *);
/* They are accepted: what was given to them need not be kept. */
void sequence_accepted(json_t *state);
/* The number that the partner gave it, against those before. True: it changed what is missing. REJECT from the
 * expression, or `sequence.number` where it gives no number; then nothing changed. */
int sequence_check(const struct sequence_spec *, json_t *state, const struct message *, bool *changed, struct error *);
/* "6, 8-9": what is missing; "" when nothing is. */
void sequence_missing(const json_t *state, char *text, size_t size);

#endif
