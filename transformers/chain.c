/* The chain. See chain.h. */
#include "config.h"
#include "transformers/chain.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "base/tree.h"
#include "transformers/chain_envelope.h"
#include "transformers/chain_identity.h"
#include "transformers/chain_private.h"

#define OUTPUT_MAX (256u << 20)
#define CONTENT_MAX (64u * 1024)

/* ---- stopping and burying */
static int stop(struct chain *chain, const struct error *why, struct error *error)
{
	if (!chain->stopped)
		chain->why_stopped = *why;
	chain->stopped = true;
	if (error)
		*error = chain->why_stopped;
	return -1;
}

static void content_of_bytes(struct reader *bytes, uint64_t offset, uint64_t length, struct buf *into)
{
	struct reader *slice = reader_new_slice(bytes, offset, length < CONTENT_MAX ? length : CONTENT_MAX);

	reader_all(slice, into, NULL);
	reader_unref(slice);
}

static void content_of(const struct item *item, const struct item *whole, struct buf *into)
{
	if (item->tree)
		tree_write(into, item->tree, 0); /* cut where the buffer is full */
	else if (item->bytes)
		content_of_bytes(item->bytes, 0, UINT64_MAX, into);
	else if (whole && whole->bytes && item->length)
		content_of_bytes(whole->bytes, item->offset, item->length, into);
}

static int bury(struct chain *chain, const struct item *item, const struct item *whole, const char *step,
		const struct error *why, struct error *error)
{
	struct item placed = *item;
	struct error failure;
	struct buf content;
	int failed;

	buf_init(&content, CONTENT_MAX);
	content_of(item, whole, &content);
	if (!item->position.len)
		placed.position = span_of(why->position);
	failed = chain->events->dead(chain->events->arg, &placed, step, why, buf_view(&content), &failure);
	buf_free(&content);
	return failed ? stop(chain, &failure, error) : 0;
}

/* ---- forms */
static bool is_json(struct span type)
{
	const char *end = memchr(type.data ? type.data : "", ';', type.len);

	if (end)
		type.len = (size_t)(end - type.data);
	while (type.len && type.data[type.len - 1] == ' ')
		type.len--;
	return (type.len == 16 && !strncasecmp(type.data, "application/json", 16)) ||
	       (type.len == 9 && !strncasecmp(type.data, "text/json", 9)) ||
	       (type.len > 5 && !strncasecmp(type.data + type.len - 5, "+json", 5));
}

/* The text stays beside the tree: what passes through unchanged keeps its bytes. */
static int to_tree(struct chain *chain, struct item *item, struct error *error)
{
	struct span text;

	if (item->form == FORM_TREE)
		return 0;
	if (!is_json(item->media_type))
		return error_set(error, ERROR_REJECT, "chain.form",
				 "this is not known to be JSON (media type \"%.*s\"): add a decode step in front",
				 (int)(item->media_type.len < 100 ? item->media_type.len : 100),
				 item->media_type.data ? item->media_type.data : "");
	if (reader_size(item->bytes) > chain->limits.tree_max)
		return error_set(error, ERROR_REJECT, "chain.too-large",
				 "%llu bytes of JSON, the limit of one tree is %zu",
				 (unsigned long long)reader_size(item->bytes), chain->limits.tree_max);
	if (reader_view(item->bytes, &text, error))
		return -1;
	json_decref(item->tree);
	item->tree = tree_parse_new(text, error);
	if (!item->tree)
		return -1;
	item->form = FORM_TREE;
	return 0;
}

static int to_bytes(struct item *item, struct error *error)
{
	struct buf text;

	if (item->form == FORM_BYTES)
		return 0;
	if (!item->bytes) {
		buf_init(&text, OUTPUT_MAX);
		if (tree_write(&text, item->tree, 0)) {
			buf_free(&text);
			return error_set(error, ERROR_REJECT, "chain.output-too-large", "an output passes %u bytes",
					 OUTPUT_MAX);
		}
		item->bytes = reader_new_copy(buf_view(&text));
		buf_free(&text);
		item->media_type = SPAN_LITERAL("application/json");
	}
	item->form = FORM_BYTES;
	return 0;
}

