/* What the files of mft/zone.c share; nobody else includes it. */
#ifndef FERRULE_MFT_ZONE_PRIVATE_H
#define FERRULE_MFT_ZONE_PRIVATE_H

#include "mft/zone.h"

/* One of the two days of a year on which clocks change. */
struct zone_change {
	enum { CHANGE_JULIAN, CHANGE_DAY, CHANGE_WEEKDAY } form; /* J60 (no leap day), 59, M3.5.0 */
	int day, month, week;
	int second; /* of the day, -167 h … 167 h */
};

/* CET-1CEST,M3.5.0,M10.5.0/3 */
struct zone_rule {
	int standard, summer; /* seconds east */
	bool changes;
	struct zone_change begins, ends; /* of summer time */
};

struct zone *zone_utc_new(void);
int zone_rule_parse(struct span text, struct zone_rule *); /* -1: it is none */
int zone_rule_offset(const struct zone_rule *, int64_t time);

#endif
