/* zip and unzip (APPNOTE 6.3.10, with ZIP64); the fence around libarchive. unzip looks at all names, sizes and kinds in
 * the archive's directory before the first member goes on, so that an archive with a member that leads out of it, is a
 * link or is encrypted gives nothing at all. A member whose own bytes are damaged is refused alone. */
#include "config.h"
#include "transformers/transformers.h"

#include <archive.h>
#include <archive_entry.h>
#include <fnmatch.h>
#include <locale.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "transformers/files/document.h"
#include "transformers/files/zip_name.h"

/* ---- reading an archive -------------------------------------------------------------------------------------------
 */
struct unzip_settings {
	uint64_t size;
	int64_t members, ratio;
	struct text_list only;
};

struct unzip {
	const struct unzip_settings *settings;
	locale_t locale; /* in which libarchive leaves UTF-8 as it is */
};

struct reading {
	const struct unzip *unzip;
	struct reader *bytes;
	uint64_t at;
	char *chunk;
	struct archive *archive;
	struct error error; /* of the disk, in a callback */
	bool failed;
	struct buf name; /* of the member in hand, as UTF-8 */
	uint64_t number, total;
};

static la_ssize_t on_read(struct archive *archive, void *arg, const void **bytes)
{
	struct reading *r = arg;
	ssize_t n = reader_read(r->bytes, r->at, r->chunk, DOCUMENT_CHUNK, &r->error);

	r->failed |= n < 0;
	*bytes = r->chunk;
	r->at += n > 0 ? (uint64_t)n : 0;
	return n < 0 ? ARCHIVE_FATAL : n;
}

static la_int64_t on_seek(struct archive *archive, void *arg, la_int64_t offset, int whence)
{
	struct reading *r = arg;
	int64_t size = (int64_t)reader_size(r->bytes);
	int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)r->at : size;

	if (offset > size - from || offset < -from)
		return ARCHIVE_FATAL;
	r->at = (uint64_t)(from + offset);
	return from + offset;
}

/* What libarchive says names no document's content. */
static int archive_fault(struct reading *r, const char *what, struct error *error)
{
	const char *said = archive_error_string(r->archive);

	if (r->failed) {
		*error = r->error;
		return -1;
	}
	return error_set(error, ERROR_REJECT, "zip.damaged", "%s: %s", what, said ? said : "the archive is damaged");
}

static int reading_begin(struct reading *r, const struct unzip *unzip, struct reader *bytes, struct error *error)
{
	char begin[4];

	*r = (struct reading){.unzip = unzip, .bytes = bytes, .chunk = mem_alloc(DOCUMENT_CHUNK)};
	buf_init(&r->name, 4 * ZIP_NAME_MAX);
	r->archive = archive_read_new();
	if (!r->archive)
		return error_set(error, ERROR_RETRY, "zip.memory", "there is no memory to unpack it");
	archive_read_support_format_zip_seekable(r->archive);
	archive_read_set_read_callback(r->archive, on_read);
	archive_read_set_seek_callback(r->archive, on_seek);
	archive_read_set_callback_data(r->archive, r);
	if (archive_read_open1(r->archive) == ARCHIVE_OK)
		return 0;
	if (r->failed)
		return archive_fault(r, "", error);
	if (reader_read(bytes, 0, begin, sizeof begin, NULL) == sizeof begin && !memcmp(begin, "PK\5\6", sizeof begin))
		return error_set(error, ERROR_REJECT, "zip.empty", "there is no file in the archive");
	return error_set(error, ERROR_REJECT, "zip.form", "this is no ZIP archive, or its directory is missing");
}

static void reading_end(struct reading *r)
{
	if (r->archive)
		archive_read_free(r->archive);
	buf_free(&r->name);
	free(r->chunk);
}

static int member_fault(const struct reading *r, const char *code, const char *what, struct error *error)
{
	return error_set(error, ERROR_REJECT, code, "the member \"%.*s\" %s: nothing was unpacked",
			 (int)(r->name.len < 200 ? r->name.len : 200), r->name.data ? r->name.data : "", what);
}

