/* What batch (edifact.c) and interactive EDIFACT (edifact_interactive.c) share. */
#ifndef FERRULE_TRANSFORMERS_EDIFACT_H
#define FERRULE_TRANSFORMERS_EDIFACT_H

#include "transformers/edi/edi_encode.h"

/* Of struct edi_dialect. */
int edifact_start(struct edi_scan *, uint64_t offset, struct edi_start *, struct error *why, struct error *);
size_t edifact_find(struct span);
bool edifact_service(const struct edi_syntax *, struct span segment);

/* Members of the facts. */
void edifact_fact_if(struct buf *, const char *name, const struct edi_syntax *, struct span value); /* is not empty */
void edifact_party(struct buf *, const char *name, const struct edi_syntax *, struct span element);

/* For encoding: UNA, where it is needed; facts into elements of a header, which stays as it was where it says the
 * same. */
void edifact_put_una(struct edi_encoder *, const json_t *facts);
void edifact_put_party(json_t *header, size_t element, const json_t *facts, const char *name);
void edifact_put_names(json_t *header, size_t element, const json_t *facts, const char *const *names, size_t n);

#endif