/* ---- the end */
static int too_many(struct chain *chain, struct error *error)
{
	struct error why;

	error_set(&why, ERROR_REJECT, "chain.outputs",
		  "more than %llu outputs of one input: split it before it is sent here",
		  (unsigned long long)chain->limits.outputs_max);
	return stop(chain, &why, error);
}

static int publish(struct chain *chain, const struct chain_output *output, struct error *error)
{
	struct error why;

	chain->outputs++;
	return chain->events->publish(chain->events->arg, output, &why) ? stop(chain, &why, error) : 0;
}

/* The item has reached the end of the chain, or leaves it for a topic, or to wait. */
static int finish(struct chain *chain, struct item *item, const char *topic, const struct hold *hold, const char *step,
		  struct error *error)
{
	struct chain_output output = {.topic = topic, .hold = hold, .step = step, .item = item};
	enum seen_before before;
	struct error why;

	chain->serial++;
	if (!part_holds(chain->input->part, item->path))
		return 0;
	if (chain->outputs == chain->limits.outputs_max && !chain->events->bare)
		return too_many(chain, error);
	if (to_bytes(item, &why) || (!chain->events->bare && chain_sign(chain, item, &output.body_digest, &why)))
		return why.class == ERROR_REJECT ? bury(chain, item, NULL, step, &why, error)
						 : stop(chain, &why, error);
	output.body = item->bytes;
	output.media_type = item->media_type;
	output.stands = item->stands;
	if (chain->events->bare)
		return publish(chain, &output, error);
	output.id = identity_of(&chain->input->id, chain->flow, step, item);
	before = seen_ids_add(&chain->seen, &output.id,
			      id_is_none(&item->stands) ? &output.body_digest : &item->stands);
	if (before == SEEN_OTHER) {
		error_set(&why, ERROR_REJECT, "identity.conflict",
			  "another part of the same document has this identity and other content: declare ids that "
			  "tell them apart");
		return bury(chain, item, NULL, step, &why, error);
	}
	if (before == SEEN_SAME) {
		if (chain->events->drop(chain->events->arg, item, step, "the same again in one document", &why))
			return stop(chain, &why, error);
		return 0;
	}
	return publish(chain, &output, error);
}

/* ---- a step */
static int convert(struct chain *chain, struct item *item, enum form takes, struct error *error)
{
	if (takes == FORM_TREE)
		return to_tree(chain, item, error);
	return takes == FORM_BYTES ? to_bytes(item, error) : 0;
}

static int run_step(struct chain *, size_t index, const struct way *, struct item *, struct error *);

static int go(struct chain *chain, const struct way *way, struct item *item, struct error *error)
{
	return run_step(chain, way->first, way, item, error);
}

/* Where the step has a branch for what it refuses, it goes on there as a message of its own; else it is dead. */
static int refuse(struct chain *chain, size_t index, const struct item *item, const struct item *whole,
		  const struct error *why, struct error *error)
{
	const struct flat_step *step = &chain->steps[index];
	struct error named = *why;
	struct item refused = *item;
	struct buf content;
	int result;

	if (step->used)
		error_add(&named, "; %s", step->used);
	if (!step->on_reject)
		return bury(chain, item, whole, step->label, &named, error);
	buf_init(&content, CONTENT_MAX);
	if (!item->tree)
		content_of(item, whole, &content);
	refused.form = FORM_TREE;
	refused.bytes = NULL;
	refused.tree = refused_tree_new(chain, step->label, item, &named, buf_view(&content));
	refused.media_type = SPAN_LITERAL("application/json");
	refused.contract = SPAN_NONE;
	buf_free(&content);
	chain->serial++;
	result = go(chain, step->on_reject, &refused, error);
	json_decref(refused.tree);
	reader_unref(refused.bytes);
	return result;
}

static int run_step(struct chain *chain, size_t index, const struct way *way, struct item *item, struct error *error)
{
	struct flat_step *step;
	struct error why = {0};
	struct out *out;
	int failed;

	if (index == CHAIN_END)
		return finish(chain, item, way->topic, NULL, way->label, error);
	step = &chain->steps[index];
	out = &step->out;
	out->incoming = item;
	out->outstanding = 0;
	chain->serial++;
	failed = convert(chain, item, step->ops->takes_as ? step->ops->takes_as(step->self) : step->ops->takes, &why) ||
		 step->ops->run(step->self, item, out, &why);
	arena_reset(out->arena);
	if (!failed)
		return 0;
	if (chain->stopped)
		return stop(chain, &chain->why_stopped, error);
	assert(why.class == ERROR_REJECT || why.class == ERROR_RETRY || why.class == ERROR_FATAL);
	return why.class == ERROR_REJECT ? refuse(chain, index, item, NULL, &why, error) : stop(chain, &why, error);
}

