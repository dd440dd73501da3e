/* The vault: storing. See vault.h.
 *
 * What is durable when: a pack's entries after fdatasync of the pack, and, once for each pack, fsync of the day's
 * directory and of packs/. A large document after fsync of its file in tmp/, the rename to files/, and fsync of that
 * directory. The rename comes only after the fsync, and replaces what is there: a name in files/ always stands for
 * whole content, and retention counts from the last put. */
#include "config.h"
#include "base/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/vault_private.h"

#define PACK_MAX (64u * 1024 * 1024)
#define UNWRITTEN_MAX (1024u * 1024)
#define CHUNK (256u * 1024)
#define WRITE_EACH (16u << 20)

/* ---- opening ----------------------------------------------------------------------------------------------------- */
static int sync_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

/* The name of the vault itself must outlive a crash as well. */
static int make_directory(const char *directory)
{
	char *copy;
	int result;

	if (mkdir(directory, 0700))
		return errno == EEXIST ? 0 : -1;
	copy = mem_strdup(directory);
	result = sync_directory(AT_FDCWD, dirname(copy));
	free(copy);
	return result;
}

struct vault *vault_open(const char *directory, struct error *error)
{
	static const char *const folders[] = {"packs", "files", "trash", "tmp"};
	struct vault *vault = mem_alloc(sizeof *vault);
	uint8_t random[8];

	crypto_random(random, sizeof random);
	hex_encode(vault->writer, random, sizeof random);
	vault->pack = -1;
	buf_init(&vault->unwritten, UNWRITTEN_MAX + 2 * VAULT_PACK_LIMIT);
	vault->directory = make_directory(directory) ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (vault->directory < 0)
		goto failed;
	for (size_t i = 0; i < 4; i++)
		if (mkdirat(vault->directory, folders[i], 0700) && errno != EEXIST)
			goto failed;
	if (fsync(vault->directory))
		goto failed;
	return vault;
failed:
	error_errno(error, ERROR_FATAL, "vault.open", "the vault %s cannot be used", directory);
	vault_close(vault);
	return NULL;
}

static void drop_pending(struct vault *vault)
{
	for (size_t i = 0; i < vault->pending_count; i++) {
		char path[VAULT_PATH_MAX];

		snprintf(path, sizeof path, "tmp/%s", vault->pending[i].tmp);
		unlinkat(vault->directory, path, 0);
	}
	vault->pending_count = 0;
}

/* Later puts begin a new pack. */
static void close_pack(struct vault *vault)
{
	if (vault->pack >= 0)
		close(vault->pack);
	vault->pack = -1;
	vault->pack_dirty = vault->pack_new = false;
	buf_reset(&vault->unwritten);
}

void vault_close(struct vault *vault)
{
	if (!vault)
		return;
	drop_pending(vault);
	close_pack(vault);
	if (vault->directory >= 0)
		close(vault->directory);
	buf_free(&vault->unwritten);
	free(vault->pending);
	free(vault);
}

int vault_error(struct error *error, const char *code, const char *what)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	error_errno(error, ERROR_RETRY, full ? "disk.full" : code, "vault: %s", what);
	if (error)
		error->scope = SCOPE_SITE;
	return -1;
}

/* ---- packs ------------------------------------------------------------------------------------------------------- */
static void day_of(int64_t ms, char day[9])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	strftime(day, 9, "%Y%m%d", &tm);
}

/* Twice, because a collector may remove the day's directory while it is empty. */
static int create_pack(struct vault *vault, const char *day, const char *path)
{
	char folder[VAULT_PATH_MAX];
	int fd = -1;

	snprintf(folder, sizeof folder, "packs/%s", day);
	for (int i = 0; i < 2 && fd < 0; i++) {
		if (mkdirat(vault->directory, folder, 0700) && errno != EEXIST)
			return -1;
		fd = openat(vault->directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != ENOENT)
			return -1;
	}
	if (fd >= 0)
		flock(fd, LOCK_SH | LOCK_NB); /* where there are no locks, the time of the last change protects it */
	return fd;
}

