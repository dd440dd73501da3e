/* Option tables for people. See describe.h. */
#include "config.h"
#include "config/describe.h"

#include <stdlib.h>

#include "base/mem.h"
#include "config/load.h"
#include "config/trial.h"

#define DEPTH_MAX 5

typedef void describe_fn(void *arg, const struct described *);

/* ---- the areas ------------------------------------------------------------------------------------------- */
static void describe_site(const struct registry *registry, describe_fn *each, void *arg)
{
	each(arg, &(struct described){"site", "", "site.yaml: the site's own settings", site_options});
	for (const struct broker_ops *const *ops = registry->brokers; ops && *ops; ops++)
		each(arg, &(struct described){"queue", (*ops)->name, (*ops)->help, (*ops)->options});
	for (const struct db_ops *const *ops = registry->stores; ops && *ops; ops++)
		each(arg, &(struct described){"store", (*ops)->name, (*ops)->help, (*ops)->options});
	for (const struct server_ops *const *ops = registry->servers; ops && *ops; ops++)
		each(arg, &(struct described){"listen", (*ops)->name, (*ops)->help, (*ops)->listen_options});
}

static void describe_sources(const struct registry *registry, describe_fn *each, void *arg)
{
	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		for (const struct source_ops *const *ops = registry->sources; ops && *ops; ops++) {
			if (kind->source && strcmp(kind->source, (*ops)->name) == 0)
				each(arg, &(struct described){"from", kind->key, (*ops)->help, (*ops)->options});
		}
		for (const struct server_ops *const *ops = registry->servers; ops && *ops; ops++) {
			if (kind->server && strcmp(kind->server, (*ops)->name) == 0)
				each(arg, &(struct described){"from", kind->key, (*ops)->help, (*ops)->options});
		}
	}
}

static void describe_sinks(const struct registry *registry, describe_fn *each, void *arg)
{
	static const struct option operation[] = {
		{.name = "operation",
		 .type = OPTION_TEXT,
		 .flags = OPTION_MAIN | OPTION_REQUIRED,
		 .help = "SYSTEM.OPERATION; beside it any setting of `webhook`, in place of the system's"},
		OPTION_END};

	for (const struct endpoint_kind *kind = endpoint_kinds; kind->key; kind++) {
		bool named = strcmp(kind->key, "operation") == 0;

		for (const struct sink_ops *const *ops = registry->sinks; ops && *ops; ops++) {
			if (!kind->sink || strcmp(kind->sink, (*ops)->name) != 0)
				continue;
			each(arg,
			     &(struct described){"to", kind->key, named ? "An operation of a system" : (*ops)->help,
						 named ? operation : (*ops)->options});
		}
	}
}

void describe_each(const struct registry *registry, describe_fn *each, void *arg)
{
	static const struct option values[] = {
		{.name = "NAME", .type = OPTION_TEXT, .help = "the value that replaces ${NAME} in the other files"},
		OPTION_END};

	describe_site(registry, each, arg);
	each(arg, &(struct described){"flow", "", "flows/*.yaml: where messages come from, what is done, where they go",
				      flow_options});
	each(arg,
	     &(struct described){"transfer", "",
				 "transfers/*.yaml: a flow with a schedule; beside these keys all of a flow, "
				 "whose name is the transfer's. Without `to` a flow takes it: `from: {transfer: NAME}`",
				 transfer_options});
	each(arg,
	     &(struct described){"calendar", "", "calendars/*.yaml: which days are working days", calendar_options});
	describe_sources(registry, each, arg);
	describe_sinks(registry, each, arg);
	each(arg, &(struct described){"endpoint", "", "Beside the settings of any endpoint", endpoint_options});
	for (const struct transformer_ops *const *ops = registry->transformers; ops && *ops; ops++)
		each(arg, &(struct described){"step", (*ops)->name, (*ops)->help, (*ops)->options});
	each(arg, &(struct described){"step", "", "Beside the settings of any step", step_options});
	each(arg,
	     &(struct described){"system", "",
				 "systems/*.yaml: how to reach a system, and its operations; beside these keys, and in "
				 "each operation, the settings of `to: webhook`, `effect` and `retry`; under "
				 "`sftp`, `mail` and `syslog` those of endpoints of that kind that say `system: NAME`",
				 system_options});
	each(arg, &(struct described){"snippet", "", "snippets/*.yaml: steps with parameters, for several flows",
				      snippet_options});
	each(arg, &(struct described){"test", "", "tests/*.yaml: an input, and what must come of it", trial_options});
	each(arg, &(struct described){"environment", "", "environments/*.yaml: values for `--env`", values});
}

/* ---- rows ------------------------------------------------------------------------------------------------ */
typedef void describe_option_fn(void *arg, const struct described_option *);

static const struct option *brought_by(const struct option *chooser, int word)
{
	const struct option_more *more = chooser->more(word);

	return more ? more->table : NULL;
}

static int count_words(const char *range)
{
	int n = 1;

	for (; *range; range++)
		n += *range == '|';
	return n;
}

