/* See tenure.h. */
#include "config.h"
#include "services/tenure.h"

#include "base/log.h"

#define ASK_MS 5000

int tenure_ask(struct queue *queue, const char *source, bool *held, int64_t *number, struct error *error)
{
	json_t *answer = NULL, *request = json_pack("{s:s}", "name", source);
	int result = queue_ask(queue, "hold-source", request, &answer, ASK_MS, error);

	*held = !result && json_is_true(json_object_get(answer, "held"));
	*number = json_integer_value(json_object_get(answer, "tenure"));
	json_decref(answer);
	json_decref(request);
	return result;
}

bool tenure_goes_on(struct tenure tenure, struct queue *queue)
{
	struct error error = {0};
	int64_t number;
	bool held;

	if (!tenure.source ||
	    (!tenure_ask(queue, tenure.source, &held, &number, &error) && held && number == tenure.number))
		return true;
	log_warn("poll", SPAN_NONE, "taken, and not settled here: another machine may ask the source endpoint=%s",
		 tenure.source);
	return false;
}
