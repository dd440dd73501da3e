/* ferrule map: a mapping by hand. What fails is told with its place in the mapping and the value there: libjq says
 * neither, so the document is run through the mapping once more with a mark at every operand. */
#include "config.h"
#include "cli/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/expression.h"
#include "base/expression_marks.h"
#include "base/tree.h"
#include "cli/contract.h"

#define VALUE_MAX 600
#define LINE_MAX_SHOWN 160

static const struct verb_option options[] = {
	{"watch", NULL, "show the result again whenever the mapping or FILE changes; q or Ctrl-C ends it", NULL},
	{"contract", "NAME", "validate the results against a contract (order/v1) or a schema file, too", NULL},
	{"decode", "FORMAT", "FILE is no JSON: decode it first, in any format of `ferrule decode`: x12, edifact …",
	 NULL},
	HAND_SET_OPTION,
	{"pretty", NULL, "results over several lines", NULL},
	{"site", "DIR", "a site whose contracts count, too (the current directory)", NULL},
	{"json", NULL, "tell what is broken as JSON, a line each, on standard error", NULL},
	{.name = NULL},
};

struct run {
	const struct map_job *job;
	struct hand hand;
	struct contracts contracts;
	struct chain *chain;
	size_t dead;
};

/* ---- where it is wrong ---------------------------------------------------------------------------------------------
 */
/* The line of a text, and a caret below the column. */
static void show_line(FILE *to, struct span text, int line, int column)
{
	int now = 1;
	size_t from = 0, end;

	while (now < line && from < text.len)
		now += text.data[from++] == '\n';
	for (end = from; end < text.len && text.data[end] != '\n';)
		end++;
	if (now != line || end - from > LINE_MAX_SHOWN)
		return;
	fprintf(to, "  %5d | %.*s\n", line, (int)(end - from), text.data + from);
	if (column < 1)
		return;
	fprintf(to, "        | ");
	for (size_t i = from; i < end && i + 1 < from + (size_t)column; i++)
		if (text.data[i] == '\t' || ((unsigned char)text.data[i] & 0xc0) != 0x80)
			fputc(text.data[i] == '\t' ? '\t' : ' ', to);
	fputs("^\n", to);
}

/* What `.` is, on one line. */
static void show_value(FILE *to, const json_t *value)
{
	struct buf text;

	buf_init(&text, SIZE_MAX / 2);
	tree_write(&text, value, 0);
	fprintf(to, "  there . is %.*s%s\n", (int)(text.len < VALUE_MAX ? text.len : VALUE_MAX), text.data,
		text.len > VALUE_MAX ? " …" : "");
	buf_free(&text);
}

struct failure {
	struct marks marks;
	struct expression *expression;
	json_t *value;
	int line, column; /* 0: not known */
};

static int ignore(void *arg, json_t *result)
{
	(void)arg;
	(void)result;
	return 0;
}

/* Once more, watched: slower, so a failure may take longer to come back to; a limit would only be waited for. */
static void find_failure(struct run *run, const struct item *item, const struct error *why, struct span content,
			 struct failure *failure)
{
	bool limit = !strcmp(why->code, "jq.time") || !strcmp(why->code, "jq.memory");
	struct place place = {run->job->mapping, 1, 1};
	struct expression_input input = {.envelope = chain_envelope(run->chain, item),
					 .limits = {.time_ms = limit ? 2000 : 60000}};
	struct error error = {0};
	json_t *body = item->tree ? json_incref(item->tree) : tree_parse_new(content, &error);
	size_t mark;

	*failure = (struct failure){.expression = expression_new(run->hand.arena, run->hand.mapping, place)};
	input.body = body;
	if (body && !marks_find(&failure->marks, run->hand.mapping, true) &&
	    !expression_watch(failure->expression, &failure->marks, NULL, true) &&
	    expression_each(failure->expression, &input, ignore, NULL, &error) &&
	    expression_last(failure->expression, &mark, &failure->value))
		mark_place(run->hand.mapping, failure->marks.list[mark].start, &failure->line, &failure->column);
	json_decref(body);
}

static void failure_free(struct failure *failure)
{
	expression_drop(failure->expression);
	marks_free(&failure->marks);
	json_decref(failure->value);
}

