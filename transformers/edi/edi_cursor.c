/* Passing over values of a JSON text. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#define DEPTH_MAX 64

const char *edi_json_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		const char *quote = memchr(p, '"', (size_t)(end - p)), *back = quote;

		if (!quote)
			return NULL;
		while (back > p && back[-1] == '\\')
			back--;
		p = quote;
		if (!((quote - back) & 1))
			return p + 1;
	}
	return NULL;
}

/* Whether it is right within is not looked at where nobody uses it; strings and brackets must close. */
const char *edi_json_skip(const char *p, const char *end)
{
	int depth = 0;

	for (; p < end; p++) {
		switch (*p) {
		case '"':
			p = skip_string(p, end);
			if (!p)
				return NULL;
			if (!depth)
				return p;
			p--;
			break;
		case '[':
		case '{':
			if (++depth > DEPTH_MAX)
				return NULL;
			break;
		case ']':
		case '}':
			if (!depth)
				return p;
			if (!--depth)
				return p + 1;
			break;
		case ',':
			if (!depth)
				return p;
			break;
		default:
			break;
		}
	}
	return depth ? NULL : p;
}
