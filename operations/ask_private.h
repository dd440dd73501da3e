/* What the files of operations/ask.c share; nobody else includes it. */
#ifndef FERRULE_OPERATIONS_ASK_PRIVATE_H
#define FERRULE_OPERATIONS_ASK_PRIVATE_H

#include "operations/ask.h"
#include "operations/store_private.h"

#define ASK_LIMIT     200   /* rows of an answer when the request does not say */
#define ASK_LIMIT_MAX 50000 /* an answer has a size */
#define ASK_PREFIX    8     /* digits of an id that may stand for it when they are unique */

typedef int ask_fn(struct ask_context *, json_t *request, json_t *answer, struct error *);
typedef int ask_change_fn(struct ask_context *, json_t *request, struct error *);

/* ---- requests; each names the field that is wrong (REJECT `ask.request`) */
int ask_text(json_t *request, const char *name, const char *fallback, const char **,
	     struct error *); /* fallback NULL: required */
int ask_int(json_t *request, const char *name, int64_t fallback, int64_t low, int64_t high, int64_t *, struct error *);
int ask_int_required(json_t *request, const char *name, int64_t low, int64_t high, int64_t *, struct error *);
int ask_limit(json_t *request, int64_t *, struct error *);
int ask_bytes(json_t *request, const char *name, struct buf *, struct error *); /* base64 */
/* An id or at least ASK_PREFIX digits of one: the least and the greatest that it may be. */
int ask_id_range(json_t *request, const char *name, struct id *low, struct id *high, struct error *);
int ask_range_parse(struct span hex, struct id *low, struct id *high); /* -1: no digits, or too few or too many */

/* ---- answers; NULL becomes null */
void ask_put_text(json_t *object, const char *name, struct value);
void ask_put_int(json_t *object, const char *name, struct value);
void ask_put_hex(json_t *object, const char *name, struct value);
void ask_put_base64(json_t *object, const char *name, struct value);
void ask_put_json(json_t *object, const char *name, struct value); /* stored JSON; text when it is none */
json_t *ask_string(struct span);
json_t *ask_key(struct span name, struct span value); /* {name, value} */
json_t *ask_keys(struct span envelope);               /* of a stored message; [] when it cannot be read */

/* ---- the questions and changes */
ask_fn ask_dead_list, ask_dead_get, ask_doubt_list, ask_doubt_get, ask_effect_find, ask_holds, ask_parks, ask_idle,
	ask_revision, ask_pins, ask_status, ask_log, ask_tables, ask_table_list, ask_table_find;
ask_fn ask_audit_list;
ask_change_fn ask_audit_note, ask_audit_checkpoint;
ask_fn ask_held_due, ask_held_page, ask_collect_list, ask_collect_get;
ask_change_fn ask_event_tell, ask_intake_put;
ask_change_fn ask_held_close, ask_held_closed, ask_held_clean, ask_held_released, ask_held_skip, ask_collect_close;
ask_change_fn ask_dead_replayed, ask_dead_replay, ask_dead_discarded, ask_dead_edited, ask_doubt_confirmed,
	ask_doubt_resend, ask_hold_set, ask_hold_release, ask_revision_put, ask_table_put, ask_table_remove;
ask_change_fn ask_transfer_run, ask_transfer_skip;
ask_fn ask_expect_due, ask_expect_list;
ask_change_fn ask_expect_open, ask_expect_arrived, ask_expect_judge, ask_expect_close, ask_event_told;

int ask_dead_groups(struct ask_context *, json_t *request, json_t *groups, struct error *); /* as dead.list has them */

/* The record of a change that was made: `what` with the request's facts. */
int ask_audited(struct ask_context *, const char *what, json_t *request, struct error *);
/* Each expectation with its counts, as status has it, and those that were missed as problems. */
int ask_expectations(struct ask_context *, json_t *expectations, json_t *problems, struct error *);

/* What ends some day, and what of it is a problem by now. */
int ask_expiring(struct ask_context *, json_t *answer, struct error *);

/* What waits in durable steps, by step, as status has it. */
int ask_held_steps(struct ask_context *, json_t *steps, struct error *);

#endif
