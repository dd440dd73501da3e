/* What a durable step says of an item that waits in it: under which key, and when what waits goes on. A step makes one
 * (collect, resequence and dedupe in transformers/steps/), the unit carries it to the queue process, the store acts on
 * it (operations/held.h). */
#ifndef FERRULE_BASE_HOLD_H
#define FERRULE_BASE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

#define HOLD_LABEL_MAX 128
#define HOLD_NUMBER_MAX INT64_C(1000000000000000)

enum hold_kind {
	HOLD_COLLECT = 1, /* members become one message */
	HOLD_SEQUENCE,    /* goes on when its number is next */
	HOLD_FIRST,       /* goes on when it is the first of its key */
};

enum hold_policy {
	HOLD_REJECT, /* what is not whole becomes dead letters */
	HOLD_PASS,   /* goes on as it is; for HOLD_FIRST: other content under a known key is dropped, too */
	HOLD_WAIT,   /* HOLD_SEQUENCE: a gap waits for a person */
};

struct hold {
	enum hold_kind kind;
	enum hold_policy policy;
	struct id key;
	struct span label; /* the key for people, at most HOLD_LABEL_MAX */
	/* HOLD_COLLECT: closes when it has so many, or so many bytes; 0: no matter. Never more than bytes_most. */
	uint64_t count, bytes, bytes_most;
	bool change;                /* … when a message of another key comes */
	bool group;                 /* the key is the group of a split: closes when the group is complete */
	uint32_t place, group_size; /* of a group; size 0: not known here */
	int64_t within_ms;          /* since the first; HOLD_SEQUENCE: how long a gap waits; HOLD_FIRST: how long it is
				       remembered; 0: for ever */
	int at_minute;              /* local time of day, minutes since midnight; -1: no matter */
	int64_t number, start;      /* HOLD_SEQUENCE: its own, and the first of all */
	bool everywhere;            /* HOLD_FIRST: known to all flows of the site */
};

/* Why a place of a group stays empty. */
enum gap {
	GAP_DEAD = 2, /* what was there is a dead letter */
	GAP_DROPPED,  /* the flow let it go: a filter, a branch that leads elsewhere */
};

#endif
