/* The five fields of crontab(5): minute, hour, day of month, month, day of week. Names of months and days, ranges,
 * steps and lists; L is the last day of the month, friL its last Friday, fri#2 its second. Where day of month and day
 * of week are both restricted either is enough, as with cron. @hourly, @daily, @weekly, @monthly and @yearly stand for
 * what they stand for there. Pure. */
#ifndef FERRULE_MFT_CRON_H
#define FERRULE_MFT_CRON_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct cron {
	uint64_t minutes; /* bit 0 … 59 */
	uint32_t hours;   /* 0 … 23 */
	uint32_t days;    /* 1 … 31 */
	bool last_day;
	uint32_t months;                     /* 1 … 12 */
	uint32_t weekdays;                   /* 0 … 6, Sunday is 0 */
	uint8_t nth[7];                      /* of each day of the week: bit 1 … 5, bit 7 the last */
	bool any_day, any_weekday, any_hour; /* the field begins with *; any_hour: is * */
};

/* -1: REJECT `schedule.cron`, which names the field. */
int cron_parse(struct span text, struct cron *, struct error *);
bool cron_day(const struct cron *, int64_t day); /* days since 1970; may it run on this one? */

#endif
