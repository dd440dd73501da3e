/* Acknowledgements as documents: 997, 999 and TA1 for X12, CONTRL for EDIFACT, of what a document was found to be. A
 * pure function from what the reader tells (edi_observer.h) to lines of JSON in the plain form, which the encoder
 * writes.
 *
 * One interchange answers one interchange, its sender and receiver swapped. An acknowledgement is never acknowledged: a
 * group FA, an interchange without groups (TA1), a message CONTRL.
 *
 * Standards: X12 997, 999 (005010X231A1), TA1; ISO 9735 CONTRL 2:2 for syntax versions 1 to 3, 4:1 for 4. */
#ifndef FERRULE_TRANSFORMERS_EDI_ACKNOWLEDGE_H
#define FERRULE_TRANSFORMERS_EDI_ACKNOWLEDGE_H

#include "transformers/edi/edi.h"
#include "transformers/edi/edi_observer.h"

enum edi_answer { EDI_ANSWER_USUAL, EDI_ANSWER_997, EDI_ANSWER_999, EDI_ANSWER_TA1, EDI_ANSWER_CONTRL };

struct edi_acknowledge {
	enum edi_answer answer; /* USUAL: 997, or CONTRL */
	int64_t time_ms;        /* when the answer is written */
	uint64_t control;       /* of the next interchange, and of its first group */
	unsigned accept;        /* enum edi_check_level: findings of these levels are told, and refuse nothing */
	bool receipt;           /* CONTRL: only that it came */
	struct buf *lines;      /* JSON, a line each */

	/* of the interchange in hand */
	const struct edi_dialect *dialect;
	json_t *interchange, *group; /* as they came; group: NULL outside of one */
	json_t *ours;                /* the interchange of the answer */
	bool broken, answered;
	/* of the group in hand; EDIFACT: of the interchange */
	uint64_t received, accepted, noted, passed;
	struct buf segments; /* of the transaction of the answer: `,[…]` each */
	bool open, group_told;
	/* X12: the last group of the answer */
	uint64_t group_control;
	char group_key[120];
};

void edi_acknowledge_begin(struct edi_acknowledge *, enum edi_answer, int64_t time_ms, uint64_t control,
			   struct buf *lines);
/* What edi_observe is to be given; lives as long as the first. */
struct edi_observer edi_acknowledge_observer(struct edi_acknowledge *);
void edi_acknowledge_end(struct edi_acknowledge *); /* what is in hand is written, and all is freed */

/* ---- for its parts */
enum edi_verdict { EDI_ACCEPTED, EDI_NOTED, EDI_REFUSED };

const struct edi_finding *edi_answer_finding(const struct edi_transaction_facts *,
					     size_t i); /* own first; NULL: no more */
/* In the order of segments; those of one segment as they came. The caller frees. */
const struct edi_finding **edi_answer_findings_new(const struct edi_transaction_facts *, size_t *count);
enum edi_verdict edi_answer_verdict(const struct edi_acknowledge *, const struct edi_transaction_facts *);
/* Appends a segment, without empty elements at its end. */
void edi_answer_put_take(struct edi_acknowledge *, json_t *segment);
/* Writes the line and forgets the segments. group, transaction: taken; may be NULL. */
void edi_answer_line_take(struct edi_acknowledge *, json_t *group, json_t *transaction);
const char *edi_answer_text(const json_t *facts, const char *name);         /* "" when it is not there */
const char *edi_answer_element(const json_t *facts, size_t n, size_t part); /* of `header`; part from 1 */

void edi_answer_x12_interchange(struct edi_acknowledge *, const struct error *why);
void edi_answer_x12_empty(struct edi_acknowledge *);
void edi_answer_x12_group(struct edi_acknowledge *, const struct edi_group_fault *);
void edi_answer_x12_group_end(struct edi_acknowledge *);
void edi_answer_x12_transaction(struct edi_acknowledge *, const struct edi_transaction_facts *);
void edi_answer_edifact_interchange(struct edi_acknowledge *, const struct error *why);
void edi_answer_edifact_group(struct edi_acknowledge *, const struct edi_group_fault *);
void edi_answer_edifact_transaction(struct edi_acknowledge *, const struct edi_transaction_facts *);
void edi_answer_edifact_end(struct edi_acknowledge *);

#endif
