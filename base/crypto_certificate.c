/* Certificates in PEM files, as far as it matters when they end. See crypto.h. */
#include "config.h"
#include "base/crypto.h"

#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static int64_t milliseconds(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

static void tell(X509 *x509, struct certificate *told)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	BIO *text = BIO_new(BIO_s_mem());
	int n;

	*told = (struct certificate){.expires_ms = milliseconds(X509_get0_notAfter(x509))};
	if (X509_digest(x509, EVP_sha256(), digest, &size) == 1 && size == SHA256_SIZE)
		hex_encode(told->fingerprint, digest, SHA256_SIZE);
	if (text && X509_NAME_print_ex(text, X509_get_subject_name(x509), 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_read(text, told->subject, sizeof told->subject - 1);
		told->subject[n > 0 ? n : 0] = '\0';
	}
	BIO_free(text);
}

int certificate_each(struct span pem, unsigned most, void (*each)(void *arg, const struct certificate *), void *arg)
{
	BIO *in = pem.len && pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
	struct certificate told;
	unsigned n = 0;
	X509 *x509;

	while (in && n < most && (x509 = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		tell(x509, &told);
		X509_free(x509);
		n++;
		each(arg, &told);
	}
	BIO_free(in);
	ERR_clear_error(); /* the end of the file is an error, too */
	return (int)n;
}
