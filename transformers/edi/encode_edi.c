/* encode: x12, edifact, tradacoms. In a flow a document is one line of JSON, or an array of them; by hand lines are
 * read one by one, and what they come to is given in pieces, so that a file of any size needs little memory. */
#include "config.h"
#include "transformers/encode.h"

#include <stdio.h>

#include "base/tree.h"
#include "transformers/edi/edi_encode.h"
#include "transformers/edi/edi_grammar.h"

#define OUTPUT_MAX (256u << 20)
#define PIECE (256u * 1024)

struct job {
	const struct encode *encode;
	const struct edi_dialect *dialect;
	struct item *item;
	struct out *out;
	struct edi_encoder encoder;
	struct buf bytes, text;
};

static void job_begin(struct job *job, const struct encode *encode, const struct edi_dialect *dialect,
		      struct item *item, struct out *out)
{
	*job = (struct job){.encode = encode, .dialect = dialect, .item = item, .out = out};
	buf_init(&job->bytes, OUTPUT_MAX);
	buf_init(&job->text, OUTPUT_MAX);
	edi_encoder_begin(&job->encoder, dialect, (enum edi_strictness)encode->settings->charset, out_time_ms(out),
			  &job->bytes);
	job->encoder.grammars = encode->self;
	job->encoder.by_hand = out_in_pieces(out);
}

static void job_end(struct job *job)
{
	edi_encoder_end(&job->encoder);
	buf_free(&job->bytes);
	buf_free(&job->text);
}

static int too_large(struct job *job, struct error *error)
{
	return edi_fault(error, job->dialect, "limit", "the document passes %u MiB", OUTPUT_MAX >> 20);
}

static int give(struct job *job, json_t *tree, struct error *error)
{
	struct item *encoded = out_item(job->out, job->item);

	encoded->form = FORM_BYTES;
	encoded->bytes = reader_new_copy(buf_view(&job->bytes));
	encoded->tree = json_incref(tree);
	encoded->media_type = span_of(job->encode->format->media_type);
	buf_reset(&job->bytes);
	return out_emit(job->out, encoded, error);
}

/* ---- a tree, or one line in a flow */
static json_t *laid_over(json_t *tree, json_t *over)
{
	json_t *merged = json_copy(tree), *facts;
	const char *name;

	json_object_foreach(over, name, facts) {
		json_t *was = json_object_get(merged, name);

		if (!json_is_object(was) || !json_is_object(facts)) {
			json_object_set(merged, name, facts);
			continue;
		}
		was = json_copy(was);
		json_object_update(was, facts);
		json_object_set_new(merged, name, was);
	}
	return merged;
}

static json_t *merged_new(struct job *job, json_t *tree, struct error *error)
{
	struct expression_input input = out_input(job->out, job->item);
	json_t *over, *merged;

	if (!job->encode->settings->envelope)
		return json_incref(tree);
	input.body = tree;
	if (expression_run(job->encode->settings->envelope, &input, &over, error))
		return NULL;
	merged = json_is_object(over) && json_is_object(tree) ? laid_over(tree, over) : NULL;
	if (!merged)
		edi_fault(error, job->dialect, "envelope",
			  "`envelope` must give one object, and the document must be one");
	json_decref(over);
	return merged;
}

static int encode_tree(struct job *job, json_t *tree, struct error *error)
{
	json_t *merged = merged_new(job, tree, error);
	int failed;

	if (!merged)
		return -1;
	buf_reset(&job->text);
	tree_write(&job->text, merged, 0);
	buf_room(&job->text, WINDOW_SLACK);
	failed = job->text.full ? too_large(job, error) : edi_encode_line(&job->encoder, buf_view(&job->text), error);
	json_decref(merged);
	return failed;
}

static int run_tree(struct job *job, struct error *error)
{
	json_t *tree = job->item->tree;
	size_t n = json_is_array(tree) ? json_array_size(tree) : 1;

	if (!n)
		return edi_fault(error, job->dialect, "json", "the document is an empty array");
	for (size_t i = 0; i < n; i++)
		if (encode_tree(job, json_is_array(tree) ? json_array_get(tree, i) : tree, error))
			return n > 1 ? error_wrap(error, "document %zu", i + 1) : -1;
	edi_encode_close(&job->encoder);
	return job->bytes.full ? too_large(job, error) : give(job, tree, error);
}

static bool is_one_line(const struct job *job, struct span text)
{
	return !job->encode->settings->envelope && text.len && text.data[0] == '{' &&
	       !memchr(text.data, '\n', text.len);
}

/* As a decoder wrote it without going through a tree, unless something must be laid over it. */
static int run_bytes(struct job *job, struct error *error)
{
	struct span text;

	if (reader_size(job->item->bytes) > out_tree_max(job->out))
		return edi_fault(error, job->dialect, "limit", "%llu bytes of JSON, the limit is %zu",
				 (unsigned long long)reader_size(job->item->bytes), out_tree_max(job->out));
	if (reader_all(job->item->bytes, &job->text, error))
		return -1;
	buf_room(&job->text, WINDOW_SLACK);
	text = buf_view(&job->text);
	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	if (is_one_line(job, text)) {
		if (edi_encode_line(&job->encoder, text, error))
			return -1;
		edi_encode_close(&job->encoder);
		return job->bytes.full ? too_large(job, error) : give(job, NULL, error);
	}
	job->item->tree = tree_parse_new(text, error);
	return job->item->tree ? run_tree(job, error) : -1;
}

