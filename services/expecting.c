/* What workers tell of expectations. See expecting.h. */
#include "config.h"
#include "services/expecting.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/tree.h"
#include "operations/expectation.h"

#define LABEL_MAX 120

static void put_text(json_t *object, const char *name, struct span text)
{
	json_object_set_new(object, name, json_stringn(text.len ? text.data : "", text.len));
}

/* The same message anew (`--again`) is another. */
static void put_member(json_t *object, const struct message *message)
{
	char generation[16], hex[ID_TEXT];
	struct id id = message->id;

	snprintf(generation, sizeof generation, "%u", message->generation);
	if (message->generation)
		id = id_of((struct span[]){id_span(&message->id), span_of(generation)}, 2);
	id_hex(&id, hex);
	json_object_set_new(object, "member", json_string(hex));
}

static void put_key(json_t *object, struct span key)
{
	struct id digest = id_digest(key);
	char hex[ID_TEXT];

	id_hex(&digest, hex);
	put_text(object, "key", key.len > EXPECTATION_KEY_MAX ? span_of(hex) : key);
}

/* ---- arrivals */
static void tell_arrived(struct unit *unit, const struct expectation *e, const struct message *message, struct span key,
			 int64_t at)
{
	json_t *request = json_object();

	json_object_set_new(request, "name", json_string(e->name));
	put_member(request, message);
	if (key.len)
		put_key(request, key);
	if (at)
		json_object_set_new(request, "at_ms", json_integer(at));
	unit_change(unit, "expect.arrived", request);
}

static bool is_named(const struct expectation *e, struct span name)
{
	const char *slash = strrchr(e->file, '/');
	char *text = mem_span_dup(name), *base = strrchr(text, '/');
	bool is = fnmatch(slash ? slash + 1 : e->file, base ? base + 1 : text, 0) == 0;

	free(text);
	return is;
}

void expecting_document(struct unit *unit, const struct flow *flow, const struct message *message)
{
	for (size_t i = 0; i < flow->expect_count; i++)
		if (flow->expect[i].kind == EXPECT_FILES && is_named(&flow->expect[i], message->origin.name))
			tell_arrived(unit, &flow->expect[i], message, SPAN_NONE, message->accepted_ms);
}

/* ---- keys */
static bool key_of(const struct expectation *e, const struct expression_input *input, const struct message *message,
		   struct buf *key)
{
	struct error error = {0};

	buf_reset(key);
	if (!expression_text(e->key, input, key, &error) && key->len)
		return true;
	log_warn("expect", message->correlationid, "no key expectation=%s error=\"%s\"", e->name,
		 error.class ? error.text : "the key is empty");
	return false;
}

static void event_for(struct unit *unit, const struct expectation *e, const struct message *message,
		      struct chain *chain, struct item *item)
{
	struct expression_input input;
	struct error error = {0};
	struct buf key;

	if (e->kind == EXPECT_EVENTS) {
		tell_arrived(unit, e, message, SPAN_NONE, 0);
		return;
	}
	buf_init(&key, MESSAGE_INLINE_MAX);
	if (chain_input(chain, item, &input, &error))
		log_warn("expect", message->correlationid, "no key expectation=%s error=\"%s\"", e->name, error.text);
	else if (key_of(e, &input, message, &key))
		tell_arrived(unit, e, message, buf_view(&key), 0);
	buf_free(&key);
}

void expecting_event(struct unit *unit, const struct site *site, const char *topic, const struct message *message,
		     struct chain *chain, struct item *item)
{
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].expect_count; k++) {
			const struct expectation *e = &site->flows[i].expect[k];

			if (e->kind != EXPECT_FILES && strcmp(e->event, topic) == 0)
				event_for(unit, e, message, chain, item);
		}
}

/* ---- opening */
/* A flow that subscribes asks for what it was told of: its own steps may make something without the key of it. One that
 * reads documents asks for what it made of them, and so does one whose steps wait in between. */
static bool asks_for_input(const struct flow *flow)
{
	return flow->sources_count == 0 && flow->segments_count == 1;
}

/* A character is not cut in two. */
static struct span label_of(struct span key)
{
	if (key.len <= LABEL_MAX)
		return key;
	key.len = LABEL_MAX;
	while (key.len && ((unsigned char)key.data[key.len] & 0xc0) == 0x80)
		key.len--;
	return key;
}

static void tell_open(struct unit *unit, const struct flow *flow, const struct expectation *e,
		      const struct message *message, struct span key)
{
	json_t *request = json_object();
	char hex[ID_TEXT];

	id_hex(&message->id, hex);
	json_object_set_new(request, "name", json_string(e->name));
	json_object_set_new(request, "flow", json_string(flow->name));
	put_member(request, message);
	put_key(request, key);
	put_text(request, "label", label_of(key));
	json_object_set_new(request, "message", json_string(hex));
	json_object_set_new(request, "start_ms", json_integer(message->accepted_ms));
	json_object_set_new(request, "within_ms", json_integer(e->within_ms));
	FAULT("expect.opening");
	unit_change(unit, "expect.open", request);
}

static json_t *tree_of(const struct message *message, struct error *error)
{
	struct buf text;
	json_t *tree = NULL;

	buf_init(&text, 64u << 20);
	if (!message->body || reader_all(message->body, &text, error))
		error_set(error, ERROR_REJECT, "expect.body", "the body is not at hand");
	else
		tree = tree_parse_new(buf_view(&text), error);
	buf_free(&text);
	return tree;
}

static void open_for(struct unit *unit, const struct flow *flow, const struct expectation *e,
		     const struct message *from, const struct message *sent, struct chain *chain, struct item *item)
{
	const struct message *about = asks_for_input(flow) ? from : sent;
	struct expression_input input = {.body = NULL};
	struct error error = {0};
	json_t *tree = NULL;
	struct buf key;

	buf_init(&key, MESSAGE_INLINE_MAX);
	if (about == from) {
		tree = tree_of(from, &error);
		input = (struct expression_input){.body = tree, .envelope = chain_envelope(chain, item)};
	} else if (chain_input(chain, item, &input, &error)) {
		input.body = NULL;
	}
	if (!input.body)
		log_warn("expect", sent->correlationid, "no key expectation=%s error=\"%s\"", e->name, error.text);
	else if (key_of(e, &input, sent, &key))
		tell_open(unit, flow, e, about, buf_view(&key));
	json_decref(tree);
	buf_free(&key);
}

void expecting_sent(struct unit *unit, const struct flow *flow, const struct message *from, const struct message *sent,
		    struct chain *chain, struct item *item)
{
	for (size_t i = 0; i < flow->expect_count; i++)
		if (flow->expect[i].kind == EXPECT_ANSWER)
			open_for(unit, flow, &flow->expect[i], from, sent, chain, item);
}
