/* Digests, keyed digests, random bytes and their text forms; the fence around OpenSSL's libcrypto. Nothing blocks. */
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

void hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_SIZE]);
bool crypto_equal(struct span a, struct span b); /* takes the same time wherever they differ */
void crypto_random(void *out, size_t len);

int base64_encode(struct buf *, struct span);
int base64_decode(struct buf *, struct span); /* -1 when it is not base64 */
void hex_encode(char *out, const void *data, size_t len); /* 2 * len characters and a NUL */
int hex_decode(void *out, size_t len, struct span hex);   /* exactly 2 * len digits, or -1 */

#endif
