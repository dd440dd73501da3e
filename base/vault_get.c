/* The vault: finding. See vault.h. A reference may have been damaged or made up: nothing of it reaches the file system
 * before it was read letter by letter. */
#include "config.h"
#include "base/vault.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vault_private.h"

/* ---- references -------------------------------------------------------------------------------------------------- */
static bool cut(struct span *rest, char at, struct span *part)
{
	const char *found = rest->len ? memchr(rest->data, at, rest->len) : NULL;

	if (!found)
		return false;
	*part = span_make(rest->data, (size_t)(found - rest->data));
	*rest = span_make(found + 1, rest->len - part->len - 1);
	return true;
}

static bool parse_number(struct span text, uint64_t *value)
{
	*value = 0;
	if (!text.len || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.data[i]))
			return false;
		*value = *value * 10 + (uint64_t)(text.data[i] - '0');
	}
	return true;
}

static bool is_hex(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isdigit((unsigned char)text.data[i]) && (text.data[i] < 'a' || text.data[i] > 'f'))
			return false;
	return true;
}

static bool parse_pack(struct vault_place *place, struct span rest)
{
	struct span day, writer, number, offset, length;
	uint64_t ignored;

	if (!cut(&rest, '/', &day) || day.len != 8 || !parse_number(day, &ignored) || !cut(&rest, '-', &writer) ||
	    writer.len != 16 || !is_hex(writer) || !cut(&rest, ':', &number) || number.len > 10 ||
	    !parse_number(number, &ignored) || !cut(&rest, ':', &offset) || !parse_number(offset, &place->offset) ||
	    !cut(&rest, ':', &length) || !parse_number(length, &place->length) || place->length > VAULT_PACK_LIMIT)
		return false;
	place->kind = VAULT_PACKED;
	snprintf(place->pin, sizeof place->pin, "p:%.*s/%.*s-%.*s", SPAN_ARGS(day), SPAN_ARGS(writer),
		 SPAN_ARGS(number));
	snprintf(place->path, sizeof place->path, "packs/%s.pack", place->pin + 2);
	return is_hex(rest) && id_parse(&place->digest, rest) == 0;
}

static bool parse_file(struct vault_place *place, struct span rest)
{
	struct span digest;

	if (!cut(&rest, ':', &digest) || !is_hex(digest) || id_parse(&place->digest, digest) ||
	    !parse_number(rest, &place->length))
		return false;
	place->kind = VAULT_FILE;
	snprintf(place->pin, sizeof place->pin, "f:%.*s", SPAN_ARGS(digest));
	snprintf(place->path, sizeof place->path, "files/%.2s/%.*s", digest.data, SPAN_ARGS(digest));
	return true;
}

int vault_place_parse(struct vault_place *place, struct span ref)
{
	struct span rest;

	memset(place, 0, sizeof *place);
	if (ref.len < 2 || ref.len >= VAULT_REF_MAX)
		return -1;
	rest = span_make(ref.data + 2, ref.len - 2);
	if (span_starts(ref, "p:"))
		return parse_pack(place, rest) ? 0 : -1;
	return span_starts(ref, "f:") && parse_file(place, rest) ? 0 : -1;
}

/* ---- trash ------------------------------------------------------------------------------------------------------- */
int vault_move(struct vault *vault, const char *from, const char *to)
{
	char folder[VAULT_PATH_MAX];

	if (renameat(vault->directory, from, vault->directory, to) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	for (const char *slash = strchr(to, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - to), to);
		if (mkdirat(vault->directory, folder, 0700) && errno != EEXIST)
			return -1;
	}
	return renameat(vault->directory, from, vault->directory, to);
}