static void release(struct item *item)
{
	json_decref(item->tree);
	json_decref(item->facts);
	reader_unref(item->bytes);
	item->tree = item->facts = NULL;
	item->bytes = NULL;
}

/* Done with an item of this step's making; what it was given belongs to the level above. */
static int settle(struct out *out, struct item *item, int result)
{
	if (item == out->incoming)
		return result;
	release(item);
	assert(out->outstanding > 0);
	if (--out->outstanding == 0)
		arena_reset(out->arena);
	return result;
}

static bool wanted(const struct out *out, const struct item *item)
{
	return part_touches(out->chain->input->part, item->path);
}

struct item *out_item(struct out *out, const struct item *from)
{
	struct item *item = arena_alloc(out->arena, sizeof *item);

	*item = *from;
	item->bytes = NULL;
	item->tree = NULL;
	json_incref(item->facts);
	chain_stands_on(out->chain, out->index, item);
	out->outstanding++;
	out->chain->serial++;
	return item;
}

struct arena *out_arena(struct out *out)
{
	return out->arena;
}

void out_level(struct out *out, struct item *item, const char *ordinal)
{
	identity_level(out->arena, item, ordinal);
}

void out_declare(struct out *out, struct item *item, const struct span *values, size_t n)
{
	identity_declare(out->arena, item, values, n);
}

int out_tick(struct out *out, struct error *error)
{
	struct chain *chain = out->chain;
	struct error why;

	if (chain->events->tick && chain->events->tick(chain->events->arg, &why))
		return stop(chain, &why, error);
	return 0;
}

static int offline(const char *table, struct error *error)
{
	return error_set(error, ERROR_REJECT, "lookup.offline",
			 "the store's table %s can only be asked in a running site", table);
}

int out_lookup(struct out *out, const char *table, json_t *keys, json_t **values, struct error *error)
{
	const struct chain_events *events = out->chain->events;

	*values = NULL;
	return events->lookup ? events->lookup(events->arg, table, keys, values, error) : offline(table, error);
}

int out_remember(struct out *out, const char *table, struct span key, json_t *value, bool replace, struct error *error)
{
	const struct chain_events *events = out->chain->events;

	return events->remember ? events->remember(events->arg, out->incoming, table, key, value, replace, error)
				: offline(table, error);
}

int out_emit(struct out *out, struct item *item, struct error *error)
{
	const struct flat_step *step = &out->chain->steps[out->index];
	const struct chain_events *events = out->chain->events;
	int result = 0;

	if (events->valid && item->tree && item->contract.len && item->contract.data != out->incoming->contract.data)
		events->valid(events->arg, item);
	if (wanted(out, item))
		result = out_tick(out, error) || run_step(out->chain, step->next, step->way, item, error) ? -1 : 0;
	return settle(out, item, result);
}

int out_reject(struct out *out, struct item *item, const struct error *why, struct error *error)
{
	int result = 0;

	if (wanted(out, item))
		result = refuse(out->chain, out->index, item, out->incoming, why, error);
	return settle(out, item, result);
}

int out_drop(struct out *out, struct item *item, const char *why, struct error *error)
{
	struct chain *chain = out->chain;
	struct error failure;
	int result = 0;

	if (wanted(out, item) &&
	    chain->events->drop(chain->events->arg, item, chain->steps[out->index].label, why, &failure))
		result = stop(chain, &failure, error);
	return settle(out, item, result);
}

int out_branch(struct out *out, struct item *item, size_t branch, struct error *error)
{
	const struct flat_step *step = &out->chain->steps[out->index];
	int result = 0;

	assert(branch < step->branches_count);
	if (wanted(out, item))
		result = out_tick(out, error) || go(out->chain, &step->branches[branch], item, error) ? -1 : 0;
	return settle(out, item, result);
}

struct item *out_twin(struct out *out, const struct item *from)
{
	struct item *item = out_item(out, from);

	item->tree = json_incref(from->tree);
	item->bytes = from->bytes ? reader_ref(from->bytes) : NULL;
	return item;
}

