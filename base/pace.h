/* How fast bytes may go: a token bucket for what this process moves over a line. An adapter asks for pieces that suit
 * the limit and says how much it moved; where that was too fast, it waits. Nothing waits while there is no limit.
 *
 * The bucket holds a quarter of a second's bytes, and it is the process's: a connection that breaks and is made anew
 * goes on with what is left of it. */
#ifndef FERRULE_BASE_PACE_H
#define FERRULE_BASE_PACE_H

#include <stdint.h>

void pace_limit(uint64_t bytes_per_second); /* from here on, with a full bucket; 0: none */
/* How much may be under way at once so that nothing comes in bursts, and in one piece: at most `most`, at least 1 KiB
 * (or `most`, if that is less). */
uint64_t pace_window(uint64_t most);
/* So much was moved. Returns how long to wait from now, in ms: what pace_took does, for who has a better use of the
 * time. Asks only clock_tick_ms. */
int64_t pace_owed(uint64_t bytes);
void pace_took(uint64_t bytes); /* waits */

#endif
