/* Fuzz target: any bytes as a file of known hosts: a key is looked for in it, and a name is taken out. */
#include "config.h"

#include <stdlib.h>

#include "base/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, struct span key)
{
	if (!key.len || span_is(key, "a key"))
		abort();
	++*(size_t *)arg;
}

static enum known_host look(struct span text, const char *host, int port)
{
	size_t others = 0;
	bool authority = false;
	enum known_host found = known_hosts_find(text, host, port, SPAN_LITERAL("a key"), count, &others, &authority),
			alone;

	if (found == KNOWN_HOST_NONE ? others != 0 : found == KNOWN_HOST_OTHER && others == 0)
		abort();
	alone = known_hosts_find(text, host, port, SPAN_LITERAL("a key"), NULL, NULL, &authority);
	if (alone != found)
		abort();
	return found;
}

/* What is left knows no key under this very name, names whoever else it named, and nothing more can be taken out. */
static void take_out(struct span text, const char *name, const char *host, int port)
{
	struct buf left, again;
	bool patterns = text.len && (memchr(text.data, '*', text.len) || memchr(text.data, '?', text.len) ||
				     memchr(text.data, '@', text.len));

	buf_init(&left, text.len + 1);
	buf_init(&again, text.len + 1);
	if (known_hosts_without(text, name, &left) || known_hosts_without(buf_view(&left), name, &again) ||
	    !span_equal(buf_view(&left), buf_view(&again)))
		abort();
	if (!patterns && port == 22 && look(buf_view(&left), host, port) != KNOWN_HOST_NONE)
		abort();
	if (!patterns && look(buf_view(&left), "other.example", 22) != look(text, "other.example", 22))
		abort();
	buf_free(&left);
	buf_init(&left, text.len / 2);
	known_hosts_without(text, name, &left);
	buf_free(&left);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make(data, size);

	look(text, "a.example", 22);
	look(text, "192.0.2.7", 2222);
	take_out(text, "a.example", "a.example", 22);
	take_out(text, "B.Example", "B.Example", 22);
	take_out(text, "[A.example]:2222", "A.example", 2222);
	return 0;
}
