/* ferrule completion: what a shell asks for when TAB is pressed. The shells' scripts know nothing: they hand over the
 * words typed so far and get what may stand there, from the tables of verbs and from the site at hand. */
#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/help.h"
#include "cli/parts.h"
#include "config/editor_schema.h"
#include "config/site.h"
#include "services/registry.h"

static const struct verb_option options[] = {
	{.name = NULL},
};

/* ---- the scripts ----------------------------------------------------------------------------------------- */
static const char bash_script[] =
	"# bash completion of ferrule; made by: ferrule completion bash\n"
	"_ferrule() {\n"
	"\tlocal line cur=${COMP_WORDS[COMP_CWORD]}\n"
	"\t[ \"$cur\" = = ] && cur=\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:files) compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < "
	"<(compgen -f -- "
	"\"$cur\") ;;\n"
	"\t\t:directories) compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=(\"$line\"); done "
	"< <(compgen -d "
	"-- \"$cur\") ;;\n"
	"\t\t*) line=${line%%$'\\t'*}; [[ $line == \"$cur\"* ]] && COMPREPLY+=(\"$line\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	"2>/dev/null)\n"
	"}\n"
	"complete -F _ferrule ferrule\n";

static const char zsh_script[] =
	"#compdef ferrule\n"
	"# zsh completion of ferrule; made by: ferrule completion zsh\n"
	"_ferrule() {\n"
	"\tlocal line tab=$'\\t'\n"
	"\tlocal -a found\n"
	"\tfor line in \"${(@f)$(${(Q)words[1]} completion words -- \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
	"\t\tcase $line in\n"
	"\t\t'') ;;\n"
	"\t\t:files) _files ;;\n"
	"\t\t:directories) _files -/ ;;\n"
	"\t\t*) found+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t(( $#found )) && _describe -t words ferrule found\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _ferrule ]; then _ferrule \"$@\"; else compdef _ferrule ferrule; fi\n";

static const char fish_script[] = "# fish completion of ferrule; made by: ferrule completion fish\n"
				  "function __ferrule_words\n"
				  "\tset -l typed (commandline -opc)\n"
				  "\tset -l current (commandline -ct)\n"
				  "\tfor line in ($typed[1] completion words -- $typed[2..] \"$current\" 2>/dev/null)\n"
				  "\t\tswitch $line\n"
				  "\t\t\tcase :files\n"
				  "\t\t\t\t__fish_complete_path \"$current\"\n"
				  "\t\t\tcase :directories\n"
				  "\t\t\t\t__fish_complete_directories \"$current\"\n"
				  "\t\t\tcase '*'\n"
				  "\t\t\t\techo $line\n"
				  "\t\tend\n"
				  "\tend\n"
				  "end\n"
				  "complete -c ferrule -f -a '(__ferrule_words)'\n";

/* ---- what may stand there -------------------------------------------------------------------------------- */
struct asked {
	const char *const *words; /* after `ferrule`, the last is being typed */
	size_t count;
	const struct verb *verb;
};

static void say(const char *word, const char *help)
{
	printf("%s%s%s\n", word, help ? "\t" : "", help ? help : "");
}

static void say_list(const char *list)
{
	while (*list) {
		size_t n = strcspn(list, " |");

		printf("%.*s\n", (int)n, list);
		list += n + (list[n] != 0);
	}
}

static bool is_site(const char *word)
{
	char *path = mem_printf("%s/site.yaml", word);
	bool is = access(path, R_OK) == 0;

	free(path);
	return is;
}

/* What --site says, or the word that is a site's directory, or here. */
static const char *site_of(const struct asked *asked, const char **environment)
{
	const char *site = ".";

	*environment = "";
	for (size_t i = 1; i + 1 < asked->count; i++) {
		if (is_site(asked->words[i]))
			site = asked->words[i];
	}
	for (size_t i = 1; i + 2 < asked->count; i++) {
		if (!strcmp(asked->words[i], "--site"))
			site = asked->words[i + 1];
		else if (!strcmp(asked->words[i], "--env"))
			*environment = asked->words[i + 1];
	}
	return site;
}

/* One that goes by its flow's name was said already, if flows were. */
static void say_endpoint(const struct endpoint *endpoint, const char *kind)
{
	if (!strstr(kind, "FLOW") || strcmp(endpoint->name, endpoint->flow) != 0)
		say(endpoint->name, "endpoint");
}

