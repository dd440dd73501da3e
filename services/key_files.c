/* Keys in files. See key_files.h. */
#include "config.h"
#include "services/key_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/utf8.h"
#include "transformers/files/pgp.h"

#define FILE_MAX (16 << 20) /* a larger one is no file of keys */

struct walk {
	key_files_fn *each;
	void *arg;
	const char *kind;
};

static void found_one(void *arg, const char *path, struct place place)
{
	*(bool *)arg = true;
}

bool key_files_any(const struct site *site)
{
	bool any = !access(site->keys_path, F_OK);

	site_certificates(site, found_one, &any);
	site_host_keys(site, found_one, &any);
	return any;
}

static void on_key(void *arg, const struct pgp_key *key, const char *what)
{
	const struct walk *walk = arg;
	char is[CLOCK_TEXT + 10] = "for ever", until[CLOCK_TEXT];
	struct buf name;

	if (key->expires_ms) {
		clock_format(key->expires_ms, until);
		snprintf(is, sizeof is, "until %.10s", until);
	}
	buf_init(&name, 4 * sizeof key->user);
	utf8_clean(&name, span_of(key->user));
	buf_char(&name, '\0');
	walk->each(walk->arg, &(struct key_file){"openpgp", key->fingerprint, name.data,
						 key->revoked    ? "revoked"
						 : key->disabled ? "disabled"
								 : is});
	buf_free(&name);
}

/* Of a plain file; a FIFO or a device is none, and would be waited for. */
static bool digest_of(const char *path, char hex[2 * SHA256_SIZE + 1])
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct sha256 *digest = sha256_new();
	uint8_t bytes[SHA256_SIZE];
	char part[8192];
	struct stat st;
	ssize_t n = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX ? 1 : -1;

	while (n > 0) {
		n = read(fd, part, sizeof part);
		if (n > 0)
			sha256_add(digest, part, (size_t)n);
	}
	sha256_end(digest, bytes);
	sha256_free(digest);
	hex_encode(hex, bytes, sizeof bytes);
	if (fd >= 0)
		close(fd);
	return n == 0;
}

static void on_file(void *arg, const char *path, struct place place)
{
	const struct walk *walk = arg;
	char hex[2 * SHA256_SIZE + 1], is[sizeof hex + 8];

	if (!utf8_is_clean(span_of(path)) || !digest_of(path, hex))
		return;
	snprintf(is, sizeof is, "sha256:%s", hex);
	walk->each(walk->arg, &(struct key_file){walk->kind, path, "", is});
}

bool key_files_each(const struct site *site, key_files_fn *each, void *arg, struct error *error)
{
	struct walk walk = {each, arg, "certificate"};
	bool good = true;
	struct pgp *pgp;

	site_certificates(site, on_file, &walk);
	walk.kind = "known-hosts";
	site_host_keys(site, on_file, &walk);
	if (access(site->keys_path, F_OK))
		return true;
	pgp = pgp_new(site->keys_path, error);
	good = pgp && !pgp_each_public(pgp, on_key, &walk, error);
	pgp_free(pgp);
	return good;
}