static int open_pack(struct vault *vault, const char *day)
{
	char path[VAULT_PATH_MAX];

	snprintf(vault->pack_day, sizeof vault->pack_day, "%s", day);
	snprintf(vault->pack_name, sizeof vault->pack_name, "%s/%s-%u", day, vault->writer, ++vault->packs_made);
	snprintf(path, sizeof path, "packs/%s.pack", vault->pack_name);
	vault->pack = create_pack(vault, day, path);
	vault->pack_written = 0;
	vault->pack_new = vault->pack >= 0;
	return vault->pack < 0 ? -1 : 0;
}

/* What could not be written is cut off, and the pack is left as it is: what was synced in it stays good. */
static int write_failed(struct vault *vault)
{
	int saved = errno;

	vault->lost = saved ? saved : EIO;
	if (ftruncate(vault->pack, (off_t)vault->pack_written) == 0)
		fdatasync(vault->pack);
	close_pack(vault);
	errno = saved;
	return -1;
}

int vault_write(struct vault *vault)
{
	struct span rest = buf_view(&vault->unwritten);

	if (FAULT_FAILS("vault.full")) {
		errno = ENOSPC;
		return write_failed(vault);
	}
	while (rest.len) {
		off_t at = (off_t)(vault->pack_written + vault->unwritten.len - rest.len);
		ssize_t n = pwrite(vault->pack, rest.data, rest.len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return write_failed(vault);
		rest = span_make(rest.data + n, rest.len - (size_t)n);
	}
	vault->pack_written += vault->unwritten.len;
	buf_reset(&vault->unwritten);
	return 0;
}

static int sync_pack(struct vault *vault)
{
	char folder[VAULT_PATH_MAX];

	if (!vault->pack_dirty)
		return 0;
	if (vault_write(vault))
		return -1;
	FAULT("vault.written");
	if (fdatasync(vault->pack))
		return write_failed(vault);
	FAULT("vault.pack-synced");
	snprintf(folder, sizeof folder, "packs/%s", vault->pack_day);
	if (vault->pack_new && (sync_directory(vault->directory, folder) || sync_directory(vault->directory, "packs")))
		return write_failed(vault);
	vault->pack_dirty = vault->pack_new = false;
	return 0;
}

/* A pack is full, or its day is over: nothing of it may be left unsynced. */
static int fit_pack(struct vault *vault)
{
	char day[9];

	day_of(clock_now_ms(), day);
	if (vault->pack >= 0 &&
	    (strcmp(day, vault->pack_day) || vault->pack_written + vault->unwritten.len >= PACK_MAX)) {
		if (sync_pack(vault))
			return -1;
		close_pack(vault);
	}
	return vault->pack < 0 ? open_pack(vault, day) : 0;
}

static int put_packed(struct vault *vault, struct span content, struct vault_entry *entry, struct error *error)
{
	uint64_t at;
	char hex[ID_TEXT];

	if (fit_pack(vault))
		return vault_error(error, "disk.write", "opening a pack");
	entry->digest = id_digest(content);
	entry->size = content.len;
	at = vault->pack_written + vault->unwritten.len;
	buf_text(&vault->unwritten, VAULT_MAGIC);
	buf_u32(&vault->unwritten, (uint32_t)content.len);
	buf_span(&vault->unwritten, id_span(&entry->digest));
	buf_span(&vault->unwritten, content);
	vault->pack_dirty = true;
	id_hex(&entry->digest, hex);
	snprintf(entry->ref, sizeof entry->ref, "p:%s:%llu:%zu:%s", vault->pack_name, (unsigned long long)at,
		 content.len, hex);
	FAULT("vault.put");
	if (vault->unwritten.len >= UNWRITTEN_MAX && vault_write(vault))
		return vault_error(error, "disk.write", "writing a pack");
	return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */
void vault_bucket(char path[VAULT_PATH_MAX], const struct id *digest)
{
	snprintf(path, VAULT_PATH_MAX, "files/%02x", digest->bytes[0]);
}

/* Synced first, named after: a name in files/ never stands for less than its content. */
static int place_file(struct vault *vault, const struct vault_pending *pending)
{
	char tmp[VAULT_PATH_MAX], bucket[VAULT_PATH_MAX], path[VAULT_PATH_MAX + ID_TEXT], hex[ID_TEXT];
	uint8_t number = pending->digest.bytes[0];
	int fd, synced;

	snprintf(tmp, sizeof tmp, "tmp/%s", pending->tmp);
	fd = openat(vault->directory, tmp, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	synced = fsync(fd);
	close(fd);
	if (synced)
		return -1;
	FAULT("vault.file-synced");
	vault_bucket(bucket, &pending->digest);
	id_hex(&pending->digest, hex);
	snprintf(path, sizeof path, "%s/%s", bucket, hex);
	if (mkdirat(vault->directory, bucket, 0700) && errno != EEXIST)
		return -1;
	if (renameat(vault->directory, tmp, vault->directory, path))
		return -1;
	FAULT("vault.file-renamed");
	vault->bucket_dirty[number] = true;
	return 0;
}

/* Those that were placed leave the list even when a later one fails. */
static int place_files(struct vault *vault)
{
	size_t done = 0;
	int result = 0;

	while (done < vault->pending_count && !result) {
		result = place_file(vault, &vault->pending[done]);
		done += !result;
	}
	if (result)
		vault->lost = errno; /* a second fsync of the same file may say that all is well */
	vault->pending_count -= done;
	if (vault->pending_count)
		memmove(vault->pending, vault->pending + done, vault->pending_count * sizeof *vault->pending);
	return result;
}

static int sync_buckets(struct vault *vault)
{
	bool parent = false;

	for (int i = 0; i < 256; i++) {
		struct id digest = {{(uint8_t)i}};
		char bucket[VAULT_PATH_MAX];

		if (!vault->bucket_dirty[i])
			continue;
		vault_bucket(bucket, &digest);
		if (sync_directory(vault->directory, bucket))
			return -1;
		parent |= !vault->bucket_known[i];
	}
	if (parent && sync_directory(vault->directory, "files"))
		return -1;
	for (int i = 0; i < 256; i++) {
		vault->bucket_known[i] |= vault->bucket_dirty[i];
		vault->bucket_dirty[i] = false;
	}
	return 0;
}

/* Bytes on their way in: from a reader, or from a descriptor after what was read of it already. */
static ssize_t read_some(void *arg, void *into, size_t len, struct error *error)
{
	int fd = *(const int *)arg;
	ssize_t n;

	do
		n = read(fd, into, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(error, ERROR_RETRY, "document.read", "reading the document") : n;
}

static ssize_t next(struct vault_incoming *in, char *into, size_t len, struct error *error)
{
	size_t n = in->first.len < len ? in->first.len : len;
	ssize_t got;

	if (n) {
		memcpy(into, in->first.data, n);
		in->first = span_make(in->first.data + n, in->first.len - n);
		return (ssize_t)n;
	}
	if (!in->reader)
		return in->read(in->arg, into, len, error);
	got = reader_read(in->reader, in->offset, into, len, error);
	if (got > 0)
		in->offset += (uint64_t)got;
	return got;
}

/* What is written begins its way to the disk at once: the sync at the end of gigabytes has little left to do. */
static void pass_on(struct vault *vault, int fd, uint64_t from, uint64_t to)
{
	if (from / WRITE_EACH == to / WRITE_EACH)
		return;
	sync_file_range(fd, (off_t)(from / WRITE_EACH * WRITE_EACH), WRITE_EACH, SYNC_FILE_RANGE_WRITE);
	if (vault->tell)
		vault->tell(vault->tell_arg);
}

int vault_stream(struct vault *vault, struct vault_incoming *in, int fd, struct vault_pending *pending,
		 struct error *error)
{
	struct sha256 *digest = in->digest ? in->digest : sha256_new();
	char *chunk = mem_alloc(CHUNK);
	ssize_t n = 1;
	int result = -1;

	while (n > 0) {
		n = next(in, chunk, CHUNK, error);
		if (n < 0)
			goto done;
		pending->size += (uint64_t)n;
		if (pending->size > in->limit) {
			error_set(error, ERROR_REJECT, "document.too-large", "the document has more than %llu bytes",
				  (unsigned long long)in->limit);
			goto done;
		}
		pass_on(vault, fd, pending->size - (uint64_t)n, pending->size);
		sha256_add(digest, chunk, (size_t)n);
		if (FAULT_FAILS("vault.full"))
			errno = ENOSPC;
		else if (file_write_all(fd, span_make(chunk, (size_t)n)) == 0)
			continue;
		vault_error(error, "disk.write", "writing a document");
		goto done;
	}
	sha256_end(digest, pending->digest.bytes);
	result = 0;
done:
	sha256_free(digest);
	free(chunk);
	return result;
}

static const struct vault_pending *find_pending(const struct vault *vault, const struct id *digest)
{
	for (size_t i = 0; i < vault->pending_count; i++)
		if (id_equal(&vault->pending[i].digest, digest))
			return &vault->pending[i];
	return NULL;
}

static void remember(struct vault *vault, const struct vault_pending *pending)
{
	vault->pending =
		mem_grow(vault->pending, &vault->pending_capacity, vault->pending_count + 1, sizeof *vault->pending);
	vault->pending[vault->pending_count++] = *pending;
}

int vault_put_ended(struct vault *vault, const struct vault_pending *pending, struct vault_entry *entry)
{
	char path[VAULT_PATH_MAX], hex[ID_TEXT];

	snprintf(path, sizeof path, "tmp/%s", pending->tmp);
	if (find_pending(vault, &pending->digest))
		unlinkat(vault->directory, path, 0);
	else
		remember(vault, pending);
	entry->digest = pending->digest;
	entry->size = pending->size;
	id_hex(&pending->digest, hex);
	snprintf(entry->ref, sizeof entry->ref, "f:%s:%llu", hex, (unsigned long long)pending->size);
	FAULT("vault.put");
	return 0;
}

static int put_file(struct vault *vault, struct vault_incoming *in, struct vault_entry *entry, struct error *error)
{
	struct vault_pending pending = {.size = 0};
	char path[VAULT_PATH_MAX];
	int fd, result;

	if (vault->pending_count >= VAULT_PENDING_MAX && place_files(vault))
		return vault_error(error, "disk.write", "naming a document");
	snprintf(pending.tmp, sizeof pending.tmp, "%s-%u", vault->writer, ++vault->tmps_made);
	snprintf(path, sizeof path, "tmp/%s", pending.tmp);
	fd = openat(vault->directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return vault_error(error, "disk.write", "opening a new document");
	result = vault_stream(vault, in, fd, &pending, error);
	if (close(fd) && !result)
		result = vault_error(error, "disk.write", "closing a document");
	if (result)
		unlinkat(vault->directory, path, 0);
	return result ? -1 : vault_put_ended(vault, &pending, entry);
}

void vault_progress(struct vault *vault, void (*tell)(void *), void *arg)
{
	vault->tell = tell;
	vault->tell_arg = arg;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */
int vault_put(struct vault *vault, struct reader *reader, struct vault_entry *entry, struct error *error)
{
	struct vault_incoming in = {.reader = reader, .limit = UINT64_MAX};
	struct span content;

	if (reader_size(reader) > VAULT_PACK_LIMIT)
		return put_file(vault, &in, entry, error);
	if (reader_view(reader, &content, error))
		return -1;
	return put_packed(vault, content, entry, error);
}

int vault_put_fd(struct vault *vault, int fd, uint64_t limit, struct vault_entry *entry, struct error *error)
{
	return vault_put_stream(vault, read_some, &fd, limit, entry, error);
}

int vault_put_stream(struct vault *vault, vault_read_fn *more, void *arg, uint64_t limit, struct vault_entry *entry,
		     struct error *error)
{
	size_t room = VAULT_PACK_LIMIT + 1, used = 0;
	char *first = mem_alloc(room);
	struct vault_incoming in = {.read = more, .arg = arg, .limit = limit};
	ssize_t n = 1;
	int result;

	while (used < room && (n = more(arg, first + used, room - used, error)) > 0)
		used += (size_t)n;
	if (n < 0)
		result = -1;
	else if (used > limit)
		result = error_set(error, ERROR_REJECT, "document.too-large", "the document has more than %llu bytes",
				   (unsigned long long)limit);
	else if (used < room)
		result = put_packed(vault, span_make(first, used), entry, error);
	else {
		in.first = span_make(first, used);
		result = put_file(vault, &in, entry, error);
	}
	free(first);
	return result;
}

int vault_sync(struct vault *vault, struct error *error)
{
	if (vault->lost || place_files(vault) || sync_buckets(vault) || sync_pack(vault)) {
		if (vault->lost)
			errno = vault->lost;
		vault_error(error, "disk.sync",
			    "what was put since the last sync is not durable and must be put again");
		drop_pending(vault);
		close_pack(vault);
		vault->lost = 0;
		return -1;
	}
	FAULT("vault.synced");
	return 0;
}
