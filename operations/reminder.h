/* Troubles that last: when an owner is reminded of them, and what is remembered of that, in the store's table
 * ASK_REMINDERS (ask.h), one entry for each problem of `status`, by its `problem`:
 *   {since_ms, told_ms, times, gone_ms}      0: not yet; gone_ms: since when it is not seen any more
 * A problem that is seen again within REMINDER_GRACE_MS (or the interval, if that is shorter) is the same: processes
 * forget what they knew when they end. That time runs only while the site does. No clock and no I/O. */
#ifndef FERRULE_OPERATIONS_REMINDER_H
#define FERRULE_OPERATIONS_REMINDER_H

#include <jansson.h>
#include <stdint.h>

#define EVENT_STILL_OPEN "ferrule.still-open.v1"
#define REMINDER_GRACE_MS INT64_C(300000)
#define REMINDER_TROUBLES_MAX 1000 /* that are watched */
#define REMINDER_SHOWN_MAX 40      /* in one event; its `count` tells of all */

/* `status` as ask.h has it; `known` entries by name. A new reference:
 *   {put: {NAME: entry}, remove: [NAME], events: {OWNER: body}}
 * An owner's event has everything of that owner that has lasted for the interval, and comes an interval after the one
 * before it at the earliest. What is held (`ferrule hold`) is left out as long as that lasts. */
json_t *reminders_judge(const json_t *status, const json_t *known, int64_t remind_ms, int64_t now_ms);

#endif