/* 1: *entry is the next file; 0: the end. */
static int next_member(struct reading *r, struct archive_entry **entry, struct error *error)
{
	locale_t before = uselocale(r->unzip->locale);
	int result = archive_read_next_header(r->archive, entry);
	const char *raw = result >= ARCHIVE_WARN && result != ARCHIVE_EOF ? archive_entry_pathname(*entry) : NULL;

	uselocale(before);
	buf_reset(&r->name);
	if (result == ARCHIVE_EOF)
		return 0;
	if (result < ARCHIVE_WARN)
		return archive_fault(r, "the archive's directory", error);
	if (archive_entry_is_encrypted(*entry)) {
		buf_text(&r->name, raw ? raw : "");
		return member_fault(r, "zip.encrypted", "is encrypted, which has no key here", error);
	}
	if (zip_name(&r->name, span_of(raw), error))
		return -1;
	r->number++;
	return 1;
}

/* ---- the first look: may it be unpacked at all? */
static int check_kind(const struct reading *r, struct archive_entry *entry, struct error *error)
{
	mode_t kind = archive_entry_filetype(entry);

	if (archive_entry_symlink(entry) || archive_entry_hardlink(entry) || kind == AE_IFLNK)
		return member_fault(r, "zip.link", "is a link", error);
	if (kind != AE_IFREG && kind != AE_IFDIR)
		return member_fault(r, "zip.kind", "is neither a file nor a folder", error);
	return 0;
}

static int check_sizes(struct reading *r, uint64_t size, struct error *error)
{
	const struct unzip_settings *settings = r->unzip->settings;

	if (r->number > (uint64_t)settings->members)
		return error_set(error, ERROR_REJECT, "zip.members", "it has more than %lld members: nothing was "
				 "unpacked",
				 (long long)settings->members);
	r->total = size > UINT64_MAX - r->total ? UINT64_MAX : r->total + size;
	if (settings->size && r->total > settings->size)
		return error_set(error, ERROR_REJECT, "zip.too-large",
				 "its members have more than %llu bytes, the limit that the step sets: nothing was "
				 "unpacked",
				 (unsigned long long)settings->size);
	if (document_is_bomb(reader_size(r->bytes), r->total, settings->ratio))
		return error_set(error, ERROR_REJECT, "zip.bomb",
				 "it swells more than %lld times, to %llu bytes: raise `ratio` if that is right; "
				 "nothing was unpacked",
				 (long long)settings->ratio, (unsigned long long)r->total);
	return 0;
}

static int look(struct reading *r, struct out *out, json_t *names, struct error *error)
{
	struct archive_entry *entry;
	int more;

	while ((more = next_member(r, &entry, error)) > 0) {
		int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;

		if (check_kind(r, entry, error) || check_sizes(r, size > 0 ? (uint64_t)size : 0, error) ||
		    out_tick(out, error))
			return -1;
		if (json_object_getn(names, r->name.data, r->name.len))
			return member_fault(r, "zip.twice", "is there twice", error);
		json_object_setn_new(names, r->name.data, r->name.len,
				     archive_entry_filetype(entry) == AE_IFREG ? json_true() : json_false());
	}
	return more;
}

static int look_first(const struct unzip *unzip, struct item *item, struct out *out, struct error *error)
{
	json_t *names = json_object(), *file;
	struct reading r;
	const char *name;
	size_t files = 0;
	int failed = reading_begin(&r, unzip, item->bytes, error) || look(&r, out, names, error);

	json_object_foreach(names, name, file)
		files += json_is_true(file);
	if (!failed && !files)
		failed = error_set(error, ERROR_REJECT, "zip.empty", "there is no file in the archive");
	json_decref(names);
	reading_end(&r);
	return failed ? -1 : 0;
}

