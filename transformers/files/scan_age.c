/* How old clamd's signatures are: VERSION answers with the database's number and date where it has one,
 * "ClamAV 1.0.7/27465/Sun Nov 24 08:12:00 2024". A scanner whose updates stopped months ago says "clean" of what is
 * new, as readily as ever. See scan.h. */
#include "config.h"
#include "transformers/files/scan.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define WAIT_MS 5000
#define DAY_MS INT64_C(86400000)

/* As asctime writes it, in clamd's own time zone: less than a day beside the truth. -1: there is none. */
static int64_t date_of(const char *version)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *last = strrchr(version, '/'), *found;
	struct tm tm = {0};
	char month[4];

	if (!last || sscanf(last + 1, "%*3s %3s %2d %2d:%2d:%2d %4d", month, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
			    &tm.tm_sec, &tm.tm_year) != 6)
		return -1;
	found = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!found || (found - months) % 3)
		return -1;
	tm.tm_mon = (int)(found - months) / 3;
	tm.tm_year -= 1900;
	return (int64_t)timegm(&tm) * 1000;
}

void scan_tell_age(const struct scanning *asked, int64_t limit_ms)
{
	struct scanning s = *asked;
	char version[SCAN_ANSWER_MAX] = "";
	int64_t dated, age;
	int failed;

	s.fd = -1;
	s.timeout_ms = s.timeout_ms < WAIT_MS ? s.timeout_ms : WAIT_MS;
	scan_time(&s);
	failed = scan_clamd_connect(&s, NULL) || scan_send(&s, span_make("zVERSION", sizeof "zVERSION"), NULL) ||
		 scan_clamd_answer(&s, version, NULL);
	if (s.fd >= 0)
		close(s.fd);
	dated = failed ? -1 : date_of(version);
	age = clock_now_ms() - dated;
	if (dated < 0)
		log_info("scan", SPAN_NONE, "%s at %s does not say how old its signatures are version=\"%.100s\"",
			 s.what, s.where, version);
	else if (age > limit_ms)
		log_warn("scan", SPAN_NONE,
			 "old signatures error=\"those of %s at %s are %lld days old: look whether "
			 "its updates run (freshclam)\" version=\"%.100s\"",
			 s.what, s.where, (long long)(age / DAY_MS), version);
}
