/* SFTP's ends driven by hand. See sftp_try.h. */
#include "config.h"
#include "tests/support/sftp_try.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "tests/support/support.h"

/* ---- source ---------------------------------------------------------------------------------------------------- */

void visitor_begin(struct visitor *visitor, const struct endpoint *endpoint, struct vault *vault)
{
	struct error error = {0};

	*visitor = (struct visitor){.endpoint = endpoint, .vault = vault};
	visitor->source = sftp_source_ops.open(endpoint, &error);
	assert_non_null(visitor->source);
}

static void note(struct error *first, const struct error *error)
{
	assert_true(error->class == ERROR_RETRY || error->class == ERROR_REJECT || error->class == ERROR_DOUBT);
	assert_true(error->code[0] && error->text[0]);
	if (first->class == ERROR_NONE)
		*first = *error;
}

/* As the role's `seen`: the same file with the same bytes is accepted once. */
static unsigned remember(struct visitor *visitor, const struct document *document, enum settlement *how)
{
	unsigned i = 0;

	while (i < visitor->count && (strcmp(visitor->taken[i].name, document->name.data) ||
				      !id_equal(&visitor->taken[i].digest, &document->stored.digest)))
		i++;
	assert_true(i < TAKEN_MAX);
	*how = i < visitor->count ? SETTLE_DUPLICATE : SETTLE_ACCEPTED;
	if (i == visitor->count) {
		snprintf(visitor->taken[i].name, sizeof visitor->taken[i].name, "%s", document->name.data);
		visitor->taken[i].digest = document->stored.digest;
		visitor->taken[i].accepted = 1;
		visitor->count++;
	} else {
		visitor->duplicates++;
	}
	return i;
}

static int take(struct visitor *visitor, struct document *document)
{
	struct error error = {0};
	enum settlement how;
	unsigned i;

	if (document->failed) {
		visitor->failed++;
		return 0;
	}
	if (sftp_source_ops.fetch(visitor->source, document, visitor->vault, &error)) {
		note(&visitor->first, &error);
		return 0;
	}
	i = remember(visitor, document, &how);
	if (sftp_source_ops.settle(visitor->source, document, how, &error)) {
		note(&visitor->first, &error);
		return 0;
	}
	visitor->taken[i].settled++;
	return 1;
}

int visitor_look(struct visitor *visitor)
{
	struct document *documents[16];
	struct error error = {0};
	size_t found = 0;
	int settled = 0;

	if (sftp_source_ops.poll(visitor->source, documents, 16, &found, &error)) {
		note(&visitor->first, &error);
		assert_int_equal(error.scope, SCOPE_ENDPOINT);
		return -1;
	}
	for (size_t i = 0; i < found; i++) {
		settled += take(visitor, documents[i]);
		sftp_source_ops.forget(visitor->source, documents[i]);
	}
	return settled;
}

unsigned visitor_until(struct visitor *visitor, unsigned files, unsigned looks)
{
	unsigned settled = 0;

	while (settled < files && looks--) {
		int n = visitor_look(visitor);

		settled += n > 0 ? (unsigned)n : 0;
	}
	return settled;
}

void visitor_end(struct visitor *visitor)
{
	sftp_source_ops.close(visitor->source);
}

int source_ask(const struct endpoint *endpoint, struct error *error)
{
	void *source = sftp_source_ops.open(endpoint, error);
	struct document *documents[4];
	size_t found = 0;
	int result;

	assert_non_null(source);
	result = sftp_source_ops.poll(source, documents, 4, &found, error);
	for (size_t i = 0; i < found; i++)
		sftp_source_ops.forget(source, documents[i]);
	sftp_source_ops.close(source);
	return result;
}

void source_fails(const struct endpoint *endpoint, const char *code, const char *words)
{
	struct error error = {0};

	assert_int_equal(source_ask(endpoint, &error), -1);
	if (strcmp(error.code, code))
		fail_msg("it is called %s, not %s: %s", error.code, code, error.text);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_int_equal(error.scope, SCOPE_ENDPOINT);
	if (words && !strstr(error.text, words))
		fail_msg("it does not say %s: %s", words, error.text);
}