/* ---- members */
static struct item *member_item(struct reading *r, struct archive_entry *entry, struct item *whole, struct out *out)
{
	struct item *member = out_item(out, whole);
	struct span path = arena_span(out_arena(out), buf_view(&r->name)), base = document_base(path);
	json_t *facts = whole->facts ? json_copy(whole->facts) : json_object();
	char changed[CLOCK_TEXT] = "";

	if (archive_entry_mtime_is_set(entry))
		clock_format((int64_t)archive_entry_mtime(entry) * 1000, changed);
	json_object_set_new(facts, "member",
			    json_pack("{s:s% s:s% s:I s:s}", "path", path.data, path.len, "name", base.data, base.len,
				      "number", (json_int_t)r->number, "changed", changed));
	json_decref(member->facts);
	member->facts = facts;
	member->form = FORM_BYTES;
	member->media_type = document_media_type(base);
	member->position = span_of(
		arena_printf(out_arena(out), "member %llu (%s)", (unsigned long long)r->number, path.data));
	member->offset = member->length = 0;
	out_level(out, member, arena_printf(out_arena(out), "%llu", (unsigned long long)r->number));
	out_name(out, member, base);
	return member;
}

/* The sizes that an archive's directory tells may be lies: what comes out is measured. -1: REJECT, or RETRY; `damaged`:
 * only this member. */
static int unpack(struct reading *r, struct spill *spill, struct out *out, bool *damaged, struct error *error)
{
	char *made = mem_alloc(DOCUMENT_CHUNK);
	la_ssize_t n;
	int failed = 0;

	*damaged = false;
	while (!failed && (n = archive_read_data(r->archive, made, DOCUMENT_CHUNK)) != 0) {
		*damaged = n < 0;
		failed = n < 0 ? archive_fault(r, "a member's bytes", error)
			       : check_sizes(r, (uint64_t)n, error) || spill_add(spill, made, (size_t)n, error) ||
					 out_tick(out, error);
	}
	free(made);
	return failed ? -1 : 0;
}

static bool is_wanted(const struct reading *r, struct span base)
{
	const struct text_list *only = &r->unzip->settings->only;
	char *name = mem_span_dup(base);
	bool wanted = !only->count;

	for (size_t i = 0; i < only->count; i++)
		wanted |= !fnmatch(only->items[i], name, FNM_PERIOD);
	free(name);
	return wanted;
}

static int give_member(struct reading *r, struct archive_entry *entry, struct item *whole, struct out *out,
		       struct error *error)
{
	struct spill *spill;
	struct reader *bytes = NULL;
	struct item *member;
	struct error why = {0};
	bool damaged = false;

	if (!is_wanted(r, document_base(buf_view(&r->name))))
		return out_drop(out, member_item(r, entry, whole, out), "no member that `only` names", error);
	spill = out_spill(out);
	if (unpack(r, spill, out, &damaged, &why))
		spill_free(spill);
	else
		bytes = spill_take(spill, &why);
	if (!bytes && !(damaged && why.class == ERROR_REJECT)) {
		*error = why;
		return -1;
	}
	member = member_item(r, entry, whole, out);
	if (!bytes)
		return out_reject(out, member, &why, error);
	member->bytes = bytes;
	return out_emit(out, member, error);
}

static int give(struct reading *r, struct item *whole, struct out *out, struct error *error)
{
	struct archive_entry *entry;
	int more;

	while ((more = next_member(r, &entry, error)) > 0)
		if (archive_entry_filetype(entry) == AE_IFREG && give_member(r, entry, whole, out, error))
			return -1;
	return more;
}

static int run_unzip(void *self, struct item *item, struct out *out, struct error *error)
{
	struct reading r;
	int failed;

	if (look_first(self, item, out, error))
		return -1;
	failed = reading_begin(&r, self, item->bytes, error) || give(&r, item, out, error);
	reading_end(&r);
	return failed ? -1 : 0;
}

