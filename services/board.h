/* The board: a page of shared memory with a slot for each worker. A worker notes the message in hand and its progress
 * there; the supervisor reads it after an abnormal death, and to see who stands still. Nothing else is shared between
 * processes. */
#ifndef FERRULE_SERVICES_BOARD_H
#define FERRULE_SERVICES_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"

#define BOARD_SLOTS 256
#define BOARD_CAUSE 200

struct board_slot {
	_Atomic uint32_t holding;  /* 1: `id` is in hand; no id: a poller is at work on its source */
	_Atomic uint32_t ticks;    /* one more with every bit of progress */
	_Atomic uint32_t ready;    /* 1: the role does its work (connected and consuming) */
	_Atomic uint32_t stopping; /* 1: it drains, and standing still is no fault */
	_Atomic uint32_t polled;   /* a poller: 1 once everything at its source was taken */
	struct id id;
	char step[48];           /* what is being done with it */
	char cause[BOARD_CAUSE]; /* why the worker ends, when it knows */
	bool hopeless;           /* … and nothing from outside is awaited: the same again would end alike */
};

struct board;
struct board *board_new(struct error *); /* shared with every process forked from here */
void board_free(struct board *);
struct board_slot *board_slot(struct board *, unsigned number);

void board_hold(struct board_slot *, const struct id *);
void board_let_go(struct board_slot *);
void board_step(struct board_slot *, const char *step);
static inline void board_tick(struct board_slot *slot)
{
	atomic_fetch_add_explicit(&slot->ticks, 1, memory_order_relaxed);
}

#endif
