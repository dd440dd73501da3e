/* ferrule decode, encode: one step by hand, from a file or standard input, with no site needed. */
#include "config.h"
#include "cli/hand.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/tree.h"
#include "config/site.h"
#include "config/yaml.h"
#include "services/registry.h"

static const struct verb_option plain_options[] = {
	HAND_SET_OPTION,
	{"json", NULL, "tell what is broken as JSON, a line each, on standard error", NULL},
	{.name = NULL},
};

/* ---- input ------------------------------------------------------------------------------------------------------- */

/* Standard input may be a pipe: it is taken into a file first, so that steps can read at any offset. */
static int spool_input(struct error *error)
{
	char path[] = "/tmp/ferrule-input-XXXXXX", chunk[65536];
	int fd = mkstemp(path);
	ssize_t n;

	if (fd < 0)
		return error_errno(error, ERROR_RETRY, "input.spool", "making a temporary file");
	unlink(path);
	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0)
		if (write(fd, chunk, (size_t)n) != n) {
			close(fd);
			return error_errno(error, ERROR_RETRY, "input.spool", "writing a temporary file");
		}
	return fd;
}

struct reader *hand_open(const char *name, struct error *error)
{
	bool standard = !name || !strcmp(name, "-");
	int fd = standard ? spool_input(error) : open(name, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0) {
		if (!standard)
			error_errno(error, ERROR_REJECT, "input.open", "%s", name);
		return NULL;
	}
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		error_set(error, ERROR_REJECT, "input.open", "%s is no file; give it on standard input instead", name);
		return NULL;
	}
	return reader_new_fd(fd, 0, (uint64_t)status.st_size);
}

