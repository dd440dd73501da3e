/* What the files of a rehearsal share. See rehearsal.h. */
#ifndef FERRULE_SERVICES_REHEARSAL_PRIVATE_H
#define FERRULE_SERVICES_REHEARSAL_PRIVATE_H

#include <unistd.h>

#include "services/deliver_request.h"
#include "services/rehearsal.h"
#include "transformers/chain.h"

struct stage {
	const struct site *site;
	struct chain **chains; /* one for each flow; NULL: not opened yet */
};

/* The message that this input becomes for the flow, body at hand. NULL: it cannot be one. */
struct message *input_message_new(const struct stage *, struct arena *, const struct flow *, const struct trial_input *,
				  struct span bytes, struct error *);
json_t *json_text_new(struct span); /* cleaned, so that it is text whatever it was */

#endif
