/* A time zone of the IANA database: what a clock on the wall there shows, and when.
 *
 * Zones are those of the system (TZif, RFC 8536; /usr/share/zoneinfo, or the folder that TZDIR names), since laws about
 * summer time change more often than this program: an update of Debian's tzdata is all that it takes. Behind the last
 * change that a file lists its rule goes on (POSIX TZ, with the extensions of RFC 8536). Leap seconds are not counted.
 * Reading one opens a file; everything else is pure. Seconds are Unix time; local seconds are counted in the same way,
 * as if the wall were in Greenwich. */
#ifndef FERRULE_MFT_ZONE_H
#define FERRULE_MFT_ZONE_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define ZONE_BYTES_MAX (256u * 1024)
#define ZONE_NAME_MAX 64

struct zone;
/* "Europe/Berlin"; "UTC" is there without a file. NULL: REJECT `zone.unknown`, `zone.damaged`. */
struct zone *zone_open_new(const char *name, struct error *);
struct zone *zone_parse_new(struct span tzif, struct error *); /* of any bytes; REJECT `zone.damaged` */
void zone_free(struct zone *);

int zone_offset(const struct zone *, int64_t time); /* seconds east of Greenwich, at this time */
/* When a clock on the wall shows this: once, or twice where it is put back, the earlier first; where it is put forward
 * over this, the moment at which that happens, and *skipped. Returns 1 or 2. */
int zone_instants(const struct zone *, int64_t local, int64_t into[2], bool *skipped);

#endif
