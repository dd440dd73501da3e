/* Digests, keyed digests, signatures, random bytes and their text forms; the fence around OpenSSL's libcrypto. Nothing
 * blocks. */
#ifndef FERRULE_BASE_CRYPTO_H
#define FERRULE_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SHA256_SIZE 32

void sha256(struct span data, uint8_t out[SHA256_SIZE]);

struct sha256; /* an ongoing digest */
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *, const void *data, size_t len);
void sha256_end(struct sha256 *, uint8_t out[SHA256_SIZE]); /* and starts over */
void sha256_free(struct sha256 *);

/* Digests that others still use, for comparing and telling: never for identity, nor for trust. */
enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
#define DIGEST_MAX 64
struct digest;
size_t digest_size(enum digest_kind);
struct digest *digest_new(enum digest_kind); /* NULL: this machine does not allow it */
void digest_add(struct digest *, const void *data, size_t len);
void digest_end_take(struct digest *, uint8_t out[DIGEST_MAX]); /* frees it */

void hmac_sha1(struct span key, struct span data, uint8_t out[20]); /* for names in files of others */
void hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_SIZE]);
/* Signatures: Ed25519 (RFC 8032). The seed is the private key. */
#define SIGN_KEY_SIZE  32
#define SIGNATURE_SIZE 64
void sign_public(const uint8_t seed[SIGN_KEY_SIZE], uint8_t public_key[SIGN_KEY_SIZE]);
void sign_data(const uint8_t seed[SIGN_KEY_SIZE], struct span, uint8_t signature[SIGNATURE_SIZE]);
bool sign_verify(const uint8_t public_key[SIGN_KEY_SIZE], struct span, const uint8_t signature[SIGNATURE_SIZE]);

/* RSA keys, for logging in by SSH: PEM, or as ssh-keygen writes them without a passphrase. NULL: it is none, or cannot
 * be opened; *is_rsa says which. */
struct rsa;
struct rsa *rsa_new(struct span text, struct span passphrase, bool *is_rsa);
void rsa_public(const struct rsa *, struct buf *exponent, struct buf *modulus); /* most significant byte first */
int rsa_sign(const struct rsa *, struct span, struct buf *signature); /* PKCS #1 v1.5 with SHA-256 (RFC 8017); -1 */
void rsa_free(struct rsa *);

/* Certificates of a PEM text (X.509, RFC 5280), the first `most` of them. Returns how many there were. */
struct certificate {
	char subject[200];                      /* "CN=erp.example.org,O=…" (RFC 2253), cut */
	char fingerprint[SHA256_SIZE * 2 + 1]; /* SHA-256, hexadecimal */
	int64_t expires_ms;                    /* Unix milliseconds; 0: not to be read */
};
int certificate_each(struct span pem, unsigned most, void (*each)(void *arg, const struct certificate *), void *arg);

bool crypto_equal(struct span a, struct span b); /* takes the same time wherever they differ */
void crypto_random(void *out, size_t len);

int base64_encode(struct buf *, struct span);
int base64_decode(struct buf *, struct span); /* -1 when it is not base64 */
void hex_encode(char *out, const void *data, size_t len); /* 2 * len characters and a NUL */
int hex_decode(void *out, size_t len, struct span hex);   /* exactly 2 * len digits, or -1 */

#endif
