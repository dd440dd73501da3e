/* Formats: addresses of hosts, people and resources. See schema_format.h; hosts in any script are in
 * schema_format_idn.c. */
#include "config.h"
#include "transformers/schema/schema_format.h"

#include <ctype.h>
#include <strings.h>

#define UNRESERVED "-._~"
#define SUB_DELIMS "!$&'()*+,;="
#define HOST_MAX 253
#define LABEL_MAX 63
#define LOCAL_MAX 64

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool among(char c, const char *characters)
{
	return c && strchr(characters, c);
}

/* What stands before the first `end`; *rest: what follows it, data NULL when there is none. */
static struct span cut(struct span text, char end, struct span *rest)
{
	const char *at = text.len ? memchr(text.data, end, text.len) : NULL;
	size_t n = at ? (size_t)(at - text.data) : text.len;

	*rest = at ? span_make(at + 1, text.len - n - 1) : SPAN_NONE;
	return span_make(text.data, n);
}

/* ---- numbers of hosts */
bool format_ipv4(struct span text)
{
	size_t parts = 0, i = 0;

	while (i < text.len) {
		size_t start = i;
		int value = 0;

		while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && i - start < 4)
			value = value * 10 + (text.data[i++] - '0');
		if (i == start || i - start > 3 || value > 255 || (i - start > 1 && text.data[start] == '0') ||
		    ++parts > 4)
			return false;
		if (i < text.len && (text.data[i] != '.' || ++i == text.len))
			return false;
	}
	return parts == 4;
}

bool format_ipv6(struct span text)
{
	size_t groups = 0, i = 0;
	bool gap = false;

	if (text.len >= 2 && text.data[0] == ':' && text.data[1] == ':') {
		gap = true;
		i = 2;
	}
	while (i < text.len) {
		size_t start = i;

		while (i < text.len && is_hex(text.data[i]))
			i++;
		if (i < text.len && text.data[i] == '.') {
			groups += 2;
			i = text.len;
			if (!format_ipv4(span_make(text.data + start, text.len - start)))
				return false;
			break;
		}
		if (i == start || i - start > 4)
			return false;
		groups++;
		if (i == text.len)
			break;
		if (text.data[i++] != ':' || i == text.len)
			return false;
		if (text.data[i] == ':') {
			if (gap)
				return false;
			gap = true;
			i++;
		}
	}
	return gap ? groups < 8 : groups == 8;
}

/* ---- names of hosts (RFC 1123, section 2.1) */
static bool is_label(struct span label)
{
	if (!label.len || label.len > LABEL_MAX || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.data[i]) && label.data[i] != '-')
			return false;
	return true;
}

bool format_hostname(struct span text)
{
	struct span rest = text;

	if (!text.len || text.len > HOST_MAX)
		return false;
	do {
		struct span label = cut(rest, '.', &rest);
		bool reserved = label.len >= 4 && label.data[2] == '-' && label.data[3] == '-';

		if (!is_label(label))
			return false;
		/* Two hyphens there are kept for names like xn--…, which must stand for something. */
		if (reserved && !format_idn_hostname(label))
			return false;
	} while (rest.data);
	return true;
}

/* ---- people (RFC 5321, section 4.1.2; RFC 6531) */
static bool is_quoted(struct span local, bool any)
{
	for (size_t i = 1; i + 1 < local.len; i++) {
		unsigned char c = (unsigned char)local.data[i];

		if (c == '\\') { /* before a printable character of ASCII */
			if (++i + 1 >= local.len || local.data[i] < ' ' || local.data[i] > '~')
				return false;
		} else if (c < 0x20 || c == 0x7f || c == '"' || (c >= 0x80 && !any)) {
			return false;
		}
	}
	return local.len >= 2 && local.data[local.len - 1] == '"';
}

static bool is_local(struct span local, bool any)
{
	bool dot = true;

	if (!local.len || local.len > LOCAL_MAX)
		return false;
	if (memmem(local.data, local.len, "\xef\xbf\xbd", 3)) /* U+FFFD stands for what was lost on the way */
		return false;
	if (local.data[0] == '"')
		return is_quoted(local, any);
	for (size_t i = 0; i < local.len; i++) {
		char c = local.data[i];

		if (c == '.' ? dot
			     : !is_alnum(c) && !among(c, "!#$%&'*+-/=?^_`{|}~") && !((unsigned char)c >= 0x80 && any))
			return false;
		dot = c == '.';
	}
	return !dot;
}

static bool is_mailbox(struct span text, bool any)
{
	size_t at = text.len;
	struct span domain;

	while (at && text.data[at - 1] != '@')
		at--;
	if (!at || text.len > 254 || !is_local(span_make(text.data, at - 1), any))
		return false;
	domain = span_make(text.data + at, text.len - at);
	if (!domain.len || domain.data[0] != '[')
		return any ? format_idn_hostname(domain) : format_hostname(domain);
	if (domain.data[domain.len - 1] != ']')
		return false;
	domain = span_make(domain.data + 1, domain.len - 2);
	if (domain.len > 5 && !strncasecmp(domain.data, "IPv6:", 5))
		return format_ipv6(span_make(domain.data + 5, domain.len - 5));
	return format_ipv4(domain);
}

bool format_email(struct span text)
{
	return is_mailbox(text, false);
}

bool format_idn_email(struct span text)
{
	return is_mailbox(text, true);
}

/* ---- resources (RFC 3986, RFC 3987) */
enum script { ASCII, ANY, ANY_PRIVATE };

