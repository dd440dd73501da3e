/* Paths to elements, matched while a document is read. See xml.h. */
#include "config.h"
#include "transformers/xml/xml.h"

static bool is_step(struct span text)
{
	const char *colon = memchr(text.data, ':', text.len);

	if (!text.len || memchr(text.data, ' ', text.len) || memchr(text.data, '[', text.len) ||
	    memchr(text.data, '@', text.len) || memchr(text.data, '(', text.len))
		return false;
	if (memchr(text.data, '*', text.len))
		return text.len == 1;
	return !colon || (colon > text.data && colon < text.data + text.len - 1 &&
			  !memchr(colon + 1, ':', (size_t)(text.data + text.len - colon - 1)));
}

static struct xml_path_step step_of(struct span text)
{
	const char *colon = memchr(text.data, ':', text.len);

	if (span_is(text, "*"))
		return (struct xml_path_step){SPAN_NONE, SPAN_NONE};
	if (!colon)
		return (struct xml_path_step){SPAN_NONE, text};
	return (struct xml_path_step){span_make(text.data, (size_t)(colon - text.data)),
				      span_make(colon + 1, (size_t)(text.data + text.len - colon - 1))};
}

bool xml_path_make(struct arena *arena, const char *text, struct xml_path *path)
{
	*path = (struct xml_path){.anywhere = true};
	path->steps = arena_alloc(arena, XML_PATH_MAX * sizeof *path->steps);
	if (text[0] == '/') {
		path->anywhere = text[1] == '/';
		text += path->anywhere ? 2 : 1;
	}
	for (;;) {
		size_t n = strcspn(text, "/");

		if (path->count == XML_PATH_MAX || !is_step(span_make(text, n)))
			return false;
		path->steps[path->count++] = step_of(span_make(text, n));
		if (!text[n])
			return true;
		text += n + 1;
	}
}

static bool is(const char *name, struct span wanted)
{
	return name && !strncmp(name, wanted.data, wanted.len) && !name[wanted.len];
}

bool xml_path_matches(const struct xml_path *path, const struct xml_path_place *places, size_t depth)
{
	if (path->anywhere ? depth < path->count : depth != path->count)
		return false;
	places += depth - path->count;
	for (size_t i = path->count; i-- > 0;) {
		const struct xml_path_step *step = &path->steps[i];

		if ((step->local.len && !is(places[i].local, step->local)) ||
		    (step->prefix.data && !is(places[i].prefix, step->prefix)))
			return false;
	}
	return true;
}
