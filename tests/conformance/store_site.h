/* A store of its own for each test, shared by store.c and store_effects.c. Included once in each program. */
#ifndef FERRULE_TESTS_STORE_SITE_H
#define FERRULE_TESTS_STORE_SITE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "operations/store.h"
#include "tests/conformance/databases.h"

struct site {
	struct db *db;
	struct store *store;
};

static unsigned sites; /* each test its own database */

static inline int site_up(void **state)
{
	char name[32];
	struct site *site = mem_alloc(sizeof *site);

	*state = site;
	snprintf(name, sizeof name, "store_%u", ++sites);
	site->db = database_open(TEST_DATABASE, name);
	site->store = store_open(site->db, done);
	if (!site->store)
		fail_msg("%s", done->text);
	return 0;
}

static inline void site_down(struct site *site)
{
	store_close(site->store);
	database_close(site->db);
	free(site);
}

#define BEGIN(site)  assert_done((site)->db->ops->begin((site)->db->self, done))
#define COMMIT(site) assert_done((site)->db->ops->commit((site)->db->self, done))

static inline struct id id_number(const char *kind, uint64_t n)
{
	char text[64];

	snprintf(text, sizeof text, "%s %llu", kind, (unsigned long long)n);
	return id_digest(span_of(text));
}

static inline struct message *message_made(uint64_t n)
{
	struct message *m = message_new();
	char number[32], digest[ID_TEXT];

	m->id = id_number("message", n);
	id_hex(&m->id, digest);
	snprintf(number, sizeof number, "PO-%llu", (unsigned long long)n);
	message_set(m, &m->flow, SPAN_LITERAL("orders-to-erp"));
	message_set(m, &m->revision, SPAN_LITERAL("aa11"));
	message_set(m, &m->correlationid, span_of(digest));
	message_set(m, &m->origin.ref, SPAN_LITERAL("p:20260101/gateway-1:0:100:aa"));
	message_set(m, &m->body_ref, SPAN_LITERAL("f:bb:70000"));
	message_key(m, SPAN_LITERAL(".number"), span_of(number), NULL);
	return m;
}

static inline struct buf encoded(const struct message *m)
{
	struct buf buf;

	buf_init(&buf, MESSAGE_ENVELOPE_MAX);
	assert_done(message_encode(m, &buf, done));
	return buf;
}

static inline int count_all(void *arg, struct span ref)
{
	(*(int *)arg)++;
	return 0;
}

static inline int pins_of(struct site *site)
{
	int n = 0;

	assert_done(store_pins(site->store, count_all, &n, done));
	return n;
}

static const char *alive_session; /* the only one */

static inline bool is_alive(void *arg, struct span session)
{
	return alive_session && span_is(session, alive_session);
}

static inline struct intention intend(struct site *site, const struct message *m, const char *session,
				      const char *request)
{
	struct id key = effect_key("erp", m), digest = id_digest(span_of(request));
	struct buf envelope = encoded(m);
	struct intention out;
	struct store_intent in = {.key = &key,
				  .request = &digest,
				  .endpoint = "erp",
				  .session = span_of(session),
				  .message = m,
				  .envelope = buf_view(&envelope),
				  .body = span_of(request),
				  .now = clock_now_ms()};

	BEGIN(site);
	assert_done(store_intend(site->store, &in, is_alive, NULL, &out, done));
	COMMIT(site);
	buf_free(&envelope);
	return out;
}

static inline void outcome(struct site *site, const struct message *m, enum outcome what)
{
	struct id key = effect_key("erp", m);
	struct buf envelope = encoded(m);

	BEGIN(site);
	assert_done(store_effect(site->store, &key, what, m, "erp", buf_view(&envelope), SPAN_LITERAL("body"),
				 SPAN_LITERAL("{\"status\":200}"), clock_now_ms(), done));
	COMMIT(site);
	buf_free(&envelope);
}

static inline void die(struct site *site, struct message *m, const char *queue, const char *step, const char *path,
		       const char *code, int64_t now)
{
	struct buf envelope = encoded(m);
	struct error why = {0};
	struct dead dead = {.message = m,
			    .queue = queue,
			    .step = step,
			    .path = span_of(path),
			    .position = SPAN_LITERAL("transaction 3"),
			    .content = SPAN_LITERAL("{\"a\":1}"),
			    .why = &why};

	error_set(&why, ERROR_REJECT, code, "because %s", code);
	BEGIN(site);
	assert_done(store_dead_put(site->store, &dead, buf_view(&envelope), SPAN_LITERAL("the body"), now, done));
	COMMIT(site);
	buf_free(&envelope);
}

static inline uint64_t dead_open(struct site *site)
{
	uint64_t n;

	assert_done(store_dead_open(site->store, &n, done));
	return n;
}

#endif
