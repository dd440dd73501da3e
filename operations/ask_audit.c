/* The audit trail: what changes leave in it, and reading it. */
#include "config.h"

#include <stdlib.h>

#include "operations/ask_private.h"

/* Of a change only who and what; a body is told by its digest. */
static json_t *facts_of(json_t *request)
{
	static const char *const bodies[] = {"body", "envelope", "value"};
	json_t *facts = json_copy(request);
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	json_object_del(facts, "by");
	for (size_t i = 0; i < STORE_COUNT(bodies); i++) {
		char *text = json_dumps(json_object_get(facts, bodies[i]), JSON_COMPACT | JSON_ENCODE_ANY);

		if (!text)
			continue;
		sha256(span_of(text), digest);
		hex_encode(hex, digest, sizeof digest);
		json_object_set_new(facts, bodies[i], json_pack("{s:s}", "sha256", hex));
		free(text);
	}
	return facts;
}

int ask_audited(struct ask_context *context, const char *what, json_t *request, struct error *error)
{
	const char *by = json_string_value(json_object_get(request, "by"));
	struct store_audit record = {.key = context->audit_key, .what = what, .who = by ? by : "", .now = context->now};
	json_t *facts = facts_of(request);
	int result;

	record.facts = facts;
	result = store_audit_put(context->store, &record, error);
	json_decref(facts);
	return result;
}

int ask_audit_note(struct ask_context *context, json_t *request, struct error *error)
{
	struct store_audit record = {.key = context->audit_key, .now = context->now};
	const char *once;

	if (ask_text(request, "what", NULL, &record.what, error) || ask_text(request, "by", "", &record.who, error) ||
	    ask_text(request, "once", "", &once, error))
		return -1;
	record.facts = json_object_get(request, "facts");
	record.once = *once ? once : NULL;
	if (record.facts && !json_is_object(record.facts))
		return error_set(error, ERROR_REJECT, "ask.request", "`facts` must be an object");
	if (strlen(record.what) > AUDIT_WHAT_MAX || !strcmp(record.what, "checkpoint") ||
	    !strcmp(record.what, "audit.key"))
		return error_set(error, ERROR_REJECT, "ask.request",
				 "`what` is a short word, and none of the chain's own");
	return store_audit_put(context->store, &record, error);
}

int ask_audit_checkpoint(struct ask_context *context, json_t *request, struct error *error)
{
	if (!context->audit_key)
		return error_set(error, ERROR_REJECT, "audit.key", "there is no key here to sign with");
	return store_audit_checkpoint(context->store, context->audit_key, context->now, error);
}

struct page {
	json_t *records;
	size_t bytes;
	int64_t last;
	bool more;
};

#define PAGE_BYTES (4u << 20)

static int put_line(void *arg, int64_t number, struct span line)
{
	struct page *page = arg;

	if (page->bytes > PAGE_BYTES) {
		page->more = true;
		return 1;
	}
	json_array_append_new(page->records,
			      json_pack("{s:I s:o}", "number", (json_int_t)number, "line", ask_string(line)));
	page->bytes += line.len;
	page->last = number;
	return 0;
}

int ask_audit_list(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	struct page page = {.records = json_array()};
	int64_t after, limit;

	json_object_set_new(answer, "records", page.records);
	if (ask_int(request, "after", 0, 0, INT64_MAX, &after, error) || ask_limit(request, &limit, error) ||
	    store_audit_each(context->store, after, limit, put_line, &page, error))
		return -1;
	if (page.more || (int64_t)json_array_size(page.records) == limit)
		json_object_set_new(answer, "next", json_integer(page.last));
	return 0;
}