static void describe_table(const struct option *, const char *prefix, const char *words, int depth,
			   describe_option_fn *each, void *arg);

/* Words that bring the same keys are told together. */
static void describe_more(const struct option *chooser, const char *prefix, int depth, describe_option_fn *each,
			  void *arg)
{
	int n = count_words(chooser->range);

	for (int i = 0; i < n; i++) {
		const struct option *table = brought_by(chooser, i);
		const char *at = chooser->range;
		struct buf names;
		bool told = !table;

		for (int k = 0; k < i && !told; k++)
			told = brought_by(chooser, k) == table;
		if (told)
			continue;
		buf_init(&names, 4096);
		for (int k = 0; k < n; k++, at += strcspn(at, "|") + 1) {
			if (brought_by(chooser, k) != table)
				continue;
			buf_text(&names, names.len ? ", " : "");
			buf_append(&names, at, strcspn(at, "|"));
		}
		buf_char(&names, 0);
		describe_table(table, prefix, names.data, depth, each, arg);
		buf_free(&names);
	}
}

static void describe_table(const struct option *table, const char *prefix, const char *words, int depth,
			   describe_option_fn *each, void *arg)
{
	for (; table && table->name; table++) {
		char *path = mem_printf("%s%s", prefix, table->name);

		each(arg, &(struct described_option){path, table, words});
		if (table->more)
			describe_more(table, prefix, depth, each, arg);
		if (table->table && depth < DEPTH_MAX) {
			char *below = mem_printf("%s%s.", path, table->flags & OPTION_NAMED ? ".NAME" : "");

			describe_table(table->table, below, words, depth + 1, each, arg);
			free(below);
		}
		free(path);
	}
}

void describe_options(const struct option *table, describe_option_fn *each, void *arg)
{
	describe_table(table, "", NULL, 0, each, arg);
}

/* ---- forms ----------------------------------------------------------------------------------------------- */
static const char *named_form(const char *name, size_t n)
{
	static const char *const forms[][2] = {
		{"from", "an endpoint"},
		{"to", "an endpoint"},
		{"steps", "a list of steps"},
		{"queue", "spool or {amqp: …}"},
		{"store", "sqlite or {postgresql: …}"},
		{"listen", "{http: …}"},
		{"columns", "a list of names, or of NAME: jq"},
		{"operation", "settings"},
		{"expressions", "jq, or a list"},
		{"texts", "text, or a list"},
		{"duration", "duration"},
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (strlen(forms[i][0]) == n && !strncmp(forms[i][0], name, n))
			return forms[i][1];
	}
	return "see below";
}

/* "a|b|<steps>": "a, b or a list of steps" */
static void words(const char *range, bool map, struct buf *out)
{
	for (bool first = true; range && *range; first = false) {
		size_t n = strcspn(range, "|");
		bool last = !range[n] && !map;

		buf_text(out, first ? "" : last ? " or " : ", ");
		if (*range == '<')
			buf_text(out, named_form(range + 1, n - 2));
		else
			buf_append(out, range, n);
		range += n + (range[n] == '|');
	}
}

static void node_form(const struct option *option, struct buf *out)
{
	if (option->flags & OPTION_NAMED)
		buf_text(out, "a map of NAME: ");
	words(option->range, option->table != NULL, out);
	if (option->table)
		buf_text(out, option->range ? " or a map" : "a map");
	if (!option->table && !option->range)
		buf_text(out, "see the text");
	if (option->flags & OPTION_LIST)
		buf_text(out, ", or a list of them");
}

void describe_form(const struct option *option, struct buf *out)
{
	static const char *const names[] = {
		[OPTION_TEXT] = "text",
		[OPTION_INT] = "number",
		[OPTION_SIZE] = "size",
		[OPTION_RATE] = "rate",
		[OPTION_DURATION] = "duration",
		[OPTION_BOOL] = "yes or no",
		[OPTION_ENUM] = "",
		[OPTION_EXPRESSION] = "jq",
		[OPTION_EXPRESSIONS] = "jq, or a list",
		[OPTION_TEMPLATE] = "text with $(jq)",
		[OPTION_TEMPLATES] = "a map of NAME: text with $(jq)",
		[OPTION_TEXTS] = "text, or a list",
		[OPTION_SECRET] = "{secret: NAME}",
		[OPTION_MAPPING] = "a file of mappings/",
		[OPTION_MAPPINGS] = "a map of NAME: file of mappings/",
		[OPTION_FILE] = "a file of ",
		[OPTION_FILES] = "a file, or a list, of ",
		[OPTION_TABLE] = "a map",
		[OPTION_NODE] = "",
	};

	buf_text(out, names[option->type]);
	if (option->type == OPTION_NODE)
		node_form(option, out);
	else if (option->type == OPTION_ENUM)
		words(option->range, false, out);
	else if (option->type == OPTION_FILE || option->type == OPTION_FILES)
		buf_printf(out, "%s/", option->range);
	else if (option->range) {
		buf_text(out, ", ");
		buf_text(out, option->range);
	}
}
