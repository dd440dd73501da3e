/* The audit trail: what operators did, which configuration ran, which keys were taken in, what was transferred; in
 * records that each carry the hash of the one before, with signed check points. Records live in the store and are
 * written in the transaction of what they tell of, so there is none without the other; keys are files, and told in a
 * record of their own. This part is the chain itself, without any I/O: records as lines, and their verification.
 *
 * A line is one JSON object, its members in this order:
 *   {"n":7,"at":"2026-01-31T12:00:00.000Z","what":"hold.set","by":"dana","facts":{…},"before":"<64 digits>"}
 * The hash of a record is SHA-256 over the bytes of its line, without an end of line; `before` is that of record n - 1,
 * zeros in front of record 1. Two kinds of record speak of the chain itself:
 *   audit.key    {"key":"<public key, base64>"}: this key signs from here on
 *   checkpoint   {"key":…,"signature":"<base64>"}: Ed25519 (RFC 8032) over
 *                "ferrule audit\n<n>\n<at>\n<before>\n", that is over every record before it */
#ifndef FERRULE_OPERATIONS_AUDIT_H
#define FERRULE_OPERATIONS_AUDIT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/error.h"

#define AUDIT_LINE_MAX  (64u << 10)
#define AUDIT_WHAT_MAX  64
#define AUDIT_EVERY     64 /* records from one check point to the next, at most */

struct audit_head { /* the newest record; all zeros: there is none yet */
	int64_t number, at_ms;
	uint8_t hash[SHA256_SIZE];
};

struct audit_key {
	uint8_t seed[SIGN_KEY_SIZE], public_key[SIGN_KEY_SIZE];
};

/* The key in the file (32 bytes, mode 0600), made when there is none. -1: FATAL `audit.key`. */
int audit_key_load(struct audit_key *, const char *path, struct error *);

/* The record behind *head as a line, without an end of line; *head becomes it. What would make the line longer than
 * AUDIT_LINE_MAX is left out of the facts and replaced by its digest; of a name 256 bytes are kept. A time before the
 * newest record's becomes that one: a clock that was put back makes no gap. Borrows facts (an object, or NULL). */
void audit_record(struct audit_head *head, int64_t at_ms, const char *what, const char *who, const json_t *facts,
		  struct buf *line);
void audit_checkpoint(struct audit_head *head, int64_t at_ms, const struct audit_key *, struct buf *line);
void audit_announce(struct audit_head *head, int64_t at_ms, const struct audit_key *, struct buf *line);

/* ---- verification, line by line from the first */
#define AUDIT_KEYS_MAX 64
struct audit_check {
	struct audit_head head;
	uint8_t keys[AUDIT_KEYS_MAX][SIGN_KEY_SIZE]; /* announced so far; with `pinned` only the one given */
	size_t keys_count;
	bool pinned;
	int64_t checkpoints, signed_number; /* the newest record that a check point vouches for */
};
/* -1: REJECT `audit.line` (no record), `audit.number`, `audit.chain` (not the hash of the one before), `audit.time`
 * (older than the one before), `audit.signature`, `audit.key-unknown`. The text names the record. */
int audit_check_line(struct audit_check *, struct span line, struct error *);

#endif