int out_hold(struct out *out, struct item *item, const struct hold *hold, struct error *error)
{
	const char *label = out->chain->steps[out->index].label;
	int result = out_tick(out, error) || finish(out->chain, item, NULL, hold, label, error) ? -1 : 0;

	return settle(out, item, result);
}

void out_part(struct out *out, struct item *item)
{
	if (!out->parts) {
		id_hex(&out->chain->input->id, out->group);
		out->group[ID_TEXT - 1] = ':';
		out->group[ID_TEXT] = '\0';
	}
	item->group = span_of(out->group);
	item->group_index = ++out->parts;
	item->group_size = 0;
}

static int tell_group(struct chain *chain, struct span group, uint32_t size, struct error *error)
{
	struct error why;

	if (chain->events->group && chain->events->group(chain->events->arg, group, size, &why))
		return stop(chain, &why, error);
	return 0;
}

int out_group(struct out *out, struct span group, uint32_t size, struct error *error)
{
	return tell_group(out->chain, group, size, error);
}

static int tell_groups(struct chain *chain, struct error *error)
{
	for (size_t i = 0; i < chain->count; i++)
		if (chain->steps[i].out.parts &&
		    tell_group(chain, span_of(chain->steps[i].out.group), chain->steps[i].out.parts, error))
			return -1;
	return 0;
}

json_t *out_envelope(struct out *out, const struct item *item)
{
	return chain_envelope(out->chain, item);
}

int64_t out_time_ms(struct out *out)
{
	return out->chain->input->accepted_ms;
}

struct expression_input out_input(struct out *out, const struct item *item)
{
	return (struct expression_input){item->tree, chain_envelope(out->chain, item), out->chain->limits.step};
}

bool out_in_pieces(struct out *out)
{
	const struct flat_step *step = &out->chain->steps[out->index];

	return out->chain->events->bare && step->next == CHAIN_END;
}

size_t out_tree_max(struct out *out)
{
	return out->chain->limits.tree_max;
}

/* ---- a run */
json_t *chain_envelope(struct chain *chain, const struct item *item)
{
	if (!chain->envelope)
		chain->envelope = envelope_of_message(chain->input);
	if (chain->item_envelope && chain->envelope_item == item && chain->envelope_serial == chain->serial)
		return chain->item_envelope;
	json_decref(chain->item_envelope);
	chain->item_envelope = envelope_of_item(chain->envelope, item);
	chain->envelope_item = item;
	chain->envelope_serial = chain->serial;
	return chain->item_envelope;
}

int chain_input(struct chain *chain, struct item *item, struct expression_input *input, struct error *error)
{
	if (!item->tree) {
		enum form form = item->form;

		if (to_tree(chain, item, error))
			return -1;
		item->form = form;
	}
	*input = (struct expression_input){item->tree, chain_envelope(chain, item), chain->limits.step};
	return 0;
}

int chain_run(struct chain *chain, const struct message *input, const struct chain_events *events, struct error *error)
{
	struct item root = {.form = FORM_BYTES,
			    .bytes = reader_ref(input->body),
			    .media_type = input->datacontenttype,
			    .group = input->group,
			    .group_index = input->group_index,
			    .group_size = input->group_size,
			    .contract = input->dataschema};
	struct span stands = message_attr_find(input, CHAIN_ATTR_STANDS);
	int result;

	assert(!chain->input);
	if (stands.len)
		id_parse(&root.stands, stands);
	chain->input = input;
	chain->events = events;
	chain->outputs = 0;
	chain->stopped = false;
	for (size_t i = 0; i < chain->count; i++)
		chain->steps[i].out.parts = 0;
	result = go(chain, &chain->way, &root, error) || tell_groups(chain, error) ? -1 : 0;
	/* A limit of the whole input was reached: it is dead as a whole, though what came out so far came out. */
	if (result && chain->stopped && chain->why_stopped.class == ERROR_REJECT) {
		struct error why = chain->why_stopped;

		chain->stopped = false;
		result = bury(chain, &root, NULL, "out", &why, error);
	}
	seen_ids_free(&chain->seen);
	json_decref(chain->envelope);
	json_decref(chain->item_envelope);
	chain->envelope = chain->item_envelope = NULL;
	chain->input = NULL;
	chain->events = NULL;
	release(&root);
	return result;
}
