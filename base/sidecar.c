/* Sidecars: checksums and control totals of a document. See sidecar.h. */
#include "config.h"
#include "base/sidecar.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/utf8.h"

#define CHUNK (256u * 1024)

static const struct {
	const char *name;
	enum digest_kind kind;
} kinds[] = {{"MD5", DIGEST_MD5}, {"SHA1", DIGEST_SHA1}, {"SHA256", DIGEST_SHA256}, {"SHA512", DIGEST_SHA512}};

#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- reading ------------------------------------------------------------------------------------------------------
 */
static struct span trim(struct span s)
{
	while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = span_make(s.data + 1, s.len - 1);
	while (s.len && memchr(" \t\r", s.data[s.len - 1], 3))
		s.len--;
	return s;
}

static struct span base_of(struct span path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.data[i - 1] == '/' || path.data[i - 1] == '\\')
			return span_make(path.data + i, path.len - i);
	return path;
}

/* The kind follows from the length where none is told. */
static bool take_digest(struct sidecar *sidecar, struct span hex, const enum digest_kind *told)
{
	for (size_t i = 0; i < KINDS; i++) {
		size_t size = digest_size(kinds[i].kind);

		if (hex.len != 2 * size || (told && *told != kinds[i].kind))
			continue;
		if (hex_decode(sidecar->digest, size, hex))
			return false;
		sidecar->kind = kinds[i].kind;
		return sidecar->has_digest = true;
	}
	return false;
}

static bool kind_of(struct span word, enum digest_kind *kind)
{
	char plain[8];
	size_t n = 0;

	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == '-')
			continue;
		if (n == sizeof plain - 1)
			return false;
		plain[n++] = word.data[i];
	}
	plain[n] = '\0';
	for (size_t i = 0; i < KINDS; i++)
		if (!strcasecmp(plain, kinds[i].name)) {
			*kind = kinds[i].kind;
			return true;
		}
	return false;
}

/* SHA256 (NAME) = DIGEST */
static bool read_bsd(struct sidecar *sidecar, struct span line, struct span *name)
{
	const char *open = memchr(line.data, '(', line.len), *close = NULL;
	enum digest_kind kind;
	struct span rest;

	for (size_t i = line.len; open && i > 0 && !close; i--)
		close = line.data[i - 1] == ')' ? line.data + i - 1 : NULL;
	if (!open || !close || close < open ||
	    !kind_of(trim(span_make(line.data, (size_t)(open - line.data))), &kind))
		return false;
	rest = trim(span_make(close + 1, line.len - (size_t)(close + 1 - line.data)));
	if (!rest.len || rest.data[0] != '=')
		return false;
	*name = span_make(open + 1, (size_t)(close - open - 1));
	return take_digest(sidecar, trim(span_make(rest.data + 1, rest.len - 1)), &kind);
}

/* DIGEST  NAME, DIGEST *NAME, or DIGEST alone; a backslash in front says that the name has escapes. */
static bool read_gnu(struct sidecar *sidecar, struct span line, struct span *name)
{
	size_t n = 0;

	if (line.len && line.data[0] == '\\')
		line = span_make(line.data + 1, line.len - 1);
	while (n < line.len && line.data[n] != ' ' && line.data[n] != '\t')
		n++;
	*name = trim(span_make(line.data + n, line.len - n));
	if (name->len && name->data[0] == '*')
		*name = span_make(name->data + 1, name->len - 1);
	return take_digest(sidecar, span_make(line.data, n), NULL);
}

static bool read_number(struct span text, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || *number > (UINT64_MAX - 9) / 10)
			return false;
		*number = *number * 10 + (uint64_t)(text.data[i] - '0');
	}
	return text.len > 0;
}

static bool is_word(struct span word, const char *const *words)
{
	for (; *words; words++)
		if (word.len == strlen(*words) && !strncasecmp(word.data, *words, word.len))
			return true;
	return false;
}

/* NAME=VALUE. *name where it tells the document's. */
static bool read_total(struct sidecar *sidecar, struct span line, struct span *name)
{
	static const char *const bytes[] = {"bytes", "size", "length", NULL};
	static const char *const lines[] = {"lines", "records", "count", "rows", NULL};
	static const char *const names[] = {"file", "name", "filename", NULL};
	enum digest_kind kind;
	struct span word, value;
	size_t n = 0;

	while (n < line.len && line.data[n] != '=' && line.data[n] != ':')
		n++;
	if (n == line.len)
		return false;
	word = trim(span_make(line.data, n));
	value = trim(span_make(line.data + n + 1, line.len - n - 1));
	if (is_word(word, names)) {
		*name = value;
		return value.len > 0;
	}
	if (is_word(word, bytes))
		return sidecar->has_bytes = read_number(value, &sidecar->bytes);
	if (is_word(word, lines))
		return sidecar->has_lines = read_number(value, &sidecar->lines);
	return kind_of(word, &kind) && take_digest(sidecar, value, &kind);
}

struct reading {
	struct sidecar found, totals;
	struct span name, totals_name;
	size_t digests, unnamed;
	bool matched;
	size_t strange;
};

static void read_line(struct reading *r, struct span line)
{
	struct sidecar one = {.has_digest = false};
	struct span named = SPAN_NONE;

	if (!line.len || line.data[0] == '#' || line.data[0] == ';')
		return;
	if (read_bsd(&one, line, &named) || read_gnu(&one, line, &named)) {
		r->digests++;
		r->unnamed += !named.len;
		if (!r->matched && (!named.len || span_equal(base_of(named), r->name))) {
			r->found = one;
			r->matched = named.len > 0;
		}
	} else if (!read_total(&r->totals, line, &r->totals_name)) {
		r->strange++;
	}
}

