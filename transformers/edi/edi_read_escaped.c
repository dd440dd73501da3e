/* An interchange whose text has escape sequences, for the reader of documents. See edi_read.h and edi_escapes.h. */
#include "config.h"
#include "transformers/edi/edi_read.h"

int edi_read_escaped(struct edi_read *x, struct error *why, struct error *error)
{
	struct edi_escapes *escapes;

	if (edi_escapes_new(&escapes, &x->scan, &x->start, &x->escaped, error))
		return -1;
	if (!escapes)
		return 1;
	x->looked += edi_escapes_looked(escapes);
	edi_escapes_enter(escapes, &x->scan);
	return x->dialect->start(&x->scan, x->start.offset, &x->start, why, error);
}

int edi_leave_escaped(struct edi_read *x, struct error *error)
{
	struct edi_escapes *escapes = x->scan.escapes;
	int failed = edi_escapes_leave(escapes, &x->scan, &x->escaped, error);

	edi_escapes_free(escapes);
	return failed;
}

void edi_explain_unclosed(const struct edi_read *x, struct error *why)
{
	uint64_t at = x->scan.escapes ? edi_escapes_unclosed(x->scan.escapes) : 0;

	if (at && why->class != ERROR_NONE)
		error_add(why, "; characters of two bytes begin at byte %llu, and no escape sequence ends them",
			  (unsigned long long)at);
}
