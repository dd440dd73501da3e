/* PLACEHOLDER until the real lineage.h/.c come: keep what services/record.c, site_store.c and cli/status.c use (lineage_totals: [{stage, place, reason, count}]). */
#ifndef TMP_LINEAGE
#define TMP_LINEAGE
#include "base/db.h"
#include "base/wire.h"
#include <jansson.h>
struct lineage;
static inline int lineage_put(struct lineage *l, const struct record_view *v, struct error *e) { return 0; }
static inline int lineage_begin(struct lineage *l, struct error *e) { return 0; }
static inline int lineage_commit(struct lineage *l, struct error *e) { return 0; }
static inline void lineage_rollback(struct lineage *l) { }
static inline int lineage_expire(struct lineage *l, int64_t t, struct error *e) { return 0; }
static inline void lineage_close(struct lineage *l) { }
static inline json_t *lineage_totals(struct lineage *l, struct error *e) { return json_array(); }
#endif
