/* Proofs that a request comes from whom it says: webhook signatures as Standard Webhooks 1.0 has them, bearer keys as
 * RFC 6750. See http.h. */
#include "config.h"
#include "broker-adapters/http/http.h"

#include <stdlib.h>
#include <strings.h>

#include "base/crypto.h"

#define SIGNATURES_MAX 16 /* in one header: two keys in rotation need two */
#define SECRET_TEXT_MAX 4096

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cuts the next word off the front; empty at the end. */
static struct span word_take(struct span *text)
{
	struct span word;
	size_t n = 0;

	while (text->len && is_space(*text->data)) {
		text->data++;
		text->len--;
	}
	while (n < text->len && !is_space(text->data[n]))
		n++;
	word = span_make(text->data, n);
	text->data += n;
	text->len -= n;
	return word;
}

/* Wipes before freeing: these buffers hold keys. */
static void wipe(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->capacity);
	buf_free(buf);
}

static struct secret *webhook_key(struct span word)
{
	struct buf text, bytes;
	struct secret *key = NULL;

	buf_init(&text, SECRET_TEXT_MAX + 4);
	buf_init(&bytes, SECRET_TEXT_MAX + 4);
	if (span_starts(word, "whsec_"))
		word = span_make(word.data + 6, word.len - 6);
	buf_room(&text, word.len + 4); /* so that no copy is left behind by growing */
	buf_span(&text, word);
	while (text.len % 4)
		buf_char(&text, '=');
	if (text.len && base64_decode(&bytes, buf_view(&text)) == 0 && bytes.len)
		key = secret_from(buf_view(&bytes));
	wipe(&text);
	wipe(&bytes);
	return key;
}

int http_keys_add(struct http_keys *keys, struct span text, bool webhook, struct error *error)
{
	struct span word;

	if (text.len > SECRET_TEXT_MAX)
		return error_set(error, ERROR_FATAL, "secret.form", "the secret is longer than %d bytes",
				 SECRET_TEXT_MAX);
	while ((word = word_take(&text)).len) {
		struct secret *key;

		if (keys->count == HTTP_KEYS_MAX)
			return error_set(error, ERROR_FATAL, "secret.form", "more than %d keys at once", HTTP_KEYS_MAX);
		key = webhook ? webhook_key(word) : secret_from(word);
		if (!key)
			return error_set(error, ERROR_FATAL, "secret.form",
					 "a webhook secret is base64, usually after whsec_; write whsec_… into the "
					 "secret's file");
		keys->keys[keys->count++] = key;
	}
	if (!keys->count)
		return error_set(error, ERROR_FATAL, "secret.form", "the secret is empty");
	return 0;
}

int http_keys_load(struct http_keys *keys, const char *directory, const char *name, bool webhook, struct error *error)
{
	struct secret *secret = secret_new(directory, name, error);
	int result;

	if (!secret)
		return -1;
	result = http_keys_add(keys, secret_reveal(secret), webhook, error);
	if (result)
		error_wrap(error, "secret %s", name);
	secret_free(secret);
	return result;
}

void http_keys_free(struct http_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		secret_free(keys->keys[i]);
	keys->count = 0;
}

/* HMAC-SHA256 (RFC 2104) over parts, so that a body of megabytes is not copied behind its prefix. */
static void hmac_parts(struct span key, const struct span *parts, size_t n, uint8_t out[SHA256_SIZE])
{
	uint8_t block[64] = {0}, inner[SHA256_SIZE];
	struct sha256 *digest = sha256_new();

	if (key.len > sizeof block)
		sha256(key, block);
	else if (key.len)
		memcpy(block, key.data, key.len);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= 0x36;
	sha256_add(digest, block, sizeof block);
	for (size_t i = 0; i < n; i++)
		sha256_add(digest, parts[i].data, parts[i].len);
	sha256_end(digest, inner);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= 0x36 ^ 0x5c;
	sha256_add(digest, block, sizeof block);
	sha256_add(digest, inner, sizeof inner);
	sha256_end(digest, out);
	sha256_free(digest);
	explicit_bzero(block, sizeof block);
}

