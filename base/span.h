/* Borrowed bytes. A span never owns; whoever hands it out says how long it lives. */
#ifndef FERRULE_BASE_SPAN_H
#define FERRULE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *data; /* not NUL-terminated; may be NULL when len is 0 */
	size_t len;
};

#define SPAN_NONE ((struct span){NULL, 0})
#define SPAN_LITERAL(text) ((struct span){"" text, sizeof(text) - 1})
#define SPAN_ARGS(span) (int)(span).len, (span).data /* for "%.*s" */

static inline struct span span_of(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

static inline struct span span_make(const void *data, size_t len)
{
	return (struct span){(const char *)data, len};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
	return span_equal(a, span_of(text));
}

/* "orders.yaml" ends in ".yaml"; ".yaml" alone does not. */
static inline bool span_ends(struct span a, const char *ending)
{
	size_t n = strlen(ending);

	return a.len > n && memcmp(a.data + a.len - n, ending, n) == 0;
}

static inline bool span_starts(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.len >= n && memcmp(a.data, prefix, n) == 0;
}

#endif
