/* Reading a document to tell what it holds and how sound it is, without writing any of it: what acknowledgements are
 * made of (edi_acknowledge.h). The calls come in the order of the document: an interchange, then its groups, each
 * followed by its transactions. */
#ifndef FERRULE_TRANSFORMERS_EDI_OBSERVER_H
#define FERRULE_TRANSFORMERS_EDI_OBSERVER_H

#include "transformers/edi/edi_finding.h"

struct edi_dialect;
struct edi_group_fault;

struct edi_transaction_facts {
	const char *type, *control;    /* as far as the opening segment tells them; may be empty */
	struct span facts;             /* the plain form's `transaction`, JSON; may be no UTF-8 where it is not sound */
	const struct edi_finding *own; /* what stopped the reader; or NULL */
	const struct edi_findings *more; /* by grammar; or NULL */
	bool package;                    /* it is one: no type, and facts are the plain form's `package` */
};

struct edi_observer {
	void *arg;
	/* facts: the plain form's `interchange`, JSON. why: its envelope is broken, and nothing of it follows; or NULL.
	 */
	void (*interchange)(void *arg, const struct edi_dialect *, struct span facts, const struct error *why);
	/* facts: the plain form's `group`. fault: it is broken, and no transaction of it follows; or NULL. Not called
	 * for what stands outside groups. */
	void (*group)(void *arg, struct span facts, const struct edi_group_fault *fault);
	void (*transaction)(void *arg, const struct edi_transaction_facts *);
	/* The interchange that was told last is sound and holds nothing at all, not even service segments. */
	void (*empty)(void *arg);
};

#endif
