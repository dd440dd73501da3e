/* The audit trail's chain. See audit.h. */
#include "config.h"
#include "operations/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#define KEY_TEXT 48
#define SIGNATURE_TEXT 96
#define WHO_MAX   256
#define FACTS_MAX (AUDIT_LINE_MAX - 4096) /* a character of a name may be six in JSON */

/* ---- the key */
static int key_failed(const char *path, const char *what, struct error *error)
{
	return error_set(error, ERROR_FATAL, "audit.key", "the audit trail's key %s %s: %s; it is 32 bytes, mode 600",
			 path, what, strerror(errno));
}

static int key_make(const char *path, uint8_t seed[SIGN_KEY_SIZE], struct error *error)
{
	char *temporary = mem_printf("%s.new", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), result = -1;

	crypto_random(seed, SIGN_KEY_SIZE);
	if (fd < 0 || file_write_all(fd, span_make(seed, SIGN_KEY_SIZE)) || fsync(fd) || rename(temporary, path))
		key_failed(path, "cannot be written", error);
	else
		result = 0;
	if (fd >= 0)
		close(fd);
	free(temporary);
	return result;
}

int audit_key_load(struct audit_key *key, const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t more;
	struct stat stat;
	int result = -1;

	if (fd < 0 && errno == ENOENT) {
		result = key_make(path, key->seed, error);
	} else if (fd < 0) {
		key_failed(path, "cannot be read", error);
	} else if (fstat(fd, &stat) || stat.st_mode & 077 || read(fd, key->seed, SIGN_KEY_SIZE) != SIGN_KEY_SIZE ||
		   read(fd, &more, 1)) {
		errno = stat.st_mode & 077 ? EPERM : EINVAL;
		key_failed(path, "is not usable", error);
	} else {
		result = 0;
	}
	if (fd >= 0)
		close(fd);
	if (!result)
		sign_public(key->seed, key->public_key);
	return result;
}

/* ---- records */
static json_t *base64_text(const void *data, size_t len)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 256);
	base64_encode(&text, span_make(data, len));
	value = json_stringn(text.data, text.len);
	buf_free(&text);
	return value;
}

