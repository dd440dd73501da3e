/* Digests and text forms, against published vectors: FIPS 180-4, RFC 4231, RFC 4648. */
#include "config.h"
#include "tests/support/support.h"

#include <stdlib.h>

#include "base/crypto.h"

static void assert_hex(const uint8_t digest[SHA256_SIZE], const char *expected)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(hex, digest, SHA256_SIZE);
	assert_string_equal(hex, expected);
}

static void sha256_agrees_with_fips_180(void **state)
{
	uint8_t digest[SHA256_SIZE];

	sha256(SPAN_NONE, digest);
	assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256(SPAN_LITERAL("abc"), digest);
	assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256(SPAN_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
	assert_hex(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_digest_in_pieces_is_the_same_and_starts_over(void **state)
{
	struct sha256 *ongoing = sha256_new();
	uint8_t digest[SHA256_SIZE];
	char as[1000];

	memset(as, 'a', sizeof as);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++)
			sha256_add(ongoing, as, sizeof as);
		sha256_add(ongoing, NULL, 0);
		sha256_end(ongoing, digest);
		assert_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
	sha256_free(ongoing);
	sha256_free(NULL);
}

static void hmac_agrees_with_rfc_4231(void **state)
{
	uint8_t digest[SHA256_SIZE];
	char key[131], data[50];

	memset(key, 0x0b, 20);
	hmac_sha256(span_make(key, 20), SPAN_LITERAL("Hi There"), digest);
	assert_hex(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256(SPAN_LITERAL("Jefe"), SPAN_LITERAL("what do ya want for nothing?"), digest);
	assert_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	memset(data, 0xdd, sizeof data);
	hmac_sha256(span_make(key, 20), span_make(data, 50), digest);
	assert_hex(digest, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	hmac_sha256(span_make(key, 131), SPAN_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First"),
		    digest);
	assert_hex(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha256(SPAN_NONE, SPAN_NONE, digest);
	assert_hex(digest, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void equality_needs_the_same_length_and_bytes(void **state)
{
	assert_true(crypto_equal(SPAN_LITERAL("abc"), SPAN_LITERAL("abc")));
	assert_true(crypto_equal(SPAN_NONE, SPAN_LITERAL("")));
	assert_false(crypto_equal(SPAN_LITERAL("abc"), SPAN_LITERAL("abd")));
	assert_false(crypto_equal(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
}

static void random_bytes_differ(void **state)
{
	char a[32] = {0}, b[32] = {0};

	crypto_random(a, sizeof a);
	crypto_random(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

static void base64_agrees_with_rfc_4648(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < 7; i++) {
		struct buf text, bytes;

		buf_init(&text, 8);
		buf_init(&bytes, 6);
		assert_int_equal(base64_encode(&text, span_of(pairs[i][0])), 0);
		assert_true(span_is(buf_view(&text), pairs[i][1]));
		assert_int_equal(base64_decode(&bytes, buf_view(&text)), 0);
		assert_true(span_is(buf_view(&bytes), pairs[i][0]));
		buf_free(&text);
		buf_free(&bytes);
	}
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const bad[] = {"Z", "Zg=", "Zg", "Z===", "====", "Zm9v\n", " Zm9", "Zg==Zg==", "Z=9v",
					  "Zm-v",
					  "Zm9v    ", "Zm9vYg =", "\xff\xff\xff\xff"};
	struct buf bytes;

	buf_init(&bytes, 100);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (base64_decode(&bytes, span_of(bad[i])) == 0)
			fail_msg("accepted \"%s\"", bad[i]);
	assert_int_equal(bytes.len, 0);
	buf_free(&bytes);
}

static void hexadecimal_digits_are_read_exactly(void **state)
{
	uint8_t bytes[2];

	assert_int_equal(hex_decode(bytes, 2, SPAN_LITERAL("00fF")), 0);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1], 255);
	assert_int_equal(hex_decode(bytes, 2, SPAN_LITERAL("00f")), -1);
	assert_int_equal(hex_decode(bytes, 2, SPAN_LITERAL("00ff0")), -1);
	assert_int_equal(hex_decode(bytes, 2, SPAN_LITERAL("00fg")), -1);
	assert_int_equal(hex_decode(bytes, 2, SPAN_LITERAL("0x1f")), -1);
}

static void signatures_agree_with_rfc_8032(void **state)
{
	uint8_t seed[SIGN_KEY_SIZE], key[SIGN_KEY_SIZE], signature[SIGNATURE_SIZE];
	char hex[2 * SIGNATURE_SIZE + 1];

	assert_int_equal(hex_decode(seed, sizeof seed,
				    SPAN_LITERAL("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")),
			 0);
	sign_public(seed, key);
	assert_hex(key, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
	sign_data(seed, SPAN_LITERAL("\x72"), signature);
	hex_encode(hex, signature, sizeof signature);
	assert_string_equal(hex, "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
				 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_true(sign_verify(key, SPAN_LITERAL("\x72"), signature));
	assert_false(sign_verify(key, SPAN_LITERAL("\x73"), signature));
	signature[10] ^= 1;
	assert_false(sign_verify(key, SPAN_LITERAL("\x72"), signature));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_agrees_with_fips_180),
		cmocka_unit_test(a_digest_in_pieces_is_the_same_and_starts_over),
		cmocka_unit_test(hmac_agrees_with_rfc_4231),
		cmocka_unit_test(equality_needs_the_same_length_and_bytes),
		cmocka_unit_test(signatures_agree_with_rfc_8032),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(base64_agrees_with_rfc_4648),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(hexadecimal_digits_are_read_exactly),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
