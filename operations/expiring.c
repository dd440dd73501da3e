/* When the end of a key, a certificate or a password is told. See expiring.h. */
#include "config.h"
#include "operations/expiring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define DAY_MS INT64_C(86400000)

/* The shortest of the times that are over: 0 when it has ended, -1 when it is not near. */
static int64_t reached(int64_t left, const int64_t *warn_ms, size_t count)
{
	int64_t shortest = -1;

	if (left <= 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (left <= warn_ms[i] && (shortest < 0 || warn_ms[i] < shortest))
			shortest = warn_ms[i];
	return shortest;
}

static int64_t next_of(int64_t expires, int64_t now, const int64_t *warn_ms, size_t count)
{
	int64_t next = expires > now ? expires : INT64_MAX;

	for (size_t i = 0; i < count; i++)
		if (expires - warn_ms[i] > now && expires - warn_ms[i] < next)
			next = expires - warn_ms[i];
	return next;
}

void expiring_judge(const struct expiring *one, const int64_t *warn_ms, size_t warn_count, const json_t *entry,
		    int64_t now_ms, struct expiring_verdict *verdict)
{
	const json_t *told = json_object_get(entry, "told_ms");
	bool same = entry && json_integer_value(json_object_get(entry, "expires_ms")) == one->expires_ms;
	int64_t before = same && told ? json_integer_value(told) : -1,
		now = reached(one->expires_ms - now_ms, warn_ms, warn_count);

	*verdict = (struct expiring_verdict){.told_ms = before,
					     .next_ms = next_of(one->expires_ms, now_ms, warn_ms, warn_count)};
	if (now < 0 || (before >= 0 && before <= now))
		return;
	verdict->told_ms = now;
	verdict->tell = now > 0 || entry || *one->used;
}

int64_t expiring_days(int64_t expires_ms, int64_t now_ms)
{
	int64_t left = expires_ms - now_ms;

	return left >= 0 ? left / DAY_MS : -1 - (-1 - left) / DAY_MS;
}

json_t *expiring_entry_new(const struct expiring *one, const struct expiring_verdict *verdict)
{
	json_t *entry =
		json_pack("{s:s s:s s:s s:s s:s s:I}", "kind", one->kind, "name", one->name, "used", one->used, "owner",
			  one->owner, "runbook", one->runbook, "expires_ms", (json_int_t)one->expires_ms);

	if (entry && verdict->told_ms >= 0)
		json_object_set_new(entry, "told_ms", json_integer(verdict->told_ms));
	return entry;
}

/* As it stands in site.yaml: "30d", "12h". */
static void before_of(int64_t ms, char out[CLOCK_TEXT])
{
	if (ms % DAY_MS == 0)
		snprintf(out, CLOCK_TEXT, "%lldd", (long long)(ms / DAY_MS));
	else if (ms % 3600000 == 0)
		snprintf(out, CLOCK_TEXT, "%lldh", (long long)(ms / 3600000));
	else
		snprintf(out, CLOCK_TEXT, "%lldm", (long long)(ms / 60000));
}

static char *sentence(const struct expiring *one, int64_t days)
{
	const char *kind = !strcmp(one->kind, "openpgp") ? "OpenPGP key" : one->kind;

	if (days < 0)
		return mem_printf("the %s %s has expired", kind, one->name);
	if (days == 0)
		return mem_printf("the %s %s expires within a day", kind, one->name);
	return mem_printf("the %s %s expires in %lld day%s", kind, one->name, (long long)days, days == 1 ? "" : "s");
}

json_t *expiring_event_new(const struct expiring *one, const struct expiring_verdict *verdict, int64_t now_ms)
{
	char expires[CLOCK_TEXT], before[CLOCK_TEXT] = "0";
	int64_t days = expiring_days(one->expires_ms, now_ms);
	char *what = sentence(one, days);
	json_t *body;

	clock_format(one->expires_ms, expires);
	if (verdict->told_ms)
		before_of(verdict->told_ms, before);
	body = json_pack("{s:s s:s s:s s:s s:s s:I s:s s:b s:s s:s s:s s:s}", "kind", one->kind, "id", one->id, "name",
			 one->name, "used", one->used, "expires", expires, "days", (json_int_t)days, "before", before,
			 "expired", verdict->told_ms == 0, "what", what, "owner", one->owner, "runbook", one->runbook,
			 "next", "ferrule key list");
	free(what);
	return body ? body : json_object();
}

json_t *expiring_over_new(const json_t *entry, const char *id, const struct expiring *one)
{
	const char *kind = json_string_value(json_object_get(entry, "kind")),
		   *name = json_string_value(json_object_get(entry, "name"));
	int64_t before = json_integer_value(json_object_get(entry, "expires_ms"));
	char expires[CLOCK_TEXT] = "", was[CLOCK_TEXT];
	char *what;
	json_t *body;

	if (!kind || !name || !json_object_get(entry, "told_ms") || (one && one->expires_ms <= before))
		return NULL;
	clock_format(before, was);
	if (one)
		clock_format(one->expires_ms, expires);
	what = mem_printf("the %s %s %s", strcmp(kind, "openpgp") ? kind : "OpenPGP key", name,
			  one ? "was renewed" : "is not used any more, or was replaced");
	body = json_pack("{s:s s:s s:s s:s s:s s:s s:b s:O s:O s:O}", "kind", kind, "id", id, "name", name, "what",
			 what, "expires", expires, "was", was, "gone", one == NULL, "used",
			 json_object_get(entry, "used"), "owner", json_object_get(entry, "owner"), "runbook",
			 json_object_get(entry, "runbook"));
	free(what);
	return body;
}