static void tell_json(const struct run *run, const char *step, struct span position, const struct error *why,
		      const char *dropped, const struct failure *failure)
{
	json_t *line = json_pack("{s:s s:s s:s s:s s:o}", "verb", "map", "step", step, "code",
				 why ? why->code : "dropped", "text", why ? why->text : dropped, "position",
				 json_stringn(position.len ? position.data : "", position.len));

	if (failure && failure->line) {
		json_object_set_new(line, "file", json_string(run->job->mapping));
		json_object_set_new(line, "line", json_integer(failure->line));
		json_object_set_new(line, "column", json_integer(failure->column));
		json_object_set(line, "value", failure->value);
	}
	json_dumpf(line, run->job->told, JSON_COMPACT);
	fputc('\n', run->job->told);
	json_decref(line);
}

/* Without "(FILE:1)" at its end, where the place is known better. */
static size_t text_length(const struct run *run, const char *text, const struct failure *failure)
{
	char *place = mem_printf(" (%s:", run->job->mapping);
	const char *at = failure && failure->line ? strstr(text, place) : NULL;

	free(place);
	return at ? (size_t)(at - text) : strlen(text);
}

static void tell(const struct run *run, const char *step, struct span position, const struct error *why,
		 const char *dropped, const struct failure *failure)
{
	FILE *to = run->job->told;

	if (run->job->arguments->json) {
		tell_json(run, step, position, why, dropped, failure);
		return;
	}
	fprintf(to, "%s%s%.*s: %.*s\n", step, position.len ? ", " : "", SPAN_ARGS(position),
		(int)text_length(run, why ? why->text : dropped, failure), why ? why->text : dropped);
	if (!failure || !failure->line)
		return;
	fprintf(to, "  near %s:%d:%d\n", run->job->mapping, failure->line, failure->column);
	show_line(to, run->hand.mapping, failure->line, failure->column);
	if (failure->value)
		show_value(to, failure->value);
}

/* ---- the chain's callbacks ------------------------------------------------------------------------------------------
 */
static int on_publish(void *arg, const struct chain_output *output, struct error *error)
{
	struct run *run = arg;
	struct span bytes;
	struct buf text;

	buf_init(&text, SIZE_MAX / 2);
	if (run->job->pretty && output->item->tree)
		tree_write(&text, output->item->tree, TREE_PRETTY);
	else if (reader_view(output->body, &bytes, error))
		return -1;
	else
		buf_span(&text, bytes);
	buf_char(&text, '\n');
	fwrite(text.data, 1, text.len, run->job->out);
	buf_free(&text);
	return 0;
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	struct run *run = arg;
	struct failure failure = {.line = 0};
	bool ours = !strcmp(step, "map") && !strncmp(why->code, "jq.", 3);

	(void)error;
	run->dead++;
	if (ours)
		find_failure(run, item, why, content, &failure);
	tell(run, step, item->position, why, NULL, ours ? &failure : NULL);
	if (ours)
		failure_free(&failure);
	return 0;
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	(void)error;
	tell(arg, step, item->position, NULL, why, NULL);
	return 0;
}

/* ---- one run
 * --------------------------------------------------------------------------------------------------------- */
static void tell_findings(const struct run *run)
{
	const struct findings *findings = &run->hand.findings;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		fprintf(run->job->told, "%s:%d:%d: %s: %s\n", finding->place.file ? finding->place.file : "-",
			finding->place.line, finding->place.column, severity_name(finding->severity), finding->text);
		if (finding->place.file && !strcmp(finding->place.file, run->job->mapping))
			show_line(run->job->told, run->hand.mapping, finding->place.line, finding->place.column);
	}
}

static int failed(const struct run *run, const struct error *error)
{
	if (run->job->told == stderr)
		return verb_failed(run->job->arguments, error);
	fprintf(run->job->told, "%s\n", error->text);
	return EXIT_FINDINGS;
}

static const json_t *find_contract(void *arg, const char *name)
{
	struct run *run = arg;

	return contracts_find(&run->contracts, name);
}

static const struct span *find_file(void *arg, const char *folder, const char *name)
{
	struct run *run = arg;

	return hand_file(&run->hand, folder, name);
}

