/* What interrupted deliveries left at a target. See deliver_sweep.h.
 *
 * What has its receipt goes at once. What was withdrawn goes after a while: a worker of another machine may have
 * prepared it anew and be about to store its intent. */
#include "config.h"
#include "services/deliver_sweep.h"

#include "base/log.h"
#include "broker-adapters/file/file_kept.h"

#define ASK_MS 5000
#define OLD_MS (60ll * 60 * 1000)

struct asker {
	struct queue *queue;
	const char *over; /* the state in which nothing is needed */
	bool failed;      /* asking any further makes no sense */
};

/* What the store does not know stays: it may be another site's, in a folder of both. */
static bool is_needed(void *arg, const struct id *key)
{
	struct asker *asker = arg;
	json_t *request, *answer = NULL;
	struct error error = {0};
	char hex[ID_TEXT];
	const char *state;
	bool needed;
	int failed;

	if (asker->failed)
		return true;
	id_hex(key, hex);
	request = json_pack("{s:s}", "key", hex);
	failed = queue_ask(asker->queue, "doubt.get", request, &answer, ASK_MS, &error);
	json_decref(request);
	if (failed) {
		asker->failed = error.class != ERROR_REJECT;
		return true;
	}
	state = json_string_value(json_object_get(answer, "state"));
	needed = !state || strcmp(state, asker->over) != 0;
	json_decref(answer);
	return needed;
}

/* Hidden copies of what was to be delivered. */
static void sweep_copies(struct asker *delivered, struct asker *withdrawn, const struct endpoint *endpoint)
{
	struct error error = {0};
	unsigned removed = 0;

	if (!endpoint->archive)
		return;
	if (kept_sweep(endpoint, 0, is_needed, delivered, &removed, &error) ||
	    kept_sweep(endpoint, OLD_MS, is_needed, withdrawn, &removed, &error))
		log_warn("deliver", SPAN_NONE, "the archive is not swept endpoint=%s error=\"%s\"", endpoint->name,
			 error.text);
	if (removed)
		log_info("deliver", SPAN_NONE, "swept the archive endpoint=%s removed=%u", endpoint->name, removed);
}

void deliver_sweep(struct queue *queue, const struct sink_ops *ops, void *sink, const struct endpoint *endpoint)
{
	struct asker delivered = {.queue = queue, .over = "delivered"},
		     withdrawn = {.queue = queue, .over = "not-done"};
	unsigned finished = 0, old = 0;
	struct error error = {0};

	sweep_copies(&delivered, &withdrawn, endpoint);
	if (!ops->sweep)
		return;
	if (ops->sweep(sink, endpoint, 0, is_needed, &delivered, &finished, &error) ||
	    ops->sweep(sink, endpoint, OLD_MS, is_needed, &withdrawn, &old, &error))
		log_warn("deliver", SPAN_NONE, "not swept endpoint=%s error=\"%s\"", endpoint->name, error.text);
	if (finished + old)
		log_info("deliver", SPAN_NONE, "swept endpoint=%s removed=%u", endpoint->name, finished + old);
}
