/* Reading files of known hosts. See known_hosts.h. */
#include "config.h"
#include "base/known_hosts.h"

#include <ctype.h>
#include <stdio.h>

#include "base/crypto.h"

#define KEY_MAX 16384
#define NAME_SIZE 300

struct entry {
	struct span marker, hosts, rest; /* rest: kind, key and comment */
};

static bool next_line(struct span *text, struct span *line)
{
	const char *end;

	if (!text->len)
		return false;
	end = memchr(text->data, '\n', text->len);
	*line = span_make(text->data, end ? (size_t)(end - text->data) : text->len);
	*text = span_make(text->data + line->len + (end != NULL), text->len - line->len - (end != NULL));
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span next_word(struct span *line)
{
	size_t at = 0, end;
	struct span word;

	while (at < line->len && is_blank(line->data[at]))
		at++;
	for (end = at; end < line->len && !is_blank(line->data[end]);)
		end++;
	word = span_make(line->data + at, end - at);
	*line = span_make(line->data + end, line->len - end);
	return word;
}

static bool read_entry(struct span line, struct entry *entry)
{
	*entry = (struct entry){.marker = SPAN_NONE};
	entry->hosts = next_word(&line);
	if (!entry->hosts.len || entry->hosts.data[0] == '#')
		return false;
	if (entry->hosts.data[0] == '@') {
		entry->marker = entry->hosts;
		entry->hosts = next_word(&line);
	}
	entry->rest = line;
	return entry->hosts.len > 0;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* |1|salt|hash, the name's HMAC with SHA-1. */
static bool is_hash_of(struct span text, const char *name)
{
	const char *bar = text.len > 3 ? memchr(text.data + 3, '|', text.len - 3) : NULL;
	uint8_t made[20];
	struct buf salt, hash;
	bool same;

	if (!bar)
		return false;
	buf_init(&salt, 100);
	buf_init(&hash, 100);
	same = !base64_decode(&salt, span_make(text.data + 3, (size_t)(bar - text.data) - 3)) &&
	       !base64_decode(&hash, span_make(bar + 1, text.len - (size_t)(bar - text.data) - 1)) && hash.len == 20;
	if (same) {
		hmac_sha1(buf_view(&salt), span_of(name), made);
		same = !memcmp(made, hash.data, 20);
	}
	buf_free(&salt);
	buf_free(&hash);
	return same;
}

/* With * and ?, in lower case. Goes back to the last star only, so that no pattern takes long. */
static bool fits(struct span pattern, const char *name)
{
	size_t at = 0, star = SIZE_MAX;
	const char *from = NULL;

	while (*name) {
		if (at < pattern.len && pattern.data[at] == '*') {
			star = at++;
			from = name;
		} else if (at < pattern.len &&
			   (pattern.data[at] == '?' || tolower((unsigned char)pattern.data[at]) == *name)) {
			at++;
			name++;
		} else if (star != SIZE_MAX) {
			at = star + 1;
			name = ++from;
		} else {
			return false;
		}
	}
	while (at < pattern.len && pattern.data[at] == '*')
		at++;
	return at == pattern.len;
}

static struct span next_name(struct span *list)
{
	const char *comma = memchr(list->data, ',', list->len);
	struct span name = span_make(list->data, comma ? (size_t)(comma - list->data) : list->len);

	*list = span_make(list->data + name.len + (comma != NULL), list->len - name.len - (comma != NULL));
	return name;
}

static bool is_hashed(struct span hosts)
{
	return hosts.len > 3 && !memcmp(hosts.data, "|1|", 3);
}

static bool names(struct span hosts, const char *name)
{
	bool found = false;

	if (is_hashed(hosts))
		return is_hash_of(hosts, name);
	while (hosts.len) {
		struct span one = next_name(&hosts);

		if (one.len && one.data[0] == '!') {
			if (fits(span_make(one.data + 1, one.len - 1), name))
				return false;
		} else {
			found |= fits(one, name);
		}
	}
	return found;
}

static void lower(char out[NAME_SIZE], const char *host, int port)
{
	if (port == 22)
		snprintf(out, NAME_SIZE, "%s", host);
	else
		snprintf(out, NAME_SIZE, "[%s]:%d", host, port);
	for (char *at = out; *at; at++)
		*at = (char)tolower((unsigned char)*at);
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

struct search {
	struct span key;
	void (*other)(void *arg, struct span key);
	void *arg;
	bool authority;
	enum known_host found;
};

static void compare(struct search *search, const struct entry *entry)
{
	struct span rest = entry->rest;
	struct buf bytes;
	bool same;

	next_word(&rest); /* its kind is in the key as well */
	buf_init(&bytes, KEY_MAX);
	if (base64_decode(&bytes, next_word(&rest)) || !bytes.len) {
		buf_free(&bytes);
		return;
	}
	same = span_equal(buf_view(&bytes), search->key);
	if (entry->marker.len)
		search->found = same ? KNOWN_HOST_REVOKED : search->found;
	else if (search->found != KNOWN_HOST_REVOKED && (same || search->found == KNOWN_HOST_NONE))
		search->found = same ? KNOWN_HOST_SAME : KNOWN_HOST_OTHER;
	if (!same && !entry->marker.len && search->other)
		search->other(search->arg, buf_view(&bytes));
	buf_free(&bytes);
}

static void look_for(struct search *search, struct span text, const char *name)
{
	struct span line;
	struct entry entry;

	while (next_line(&text, &line)) {
		if (!read_entry(line, &entry) || !names(entry.hosts, name))
			continue;
		if (span_is(entry.marker, "@cert-authority"))
			search->authority = true;
		else if (!entry.marker.len || span_is(entry.marker, "@revoked"))
			compare(search, &entry);
	}
}

enum known_host known_hosts_find(struct span text, const char *host, int port, struct span key,
				 void (*other)(void *arg, struct span key), void *arg, bool *authority)
{
	struct search search = {.key = key, .other = other, .arg = arg}, plain = search;
	char name[NAME_SIZE];

	lower(name, host, port);
	look_for(&search, text, name);
	if (port != 22) {
		plain.other = search.found == KNOWN_HOST_NONE ? other : NULL;
		lower(name, host, 22);
		look_for(&plain, text, name);
		if (plain.found == KNOWN_HOST_REVOKED || search.found == KNOWN_HOST_NONE)
			search.found = plain.found;
	}
	*authority = search.authority || plain.authority;
	return search.found;
}

/* ---- taking a name out ------------------------------------------------------------------------------------------ */

/* As hosts are looked for: without regard to case. `name` is in lower case. */
static bool is_name(struct span one, const char *name)
{
	if (one.len != strlen(name))
		return false;
	for (size_t i = 0; i < one.len; i++)
		if (tolower((unsigned char)one.data[i]) != name[i])
			return false;
	return true;
}

static void keep(struct buf *into, const struct entry *entry, const char *name)
{
	struct span hosts = entry->hosts;
	size_t before = into->len;

	if (is_hashed(hosts)) { /* no list, whatever stands behind a comma */
		if (names(hosts, name))
			return;
		buf_span(into, hosts);
		hosts = SPAN_NONE;
	}
	while (hosts.len) {
		struct span one = next_name(&hosts);

		if (!one.len || is_name(one, name))
			continue;
		/* At the beginning of a line a name like these would say something else. */
		if (into->len > before || (one.data != entry->hosts.data && memchr("#@|", one.data[0], 3)))
			buf_char(into, ',');
		buf_span(into, one);
	}
	if (into->len == before)
		return;
	buf_span(into, entry->rest);
	buf_char(into, '\n');
}

int known_hosts_without(struct span text, const char *name, struct buf *into)
{
	char wanted[NAME_SIZE];
	struct span line;
	struct entry entry;

	lower(wanted, name, 22);
	while (next_line(&text, &line)) {
		if (read_entry(line, &entry) && !entry.marker.len) {
			keep(into, &entry, wanted);
			continue;
		}
		buf_span(into, line);
		buf_char(into, '\n');
	}
	return into->full ? -1 : 0;
}