static void say_names(const struct site *site, const char *kind)
{
	bool ends = strstr(kind, "ENDPOINT") != NULL;

	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		if (strstr(kind, "FLOW"))
			say(flow->name, flow->summary ? flow->summary : "flow");
		for (size_t k = 0; ends && k < flow->sources_count; k++)
			say_endpoint(&flow->sources[k].endpoint, kind);
		if (ends && flow->sink)
			say_endpoint(flow->sink, kind);
	}
	for (size_t i = 0; strstr(kind, "SYSTEM") && i < site->systems_count; i++)
		say(site->systems[i].name, site->systems[i].summary ? site->systems[i].summary : "system");
	for (size_t i = 0; strstr(kind, "CONTRACT") && i < site->contracts_count; i++)
		say(site->contracts[i].name, "contract");
}

static void say_environments(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++) {
		const char *path = bundle->files[i].path;

		if (!strncmp(path, "environments/", 13))
			printf("%.*s\n", (int)strcspn(path + 13, "."), path + 13);
	}
}

/* Names of the site at hand; none where there is no site that can be read. */
static void say_of_site(const struct asked *asked, const char *kind)
{
	const char *environment, *directory = site_of(asked, &environment);
	struct error error = {0};
	struct findings findings;
	struct bundle *bundle = bundle_read_new(directory, environment, &error);
	struct site *site = NULL;

	findings_init(&findings);
	if (bundle && !strcmp(kind, "env"))
		say_environments(bundle);
	else if (bundle)
		site = site_load_new(bundle, registry_get(), directory, &findings);
	if (site)
		say_names(site, kind);
	site_free(site);
	findings_free(&findings);
	bundle_free(bundle);
}

static void say_templates(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	config_shipped(path, sizeof path, "sample");
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			say(entry->d_name, "template");
	if (directory)
		closedir(directory);
}

/* The words of an enumeration in a step's settings: the formats of decode and encode. */
static void say_formats(const char *step)
{
	for (const struct transformer_ops *const *ops = registry_get()->transformers; *ops; ops++) {
		for (const struct option *option = (*ops)->options; option && option->name; option++)
			if (!strcmp((*ops)->name, step) && !strcmp(option->name, "format") && option->range)
				say_list(option->range);
	}
}

