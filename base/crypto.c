/* The fence around libcrypto. See crypto.h. */
#include "config.h"
#include "base/crypto.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
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

void hmac_sha1(struct span key, struct span data, uint8_t out[20])
{
	unsigned len = 20;

	require(HMAC(EVP_sha1(), key.data ? key.data : "", (int)key.len,
		     (const unsigned char *)(data.data ? data.data : ""), data.len, out, &len) != NULL,
		"HMAC");
}

void hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_SIZE])
{
	unsigned len = SHA256_SIZE;

	require(HMAC(EVP_sha256(), key.data ? key.data : "", (int)key.len,
		     (const unsigned char *)(data.data ? data.data : ""), data.len, out, &len) != NULL,
		"HMAC");
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
	       EVP_DigestVerify(context, signature, SIGNATURE_SIZE, (const unsigned char *)(data.data ? data.data : ""),
				data.len) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}

/* ---- RSA ------------------------------------------------------------------------------------------------------- */

struct rsa {
	EVP_PKEY *key;
};

static int give_passphrase(char *into, int size, int writing, void *arg)
{
	const struct span *passphrase = arg;

	if (!passphrase->len || passphrase->len > (size_t)size)
		return -1;
	memcpy(into, passphrase->data, passphrase->len);
	return (int)passphrase->len;
}

static EVP_PKEY *read_pem(struct span text, struct span passphrase)
{
	BIO *bio = text.len < INT_MAX ? BIO_new_mem_buf(text.data, (int)text.len) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &passphrase) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

static bool take_string(struct span *rest, struct span *field)
{
	const unsigned char *at = (const unsigned char *)rest->data;
	size_t len;

	if (rest->len < 4)
		return false;
	len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
	if (len > rest->len - 4)
		return false;
	*field = span_make(rest->data + 4, len);
	*rest = span_make(rest->data + 4 + len, rest->len - 4 - len);
	return true;
}

static EVP_PKEY *key_from(struct span n, struct span e, struct span d)
{
	const struct span spans[3] = {n, e, d};
	static const char *const names[3] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D};
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *numbers[3] = {NULL};
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	require(build && context, "RSA");
	for (int i = 0; i < 3; i++) {
		numbers[i] = BN_bin2bn((const unsigned char *)spans[i].data, (int)spans[i].len, NULL);
		require(numbers[i] && OSSL_PARAM_BLD_push_BN(build, names[i], numbers[i]), "RSA");
	}
	params = OSSL_PARAM_BLD_to_param(build);
	require(params && EVP_PKEY_fromdata_init(context) == 1, "RSA");
	if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	ERR_clear_error();
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	for (int i = 0; i < 3; i++)
		BN_clear_free(numbers[i]);
	EVP_PKEY_CTX_free(context);
	return key;
}

/* The form "openssh-key-v1" (PROTOCOL.key of OpenSSH). */
static EVP_PKEY *read_openssh(struct span all, bool *is_rsa)
{
	static const char magic[] = "openssh-key-v1";
	struct span rest, cipher, ignored, public_part, secret, type, n, e, d;

	if (all.len < sizeof magic || memcmp(all.data, magic, sizeof magic))
		return NULL;
	rest = span_make(all.data + sizeof magic, all.len - sizeof magic);
	if (!take_string(&rest, &cipher) || !take_string(&rest, &ignored) || !take_string(&rest, &ignored) ||
	    rest.len < 4)
		return NULL;
	rest = span_make(rest.data + 4, rest.len - 4); /* how many keys: one */
	if (!take_string(&rest, &public_part) || !take_string(&public_part, &type) || !take_string(&rest, &secret))
		return NULL;
	*is_rsa = span_is(type, "ssh-rsa");
	if (!*is_rsa || !span_is(cipher, "none") || secret.len < 8)
		return NULL;
	secret = span_make(secret.data + 8, secret.len - 8); /* two numbers that prove a passphrase */
	if (!take_string(&secret, &type) || !take_string(&secret, &n) || !take_string(&secret, &e) ||
	    !take_string(&secret, &d) || n.len > 4096 || e.len > 4096 || d.len > 4096)
		return NULL;
	return key_from(n, e, d);
}

static EVP_PKEY *read_openssh_text(struct span text, bool *is_rsa)
{
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
	const char *at = memmem(text.data, text.len, begin, sizeof begin - 1), *end = text.data + text.len;
	struct buf base64, bytes;
	EVP_PKEY *key = NULL;

	if (!at)
		return NULL;
	buf_init(&base64, 65536);
	buf_init(&bytes, 65536);
	for (at += sizeof begin - 1; at < end && *at != '-'; at++)
		if (!isspace((unsigned char)*at))
			buf_char(&base64, *at);
	if (!base64_decode(&bytes, buf_view(&base64)))
		key = read_openssh(buf_view(&bytes), is_rsa);
	if (base64.len)
		OPENSSL_cleanse(base64.data, base64.len);
	if (bytes.len)
		OPENSSL_cleanse(bytes.data, bytes.len);
	buf_free(&base64);
	buf_free(&bytes);
	return key;
}

struct rsa *rsa_new(struct span text, struct span passphrase, bool *is_rsa)
{
	struct rsa *rsa;
	EVP_PKEY *key;

	*is_rsa = false;
	key = read_openssh_text(text, is_rsa);
	if (!key && !*is_rsa) {
		key = read_pem(text, passphrase);
		*is_rsa = key && EVP_PKEY_is_a(key, "RSA");
	}
	if (!*is_rsa || !key) {
		EVP_PKEY_free(key);
		return NULL;
	}
	rsa = mem_alloc(sizeof *rsa);
	rsa->key = key;
	return rsa;
}

static void put_number(const struct rsa *rsa, const char *name, struct buf *into)
{
	BIGNUM *number = NULL;
	char *room;

	require(EVP_PKEY_get_bn_param(rsa->key, name, &number), "RSA");
	room = buf_room(into, (size_t)BN_num_bytes(number));
	require(room != NULL, "RSA");
	buf_added(into, (size_t)BN_bn2bin(number, (unsigned char *)room));
	BN_free(number);
}

void rsa_public(const struct rsa *rsa, struct buf *exponent, struct buf *modulus)
{
	put_number(rsa, OSSL_PKEY_PARAM_RSA_E, exponent);
	put_number(rsa, OSSL_PKEY_PARAM_RSA_N, modulus);
}

int rsa_sign(const struct rsa *rsa, struct span data, struct buf *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = (size_t)EVP_PKEY_get_size(rsa->key);
	char *room = buf_room(signature, len);
	bool good;

	require(context != NULL, "signature context");
	good = room && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, rsa->key) == 1 &&
	       EVP_DigestSign(context, (unsigned char *)room, &len, (const unsigned char *)data.data, data.len) == 1;
	if (good)
		buf_added(signature, len);
	ERR_clear_error();
	EVP_MD_CTX_free(context);
	return good ? 0 : -1;
}

void rsa_free(struct rsa *rsa)
{
	if (!rsa)
		return;
	EVP_PKEY_free(rsa->key);
	free(rsa);
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
