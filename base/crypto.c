/* The fence around libcrypto. See crypto.h. */
#include "config.h"
#include "base/crypto.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/mem.h"

static void require(int ok, const char *what)
{
	if (ok == 1)
		return;
	fprintf(stderr, "ferrule: libcrypto failed: %s\n", what);
	abort();
}

void sha256(struct span data, uint8_t out[SHA256_SIZE])
{
	require(EVP_Digest(data.data ? data.data : "", data.len, out, NULL, EVP_sha256(), NULL), "SHA-256");
}

struct sha256 {
	EVP_MD_CTX *context;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *s = mem_alloc(sizeof *s);

	s->context = EVP_MD_CTX_new();
	require(s->context != NULL, "digest context");
	require(EVP_DigestInit_ex(s->context, EVP_sha256(), NULL), "SHA-256");
	return s;
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	if (len)
		require(EVP_DigestUpdate(s->context, data, len), "SHA-256");
}

void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE])
{
	require(EVP_DigestFinal_ex(s->context, out, NULL), "SHA-256");
	require(EVP_DigestInit_ex(s->context, EVP_sha256(), NULL), "SHA-256");
}

void sha256_free(struct sha256 *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->context);
	free(s);
}

/* ---- of any kind */
struct digest {
	EVP_MD_CTX *context;
};

static const EVP_MD *algorithm(enum digest_kind kind)
{
	return kind == DIGEST_MD5      ? EVP_md5()
	       : kind == DIGEST_SHA1   ? EVP_sha1()
	       : kind == DIGEST_SHA256 ? EVP_sha256()
				       : EVP_sha512();
}

size_t digest_size(enum digest_kind kind)
{
	return kind == DIGEST_MD5 ? 16 : kind == DIGEST_SHA1 ? 20 : kind == DIGEST_SHA256 ? 32 : 64;
}

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *digest = mem_alloc(sizeof *digest);

	digest->context = EVP_MD_CTX_new();
	require(digest->context != NULL, "digest context");
	if (EVP_DigestInit_ex(digest->context, algorithm(kind), NULL) == 1)
		return digest;
	EVP_MD_CTX_free(digest->context);
	free(digest);
	return NULL;
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
	if (len)
		require(EVP_DigestUpdate(digest->context, data, len), "digest");
}

void digest_end_take(struct digest *digest, uint8_t out[DIGEST_MAX])
{
	require(EVP_DigestFinal_ex(digest->context, out, NULL), "digest");
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

void hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_SIZE])
{
	unsigned len = SHA256_SIZE;

	require(HMAC(EVP_sha256(), key.data ? key.data : "", (int)key.len,
		     (const unsigned char *)(data.data ? data.data : ""), data.len, out, &len) != NULL, "HMAC");
}

/* ---- signatures */
static EVP_PKEY *key_of(const uint8_t seed[SIGN_KEY_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_KEY_SIZE);

	require(key != NULL, "Ed25519");
	return key;
}

void sign_public(const uint8_t seed[SIGN_KEY_SIZE], uint8_t public_key[SIGN_KEY_SIZE])
{
	EVP_PKEY *key = key_of(seed);
	size_t len = SIGN_KEY_SIZE;

	require(EVP_PKEY_get_raw_public_key(key, public_key, &len), "Ed25519");
	EVP_PKEY_free(key);
}

void sign_data(const uint8_t seed[SIGN_KEY_SIZE], struct span data, uint8_t signature[SIGNATURE_SIZE])
{
	EVP_PKEY *key = key_of(seed);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = SIGNATURE_SIZE;

	require(context != NULL, "signature context");
	require(EVP_DigestSignInit(context, NULL, NULL, NULL, key), "Ed25519");
	require(EVP_DigestSign(context, signature, &len, (const unsigned char *)(data.data ? data.data : ""), data.len),
		"Ed25519");
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

bool sign_verify(const uint8_t public_key[SIGN_KEY_SIZE], struct span data, const uint8_t signature[SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGN_KEY_SIZE);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	require(context != NULL, "signature context");
	good = key && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(context, signature, SIGNATURE_SIZE,
				(const unsigned char *)(data.data ? data.data : ""), data.len) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}

bool crypto_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void crypto_random(void *out, size_t len)
{
	require(RAND_bytes(out, (int)len), "random bytes");
}

int base64_encode(struct buf *buf, struct span data)
{
	char *room = data.len > INT_MAX / 2 ? NULL : buf_room(buf, (data.len + 2) / 3 * 4);

	if (!room)
		return -1;
	buf_added(buf, (size_t)EVP_EncodeBlock((unsigned char *)room, (const unsigned char *)data.data, (int)data.len));
	return 0;
}

/* EVP_DecodeBlock skips white space and takes `=` anywhere. */
static bool is_base64(struct span text, size_t padding)
{
	for (size_t i = 0; i < text.len - padding; i++)
		if (!isalnum((unsigned char)text.data[i]) && text.data[i] != '+' && text.data[i] != '/')
			return false;
	return true;
}

int base64_decode(struct buf *buf, struct span text)
{
	size_t padding = 0;
	char *room;
	int n;

	if (text.len % 4)
		return -1;
	while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
		padding++;
	if (text.len > INT_MAX / 2 || !is_base64(text, padding))
		return -1;
	if (!text.len)
		return buf_append(buf, "", 0);
	room = buf_room(buf, text.len / 4 * 3);
	if (!room)
		return -1;
	n = EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)text.data, (int)text.len);
	if (n < 0 || (size_t)n < padding)
		return -1;
	buf_added(buf, (size_t)n - padding);
	return 0;
}

void hex_encode(char *out, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(void *out, size_t len, struct span hex)
{
	unsigned char *bytes = out;

	if (hex.len != 2 * len)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int high = nibble(hex.data[2 * i]), low = nibble(hex.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}