/* ucschar and iprivate of RFC 3987. */
static bool is_international(uint32_t c, enum script script)
{
	bool private = (c >= 0xe000 && c <= 0xf8ff) || c >= 0xf0000;

	if (c < 0xa0 || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef) || (c >= 0xfff0 && c <= 0xffff) ||
	    (c >= 0xe0000 && c < 0xe1000))
		return false;
	return script == ANY_PRIVATE || (script == ANY && !private);
}

static bool are_characters(struct span text, const char *others, enum script script)
{
	while (text.len) {
		char c = text.data[0];

		if (c == '%') {
			if (text.len < 3 || !is_hex(text.data[1]) || !is_hex(text.data[2]))
				return false;
			text = span_make(text.data + 3, text.len - 3);
		} else if ((unsigned char)c >= 0x80) {
			if (!is_international(format_take_point(&text), script))
				return false;
		} else if (is_alnum(c) || among(c, UNRESERVED SUB_DELIMS) || among(c, others)) {
			text = span_make(text.data + 1, text.len - 1);
		} else {
			return false;
		}
	}
	return true;
}

static bool is_authority(struct span text, enum script script)
{
	size_t at = text.len, end, port;

	while (at && text.data[at - 1] != '@')
		at--;
	if (at && !are_characters(span_make(text.data, at - 1), ":", script))
		return false;
	text = span_make(text.data + at, text.len - at);
	if (text.len && text.data[0] == '[') {
		struct span rest, literal = cut(text, ']', &rest);

		if (!rest.data || literal.len < 2)
			return false;
		literal = span_make(literal.data + 1, literal.len - 1);
		if (literal.data[0] != 'v' && !format_ipv6(literal))
			return false;
		end = literal.len + 2;
	} else {
		struct span rest, name = cut(text, ':', &rest);

		if (!are_characters(name, "", script))
			return false;
		end = name.len;
	}
	if (end < text.len && text.data[end] != ':')
		return false;
	for (port = end + 1; port < text.len; port++)
		if (text.data[port] < '0' || text.data[port] > '9')
			return false;
	return true;
}

/* A colon before the first slash ends a scheme, or it is a mistake. */
static bool take_scheme(struct span *text, bool *given)
{
	size_t n = 0;

	while (n < text->len && !among(text->data[n], ":/?#"))
		n++;
	*given = n < text->len && text->data[n] == ':';
	if (!*given)
		return true;
	if (!n || !isalpha((unsigned char)text->data[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(text->data[i]) && !among(text->data[i], "+-."))
			return false;
	*text = span_make(text->data + n + 1, text->len - n - 1);
	return true;
}

static bool is_resource(struct span text, bool reference, enum script script)
{
	struct span fragment, query;
	bool scheme;

	text = cut(text, '#', &fragment);
	if (!take_scheme(&text, &scheme) || (!scheme && !reference))
		return false;
	text = cut(text, '?', &query);
	if (text.len >= 2 && text.data[0] == '/' && text.data[1] == '/') {
		size_t n = 2;

		while (n < text.len && text.data[n] != '/')
			n++;
		if (!is_authority(span_make(text.data + 2, n - 2), script))
			return false;
		text = span_make(text.data + n, text.len - n);
	}
	return are_characters(text, ":@/", script) &&
	       are_characters(query, ":@/?", script == ANY ? ANY_PRIVATE : script) &&
	       are_characters(fragment, ":@/?", script);
}

bool format_uri(struct span text)
{
	return is_resource(text, false, ASCII);
}

bool format_uri_reference(struct span text)
{
	return is_resource(text, true, ASCII);
}

bool format_iri(struct span text)
{
	return is_resource(text, false, ANY);
}

bool format_iri_reference(struct span text)
{
	return is_resource(text, true, ANY);
}

/* ---- templates of resources (RFC 6570, section 2) */
static bool is_variable(struct span text)
{
	struct span length, name = cut(text, ':', &length);

	if (length.data) {
		if (!length.len || length.len > 4 || length.data[0] == '0')
			return false;
		for (size_t i = 0; i < length.len; i++)
			if (length.data[i] < '0' || length.data[i] > '9')
				return false;
	} else if (name.len && name.data[name.len - 1] == '*') {
		name.len--;
	}
	if (!name.len || name.data[0] == '.' || name.data[name.len - 1] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (c == '%') {
			if (i + 2 >= name.len || !is_hex(name.data[i + 1]) || !is_hex(name.data[i + 2]))
				return false;
			i += 2;
		} else if (!is_alnum(c) && c != '_' && (c != '.' || name.data[i - 1] == '.')) {
			return false;
		}
	}
	return true;
}

static bool is_expression(struct span text)
{
	if (text.len && among(text.data[0], "+#./;?&"))
		text = span_make(text.data + 1, text.len - 1);
	do {
		struct span variable = cut(text, ',', &text);

		if (!is_variable(variable))
			return false;
	} while (text.data);
	return true;
}

bool format_uri_template(struct span text)
{
	while (text.len) {
		char c = text.data[0];
		size_t n = 1;

		if (c == '{') {
			struct span rest, expression = cut(span_make(text.data + 1, text.len - 1), '}', &rest);

			if (!rest.data || !is_expression(expression))
				return false;
			n = expression.len + 2;
		} else if (c == '%') {
			if (text.len < 3 || !is_hex(text.data[1]) || !is_hex(text.data[2]))
				return false;
			n = 3;
		} else if ((unsigned char)c <= ' ' || c == 0x7f || among(c, "\"<>\\^`|}")) {
			return false;
		}
		text = span_make(text.data + n, text.len - n);
	}
	return true;
}