/* A value called `kind` in the tables: FLOW, [FILE], list|show|replay. */
static void say_value(const struct asked *asked, const char *option, const char *kind)
{
	static const char *const lists[][2] = {
		{"ROLE", "gateway poll transform deliver sink record steward"},
		{"STATE", "open replayed discarded all"},
		{"LEVELS", "error warn info debug"},
		{"MODE", "backward forward full backward-transitive forward-transitive full-transitive none"},
		{"HOW", "strict lenient"},
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (!strcmp(kind, lists[i][0]))
			say_list(lists[i][1]);
	if (strstr(kind, "DIR"))
		puts(":directories");
	else if (strstr(kind, "FILE") || !strcmp(kind, "MAPPING"))
		puts(":files");
	else if (!strcmp(kind, "FORMAT"))
		say_formats(option ? option : asked->verb->name);
	else if (!strcmp(kind, "KIND") && !strcmp(asked->verb->name, "schema"))
		for (const struct editor_schema_kind *k = editor_schema_kinds; k->name; k++)
			say(k->name, k->files);
	else if (option && !strcmp(option, "env"))
		say_of_site(asked, "env");
	else if (option && !strcmp(option, "template"))
		say_templates();
	else if ((option && !strcmp(option, "contract")) ||
		 (!option && !strcmp(asked->verb->name, "contract") && !strcmp(kind, "NAME")))
		say_of_site(asked, "CONTRACT");
	else if (option && (!strcmp(option, "flow") || !strcmp(option, "endpoint")))
		say_of_site(asked, !strcmp(option, "flow") ? "FLOW" : "ENDPOINT");
	else if (strstr(kind, "FLOW") || strstr(kind, "ENDPOINT") || strstr(kind, "SYSTEM") || strstr(kind, "CONTRACT"))
		say_of_site(asked, kind);
	else if (strspn(kind, "abcdefghijklmnopqrstuvwxyz-|") == strlen(kind))
		say_list(kind);
}

/* The n-th of "FLOW [FILE]", without brackets and dots; the last one stands for all after it where it has dots. */
static void say_word(const struct asked *asked, size_t n)
{
	char word[256];
	const char *at = asked->verb->words;

	while (*at) {
		size_t length = strcspn(at, " "), k = 0;
		bool more = strstr(at, "…") && strstr(at, "…") < at + length;

		for (size_t i = 0; i < length && k + 1 < sizeof word; i++)
			if (!strchr("[]", at[i]) && !((unsigned char)at[i] & 0x80))
				word[k++] = at[i];
		word[k] = 0;
		if (n == 0 || more) {
			say_value(asked, NULL, word);
			return;
		}
		n--;
		at += length + (at[length] == ' ');
	}
}

static void say_verbs(void)
{
	for (size_t i = 0; verbs[i]; i++)
		say(verbs[i]->name, verbs[i]->summary);
	say("help", "Tell more about a verb");
}

static const struct verb_option *option_of(const struct verb *verb, const char *word)
{
	for (const struct verb_option *option = verb->options; option && option->name; option++)
		if (!strncmp(word, "--", 2) && !strcmp(word + 2, option->name))
			return option;
	return NULL;
}

/* part: the word behind the verb; NULL or an option where there is none. */
static void say_options(const struct verb *verb, const char *part)
{
	for (const struct verb_option *option = verb->options; option && option->name; option++) {
		bool any = !part || *part == '-';
		char *word = mem_printf("--%s", option->name),
		     *text = any ? part_help_new(option) : mem_strdup(option->help);

		if (any || part_has(option, part))
			say(word, text);
		free(word);
		free(text);
	}
	say("--help", "Tell more about it");
}

static void answer(struct asked *asked)
{
	const char *last = asked->count ? asked->words[asked->count - 1] : "";
	const struct verb_option *option = NULL;
	size_t place = 0;

	if (asked->count <= 1 || (asked->count == 2 && !strcmp(asked->words[0], "help"))) {
		say_verbs();
		return;
	}
	asked->verb = verb_find(asked->words[0]);
	if (!asked->verb)
		return;
	for (size_t i = 1; i + 1 < asked->count; i++) { /* a value is no word */
		option = option_of(asked->verb, asked->words[i]);
		if (option && option->value && i + 2 < asked->count)
			i++;
		else if (!option)
			place++;
	}
	if (option && option->value && option == option_of(asked->verb, asked->words[asked->count - 2]))
		say_value(asked, option->name, option->value);
	else if (*last == '-')
		say_options(asked->verb, asked->count > 2 ? asked->words[1] : NULL);
	else
		say_word(asked, place);
}

/* bash cuts `--env=prod` into three words. */
static void answer_words(const struct arguments *arguments)
{
	const char *words[ARGUMENTS_MAX];
	struct asked asked = {.words = words};

	for (size_t i = 1; i < arguments->count; i++) {
		bool equals = !strcmp(arguments->words[i], "=");

		if (!equals)
			words[asked.count++] = arguments->words[i];
		else if (i + 1 == arguments->count)
			words[asked.count++] = "";
	}
	answer(&asked);
}

static int completion(const struct arguments *arguments)
{
	static const char *const names[] = {"bash", "zsh", "fish", "words"};
	static const char *const scripts[] = {bash_script, zsh_script, fish_script};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(arguments->words[0], names[i]) != 0)
			continue;
		if (arguments->count > 1)
			return verb_usage(arguments, "`%s` is one word too many", arguments->words[1]);
		fputs(scripts[i], stdout);
		return EXIT_DONE;
	}
	if (strcmp(arguments->words[0], "words") != 0)
		return verb_unknown(arguments, "shell", arguments->words[0], names, 3, "bash, zsh or fish");
	answer_words(arguments);
	return EXIT_DONE;
}

const struct verb verb_completion = {
	.name = "completion",
	.words = "bash|zsh|fish",
	.words_min = 1,
	.words_max = ARGUMENTS_MAX,
	.summary = "Print the completion script of a shell",
	.text = "  source <(ferrule completion bash)\n  ferrule completion fish\n"
		"\nThe first is for ~/.bashrc, and with zsh for ~/.zshrc; fish takes its script with `| source`.\n"
		"What `make install` put into the shell's own directory needs no such line. Verbs, options and their\n"
		"values are completed, and the names of flows, endpoints, systems and contracts of the site at hand.\n"
		"`ferrule completion words -- WORD…` lists what may stand in place of the last word, for other "
		"shells.\n",
	.options = options,
	.run = completion,
};