static int choose(const struct reading *r, struct sidecar *sidecar, struct error *error)
{
	bool totals = r->totals.has_bytes || r->totals.has_lines || r->totals.has_digest;

	if (r->strange || (!r->digests && !totals) || (r->unnamed && r->digests > 1))
		return error_set(error, ERROR_REJECT, "sidecar.form",
				 "the sidecar is neither a checksum of a kind that is known nor control totals");
	if ((r->digests && !r->matched && !r->unnamed) ||
	    (r->totals_name.len && !span_equal(base_of(r->totals_name), r->name)))
		return error_set(error, ERROR_REJECT, "sidecar.name", "the sidecar is about another document than %.*s",
				 (int)(r->name.len < 200 ? r->name.len : 200), r->name.data ? r->name.data : "");
	*sidecar = r->totals;
	if (!r->digests)
		return 0;
	sidecar->has_digest = true;
	sidecar->kind = r->found.kind;
	memcpy(sidecar->digest, r->found.digest, sizeof sidecar->digest);
	return 0;
}

int sidecar_read(struct sidecar *sidecar, struct span text, struct span name, struct error *error)
{
	struct reading r = {.name = base_of(name)};

	if (text.len > SIDECAR_MAX)
		return error_set(error, ERROR_REJECT, "sidecar.form", "the sidecar has more than %u bytes",
				 SIDECAR_MAX);
	if (span_starts(text, "\xef\xbb\xbf"))
		text = span_make(text.data + 3, text.len - 3);
	while (text.len) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end - text.data) : text.len;

		read_line(&r, trim(span_make(text.data, n)));
		n += end != NULL;
		text = span_make(text.data + n, text.len - n);
	}
	return choose(&r, sidecar, error);
}

/* ---- measuring ----------------------------------------------------------------------------------------------------
 */
struct measured {
	uint8_t digest[DIGEST_MAX];
	uint64_t bytes, lines;
};

/* A last line without an end counts. */
static int measure(struct reader *reader, enum digest_kind kind, struct measured *m,
		   int (*tick)(void *, struct error *), void *arg, struct error *error)
{
	struct digest *digest = digest_new(kind);
	char *chunk = mem_alloc(CHUNK), last = '\n';
	ssize_t n;

	*m = (struct measured){.bytes = 0};
	if (!digest) {
		free(chunk);
		return error_set(error, ERROR_REJECT, "sidecar.form", "this machine allows no digests of this kind");
	}
	while ((n = reader_read(reader, m->bytes, chunk, CHUNK, error)) > 0) {
		digest_add(digest, chunk, (size_t)n);
		for (const char *at = chunk, *end; (end = memchr(at, '\n', (size_t)(chunk + n - at))); at = end + 1)
			m->lines++;
		last = chunk[n - 1];
		m->bytes += (uint64_t)n;
		if (tick && tick(arg, error)) {
			n = -1;
			break;
		}
	}
	m->lines += last != '\n';
	digest_end_take(digest, m->digest);
	free(chunk);
	return n < 0 ? -1 : 0;
}

static int differs(const char *what, uint64_t told, uint64_t came, struct error *error)
{
	return error_set(error, ERROR_REJECT, "sidecar.mismatch", "its sidecar says %llu %s, and it has %llu",
			 (unsigned long long)told, what, (unsigned long long)came);
}

int sidecar_check(const struct sidecar *sidecar, struct reader *reader, int (*tick)(void *, struct error *), void *arg,
		  struct error *error)
{
	enum digest_kind kind = sidecar->has_digest ? sidecar->kind : DIGEST_SHA256;
	char told[2 * DIGEST_MAX + 1], came[2 * DIGEST_MAX + 1];
	struct measured m;

	if (measure(reader, kind, &m, tick, arg, error))
		return -1;
	if (sidecar->has_bytes && sidecar->bytes != m.bytes)
		return differs("bytes", sidecar->bytes, m.bytes, error);
	if (sidecar->has_lines && sidecar->lines != m.lines)
		return differs("lines", sidecar->lines, m.lines, error);
	if (!sidecar->has_digest || !memcmp(sidecar->digest, m.digest, digest_size(kind)))
		return 0;
	hex_encode(told, sidecar->digest, digest_size(kind));
	hex_encode(came, m.digest, digest_size(kind));
	return error_set(error, ERROR_REJECT, "sidecar.mismatch", "its sidecar says %s %s, and it has %s",
			 kinds[kind].name, told, came);
}

int sidecar_make(struct buf *into, enum digest_kind kind, bool bsd, struct span name, struct reader *reader,
		 int (*tick)(void *, struct error *), void *arg, struct error *error)
{
	char hex[2 * DIGEST_MAX + 1];
	struct measured m;

	if (measure(reader, kind, &m, tick, arg, error))
		return -1;
	hex_encode(hex, m.digest, digest_size(kind));
	if (bsd)
		buf_printf(into, "%s (%.*s) = %s\n", kinds[kind].name, SPAN_ARGS(name), hex);
	else
		buf_printf(into, "%s  %.*s\n", hex, SPAN_ARGS(name));
	return 0;
}
