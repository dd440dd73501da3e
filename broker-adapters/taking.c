/* What sources of files ask of a file. See taking.h. */
#include "config.h"
#include "broker-adapters/taking.h"

#include <ctype.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "broker-adapters/names.h"

int taking_check(const struct taking *taking, struct error *error)
{
	iconv_t conversion = taking->names ? iconv_open("UTF-8", taking->names) : (iconv_t)-1;

	if (taking->names && conversion == (iconv_t)-1)
		return error_set(error, ERROR_FATAL, "file.charset",
				 "names: '%s' is no character set that is known; iconv -l lists them", taking->names);
	if (taking->names)
		iconv_close(conversion);
	if (taking->sidecar && (!taking->sidecar[0] || strpbrk(taking->sidecar, "/*?[") ||
				isalnum((unsigned char)taking->sidecar[0])))
		return error_set(error, ERROR_FATAL, "file.sidecar",
				 "sidecar: '%s' must be the end of a file name, as in '.sha256'", taking->sidecar);
	if (taking->min_size <= taking->max_size)
		return 0;
	return error_set(error, ERROR_FATAL, "file.size",
			 "min-size: %llu is more than max-size: %llu; no file could be taken",
			 (unsigned long long)taking->min_size, (unsigned long long)taking->max_size);
}

int taking_size(const struct taking *taking, const char *folder, const char *shown, uint64_t size, struct error *error)
{
	if (size > taking->max_size)
		return error_set(error, ERROR_REJECT, "document.too-large",
				 "%s/%s has %llu bytes, more than max-size: %llu", folder, shown,
				 (unsigned long long)size, (unsigned long long)taking->max_size);
	if (size == 0 && taking->empty == EMPTY_REFUSE)
		return error_set(error, ERROR_REJECT, "document.empty", "%s/%s is empty, and empty: refuse", folder,
				 shown);
	if (size > 0 && size < taking->min_size)
		return error_set(error, ERROR_REJECT, "document.too-small",
				 "%s/%s has %llu bytes, less than min-size: %llu", folder, shown,
				 (unsigned long long)size, (unsigned long long)taking->min_size);
	return 0;
}

/* 0: it is not of that character set. */
static size_t convert(const char *charset, const char *raw, char out[TAKING_NAME])
{
	iconv_t conversion = iconv_open("UTF-8", charset);
	char *from = (char *)(uintptr_t)raw, *to = out;
	size_t left = strlen(raw), room = TAKING_NAME;
	bool whole;

	if (conversion == (iconv_t)-1)
		return 0;
	whole = iconv(conversion, &from, &left, &to, &room) == 0 && !left;
	iconv_close(conversion);
	return whole && utf8_is_clean(span_make(out, (size_t)(to - out))) ? (size_t)(to - out) : 0;
}

struct span taking_name(const struct taking *taking, const char *raw, char out[TAKING_NAME])
{
	size_t n;

	if (utf8_is_clean(span_of(raw)))
		return span_of(raw);
	n = taking->names ? convert(taking->names, raw, out) : 0;
	if (n)
		return span_make(out, n);
	name_show(out, span_of(raw));
	return span_of(out);
}

static size_t without(const char *name, size_t n, const char *end)
{
	size_t m = end ? strlen(end) : 0;

	return m && n > m && !memcmp(name + n - m, end, m) ? n - m : n;
}

/* `name` with that number, as an archive gives it. */
static void with_number(const struct taking *taking, const char *name, unsigned n, char out[TAKING_NAME])
{
	size_t file = without(name, strlen(name), taking->sidecar),
	       stem = without(name, without(name, file, ".duplicate-of-dead"), ".duplicate");
	char first[NAME_MAX + 1], suffix[32], placed[256];

	snprintf(first, sizeof first, "%.*s", (int)stem, name);
	snprintf(suffix, sizeof suffix, "%.*s", (int)(file - stem), name + stem);
	name_numbered(placed, first, n, suffix);
	snprintf(out, TAKING_NAME, "%s%s", placed, name + file);
}

bool taking_is_numbered(const struct taking *taking, const char *name, const char *placed)
{
	char two[TAKING_NAME], three[TAKING_NAME];
	size_t at = 0, tail, n = strlen(placed);

	with_number(taking, name, 2, two);
	with_number(taking, name, 3, three);
	while (two[at] && two[at] == three[at])
		at++;
	tail = two[at] ? strlen(two + at + 1) : 0;
	return two[at] && n > at + tail && !memcmp(placed, two, at) && !memcmp(placed + n - tail, two + at + 1, tail) &&
	       placed[at] != '0' && strspn(placed + at, "0123456789") >= n - at - tail;
}

size_t taking_archived(const char *folder, const char *path)
{
	static const char form[] = "/dddd-dd-dd/";
	size_t n = strlen(folder);

	if (strncmp(path, folder, n) != 0)
		return 0;
	for (size_t i = 0; form[i]; i++, n++)
		if (form[i] == 'd' ? path[n] < '0' || path[n] > '9' : path[n] != form[i])
			return 0;
	return path[n] && path[n] != '.' && !strchr(path + n, '/') ? n : 0;
}