/* What does not fit is told by its size and digest. */
static json_t *facts_that_fit(const json_t *facts)
{
	char *text = facts ? json_dumps(facts, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	json_t *short_facts;
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	if (len && len <= FACTS_MAX) {
		free(text);
		return json_incref((json_t *)(uintptr_t)facts);
	}
	if (!len)
		return json_object();
	sha256(span_make(text, len), digest);
	hex_encode(hex, digest, sizeof digest);
	short_facts = json_pack("{s:I s:s}", "size", (json_int_t)len, "sha256", hex);
	free(text);
	return short_facts;
}

void audit_record(struct audit_head *head, int64_t at_ms, const char *what, const char *who, const json_t *facts,
		  struct buf *line)
{
	char at[CLOCK_TEXT], before[2 * SHA256_SIZE + 1], *text;
	struct buf by;
	json_t *record;

	buf_init(&by, 4 * WHO_MAX);
	utf8_clean(&by, span_make(who, strnlen(who, WHO_MAX)));
	if (at_ms < head->at_ms)
		at_ms = head->at_ms;
	clock_format(at_ms, at);
	hex_encode(before, head->hash, sizeof head->hash);
	record = json_pack("{s:I s:s s:s s:s% s:o s:s}", "n", (json_int_t)(head->number + 1), "at", at, "what", what,
			   "by", by.len ? by.data : "", by.len, "facts", facts_that_fit(facts), "before", before);
	text = json_dumps(record, JSON_COMPACT);
	buf_text(line, text);
	sha256(span_of(text), head->hash);
	head->number++;
	head->at_ms = at_ms;
	free(text);
	json_decref(record);
	buf_free(&by);
}

static void signed_text(struct buf *text, int64_t number, const char *at, const char *before)
{
	buf_printf(text, "ferrule audit\n%" PRId64 "\n%s\n%s\n", number, at, before);
}

void audit_checkpoint(struct audit_head *head, int64_t at_ms, const struct audit_key *key, struct buf *line)
{
	char at[CLOCK_TEXT], before[2 * SHA256_SIZE + 1];
	uint8_t signature[SIGNATURE_SIZE];
	struct buf text;
	json_t *facts;

	buf_init(&text, 256);
	if (at_ms < head->at_ms)
		at_ms = head->at_ms;
	clock_format(at_ms, at);
	hex_encode(before, head->hash, sizeof head->hash);
	signed_text(&text, head->number + 1, at, before);
	sign_data(key->seed, buf_view(&text), signature);
	facts = json_pack("{s:o s:o}", "key", base64_text(key->public_key, SIGN_KEY_SIZE), "signature",
			  base64_text(signature, sizeof signature));
	audit_record(head, at_ms, "checkpoint", "", facts, line);
	json_decref(facts);
	buf_free(&text);
}

void audit_announce(struct audit_head *head, int64_t at_ms, const struct audit_key *key, struct buf *line)
{
	json_t *facts = json_pack("{s:o}", "key", base64_text(key->public_key, SIGN_KEY_SIZE));

	audit_record(head, at_ms, "audit.key", "", facts, line);
	json_decref(facts);
}

/* ---- verification */
static int refuse(struct error *error, const char *code, int64_t number, const char *what)
{
	return error_set(error, ERROR_REJECT, code, "record %" PRId64 " %s", number, what);
}

static int bytes_of(const json_t *facts, const char *name, void *out, size_t len)
{
	const char *text = json_string_value(json_object_get(facts, name));
	struct buf bytes;
	int result = -1;

	buf_init(&bytes, 256);
	if (text && !base64_decode(&bytes, span_of(text)) && bytes.len == len) {
		memcpy(out, bytes.data, len);
		result = 0;
	}
	buf_free(&bytes);
	return result;
}

static bool is_known(const struct audit_check *check, const uint8_t key[SIGN_KEY_SIZE])
{
	for (size_t i = 0; i < check->keys_count; i++)
		if (!memcmp(check->keys[i], key, SIGN_KEY_SIZE))
			return true;
	return false;
}

static int take_key(struct audit_check *check, int64_t number, const json_t *facts, struct error *error)
{
	uint8_t key[SIGN_KEY_SIZE];

	if (bytes_of(facts, "key", key, sizeof key))
		return refuse(error, "audit.line", number, "announces a key that is none");
	if (check->pinned || is_known(check, key))
		return 0;
	if (check->keys_count == AUDIT_KEYS_MAX)
		return refuse(error, "audit.key-unknown", number, "announces one key too many: 64 are followed");
	memcpy(check->keys[check->keys_count++], key, SIGN_KEY_SIZE);
	return 0;
}

static int check_signature(struct audit_check *check, int64_t number, const json_t *record, const json_t *facts,
			   struct error *error)
{
	uint8_t key[SIGN_KEY_SIZE], signature[SIGNATURE_SIZE];
	struct buf text;
	bool good;

	if (bytes_of(facts, "key", key, sizeof key) || bytes_of(facts, "signature", signature, sizeof signature))
		return refuse(error, "audit.line", number, "is a check point without key and signature");
	if (!is_known(check, key))
		return refuse(error, "audit.key-unknown", number,
			      check->pinned ? "is signed with another key than the one given"
					    : "is signed with a key that no record announces");
	buf_init(&text, 512);
	signed_text(&text, number, json_string_value(json_object_get(record, "at")),
		    json_string_value(json_object_get(record, "before")));
	good = sign_verify(key, buf_view(&text), signature);
	buf_free(&text);
	if (!good)
		return refuse(error, "audit.signature", number, "is a check point whose signature does not hold");
	check->checkpoints++;
	check->signed_number = number;
	return 0;
}

/* The members that every record has; *facts is borrowed. */
static int take_apart(const json_t *record, int64_t *number, int64_t *at_ms, const char **what, const char **before,
		      const json_t **facts)
{
	const char *at = NULL, *by = NULL;
	json_int_t n;

	if (json_unpack((json_t *)(uintptr_t)record, "{s:I s:s s:s s:s s:o s:s !}", "n", &n, "at", &at, "what", what,
			"by", &by, "facts", facts, "before", before))
		return -1;
	*number = n;
	return clock_parse(span_of(at), at_ms) || strlen(at) >= CLOCK_TEXT || !json_is_object(*facts) ? -1 : 0;
}

int audit_check_line(struct audit_check *check, struct span line, struct error *error)
{
	int64_t expected = check->head.number + 1, number, at_ms;
	char before[2 * SHA256_SIZE + 1];
	const char *what, *stated;
	const json_t *facts;
	json_error_t why;
	json_t *record;
	int result = -1;

	record = line.len <= AUDIT_LINE_MAX ? json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &why) : NULL;
	hex_encode(before, check->head.hash, sizeof check->head.hash);
	if (!record || take_apart(record, &number, &at_ms, &what, &stated, &facts))
		refuse(error, "audit.line", expected, "is not there as a record: this line is none");
	else if (number != expected)
		error_set(error, ERROR_REJECT, "audit.number",
			  "record %" PRId64 " is missing: record %" PRId64 " stands in its place", expected, number);
	else if (strcmp(stated, before) != 0)
		refuse(error, "audit.chain", number,
		       "does not carry the hash of the one before: one of the two was changed, or one is missing");
	else if (at_ms < check->head.at_ms)
		refuse(error, "audit.time", number, "is older than the one before");
	else if (!strcmp(what, "audit.key"))
		result = take_key(check, number, facts, error);
	else if (!strcmp(what, "checkpoint"))
		result = check_signature(check, number, record, facts, error);
	else
		result = 0;
	json_decref(record);
	if (result)
		return -1;
	sha256(line, check->head.hash);
	check->head.number = number;
	check->head.at_ms = at_ms;
	return 0;
}
