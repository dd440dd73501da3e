/* The nested form of a transaction back to its segments (docs/grammars.md): members go where the grammar has them,
 * whatever their order in the object; values to what stands in the document. A member that the grammar has not is
 * refused, so that nothing of a mapping vanishes. */
#ifndef FERRULE_TRANSFORMERS_EDI_NESTED_H
#define FERRULE_TRANSFORMERS_EDI_NESTED_H

#include "transformers/edi/edi_encode.h"
#include "transformers/edi/edi_grammar.h"

/* Appends the segments of `document`, those of `unplaced` (NULL: none) at the places that they name. `place` counts
 * them. REJECT `x12.document` (a member that is not known, or of another form), `x12.value`, and those of
 * edi_put_text(); each begins with the path of the member. */
int edi_put_document(struct edi_sink *, const struct edi_grammar *, const json_t *document, const json_t *unplaced,
		     struct edi_place *, struct error *);

/* The same for the members of a line, as they stand in it; its grammar is found by what they say. REJECT `x12.grammar`
 * where there is none. */
struct edi_nested_line {
	struct span group, transaction, grammar, document, unplaced; /* empty: not there */
};
int edi_put_nested(struct edi_encoder *, const struct edi_nested_line *, struct edi_place *, struct error *);

/* ---- for edi_put_document (edi_nested.c, edi_nested_segment.c) */
struct edi_nesting {
	struct edi_sink *sink;
	const struct edi_grammar *grammar;
	const json_t *unplaced;
	size_t unplaced_next;
	struct edi_place *place;
	struct buf path; /* of the member in hand: "document.lines[2].item" */
	struct error *error;
};

/* REJECT at the path, and below it `key` (NULL: none). */
int edi_nesting_refuse(struct edi_nesting *, const char *kind, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* There is no such member; `labels` are those that there are. REJECT. */
int edi_nesting_unknown(struct edi_nesting *, const char *key, const char *where, const struct edi_label **labels,
			size_t count);
bool edi_label_is(const struct edi_label *, const char *key, size_t len);
/* Nothing that a document would show: null, "", {}, [], or lists of these. */
bool edi_is_nothing(const json_t *);
int edi_put_form(struct edi_nesting *, const struct edi_form *, const json_t *segment);

/* ---- values (edi_back.c). Each returns the length of what it wrote, 64 bytes at most; 0: it cannot. */
/* "10.5" of N2 is 1050. *why: in words. */
size_t edi_imply_back(struct span text, unsigned decimals, char *into, const char **why);
/* The original says what the value says, which was told with a point, or cannot be. */
bool edi_is_original(const struct edi_data *, struct span value, struct span original);
/* An ISO date or time as the element has it; `format`: what a qualifier of format says. */
size_t edi_iso_back(const struct edi_slot *, struct span iso, struct span format, char *into);
/* The qualifier of format for it, or NULL. */
const char *edi_iso_format(const struct edi_slot *, struct span iso);

#endif
