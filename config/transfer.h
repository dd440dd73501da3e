/* What a site says of managed transfers: calendars, and what a transfer has beside its flow. Texts are as written; the
 * layer mft/ gives them their meaning and checks them (registry.h). Lives in the site's arena. */
#ifndef FERRULE_CONFIG_TRANSFER_H
#define FERRULE_CONFIG_TRANSFER_H

#include "base/option.h"

enum calendar_observed { OBSERVED_NEVER, OBSERVED_NEAREST, OBSERVED_NEXT };

/* calendars/NAME.yaml: which days are working days. */
struct calendar_spec {
	const char *name, *summary;
	struct text_list days;     /* of the week */
	struct text_list holidays; /* 2026-05-14, 12-24, 05-monL, easter-2 */
	struct text_list working;  /* likewise: working days in spite of both */
	int observed;              /* enum calendar_observed: of a holiday such as 12-24 on a day that is free anyway */
	struct place place;
};

enum schedule_missed { MISSED_ONCE, MISSED_SKIP, MISSED_ALL };
enum schedule_holidays { HOLIDAYS_SKIP, HOLIDAYS_NEXT, HOLIDAYS_PREVIOUS };

/* When a source is asked. */
struct schedule_spec {
	const char *cron; /* NULL: none */
	int64_t every_ms; /* 0: none; neither: on arrival */
	int64_t for_ms;   /* how long a run goes on looking; 0: until it looked once */
	enum schedule_missed missed;
	enum schedule_holidays holidays;
	const char *zone;                     /* never NULL */
	const char *window_from, *window_to;  /* both NULL: at any time */
	const char *cut_off;                  /* NULL: none */
	const struct calendar_spec *calendar; /* NULL: every day is a working day */
};

/* Which numbers a transfer gives to what it takes in, or looks for in what a partner sends. */
struct sequence_spec {
	int64_t first, last;      /* behind `last` comes `first` again */
	int64_t digits;           /* at least so many, with zeros in front; 0: as many as it needs */
	struct expression *check; /* jq over the envelope: the partner's number; NULL: numbers are given */
	int resets;               /* 0: never, 1: each day, 2: each year */
};

struct transfer {
	const char *name;
	struct place place;
	bool scheduled; /* it has a schedule, a calendar or a window */
	struct schedule_spec schedule;
	const struct sequence_spec *sequence; /* NULL: none */
	int64_t retain_ms;                    /* how long its sources' archives are kept; 0: for ever */
	uint64_t bandwidth;                   /* bytes a second, each way; 0: no limit */
};

#endif
