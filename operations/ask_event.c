/* Events that a worker has to tell, and what transfers lack of a partner's sequence. See ask.h. */
#include "config.h"

#include <stdlib.h>

#include "operations/ask_private.h"

int ask_event_tell(struct ask_context *context, json_t *request, struct error *error)
{
	json_t *body = json_object_get(request, "body");
	struct store_event event = {.at = context->now};
	struct span parts[3];
	char *text;
	bool put = false;
	int result;

	if (ask_text(request, "topic", NULL, &event.topic, error) ||
	    ask_text(request, "subject", NULL, &event.subject, error))
		return -1;
	if (!json_is_object(body) || !span_starts(span_of(event.topic), "ferrule."))
		return error_set(error, ERROR_REJECT, "ask.request",
				 "an event has a topic of ferrule's own and a body");
	text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
	event.body = parts[2] = span_of(text);
	parts[0] = span_of(event.topic);
	parts[1] = span_of(event.subject);
	event.id = id_of(parts, 3);
	result = store_event_put(context->store, &event, &put, error);
	if (!result && put && context->held_changed)
		context->held_changed(context->engine);
	free(text);
	return result;
}