static struct chain *make_chain(struct run *run, struct reader *input, struct error *error)
{
	const struct map_job *job = run->job;
	struct transformer_context surroundings = {.site = run, .contract = find_contract, .file = find_file};
	struct chain_step steps[3];
	size_t n = 0;

	if (job->contract && !contracts_get(&run->contracts, job->contract, error))
		return NULL;
	if (!hand_fill_step(&run->hand, &steps[n++], "decode", job->decode ? job->decode : hand_json_form(input), true,
			    &surroundings, error) &&
	    !hand_fill_step(&run->hand, &steps[n++], "map", job->mapping, false, &surroundings, error) &&
	    (!job->contract ||
	     !hand_fill_step(&run->hand, &steps[n++], "validate", job->contract, false, &surroundings, error)))
		return chain_new("by hand", steps, n, &surroundings, NULL, error);
	tell_findings(run);
	return NULL;
}

static int run_chain(struct run *run, struct reader *input, struct error *error)
{
	struct chain_events events = {.arg = run, .publish = on_publish, .dead = on_dead, .drop = on_drop};
	struct message *message = message_new();
	int result;

	message_set(message, &message->origin.name, span_of(run->job->input ? run->job->input : "-"));
	message->time_ms = message->accepted_ms = 0;
	message_body_take(message, reader_ref(input));
	result = chain_run(run->chain, message, &events, error);
	message_free(message);
	return result;
}

int map_once(const struct map_job *job)
{
	struct run run = {.job = job};
	struct error error = {0};
	struct reader *input = NULL;
	struct buf text;
	int code = EXIT_FINDINGS;

	hand_begin(&run.hand, job->arguments);
	contracts_init(&run.contracts, job->arguments);
	buf_init(&text, HAND_TEXT_MAX);
	if (!hand_text(job->mapping, &text, &error))
		input = hand_open(job->input, &error);
	run.hand.mapping = buf_view(&text);
	if (input)
		run.chain = make_chain(&run, input, &error);
	if (run.chain && !run_chain(&run, input, &error))
		code = run.dead ? EXIT_FINDINGS : EXIT_DONE;
	else if (!run.hand.findings.errors || job->told == stderr)
		failed(&run, &error);
	chain_free(run.chain);
	reader_unref(input);
	contracts_free(&run.contracts);
	buf_free(&text);
	return hand_end(&run.hand, code);
}

static int map(const struct arguments *arguments)
{
	struct arena *arena = arena_new();
	struct map_job job = {.arguments = arguments,
			      .mapping = hand_path(arena, "mappings", arguments->words[0]),
			      .input = argument_word(arguments, 1, NULL),
			      .decode = argument(arguments, "decode"),
			      .contract = argument(arguments, "contract"),
			      .out = stdout,
			      .told = stderr,
			      .pretty = argument_given(arguments, "pretty")};

	int code;

	if (!argument_given(arguments, "watch"))
		code = map_once(&job);
	else if (!job.input || !strcmp(job.input, "-"))
		code = verb_usage(arguments, "--watch needs FILE: standard input comes only once");
	else
		code = map_watch(&job);
	arena_free(arena);
	return code;
}

const struct verb verb_map = {
	.name = "map",
	.words = "MAPPING [FILE]",
	.words_min = 1,
	.words_max = 2,
	.summary = "Run a mapping (a file with jq) over JSON lines",
	.text = "  ferrule decode x12 input/acme/20260302-acme-0001.edi | ferrule map mappings/acme-850-to-order.jq\n"
		"  ferrule map --decode x12 --contract order/v1 mappings/acme-850-to-order.jq "
		"input/acme/20260302-acme-0001.edi\n\n"
		"MAPPING is a file, the name of one in mappings/, or of one that ships (docs/formats.md). --decode "
		"takes every "
		"format that `ferrule help decode` names. With --watch it stays, and shows the "
		"result anew\nwhenever one of the files changes. What fails is told with its place in the mapping and "
		"the value there.\ndocs/testing.md has more.\n",
	.json = "on standard error a line for what is broken: {verb, step, code, text, position, file?, line?, "
		"column?, value?}",
	.options = options,
	.run = map,
};
