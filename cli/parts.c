/* Verbs of several parts. See parts.h. */
#include "config.h"
#include "cli/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/site.h"
#include "services/session.h"

#define PARTS_MAX 16

static void unknown(const struct arguments *arguments, const struct part *table, const char *word)
{
	const char *names[PARTS_MAX];
	char *what = mem_printf("ferrule %s", arguments->verb->name), *all;
	struct buf list;
	size_t n = 0;

	buf_init(&list, 1000);
	for (; table[n].name && n < PARTS_MAX; n++) {
		buf_printf(&list, "%s%s", !n ? "it is " : table[n + 1].name ? ", " : " or ", table[n].name);
		names[n] = table[n].name;
	}
	all = buf_take(&list);
	verb_unknown(arguments, what, word, names, n, all);
	free(what);
	free(all);
}

/* The n bytes of the word at `at` of "replay discard"; after the last one 0. */
static size_t next_part(const char **at)
{
	*at += strspn(*at, " ");
	return strcspn(*at, " ");
}

bool part_has(const struct verb_option *option, const char *part)
{
	const char *at = option->parts;

	if (!at)
		return true;
	for (size_t n = next_part(&at); n; at += n, n = next_part(&at))
		if (strlen(part) == n && !memcmp(part, at, n))
			return true;
	return false;
}

char *part_help_new(const struct verb_option *option)
{
	const char *at = option->parts ? option->parts : "";
	struct buf text;

	buf_init(&text, 10000);
	for (size_t n = next_part(&at); n; at += n, n = next_part(&at))
		buf_printf(&text, "%s%.*s", text.len ? ", " : "", (int)n, at);
	buf_printf(&text, "%s%s", text.len ? ": " : "", option->help);
	return buf_take(&text);
}

bool part_takes(const struct arguments *arguments, const char *part)
{
	const struct verb *verb = arguments->verb;

	for (size_t i = 0; i < arguments->options_count; i++)
		for (const struct verb_option *option = verb->options; option->name; option++)
			if (!strcmp(option->name, arguments->options[i].name) && !part_has(option, part)) {
				const char *at = option->parts;
				size_t n = next_part(&at);

				verb_usage(arguments, "--%s is for `ferrule %s %.*s`, not for `%s`", option->name,
					   verb->name, (int)n, at, part);
				return false;
			}
	return true;
}

const struct part *part_find(const struct arguments *arguments, const struct part *table)
{
	const char *word = argument_word(arguments, 0, table->name);
	const struct part *part = table;
	size_t words = arguments->count ? arguments->count - 1 : 0;

	while (part->name && strcmp(part->name, word) != 0)
		part++;
	if (!part->name)
		unknown(arguments, table, word);
	else if (words < part->words_min)
		verb_usage(arguments, "%s", part->which);
	else if (words > part->words_max)
		verb_usage(arguments, "`%s` is one word too many", arguments->words[part->words_max + 1]);
	else if (part_takes(arguments, part->name))
		return part;
	return NULL;
}

int part_run(const struct arguments *arguments, const struct part *part)
{
	struct session *session;
	int code;

	session = site_reach(arguments, NULL, NULL, &code);
	if (!session)
		return code;
	code = part->run(arguments, session);
	session_close(session);
	return code;
}