static locale_t locale_of_utf8(struct error *error)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	if (!locale)
		error_errno(error, ERROR_FATAL, "zip.locale", "this machine has no locale C.UTF-8");
	return locale;
}

static void *open_unzip(const void *settings, const struct transformer_context *context, struct error *error)
{
	locale_t locale = locale_of_utf8(error);
	struct unzip *unzip = locale ? mem_alloc(sizeof *unzip) : NULL;

	if (unzip)
		*unzip = (struct unzip){settings, locale};
	return unzip;
}

static void close_unzip(void *self)
{
	struct unzip *unzip = self;

	freelocale(unzip->locale);
	free(unzip);
}

static const struct option unzip_options[] = {
	{.name = "only",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct unzip_settings, only),
	 .flags = OPTION_MAIN,
	 .help = "patterns of names, such as *.csv; other members are let go"},
	{.name = "members",
	 .type = OPTION_INT,
	 .offset = offsetof(struct unzip_settings, members),
	 .fallback = "10000",
	 .range = "1..1000000",
	 .help = "it has at most so many members"},
	{.name = "size",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct unzip_settings, size),
	 .help = "all of them together have at most so many bytes; without it each by itself has at most the site's "
		 "`limits: {document}`"},
	{.name = "ratio",
	 .type = OPTION_INT,
	 .offset = offsetof(struct unzip_settings, ratio),
	 .fallback = "200",
	 .range = "0..1000000",
	 .help = "past 16 MiB, what comes out is at most so many times as large as the archive; 0: however large"},
	OPTION_END,
};

const struct transformer_ops unzip_transformer = {
	.name = "unzip",
	.help = "Unpacks a ZIP archive, a document for each file in it",
	.options = unzip_options,
	.settings_size = sizeof(struct unzip_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.open = open_unzip,
	.close = close_unzip,
	.run = run_unzip,
};

/* ---- writing one --------------------------------------------------------------------------------------------------
 */
struct zip_settings {
	struct template *name;
	int64_t level;
};

struct zip {
	const struct zip_settings *settings;
	locale_t locale;
};

struct writing {
	struct spill *spill;
	struct error *error;
	bool failed;
};

static la_ssize_t on_write(struct archive *archive, void *arg, const void *bytes, size_t len)
{
	struct writing *w = arg;

	if (spill_add(w->spill, bytes, len, w->error)) {
		w->failed = true;
		return -1;
	}
	return (la_ssize_t)len;
}

static int zip_fault(const struct writing *w, struct archive *archive, struct error *error)
{
	const char *said = archive_error_string(archive);

	return w->failed ? -1
			 : error_set(error, ERROR_RETRY, "zip.memory", "packing it: %s", said ? said : "no memory");
}

static struct archive_entry *entry_new(struct span name, struct item *item, struct out *out)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_copy_pathname(entry, name.data);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (int64_t)reader_size(item->bytes));
	archive_entry_set_mtime(entry, (time_t)(out_time_ms(out) / 1000), 0);
	return entry;
}

static int write_member(struct archive *archive, struct writing *w, struct span name, struct item *item,
			struct out *out, struct error *error)
{
	struct archive_entry *entry = entry_new(name, item, out);
	struct document_feed feed;
	struct span chunk;
	int more = 0, result = -1;

	document_feed_begin(&feed, item, out);
	if (archive_write_header(archive, entry) < ARCHIVE_WARN)
		goto failed;
	while ((more = document_feed_next(&feed, &chunk, error)) > 0)
		if (archive_write_data(archive, chunk.data, chunk.len) < 0)
			goto failed;
	result = more;
	goto done;
failed:
	zip_fault(w, archive, error);
done:
	document_feed_end(&feed);
	archive_entry_free(entry);
	return result;
}

static int pack(const struct zip_settings *settings, struct span name, struct item *item, struct out *out,
		struct spill *spill, struct error *error)
{
	struct writing w = {.spill = spill, .error = error};
	struct archive *archive = archive_write_new();
	char level[24];
	int failed;