static void sign(const struct secret *key, const struct http_proof *proof, uint8_t out[SHA256_SIZE])
{
	const struct span parts[] = {proof->id, SPAN_LITERAL("."), proof->timestamp, SPAN_LITERAL("."), proof->body};

	hmac_parts(secret_reveal(key), parts, sizeof parts / sizeof *parts, out);
}

void http_webhook_sign(const struct secret *key, const struct http_proof *proof, struct buf *out)
{
	uint8_t mac[SHA256_SIZE];

	sign(key, proof, mac);
	buf_text(out, "v1,");
	base64_encode(out, span_make(mac, sizeof mac));
}

/* Seconds since 1970; -1 when it is not a number of at most 12 digits. */
static int64_t seconds(struct span text)
{
	int64_t value = 0;

	if (!text.len || text.len > 12)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		value = value * 10 + (text.data[i] - '0');
	}
	return value;
}

static bool signature_matches(const struct http_keys *keys, const uint8_t (*macs)[SHA256_SIZE], struct span candidate)
{
	struct buf bytes;
	bool found = false;

	if (!span_starts(candidate, "v1,"))
		return false; /* of another version, such as v1a: not for us */
	buf_init(&bytes, 2 * SHA256_SIZE);
	if (base64_decode(&bytes, span_make(candidate.data + 3, candidate.len - 3)) == 0)
		for (size_t i = 0; i < keys->count; i++)
			found |= crypto_equal(buf_view(&bytes), span_make(macs[i], SHA256_SIZE));
	buf_free(&bytes);
	return found;
}

int http_webhook_verify(const struct http_keys *keys, const struct http_proof *proof, int64_t now_ms,
			struct error *error)
{
	uint8_t macs[HTTP_KEYS_MAX][SHA256_SIZE];
	struct span rest = proof->signature, candidate;
	int64_t stamp = seconds(proof->timestamp);
	bool found = false;

	if (!proof->id.len || !proof->timestamp.len || !proof->signature.len)
		return error_set(error, ERROR_REJECT, "webhook.headers",
				 "the headers webhook-id, webhook-timestamp and webhook-signature are all needed");
	if (stamp < 0 || stamp * 1000 < now_ms - HTTP_TOLERANCE_MS || stamp * 1000 > now_ms + HTTP_TOLERANCE_MS)
		return error_set(error, ERROR_REJECT, "webhook.timestamp",
				 "webhook-timestamp is not within five minutes of this server's clock");
	for (size_t i = 0; i < keys->count; i++)
		sign(keys->keys[i], proof, macs[i]);
	for (size_t n = 0; n < SIGNATURES_MAX && (candidate = word_take(&rest)).len; n++)
		found |= signature_matches(keys, macs, candidate);
	if (!found)
		return error_set(error, ERROR_REJECT, "webhook.signature", "no signature in webhook-signature fits");
	return 0;
}

int http_bearer_verify(const struct http_keys *keys, const struct http_proof *proof, struct error *error)
{
	struct span rest = proof->authorization, scheme = word_take(&rest), token = word_take(&rest);
	uint8_t given[SHA256_SIZE], known[SHA256_SIZE];
	bool found = false;

	/* Digests are compared, so that not even the length of a key shows in the time. */
	sha256(token, given);
	for (size_t i = 0; i < keys->count; i++) {
		sha256(secret_reveal(keys->keys[i]), known);
		found |= crypto_equal(span_make(given, sizeof given), span_make(known, sizeof known));
	}
	if (scheme.len != 6 || strncasecmp(scheme.data, "Bearer", 6) || !token.len || !found)
		return error_set(error, ERROR_REJECT, "webhook.key",
				 "the Authorization header has no key that is known here");
	return 0;
}
