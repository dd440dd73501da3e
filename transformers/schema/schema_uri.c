/* Addresses: references are resolved as in RFC 3986, section 5.2. See schema_private.h. */
#include "config.h"
#include "transformers/schema/schema_private.h"

#include <ctype.h>
#include <stdlib.h>

struct parts { /* data NULL: absent */
	struct span scheme, authority, path, query;
};

static struct span until(struct span *text, const char *ends)
{
	struct span piece = *text;

	piece.len = 0;
	while (piece.len < text->len && !strchr(ends, text->data[piece.len]))
		piece.len++;
	*text = span_make(text->data + piece.len, text->len - piece.len);
	return piece;
}

static struct parts split(struct span text)
{
	struct parts parts = {SPAN_NONE, SPAN_NONE, SPAN_NONE, SPAN_NONE};
	struct span rest = text, piece = until(&rest, ":/?#");

	if (rest.len && rest.data[0] == ':' && piece.len && isalpha((unsigned char)piece.data[0])) {
		parts.scheme = piece;
		text = span_make(rest.data + 1, rest.len - 1);
	}
	if (text.len >= 2 && text.data[0] == '/' && text.data[1] == '/') {
		text = span_make(text.data + 2, text.len - 2);
		parts.authority = until(&text, "/?#");
	}
	parts.path = until(&text, "?#");
	if (text.len && text.data[0] == '?') {
		text = span_make(text.data + 1, text.len - 1);
		parts.query = until(&text, "#");
	}
	return parts;
}

/* "/a/b/../c/./d" → "/a/c/d" (section 5.2.4), for relative paths, too. */
static void put_path(struct buf *out, struct span path)
{
	size_t start = out->len, floor = start + (path.len && path.data[0] == '/');

	while (path.len) {
		struct span segment = path, rest;
		bool slash, last;

		rest = path;
		segment = until(&rest, "/");
		slash = rest.len > 0;
		last = !slash;
		path = slash ? span_make(rest.data + 1, rest.len - 1) : SPAN_NONE;
		if (span_is(segment, "."))
			continue;
		if (span_is(segment, "..")) {
			if (out->len > floor) /* the slash that ends the one before */
				out->len--;
			while (out->len > floor && out->data[out->len - 1] != '/')
				out->len--;
			continue;
		}
		buf_span(out, segment);
		if (!last)
			buf_char(out, '/');
	}
}

static void put_merged(struct buf *out, const struct parts *base, struct span path)
{
	struct buf merged;
	size_t n = base->path.len;

	buf_init(&merged, SIZE_MAX / 2);
	while (n && base->path.data[n - 1] != '/')
		n--;
	if (base->authority.data && !base->path.len)
		buf_char(&merged, '/');
	buf_append(&merged, base->path.data, n);
	buf_span(&merged, path);
	put_path(out, buf_view(&merged));
	buf_free(&merged);
}

char *uri_resolve(struct arena *arena, const char *base_text, const char *reference_text)
{
	struct parts base = split(span_of(base_text)), reference = split(span_of(reference_text));
	bool own = reference.scheme.data || reference.authority.data;
	struct span query = reference.query;
	struct buf out;
	char *result;

	if (!own && !reference.path.len && !reference.query.data)
		query = base.query;
	buf_init(&out, SIZE_MAX / 2);
	if (reference.scheme.data || base.scheme.data) {
		buf_span(&out, reference.scheme.data ? reference.scheme : base.scheme);
		buf_char(&out, ':');
	}
	if (own ? reference.authority.data : base.authority.data) {
		buf_text(&out, "//");
		buf_span(&out, own ? reference.authority : base.authority);
	}
	if (own || (reference.path.len && reference.path.data[0] == '/'))
		put_path(&out, reference.path);
	else if (!reference.path.len)
		buf_span(&out, base.path);
	else
		put_merged(&out, &base, reference.path);
	if (query.data) {
		buf_char(&out, '?');
		buf_span(&out, query);
	}
	result = arena_strdup(arena, out.data ? out.data : "");
	if (out.data)
		result[out.len] = '\0';
	buf_free(&out);
	return result;
}

char *uri_fragment(struct arena *arena, const char *reference)
{
	const char *hash = strchr(reference, '#');
	char *text = arena_strdup(arena, hash ? hash + 1 : ""), *out = text;

	for (const char *p = text; *p; p++) {
		char digits[3] = {p[0] == '%' ? p[1] : '\0', p[0] == '%' && p[1] ? p[2] : '\0', '\0'};

		if (isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)digits[1])) {
			*out++ = (char)strtol(digits, NULL, 16);
			p += 2;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return text;
}
