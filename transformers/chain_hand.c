/* Running a chain by hand, for verbs. See chain.h. */
#include "config.h"
#include "transformers/chain.h"

#include <stdlib.h>

#include "base/tree.h"

#define CHUNK (256u * 1024)

struct hand {
	struct chain *chain;
	const struct chain_hand *hand;
	struct chain_report *report;
};

static int write_reader(const struct chain_hand *hand, struct reader *body, struct error *error)
{
	struct span whole;
	uint64_t at = 0;
	char *chunk;
	ssize_t n;

	if (reader_size(body) <= CHUNK)
		return reader_view(body, &whole, error) || (whole.len && hand->write(hand->arg, whole, error)) ? -1 : 0;
	chunk = mem_alloc(CHUNK);
	while ((n = reader_read(body, at, chunk, CHUNK, error)) > 0) {
		at += (uint64_t)n;
		if (hand->write(hand->arg, span_make(chunk, (size_t)n), error))
			n = -1;
		if (n < 0)
			break;
	}
	free(chunk);
	return n < 0 ? -1 : 0;
}

static int on_output(void *arg, const struct chain_output *output, struct error *error)
{
	struct hand *h = arg;
	struct buf text;
	int failed;

	h->report->outputs++;
	if (h->hand->begin) {
		json_t *name = json_object_get(chain_envelope(h->chain, output->item), "name");

		if (h->hand->begin(h->hand->arg, span_make(json_string_value(name), json_string_length(name)), error))
			return -1;
	}
	if (h->hand->begin || !span_is(output->media_type, "application/json"))
		return write_reader(h->hand, output->body, error);
	if (!(h->hand->flags & TREE_PRETTY) || !output->item->tree)
		return write_reader(h->hand, output->body, error) ||
				       h->hand->write(h->hand->arg, SPAN_LITERAL("\n"), error)
			       ? -1
			       : 0;
	buf_init(&text, SIZE_MAX / 2);
	tree_write(&text, output->item->tree, h->hand->flags);
	buf_char(&text, '\n');
	failed = h->hand->write(h->hand->arg, buf_view(&text), error);
	buf_free(&text);
	return failed;
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	struct hand *h = arg;

	h->report->dead++;
	if (h->hand->tell)
		h->hand->tell(h->hand->arg, step, item->position, why, NULL, json_object_get(item->facts, "findings"));
	return 0;
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	struct hand *h = arg;

	h->report->dropped++;
	if (h->hand->tell)
		h->hand->tell(h->hand->arg, step, item->position, NULL, why, NULL);
	return 0;
}

json_t *stores_lookup_new(json_t *stores, const char *table, json_t *keys)
{
	json_t *known = json_object_get(stores, table), *values = json_object(), *key;
	size_t i;

	json_array_foreach(keys, i, key) {
		json_t *value = json_object_get(known, json_string_value(key));

		if (value && !json_is_null(value))
			json_object_set_nocheck(values, json_string_value(key), value);
	}
	return values;
}

void stores_remember(json_t *stores, const char *table, struct span key, json_t *value, bool replace)
{
	json_t *known = json_object_get(stores, table);
	char *name = mem_span_dup(key);

	if (!known)
		json_object_set_new_nocheck(stores, table, known = json_object());
	if (replace || !json_object_get(known, name))
		json_object_set_nocheck(known, name, value);
	free(name);
}

static int on_lookup(void *arg, const char *table, json_t *keys, json_t **values, struct error *error)
{
	struct hand *h = arg;

	*values = stores_lookup_new(h->hand->stores, table, keys);
	return 0;
}

static int on_remember(void *arg, const struct item *item, const char *table, struct span key, json_t *value,
		       bool replace, struct error *error)
{
	struct hand *h = arg;

	stores_remember(h->hand->stores, table, key, value, replace);
	return 0;
}

int chain_run_by_hand(struct chain *chain, struct reader *body, struct span name, struct span media_type,
		      const struct chain_hand *hand, struct chain_report *report, struct error *error)
{
	struct hand h = {chain, hand, report};
	struct chain_events events = {.arg = &h,
				      .bare = true,
				      .publish = on_output,
				      .dead = on_dead,
				      .drop = on_drop,
				      .lookup = hand->stores ? on_lookup : NULL,
				      .remember = hand->stores ? on_remember : NULL};
	struct message *message = message_new();
	int result;

	memset(report, 0, sizeof *report);
	message_set(message, &message->origin.name, name);
	message_set(message, &message->datacontenttype, media_type);
	message->time_ms = message->accepted_ms = hand->time_ms;
	message_body_take(message, reader_ref(body));
	result = chain_run(chain, message, &events, error);
	message_free(message);
	return result;
}
