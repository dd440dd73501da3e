/* Names of files that are partly a stranger's word. See names.h. */
#include "config.h"
#include "broker-adapters/names.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

#define PATH_LIMIT 1024 /* of what a template gives */
#define VALUE_LIMIT 200 /* of one value in it */

/* ---- address: the path, from the message ---------------------------------------------------------------------- */

static int refuse_value(struct span value, const char *why, struct error *error)
{
	char shown[NAME_SHOWN];

	name_show(shown, value);
	shown[80] = '\0';
	return error_set(error, ERROR_REJECT, "file.name", "the value \"%s\" cannot be part of a file name: it %s",
			 shown, why);
}

/* What stands in a message must not choose another folder, hide the file or trick whoever lists it. */
static int escape_value(struct buf *into, struct span value, struct error *error)
{
	if (value.len > VALUE_LIMIT)
		return refuse_value(value, "is longer than 200 bytes", error);
	if (value.len && value.data[0] == '.')
		return refuse_value(value, "begins with a dot", error);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c == '/')
			return refuse_value(value, "contains a slash", error);
		if (c == '\\') /* as bytes of names become that are no UTF-8 */
			return refuse_value(value,
					    i + 1 < value.len && value.data[i + 1] == 'x'
						    ? "contains a backslash, as a name does that is no UTF-8: `names: "
						      "windows-1252` at the source reads such names"
						    : "contains a backslash",
					    error);
		if (c < ' ' || c == 0x7f || (c == 0xc2 && i + 1 < value.len && (unsigned char)value.data[i + 1] < 0xa0))
			return refuse_value(value, "contains a control character", error);
	}
	return buf_span(into, value) ? refuse_value(value, "makes the path too long", error) : 0;
}

int name_refuse_path(struct span path, const char *why, struct error *error)
{
	char shown[NAME_SHOWN];

	name_show(shown, path);
	return error_set(error, ERROR_REJECT, "file.name", "the path \"%s\" %s", shown, why);
}

/* How much of the path is the site's own directory, up to the first part that a value has a hand in. */
size_t name_fixed_length(const struct template *template)
{
	struct span source = template_source(template);
	size_t fixed = 0;

	for (size_t i = 0; i < source.len && source.data[i] != '$'; i++)
		if (source.data[i] == '/')
			fixed = i + 1;
	return fixed;
}

static int check_path(struct span path, size_t fixed, struct error *error)
{
	for (size_t at = fixed, end; at <= path.len; at = end + 1) {
		const char *slash = at < path.len ? memchr(path.data + at, '/', path.len - at) : NULL;

		end = slash ? (size_t)(slash - path.data) : path.len;
		if (end == at)
			return name_refuse_path(path, "has an empty name in it; a value is missing", error);
		if (path.data[at] == '.')
			return name_refuse_path(path, "has a name in it that begins with a dot; a value is missing",
						error);
		if (end - at > NAME_MAX)
			return name_refuse_path(path, "has a name of more than 255 bytes", error);
	}
	return 0;
}

int name_address(struct template *template, const struct expression_input *input, struct message *message,
		 struct error *error)
{
	struct buf path;
	int result = -1;

	buf_init(&path, PATH_LIMIT);
	if (template_render(template, input, escape_value, &path, error))
		goto done;
	if (path.full) {
		name_refuse_path(buf_view(&path), "is longer than 1024 bytes", error);
		goto done;
	}
	if (check_path(buf_view(&path), name_fixed_length(template), error))
		goto done;
	result = message_attr(message, SPAN_LITERAL("path"), buf_view(&path), error);
done:
	buf_free(&path);
	return result;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

static const char *const hidden_ends[] = {".tmp", ".mark", ".link", ".part"};

void hidden_name(char out[HIDDEN_NAME], const struct id *key, enum hidden which)
{
	char hex[ID_TEXT];

	id_hex(key, hex);
	snprintf(out, HIDDEN_NAME, ".ferrule-%s%s", hex, hidden_ends[which]);
}

bool hidden_key(const char *name, struct id *key)
{
	return !strncmp(name, ".ferrule-", 9) && strlen(name) >= 9 + 64 && !id_parse(key, span_make(name + 9, 64)) &&
	       name[9 + 64] == '.';
}

void name_show(char out[NAME_SHOWN], struct span name)
{
	size_t used = 0;

	for (size_t at = 0; at < name.len;) {
		size_t n = utf8_character(span_make(name.data + at, name.len - at));
		unsigned char c = (unsigned char)name.data[at];

		if (used + 8 > NAME_SHOWN) {
			memcpy(out + used, "...", 3);
			used += 3;
			break;
		}
		if (n && c >= ' ' && c != 0x7f && !(n == 2 && c == 0xc2 && (unsigned char)name.data[at + 1] < 0xa0)) {
			memcpy(out + used, name.data + at, n);
			used += n;
		} else {
			n = 1;
			used += (size_t)snprintf(out + used, 5, "\\x%02x", c);
		}
		at += n;
	}
	out[used] = '\0';
}

/* Cuts to at most `room` bytes without cutting a character in two. */
static size_t clip(const char *name, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room && ((unsigned char)name[room] & 0xc0) == 0x80)
		room--;
	return room;
}

void name_numbered(char out[256], const char *name, unsigned n, const char *suffix)
{
	const char *dot = strrchr(name, '.');
	char number[16] = "";
	size_t stem, tail;

	if (n > 1)
		snprintf(number, sizeof number, ".%u", n);
	if (!dot || dot == name || strlen(dot) > 32 || suffix[0])
		dot = name + strlen(name);
	tail = strlen(dot) + strlen(suffix) + strlen(number);
	stem = clip(name, (size_t)(dot - name), NAME_MAX - tail);
	if (suffix[0])
		snprintf(out, 256, "%.*s%s%s", (int)stem, name, suffix, number);
	else
		snprintf(out, 256, "%.*s%s%s", (int)stem, name, number, dot);
}

/* ---- which to take --------------------------------------------------------------------------------------------- */

static const char *const ignored[] = {"*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload",
				      ".*",    "~*",     "*~",        NULL};

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

bool name_is_wanted(const char *name, const char *pattern, const struct text_list *ignore, const char *marker)
{
	const char *const *patterns = ignore->count ? ignore->items : (const char **)ignored;
	size_t n = ignore->count ? ignore->count : sizeof ignored / sizeof *ignored - 1;

	if (!strcmp(name, ".") || !strcmp(name, "..") || !strncmp(name, ".ferrule-", 9))
		return false;
	if (marker && has_suffix(name, marker))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			return false;
	return !fnmatch(pattern, name, 0);
}