/* The trash has one directory for each round of the collector, named by its time. */
bool vault_restore(struct vault *vault, const char *path)
{
	int fd = openat(vault->directory, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *trash = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	if (!trash) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *entry = readdir(trash); entry && !found; entry = readdir(trash)) {
		char from[VAULT_PATH_MAX * 2];
		struct stat status;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(from, sizeof from, "trash/%s/%s", entry->d_name, path);
		found = fstatat(vault->directory, from, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			vault_move(vault, from, path) == 0;
	}
	closedir(trash);
	return found;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */
static int damaged(struct error *error, struct span ref, const char *how)
{
	return error_set(error, ERROR_REJECT, "vault.damaged", "the document %.*s is damaged: %s", SPAN_ARGS(ref), how);
}

/* What this process put and has not synced yet. */
static int open_pending(struct vault *vault, const struct vault_place *place)
{
	for (size_t i = 0; i < vault->pending_count; i++) {
		char path[VAULT_PATH_MAX];

		if (!id_equal(&vault->pending[i].digest, &place->digest))
			continue;
		snprintf(path, sizeof path, "tmp/%s", vault->pending[i].tmp);
		return openat(vault->directory, path, O_RDONLY | O_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

/* A collector may move it to the trash, and back, between our two looks. */
static int open_stored(struct vault *vault, const struct vault_place *place)
{
	bool restored = true;
	int fd = -1;

	for (int i = 0; i < 4; i++) {
		fd = openat(vault->directory, place->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && place->kind == VAULT_FILE)
			fd = open_pending(vault, place);
		if (fd >= 0 || errno != ENOENT || !restored)
			break;
		restored = vault_restore(vault, place->path);
		errno = ENOENT;
	}
	return fd;
}

static int read_entry(int fd, const struct vault_place *place, char *into, size_t len, struct span ref,
		      struct error *error)
{
	size_t used = 0;

	while (used < len) {
		ssize_t n = pread(fd, into + used, len - used, (off_t)(place->offset + used));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vault_error(error, "disk.read", "reading a pack");
		if (n == 0)
			return damaged(error, ref, "the pack ends before it");
		used += (size_t)n;
	}
	return 0;
}

static struct reader *read_packed(int fd, const struct vault_place *place, struct span ref, struct error *error)
{
	size_t size = VAULT_HEADER + (size_t)place->length;
	char *entry = mem_alloc(size);
	struct span rest = span_make(entry, size), magic, written;
	struct reader *reader = NULL;
	struct id digest;
	uint32_t length = 0;

	if (read_entry(fd, place, entry, size, ref, error))
		goto done;
	take_bytes(&rest, strlen(VAULT_MAGIC), &magic);
	take_u32(&rest, &length);
	take_bytes(&rest, SHA256_SIZE, &written);
	digest = id_digest(rest);
	if (!span_is(magic, VAULT_MAGIC) || length != place->length || !span_equal(written, id_span(&place->digest)))
		damaged(error, ref, "the pack holds something else there");
	else if (!id_equal(&digest, &place->digest))
		damaged(error, ref, "its content does not have its digest");
	else
		reader = reader_new_copy(rest);
done:
	free(entry);
	close(fd);
	return reader;
}

static struct reader *read_file(int fd, const struct vault_place *place, struct span ref, struct error *error)
{
	struct stat status;

	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size == place->length)
		return reader_new_fd(fd, 0, place->length);
	damaged(error, ref, "the file has another size");
	close(fd);
	return NULL;
}

struct reader *vault_get_new(struct vault *vault, struct span ref, struct error *error)
{
	struct vault_place place;
	int fd;

	if (vault_place_parse(&place, ref)) {
		error_set(error, ERROR_REJECT, "vault.damaged", "this is no reference into the vault: %.*s",
			  (int)(ref.len < 100 ? ref.len : 100), ref.data ? ref.data : "");
		return NULL;
	}
	if (place.kind == VAULT_PACKED && vault->unwritten.len && !strcmp(place.pin + 2, vault->pack_name) &&
	    vault_write(vault)) {
		vault_error(error, "disk.write", "writing a pack");
		return NULL;
	}
	fd = open_stored(vault, &place);
	if (fd < 0 && errno == ENOENT) {
		error_set(error, ERROR_REJECT, "vault.missing",
			  "the document %.*s is not in the vault: its retention has passed",
			  SPAN_ARGS(ref));
		return NULL;
	}
	if (fd < 0) {
		vault_error(error, "disk.read", "opening a document");
		return NULL;
	}
	return place.kind == VAULT_FILE ? read_file(fd, &place, ref, error) : read_packed(fd, &place, ref, error);
}

#define RENEW_MS 60000 /* what is younger need not be renewed: retention is hours at the least */

int vault_renew(struct vault *vault, struct span ref, struct error *error)
{
	int64_t now = clock_now_ms();
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
				    {.tv_sec = now / 1000, .tv_nsec = now % 1000 * 1000000}};
	struct vault_place place;
	struct stat status;
	int fd;

	if (vault_place_parse(&place, ref))
		return 0;
	fd = open_stored(vault, &place);
	if (fd < 0)
		return errno == ENOENT ? 0 : vault_error(error, "disk.read", "opening a document");
	if (fstat(fd, &status) == 0 && (int64_t)status.st_mtim.tv_sec * 1000 + RENEW_MS < now &&
	    futimens(fd, times)) {
		close(fd);
		return vault_error(error, "disk.write", "renewing a document");
	}
	close(fd);
	return 0;
}
