/* Fuzz target: the lines that a request or an answer brings, then its body: signatures, keys, media types, statuses.
 * Nothing that was not signed with our key is believed. */
#include "config.h"
#include "broker-adapters/http/http.h"

#include <stdlib.h>

#include "base/tree.h"
#include "tests/fuzz/lines.h"

#define NOW INT64_C(1767225600000)

static void prove(const struct http_proof *proof)
{
	struct http_keys keys = {.count = 0}, none = {.count = 0};
	struct error error;

	if (http_keys_add(&keys, SPAN_LITERAL("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), true, &error))
		abort();
	if (!http_webhook_verify(&keys, proof, NOW, &error) || !http_bearer_verify(&keys, proof, &error))
		abort();
	if (!http_webhook_verify(&none, proof, NOW, &error) || !http_bearer_verify(&none, proof, &error))
		abort();
	http_keys_free(&keys);
	http_keys_add(&keys, proof->body, proof->body.len % 2, &error);
	http_keys_free(&keys);
}

/* A problem is JSON, whatever the error's text is. */
static void complain(struct span text)
{
	struct error error = {0};
	struct buf buf;
	json_t *tree;

	error_set(&error, ERROR_REJECT, "fuzz", "%.*s", (int)(text.len > 1000 ? 1000 : text.len), text.data);
	buf_init(&buf, 1 << 20);
	http_problem(&buf, http_error_status(&error), &error);
	tree = tree_parse_new(buf_view(&buf), NULL);
	if (!tree)
		abort();
	json_decref(tree);
	buf_free(&buf);
}

static void judge(struct span status, struct span retry_after, struct span body)
{
	struct http_answer answer = {.begun = true, .retry_after = retry_after, .body = body, .now_ms = NOW};
	int64_t wait = http_retry_after(retry_after, NOW);
	struct buf buf;
	json_t *tree;

	if (wait < 0 || wait > INT64_C(86400000))
		abort();
	for (size_t i = 0; i < status.len && i < 3; i++)
		answer.status = answer.status * 10 + (unsigned)(unsigned char)status.data[i] % 10;
	buf_init(&buf, 1 << 20);
	http_receipt(&answer, "http://127.0.0.1/", &buf);
	tree = tree_parse_new(buf_view(&buf), NULL);
	if (!tree)
		abort();
	json_decref(tree);
	buf_free(&buf);
}

static void read_fields(struct span name, struct span value)
{
	struct buf escaped;

	http_header_kept(name);
	http_string(value);
	http_type_is(value, "application/json");
	http_header_name(name);
	buf_init(&escaped, 1 << 16);
	http_escape(&escaped, value, NULL);
	for (size_t i = 0; i < escaped.len; i++)
		if (!escaped.data[i] || strchr("/?# \r\n", escaped.data[i]))
			abort();
	buf_free(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size);
	struct http_proof proof = {.id = cut(&rest, '\n')};
	struct span status, retry_after;

	proof.timestamp = cut(&rest, '\n');
	proof.signature = cut(&rest, '\n');
	proof.authorization = cut(&rest, '\n');
	status = cut(&rest, '\n');
	retry_after = cut(&rest, '\n');
	proof.body = rest;
	prove(&proof);
	complain(rest);
	judge(status, retry_after, rest);
	read_fields(proof.id, rest);
	return 0;
}
