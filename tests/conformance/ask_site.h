/* A site's store to ask about, shared by ask.c and ask_doubt.c. Included once in each program. */
#ifndef FERRULE_TESTS_ASK_SITE_H
#define FERRULE_TESTS_ASK_SITE_H

#include <stdio.h>
#include <stdlib.h>

#include "operations/ask.h"
#include "tests/conformance/databases.h"

static struct {
	struct db *db;
	struct ask_context context;
	unsigned parks_changed, holds_changed;
} site;

static unsigned sites;

static inline void parks_changed(void *engine)
{
	site.parks_changed++;
}

static inline void holds_changed(void *engine)
{
	site.holds_changed++;
}

static inline int live(void *engine, const char *question, json_t *answer, struct error *error)
{
	if (!strcmp(question, "idle"))
		return json_object_update_new(answer,
					      json_pack("{s:i s:i s:i}", "ready", 0, "unsettled", 0, "unrecorded", 0));
	return json_object_update_new(answer, json_pack("{s:s s:[{s:s s:s s:s s:s s:s s:i}]}", "site", "acme", "queues",
							"name", "in.orders", "flow", "orders", "endpoint", "", "owner",
							"order-management", "runbook", "docs/orders.md", "ready", 3));
}

static inline void site_up(void)
{
	char name[32];

	snprintf(name, sizeof name, "ask_%u", ++sites);
	memset(&site, 0, sizeof site);
	site.db = database_open(TEST_DATABASE, name);
	site.context = (struct ask_context){.store = store_open(site.db, done),
					    .now = 5000,
					    .live = live,
					    .holds_changed = holds_changed,
					    .parks_changed = parks_changed};
	assert_non_null(site.context.store);
}

static inline void site_down(void)
{
	store_close(site.context.store);
	database_close(site.db);
}

static inline json_t *ask(const char *name, json_t *request)
{
	json_t *answer = NULL;

	assert_non_null(request);
	assert_done(ask_question(&site.context, name, request, &answer, done));
	json_decref(request);
	return answer;
}

static inline void change(const char *name, json_t *request)
{
	assert_non_null(request);
	assert_done(site.db->ops->begin(site.db->self, done));
	assert_done(ask_change(&site.context, name, request, done));
	assert_done(site.db->ops->commit(site.db->self, done));
	json_decref(request);
}

static inline void refused(int status, const struct error *error, const char *code, const char *field)
{
	assert_int_equal(status, -1);
	assert_int_equal(error->class, ERROR_REJECT);
	assert_string_equal(error->code, code);
	assert_non_null(strstr(error->text, field));
}

static inline void question_refused(const char *name, json_t *request, const char *code, const char *field)
{
	struct error error = {0};
	json_t *answer;

	refused(ask_question(&site.context, name, request, &answer, &error), &error, code, field);
	assert_null(answer);
	json_decref(request);
}

static inline void change_refused(const char *name, json_t *request, const char *field)
{
	struct error error = {0};

	refused(ask_change(&site.context, name, request, &error), &error, "ask.request", field);
	json_decref(request);
}

static inline const char *text(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static inline long long number(json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static inline json_t *first(json_t *answer, const char *name)
{
	return json_array_get(json_object_get(answer, name), 0);
}

static inline size_t size(json_t *answer, const char *name)
{
	return json_array_size(json_object_get(answer, name));
}

/* ---- what there is to ask about */

static inline struct message *message_made(unsigned n)
{
	struct message *m = message_new();
	char name[32];

	snprintf(name, sizeof name, "PO-%u", n);
	m->id = id_digest(span_of(name));
	message_set(m, &m->flow, SPAN_LITERAL("orders"));
	message_set(m, &m->origin.name, SPAN_LITERAL("acme.edi"));
	message_set(m, &m->origin.ref, SPAN_LITERAL("f:aa:100"));
	message_set(m, &m->body_ref, SPAN_LITERAL("f:bb:90000"));
	message_key(m, SPAN_LITERAL(".number"), span_of(name), NULL);
	message_key(m, SPAN_LITERAL(".customer"), SPAN_LITERAL("C\xff"), NULL); /* no UTF-8 */
	return m;
}

static inline struct buf encoded(const struct message *m)
{
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	assert_done(message_encode(m, &buf, done));
	return buf;
}

static inline void die(unsigned n, const char *code, uint64_t order_key)
{
	struct message *m = message_made(n);
	struct buf envelope;
	struct error why = {0};
	struct dead dead = {.message = m,
			    .queue = "in.orders",
			    .step = "map:a.jq",
			    .position = SPAN_LITERAL("line 3"),
			    .content = SPAN_LITERAL("\0\1"),
			    .why = &why};

	if (order_key)
		message_order(m, SPAN_LITERAL("orders"), order_key);
	envelope = encoded(m);
	error_set(&why, ERROR_REJECT, code, "because of %s", code);
	assert_done(store_dead_put(site.context.store, &dead, buf_view(&envelope), SPAN_LITERAL("old body"), 1000 + n,
				   done));
	buf_free(&envelope);
	message_free(m);
}

static inline struct id doubt(unsigned n, const char *endpoint)
{
	struct message *m = message_made(n);
	struct buf envelope = encoded(m);
	struct id key = effect_key(endpoint, m);

	assert_done(store_effect(site.context.store, &key, OUTCOME_DOUBT, m, endpoint, buf_view(&envelope),
				 SPAN_LITERAL("sent"), SPAN_LITERAL("{\"reason\":\"no answer in 30s\",\"status\":0}"),
				 2000 + n, done));
	buf_free(&envelope);
	message_free(m);
	return key;
}

static inline void park(const char *queue, int64_t due, uint64_t order_key)
{
	struct message *m = message_made(77);
	struct buf envelope = encoded(m);
	struct store_park p = {.queue = queue,
			       .due = due,
			       .order_key = order_key,
			       .message_id = id_span(&m->id),
			       .envelope = buf_view(&envelope)};

	assert_done(store_park_put(site.context.store, &p, 3000, done));
	buf_free(&envelope);
	message_free(m);
}

static inline int take_park(void *arg, const struct store_park *p)
{
	snprintf(arg, 100, "%s %.*s %s", p->queue, SPAN_ARGS(p->body), p->why ? p->why->code : "");
	return 1;
}

static inline void assert_base64(json_t *object, const char *name, struct span expected)
{
	struct buf bytes;

	buf_init(&bytes, 1u << 20);
	assert_int_equal(base64_decode(&bytes, span_of(text(object, name))), 0);
	assert_true(span_equal(buf_view(&bytes), expected));
	buf_free(&bytes);
}

#endif
