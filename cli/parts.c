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
	else
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