int hand_text(const char *path, struct buf *text, struct error *error)
{
	struct reader *reader = hand_open(path, error);
	int result = reader ? reader_all(reader, text, error) : -1;

	reader_unref(reader);
	return result;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

static int write_out(void *arg, struct span bytes, struct error *error)
{
	const struct hand *hand = arg;

	if (fwrite(bytes.data, 1, bytes.len, hand->file ? hand->file : stdout) == bytes.len)
		return 0;
	return error_errno(error, ERROR_FATAL, "output.write", "writing to %s",
			   hand->file ? hand->into : "standard output");
}

int hand_close_file(struct hand *hand, struct error *error)
{
	FILE *file = hand->file;

	hand->file = NULL;
	return file && fclose(file) ? error_errno(error, ERROR_FATAL, "output.write", "writing to %s", hand->into)
				    : 0;
}

/* A name comes from a document: it stays in the directory, and replaces nothing. */
static int begin_file(void *arg, struct span name, struct error *error)
{
	struct hand *hand = arg;
	char path[PATH_MAX];
	int fd;

	if (hand_close_file(hand, error))
		return -1;
	if (!name.len || name.data[0] == '.' || memchr(name.data, '/', name.len))
		return error_set(error, ERROR_REJECT, "output.name", "\"%.*s\" is no name for a file",
				 SPAN_ARGS(name));
	snprintf(path, sizeof path, "%s/%.*s", hand->into, SPAN_ARGS(name));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(error, ERROR_REJECT, "output.open", "%s", path);
	hand->file = fdopen(fd, "w");
	return 0;
}

static void tell(void *arg, const char *step, struct span position, const struct error *why, const char *dropped,
		 const json_t *findings)
{
	struct hand *hand = arg;
	json_t *line;
	char *text;

	if (!hand->arguments->json) {
		if (why && !strncmp(why->text, position.data ? position.data : "", position.len))
			position = SPAN_NONE; /* it says so itself */
		fprintf(stderr, "%s%s%.*s: %s\n", step, position.len ? ", " : "", SPAN_ARGS(position),
			why ? why->text : dropped);
		return;
	}
	line = json_pack("{s:s s:s s:s s:s s:o}", "verb", hand->arguments->verb->name, "step", step, "code",
			 why ? why->code : "dropped", "text", why ? why->text : dropped, "position",
			 json_stringn(position.len ? position.data : "", position.len));
	if (findings)
		json_object_set(line, "findings", (json_t *)(uintptr_t)findings);
	text = json_dumps(line, JSON_COMPACT);
	fprintf(stderr, "%s\n", text ? text : "{}");
	free(text);
	json_decref(line);
}

/* ---- the chain of one step ------------------------------------------------------------------------------------------
 */

static const struct transformer_ops *ops_of(const char *name)
{
	for (const struct transformer_ops *const *ops = registry_get()->transformers; *ops; ops++)
		if (!strcmp((*ops)->name, name))
			return *ops;
	return NULL;
}

static const struct span *mapping_of(void *arg, const char *name, const char **file)
{
	struct hand *hand = arg;

	*file = name;
	return &hand->mapping;
}

/* ---- files that steps name ------------------------------------------------------------------------------------------
 */
struct hand_text {
	const char *folder, *name;
	struct span text;
	struct hand_text *next;
};

const char *hand_path(struct arena *arena, const char *folder, const char *name)
{
	const char *below = arena_printf(arena, "%s/%s", folder, name);
	char shipped[PATH_MAX];

	if (!access(name, F_OK))
		return name;
	if (!access(below, F_OK))
		return below;
	config_shipped(shipped, sizeof shipped, folder);
	below = arena_printf(arena, "%s/%s", shipped, name);
	return access(below, F_OK) ? name : below;
}

const struct span *hand_file(struct hand *hand, const char *folder, const char *name)
{
	struct error unused = {0};
	struct hand_text *text;
	struct buf bytes;

	for (text = hand->texts; text; text = text->next)
		if (!strcmp(text->folder, folder) && !strcmp(text->name, name))
			return &text->text;
	buf_init(&bytes, HAND_TEXT_MAX);
	if (!hand_text(hand_path(hand->arena, folder, name), &bytes, &unused) && !bytes.full) {
		text = arena_alloc(hand->arena, sizeof *text);
		*text = (struct hand_text){arena_strdup(hand->arena, folder), arena_strdup(hand->arena, name),
					   arena_span(hand->arena, buf_view(&bytes)), hand->texts};
		hand->texts = text;
	}
	buf_free(&bytes);
	return text ? &text->text : NULL;
}

static const struct span *file_at_hand(void *hand, const char *folder, const char *name)
{
	return hand_file(hand, folder, name);
}

static bool file_option(void *hand, const char *folder, const char *name, const char **near)
{
	*near = NULL;
	return hand_file(hand, folder, name) != NULL;
}

/* ---- settings -------------------------------------------------------------------------------------------------------
 */
/* A list or a map in YAML's short form, else a text as it is. */
static struct node *value_of_set(struct hand *hand, const char *set, const char *value)
{
	struct place place = {set, 1, (int)(value - set) + 1};
	struct node *node = arena_alloc(hand->arena, sizeof *node);
	struct yaml_documents documents = {0};

	*node = (struct node){.type = NODE_SCALAR, .place = place, .text = span_of(value), .quoted = true};
	if (*value != '[' && *value != '{')
		return node;
	yaml_read(hand->arena, &hand->findings, set, span_of(value), NULL, &documents);
	return documents.count ? (struct node *)documents.items[0] : node;
}

static int add_pair(struct hand *hand, struct node *map, const char *set, struct error *error)
{
	const char *equals = strchr(set, '=');
	struct pair *pair = &map->pairs[map->count];

	if (!equals || equals == set)
		return error_set(error, ERROR_REJECT, "hand.set", "--set is KEY=VALUE, as in --set separator=;");
	pair->key = (struct node){
		.type = NODE_SCALAR, .place = {set, 1, 1}, .text = span_make(set, (size_t)(equals - set))};
	for (size_t i = 0; i < map->count; i++)
		if (span_equal(map->pairs[i].key.text, pair->key.text))
			return error_set(error, ERROR_REJECT, "hand.set", "--set gives `%.*s` twice",
					 SPAN_ARGS(pair->key.text));
	pair->value = value_of_set(hand, set, equals + 1);
	map->count++;
	return 0;
}

/* {MAIN: value, and what --set says}. */
static int settings_of(struct hand *hand, struct node *map, const struct option *options, const char *main_value,
		       bool set, struct error *error)
{
	struct node *value = arena_alloc(hand->arena, sizeof *value);
	const struct option *main = options;
	const char *given;

	while (main_value && !(main->flags & OPTION_MAIN))
		main++;
	*value = (struct node){.type = NODE_SCALAR, .place = {main_value, 1, 1}, .text = span_of(main_value)};
	*map = (struct node){.type = NODE_MAP, .place = value->place};
	map->pairs = arena_alloc(hand->arena, (ARGUMENTS_MAX + 1) * sizeof *map->pairs);
	if (main_value) {
		map->pairs[map->count].key = (struct node){.type = NODE_SCALAR, .text = span_of(main->name)};
		map->pairs[map->count++].value = value;
	}
	for (size_t i = 0; set && (given = argument_nth(hand->arguments, "set", i)); i++)
		if (add_pair(hand, map, given, error))
			return -1;
	return 0;
}

int hand_fill_step(struct hand *hand, struct chain_step *into, const char *step, const char *main_value, bool set,
		   const struct transformer_context *surroundings, struct error *error)
{
	return hand_fill(hand, into, ops_of(step), main_value, set, surroundings, error);
}

int hand_fill(struct hand *hand, struct chain_step *into, const struct transformer_ops *ops, const char *main_value,
	      bool set, const struct transformer_context *surroundings, struct error *error)
{
	struct node node;
	struct option_context context = {.arena = hand->arena,
					 .findings = &hand->findings,
					 .mapping = mapping_of,
					 .site = hand,
					 .file = file_option};
	void *settings = arena_alloc(hand->arena, ops->settings_size);

	*into = (struct chain_step){.ops = ops, .settings = settings, .label = ops->name};
	if (settings_of(hand, &node, ops->options, main_value, set, error))
		return -1;
	if (!option_fill(&context, &node, ops->options, NULL, settings) &&
	    (!ops->check || !ops->check(settings, surroundings, node.place, &hand->findings) || !hand->findings.errors))
		return 0;
	return error_set(error, ERROR_REJECT, "hand.settings", "`%s` cannot be used; see above",
			 main_value ? main_value : ops->name);
}

/* JSON comes as one document over many lines, or as a document a line, as `decode` writes it: the first line tells. */
const char *hand_json_form(struct reader *input)
{
	struct span all, line;
	struct error unused = {0};
	const char *end;
	json_t *tree;

	if (reader_view(input, &all, &unused) || !all.len)
		return "json";
	end = memchr(all.data, '\n', all.len);
	line = end ? span_make(all.data, (size_t)(end - all.data)) : all;
	tree = end ? tree_parse_new(line, &unused) : NULL;
	json_decref(tree);
	return tree ? "json-lines" : "json";
}

static struct chain *make_chain(struct hand *hand, const char *step, const char *main_value, const char *decode,
				struct error *error)
{
	struct transformer_context surroundings = {.site = hand, .file = file_at_hand};
	struct chain_step steps[2];
	size_t n = 0;

	if ((decode && hand_fill_step(hand, &steps[n++], "decode", decode, false, &surroundings, error)) ||
	    hand_fill_step(hand, &steps[n++], step, main_value, true, &surroundings, error)) {
		verb_print_findings(&hand->findings, stderr);
		return NULL;
	}
	return chain_new("by hand", steps, n, &surroundings, NULL, error);
}

static int run_chain(struct hand *hand, struct chain *chain, struct reader *input, const char *file, int64_t time_ms,
		     struct error *error)
{
	struct chain_hand how = {.write = write_out,
				 .tell = tell,
				 .arg = hand,
				 .time_ms = time_ms,
				 .begin = hand->into ? begin_file : NULL};
	struct chain_report report = {0};

	int failed = chain_run_by_hand(chain, input, span_of(file ? file : "-"), SPAN_NONE, &how, &report, error);

	if (hand_close_file(hand, failed ? NULL : error) || failed)
		return verb_failed(hand->arguments, error);
	return report.dead ? EXIT_FINDINGS : EXIT_DONE;
}

/* json: the step takes data, so the input is JSON. */
static int by_hand(struct hand *hand, const char *step, const char *main_value, const char *file, bool json)
{
	struct error error = {0};
	struct reader *input = hand_open(file, &error);
	struct chain *chain =
		input ? make_chain(hand, step, main_value, json ? hand_json_form(input) : NULL, &error) : NULL;
	int code = chain ? run_chain(hand, chain, input, file, 0, &error) : verb_failed(hand->arguments, &error);

	chain_free(chain);
	reader_unref(input);
	return code;
}

int hand_run(struct hand *hand, const struct transformer_ops *ops, const char *main_value, const char *file)
{
	struct transformer_context surroundings = {
		.site = hand, .file = file_at_hand, .secrets = "secrets", .keys = "keys"};
	struct error error = {0};
	struct reader *input = hand_open(file, &error);
	struct chain *chain = NULL;
	struct chain_step step;
	int code;

	if (input && hand_fill(hand, &step, ops, main_value, true, &surroundings, &error))
		verb_print_findings(&hand->findings, stderr);
	else if (input)
		chain = chain_new("by hand", &step, 1, &surroundings, NULL, &error);
	if (file && strrchr(file, '/')) /* as a source names it */
		file = strrchr(file, '/') + 1;
	code = chain ? run_chain(hand, chain, input, file, clock_now_ms(), &error)
		     : verb_failed(hand->arguments, &error);
	chain_free(chain);
	reader_unref(input);
	return code;
}

void hand_begin(struct hand *hand, const struct arguments *arguments)
{
	*hand = (struct hand){.arguments = arguments, .arena = arena_new()};
	findings_init(&hand->findings);
}

int hand_end(struct hand *hand, int code)
{
	findings_free(&hand->findings);
	arena_free(hand->arena);
	if (fflush(stdout))
		return EXIT_FINDINGS;
	return code;
}

static int decode(const struct arguments *arguments)
{
	struct hand hand;

	hand_begin(&hand, arguments);
	return hand_end(&hand, by_hand(&hand, "decode", arguments->words[0], argument_word(arguments, 1, NULL), false));
}

/* Reads its lines itself. */
static bool is_edi(const char *format)
{
	return !strcmp(format, "x12") || !strcmp(format, "edifact") || !strcmp(format, "tradacoms");
}

static int encode(const struct arguments *arguments)
{
	const char *format = arguments->words[0];
	struct hand hand;

	hand_begin(&hand, arguments);
	return hand_end(&hand, by_hand(&hand, "encode", format, argument_word(arguments, 1, NULL), !is_edi(format)));
}

const struct verb verb_decode = {
	.name = "decode",
	.words = "FORMAT [FILE]",
	.words_min = 1,
	.words_max = 2,
	.summary = "Turn a document into JSON, a line for each transaction",
	.text = "  ferrule decode x12 input/acme/20260302-acme-0001.edi\n\nFORMAT, and the keys that --set gives, are "
		"those of the step `decode` (docs/reference/steps.md). Without "
		"FILE it reads standard input. What is "
		"broken is told on standard error, and the exit code is 1.\n",
	.json = "on standard error a line for what is broken: {verb, step, code, text, position}, and findings where a "
		"grammar judged it",
	.options = plain_options,
	.run = decode,
};

const struct verb verb_encode = {
	.name = "encode",
	.words = "FORMAT [FILE]",
	.words_min = 1,
	.words_max = 2,
	.summary = "Turn JSON lines into a document",
	.text = "  echo '{\"order\": {\"number\": \"PO-1\"}}' | ferrule encode xml\n\n"
		"FORMAT, and the keys that --set gives, are those of the step `encode` (docs/reference/steps.md).\n",
	.json = "on standard error a line for what is broken: {verb, step, code, text, position}",
	.options = plain_options,
	.run = encode,
};