	if (!archive)
		return error_set(error, ERROR_RETRY, "zip.memory", "there is no memory to pack it");
	snprintf(level, sizeof level, "%lld", (long long)settings->level);
	archive_write_set_format_zip(archive);
	archive_write_set_format_option(archive, "zip", "hdrcharset", "UTF-8");
	archive_write_set_format_option(archive, "zip", "compression-level", level);
	archive_write_set_bytes_in_last_block(archive, 1);
	failed = archive_write_open(archive, &w, NULL, on_write, NULL) != ARCHIVE_OK
			 ? zip_fault(&w, archive, error)
			 : write_member(archive, &w, name, item, out, error);
	if (!failed && archive_write_close(archive) != ARCHIVE_OK)
		failed = zip_fault(&w, archive, error);
	archive_write_free(archive);
	return failed ? -1 : 0;
}

/* What is asked for, else the document's own name. Checked as one that is read: nobody must refuse it later. */
static int member_name(const struct zip_settings *settings, struct item *item, struct out *out, struct buf *into,
		       struct error *error)
{
	struct expression_input input = out_input(out, item);
	struct span name = document_name(out, item);
	struct buf asked;
	int failed = 0;

	buf_init(&asked, 4 * ZIP_NAME_MAX);
	if (settings->name) {
		failed = template_render(settings->name, &input, NULL, &asked, error);
		name = buf_view(&asked);
	}
	if (!failed)
		failed = zip_name(into, name.len ? name : SPAN_LITERAL("document"), error);
	buf_free(&asked);
	return failed;
}

static int run_zip(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct zip *zip = self;
	struct spill *spill = out_spill(out);
	struct item *made = NULL;
	struct buf name;
	locale_t before;
	int failed;

	buf_init(&name, 4 * ZIP_NAME_MAX);
	failed = member_name(zip->settings, item, out, &name, error);
	if (!failed) {
		before = uselocale(zip->locale);
		failed = pack(zip->settings, buf_view(&name), item, out, spill, error);
		uselocale(before);
	}
	if (failed)
		spill_free(spill);
	else
		made = document_made(out, item, spill, SPAN_LITERAL("application/zip"), error);
	if (made) {
		struct span base = document_base(buf_view(&name));

		out_name(out, made, span_of(arena_printf(out_arena(out), "%.*s.zip", SPAN_ARGS(base))));
		failed = out_emit(out, made, error);
	}
	buf_free(&name);
	return made && !failed ? 0 : -1;
}

static void *open_zip(const void *settings, const struct transformer_context *context, struct error *error)
{
	locale_t locale = locale_of_utf8(error);
	struct zip *zip = locale ? mem_alloc(sizeof *zip) : NULL;

	if (zip)
		*zip = (struct zip){settings, locale};
	return zip;
}

static void close_zip(void *self)
{
	struct zip *zip = self;

	template_drop(zip->settings->name);
	freelocale(zip->locale);
	free(zip);
}

static int check_zip(const void *settings, const struct transformer_context *context, struct place place,
		     struct findings *findings)
{
	const struct zip_settings *zip = settings;
	size_t errors = findings->errors;

	if (zip->name)
		template_check(zip->name, findings);
	return findings->errors == errors ? 0 : -1;
}

static const struct option zip_options[] = {
	{.name = "name",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct zip_settings, name),
	 .flags = OPTION_MAIN,
	 .help = "what the document is called in the archive; without it $envelope.name"},
	{.name = "level",
	 .type = OPTION_INT,
	 .offset = offsetof(struct zip_settings, level),
	 .fallback = "6",
	 .range = "1..9",
	 .help = "1: fast, 9: small"},
	OPTION_END,
};

const struct transformer_ops zip_transformer = {
	.name = "zip",
	.help = "Packs the document into a ZIP archive of its own",
	.options = zip_options,
	.settings_size = sizeof(struct zip_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check_zip,
	.open = open_zip,
	.close = close_zip,
	.run = run_zip,
};