void source_works(const struct endpoint *endpoint)
{
	struct error error = {0};

	if (source_ask(endpoint, &error))
		fail_msg("%s: %s", error.code, error.text);
}

/* ---- sink ------------------------------------------------------------------------------------------------------ */

void delivery_begin(struct delivery *delivery, const struct endpoint *endpoint, const char *name, struct span body)
{
	struct error error = {0};
	json_t *value = json_pack("{s:s}", "name", name);
	struct expression_input input = {.body = value};

	*delivery = (struct delivery){.message = message_new()};
	delivery->message->id = id_digest(span_of(name));
	message_body_take(delivery->message, reader_new_copy(body));
	message_body_sign(delivery->message, &error);
	assert_int_equal(sftp_sink_ops.address(endpoint, &input, delivery->message, &error), 0);
	delivery->attempt = (struct attempt){.endpoint = endpoint, .message = delivery->message};
	delivery->attempt.key = effect_key(endpoint->name, delivery->message);
	buf_init(&delivery->attempt.receipt, 16384);
	json_decref(value);
}

static int ended(const struct error *error)
{
	return error->class == ERROR_DOUBT ? -1 : error->class == ERROR_REJECT ? -3 : 1;
}

/* As the role does it: prepare, what became of an earlier try, the effect. */
static int try_with(struct delivery *delivery, void *sink, struct error *error)
{
	struct attempt *attempt = &delivery->attempt, *done = NULL;
	enum resolved answer = RESOLVED_UNKNOWN;
	size_t n = 0;

	if (sftp_sink_ops.prepare(sink, attempt, error))
		return ended(error);
	if (delivery->intended) {
		attempt->first_ms = 1;
		if (sftp_sink_ops.resolve(sink, attempt, &answer, error))
			return ended(error) > 0 ? -1 : ended(error);
		if (answer == RESOLVED_HAPPENED)
			return 0;
		if (answer == RESOLVED_UNKNOWN)
			return -2;
	}
	attempt->first_ms = 1;
	delivery->intended = true;
	assert_int_equal(sftp_sink_ops.start(sink, attempt, error), 0);
	assert_int_equal(sftp_sink_ops.reap(sink, &done, 1, &n, -1, 0, error), 0);
	assert_int_equal(n, 1);
	if (done->error.class == ERROR_NONE)
		return 0;
	*error = done->error;
	delivery->intended = error->class == ERROR_DOUBT;
	return ended(error);
}

int delivery_try(struct delivery *delivery)
{
	struct error error = {0};
	void *sink = sftp_sink_ops.open(&error);
	int result;

	delivery->tries++;
	delivery->attempt.settled = false;
	result = try_with(delivery, sink, &error);
	if (result && error.class != ERROR_NONE)
		note(&delivery->first, &error);
	delivery->attempt.settled = result == 0 || result == -3;
	sftp_sink_ops.abandon(sink, &delivery->attempt);
	sftp_sink_ops.close(sink);
	delivery->attempt.first_ms = delivery->intended;
	return result;
}

int delivery_until(struct delivery *delivery, unsigned tries)
{
	int result = 1;

	while (tries-- && (result == 1 || result == -1))
		result = delivery_try(delivery);
	return result;
}

void delivery_end(struct delivery *delivery)
{
	buf_free(&delivery->attempt.receipt);
	message_free(delivery->message);
}

static bool nothing_is_needed(void *arg, const struct id *key)
{
	return false;
}

unsigned delivery_sweep(const struct endpoint *endpoint)
{
	struct error error = {0};
	void *sink = sftp_sink_ops.open(&error);
	unsigned removed = 0;

	if (sftp_sink_ops.sweep(sink, endpoint, 0, nothing_is_needed, NULL, &removed, &error))
		fail_msg("sweep: %s: %s", error.code, error.text);
	sftp_sink_ops.close(sink);
	return removed;
}
