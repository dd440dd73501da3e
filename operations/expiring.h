/* What ends some day: keys of the site's OpenPGP keyring, certificates, secrets whose end is stated. When it is told
 * of, and what is remembered of that, in the store's table ASK_EXPIRING: one entry for each, by KIND:ID,
 *   {kind, name, used, owner, runbook, expires_ms, told_ms?}
 * told_ms is the smallest of the times before its end at which it was told; 0: that it has ended. One that is renewed
 * ends at another time, and begins anew. No clock and no I/O. */
#ifndef FERRULE_OPERATIONS_EXPIRING_H
#define FERRULE_OPERATIONS_EXPIRING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_KEY_EXPIRING "ferrule.key-expiring.v1"
#define EVENT_KEY_RENEWED "ferrule.key-renewed.v1"
#define ASK_EXPIRING "ferrule-expiring"

struct expiring {
	const char *kind; /* "openpgp", "certificate", "password" */
	const char *id, *name;
	const char *used; /* where: "flows/a.yaml:7", "flow orders"; "" nowhere that is known */
	const char *owner, *runbook;
	int64_t expires_ms;
};

struct expiring_verdict {
	bool tell;
	int64_t told_ms; /* to be remembered; -1: nothing was told yet */
	int64_t next_ms; /* when to look again at the latest; INT64_MAX: never */
};

/* `entry`: what is remembered, or NULL. Of several times that are over at once only the shortest is told. One that had
 * ended before it was first seen, and that nobody uses, is not told: rings keep old keys to verify old signatures. */
void expiring_judge(const struct expiring *, const int64_t *warn_ms, size_t warn_count, const json_t *entry,
		    int64_t now_ms, struct expiring_verdict *);
int64_t expiring_days(int64_t expires_ms, int64_t now_ms); /* whole days left; -1 and less: it has ended */
json_t *expiring_entry_new(const struct expiring *, const struct expiring_verdict *);
json_t *expiring_event_new(const struct expiring *, const struct expiring_verdict *, int64_t now_ms); /* its body */
/* The body of EVENT_KEY_RENEWED, for an entry that was told of: it ends later now, or `one` is NULL: it is not there
 * any more (a new certificate has another id). NULL: it was not told of, or still is as it was. */
json_t *expiring_over_new(const json_t *entry, const char *id, const struct expiring *one);

#endif
