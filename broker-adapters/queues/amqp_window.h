/* Books of what is under way with the broker: publishes without an answer, deliveries without a settlement. Pure. */
#ifndef FERRULE_ADAPTERS_AMQP_WINDOW_H
#define FERRULE_ADAPTERS_AMQP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

/* ---- publishes: numbered from 1 on a channel, answered one by one or up to a number, in any order ------------- */

struct window;
typedef void window_fn(void *arg, uint64_t token); /* may put */

struct window *window_new(size_t capacity);
void window_free(struct window *);
bool window_full(const struct window *);
size_t window_open(const struct window *); /* without an answer */
/* What a return will be found by: the message and where it was sent. */
struct id window_key(struct span message_id, struct span exchange, struct span key);
void window_put(struct window *, uint64_t token, const struct id *key); /* the next number; not while full */
/* The first open publish with this key was returned: its token, and the answer that follows is only its end. */
bool window_return(struct window *, const struct id *key, uint64_t *token);
void window_answer(struct window *, uint64_t number, bool multiple, window_fn *, void *arg);
/* Every open publish, oldest first; numbers start at 1 again. */
void window_fail(struct window *, window_fn *, void *arg);

/* ---- deliveries: tags of our own, never used twice, for the broker's -------------------------------------------- */

struct ledger;
typedef int ledger_ack_fn(void *arg, uint64_t delivery, bool multiple); /* -1 stops */

struct ledger *ledger_new(void);
void ledger_free(struct ledger *);
uint64_t ledger_add(struct ledger *, uint64_t delivery, uint32_t line);
/* The broker's tag and the queue of one of ours; false when it is void. */
bool ledger_find(const struct ledger *, uint64_t tag, uint64_t *delivery, uint32_t *line);
bool ledger_settle(struct ledger *, uint64_t tag); /* to be acknowledged by the next ledger_flush */
bool ledger_drop(struct ledger *, uint64_t tag);   /* given back already */
bool ledger_unflushed(const struct ledger *);
/* As few acknowledgements as can be: one for everything up to the oldest that is unsettled, one for each other. */
int ledger_flush(struct ledger *, ledger_ack_fn *, void *arg);
void ledger_clear(struct ledger *); /* every tag is void */

#endif