/* ---- lines by hand */
static int reject_line(struct job *job, uint64_t number, uint64_t offset, const struct error *why, struct error *error)
{
	struct item *item = out_item(job->out, job->item);
	char ordinal[24];

	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)number);
	out_level(job->out, item, ordinal);
	item->position =
		span_of(arena_printf(out_arena(job->out), "line %s at byte %llu", ordinal, (unsigned long long)offset));
	return out_reject(job->out, item, why, error);
}

static bool is_blank(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
			return false;
	return true;
}

/* What is laid over a document needs its tree. */
static int encode_one(struct job *job, struct span line, struct error *error)
{
	json_t *tree;
	int failed;

	if (!job->encode->settings->envelope)
		return edi_encode_line(&job->encoder, line, error);
	tree = tree_parse_new(line, error);
	failed = tree ? encode_tree(job, tree, error) : -1;
	json_decref(tree);
	return failed;
}

static int take_line(struct job *job, struct span line, uint64_t number, uint64_t offset, struct error *error)
{
	struct error why;

	if (is_blank(line))
		return 0;
	if (encode_one(job, line, &why))
		return reject_line(job, number, offset, &why, error);
	return job->bytes.len >= PIECE ? give(job, NULL, error) : 0;
}

/* A line that is longer than a document may be is cut there, and so refused. */
static int get_line(struct window *window, uint64_t offset, struct span *line, struct error *error)
{
	const char *end;

	for (size_t want = 4096;; want = line->len * 2) {
		if (window_get(window, offset, want, line, error))
			return -1;
		end = line->len ? memchr(line->data, '\n', line->len) : NULL;
		if (end || offset + line->len >= window->size || line->len > OUTPUT_MAX)
			break;
	}
	if (end)
		line->len = (size_t)(end - line->data);
	return 0;
}

/* Many lines of one document: its first does not end with its brace. */
static int is_pretty(struct job *job, bool *pretty, struct error *error)
{
	struct window window;
	struct span line;
	int failed;

	window_begin(&window, job->item->bytes, job->out);
	failed = get_line(&window, 0, &line, error);
	while (!failed && line.len && memchr(" \t\r", line.data[line.len - 1], 3))
		line.len--;
	*pretty = !failed && line.len && line.len < window.size && line.data[line.len - 1] != '}';
	window_end(&window);
	return failed;
}

static int run_lines(struct job *job, struct error *error)
{
	struct window window;
	uint64_t offset = 0, number = 0;
	int failed = 0;

	window_begin(&window, job->item->bytes, job->out);
	while (!failed && offset < window.size) {
		struct span line;

		failed = get_line(&window, offset, &line, error) || take_line(job, line, ++number, offset, error);
		offset += failed ? 0 : line.len + 1;
	}
	window_end(&window);
	if (failed)
		return -1;
	edi_encode_close(&job->encoder);
	return job->bytes.len ? give(job, NULL, error) : 0;
}

/* ---- the formats */
static int run(const struct encode *encode, const struct edi_dialect *dialect, struct item *item, struct out *out,
	       struct error *error)
{
	struct job job;
	bool pretty = false;
	int failed;

	job_begin(&job, encode, dialect, item, out);
	if (item->form == FORM_TREE)
		failed = run_tree(&job, error);
	else if (out_in_pieces(out) && is_pretty(&job, &pretty, error))
		failed = -1;
	else if (out_in_pieces(out) && !pretty)
		failed = run_lines(&job, error);
	else
		failed = run_bytes(&job, error);
	job_end(&job);
	return failed;
}

static int run_x12(const struct encode *encode, struct item *item, struct out *out, struct error *error)
{
	return run(encode, &edi_x12, item, out, error);
}

static int run_edifact(const struct encode *encode, struct item *item, struct out *out, struct error *error)
{
	return run(encode, &edi_edifact, item, out, error);
}

static int run_tradacoms(const struct encode *encode, struct item *item, struct out *out, struct error *error)
{
	return run(encode, &edi_tradacoms, item, out, error);
}

/* ---- grammars, for documents in the nested form */
static int check_x12(const void *of, const struct transformer_context *context, struct place place,
		     struct findings *findings)
{
	const struct encode_settings *settings = of;

	return edi_grammars_check(&settings->grammars, "x12", context, place, findings);
}

static int check_edifact(const void *of, const struct transformer_context *context, struct place place,
			 struct findings *findings)
{
	const struct encode_settings *settings = of;

	return edi_grammars_check(&settings->grammars, "edifact", context, place, findings);
}

static void *open_x12(const void *of, const struct transformer_context *context, struct error *error)
{
	const struct encode_settings *settings = of;

	return edi_grammars_new(&settings->grammars, "x12", context, error);
}

static void *open_edifact(const void *of, const struct transformer_context *context, struct error *error)
{
	const struct encode_settings *settings = of;

	return edi_grammars_new(&settings->grammars, "edifact", context, error);
}

static void close_grammars(void *grammars)
{
	edi_grammars_free(grammars);
}

const struct encode_format encode_x12 = {.name = "x12",
					 .media_type = "application/edi-x12",
					 .run = run_x12,
					 .check = check_x12,
					 .open = open_x12,
					 .close = close_grammars};
const struct encode_format encode_edifact = {.name = "edifact",
					     .media_type = "application/edifact",
					     .run = run_edifact,
					     .check = check_edifact,
					     .open = open_edifact,
					     .close = close_grammars};
const struct encode_format encode_tradacoms = {
	.name = "tradacoms", .media_type = "application/edi-consent", .run = run_tradacoms};
