/* Retention of documents. See retention.h. */
#include "config.h"
#include "services/retention.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define ASK_WAIT_MS 30000

/* "p:DAY/WRITER-N:OFFSET:LENGTH:DIGEST" lies in the pack "p:DAY/WRITER-N", "f:DIGEST:LENGTH" in the file "f:DIGEST". */
static void add_pin(json_t *names, const char *ref)
{
	const char *end = strchr(ref, ':');
	char *name;

	end = end ? strchr(end + 1, ':') : NULL;
	if (!end)
		return;
	name = mem_span_dup(span_make(ref, (size_t)(end - ref)));
	json_object_set_new(names, name, json_true());
	free(name);
}

static bool pinned(void *arg, const char *name)
{
	return json_object_get(arg, name) != NULL;
}

/* The names of all that dead letters, parks, open effects and revisions refer to; NULL: the error. */
static json_t *pins(struct queue *queue, struct error *error)
{
	json_t *request = json_object(), *answer = NULL, *names = NULL, *ref;
	size_t i;

	if (!queue_ask(queue, "pins", request, &answer, ASK_WAIT_MS, error)) {
		names = json_object();
		json_array_foreach(json_object_get(answer, "refs"), i, ref)
			add_pin(names, json_string_value(ref));
	}
	json_decref(request);
	json_decref(answer);
	return names;
}

int retention_collect(const struct site *site, struct queue *queue, struct vault *vault, struct error *error)
{
	struct vault_collected collected = {0};
	json_t *names;
	int result;

	if (site->retain_originals_ms <= 0)
		return 0;
	names = pins(queue, error);
	if (!names)
		return -1;
	result = vault_collect(vault, clock_now_ms() - site->retain_originals_ms, pinned, names, &collected, error);
	json_decref(names);
	if (!result && (collected.moved || collected.removed))
		log_info("retention", SPAN_NONE, "documents past their time moved=%u removed=%u bytes=%llu",
			 collected.moved, collected.removed, (unsigned long long)collected.bytes);
	return result;
}
