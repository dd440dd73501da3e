/* An effect: what one delivery does to a target. Its key is the identity of "this message at this endpoint, this
 * generation"; the intent is stored before it is tried, the receipt after. */
#ifndef FERRULE_BASE_EFFECT_H
#define FERRULE_BASE_EFFECT_H

#include "base/message.h"

enum intent { INTENT_GO, INTENT_DONE, INTENT_BUSY, INTENT_DOUBT };

/* What the store says of an intent: */
struct intention {
	/* GO: yours, do it. DONE: a receipt exists. BUSY: another live session is at it. DOUBT: a dead session's, one
	 * that this session gave up, or an unresolved one, now yours to resolve. Who intends has no other copy of the
	 * message in hand. */
	enum intent answer;
	bool same_request;      /* DONE, DOUBT: the stored request digest equals this one */
	int64_t first_ms;       /* when it was first intended */
	uint32_t attempts;      /* intents so far, this one included */
};

enum resolved { RESOLVED_HAPPENED, RESOLVED_NOT, RESOLVED_UNKNOWN };

/* SHA-256 over endpoint, message id and generation; the revision is left out on purpose. */
struct id effect_key(const char *endpoint, const struct message *);
/* The generation of what a person delivers anew now, later than any before; and when that was. */
uint32_t effect_generation(int64_t now_ms);
int64_t effect_generation_ms(uint32_t generation);

#endif
