/* A document in, its acknowledgement out: what `ferrule edi acknowledge` runs. No step of flows: those who send
 * acknowledgements are told by the reader that reads the document anyway. */
#include "config.h"
#include "transformers/edi/edi_acknowledge.h"

#include <stdlib.h>

#include "transformers/edi/edi_decode.h"
#include "transformers/edi/edi_encode.h"
#include "transformers/transformers.h"

#define OUTPUT_MAX (256u << 20)

struct settings {
	struct edi_decode_settings decode; /* how it is read */
	int format, answer;
	int64_t control;
	struct text_list accept;
	bool receipt;
};

static const struct option options[] = {
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct settings, format),
	 .range = "x12|edifact",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "what the document is"},
	{.name = "as",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct settings, answer),
	 .range = "usual|997|999|ta1|contrl",
	 .fallback = "usual",
	 .help = "what to write; usual: 997 or CONTRL"},
	{.name = "control",
	 .type = OPTION_INT,
	 .offset = offsetof(struct settings, control),
	 .range = "1..999999999",
	 .fallback = "1",
	 .help = "the control number of the first interchange"},
	{.name = "accept",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct settings, accept),
	 .help = "levels whose findings are told and refuse nothing: a list of structure, codes and balance"},
	{.name = "receipt",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct settings, receipt),
	 .fallback = "false",
	 .help = "CONTRL: only that the interchange came"},
	{.name = "charset",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct settings, decode.charset),
	 .help = "the character set of the bytes, whatever the header says"},
	{.name = "grammars",
	 .type = OPTION_FILES,
	 .offset = offsetof(struct settings, decode.grammars),
	 .range = "edi",
	 .help = "files of edi/ by which documents are judged"},
	{.name = "check",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct settings, decode.check),
	 .help = "what is judged beyond syntax: a list of structure, codes and balance"},
	OPTION_END,
};

struct step {
	const struct settings *settings;
	const struct edi_dialect *dialect;
	struct edi_decoder *decoder;
	unsigned accept;
};

static const char *format_of(const struct settings *settings)
{
	return settings->format ? "edifact" : "x12";
}

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct settings *settings = of;
	int failed = edi_decoder_check(&settings->decode, format_of(settings), context, place, findings);

	if (settings->answer && (settings->answer == EDI_ANSWER_CONTRL) != settings->format) {
		finding_add(findings, place, SEVERITY_ERROR, "option.enum", "%s is answered by %s", format_of(settings),
			    settings->format ? "contrl" : "997, 999 or ta1");
		failed = -1;
	}
	for (size_t i = 0; i < settings->accept.count; i++)
		if (!edi_check_level_of(settings->accept.items[i])) {
			finding_add(
				findings, place, SEVERITY_ERROR, "decode.check",
				"`%s` is nothing that is judged: `accept` is a list of structure, codes and balance",
				settings->accept.items[i]);
			failed = -1;
		}
	return failed;
}

static void *open_step(const void *of, const struct transformer_context *context, struct error *error)
{
	const struct settings *settings = of;
	struct step *step = mem_alloc(sizeof *step);

	*step = (struct step){.settings = settings, .dialect = settings->format ? &edi_edifact : &edi_x12};
	for (size_t i = 0; i < settings->accept.count; i++)
		step->accept |= edi_check_level_of(settings->accept.items[i]);
	step->decoder = edi_decoder_new(&settings->decode, format_of(settings), context, error);
	if (step->decoder)
		return step;
	free(step);
	return NULL;
}

static void close_step(void *self)
{
	struct step *step = self;

	edi_decoder_free(step->decoder);
	free(step);
}

static int encode_lines(const struct step *step, struct buf *lines, int64_t time_ms, struct buf *bytes,
			struct error *error)
{
	struct edi_encoder encoder;
	struct span rest;
	int failed = 0;

	buf_room(lines, WINDOW_SLACK);
	rest = buf_view(lines);
	edi_encoder_begin(&encoder, step->dialect, EDI_FIT, time_ms, bytes);
	while (rest.len && !failed) {
		const char *end = memchr(rest.data, '\n', rest.len);
		size_t n = end ? (size_t)(end - rest.data) : rest.len;

		failed = edi_encode_line(&encoder, span_make(rest.data, n), error);
		rest = span_make(rest.data + n, rest.len - n);
		if (rest.len)
			rest = span_make(rest.data + 1, rest.len - 1);
	}
	edi_encode_close(&encoder);
	edi_encoder_end(&encoder);
	return failed;
}

static int give(const struct step *step, struct item *item, struct out *out, struct buf *lines, struct error *error)
{
	struct item *answer;
	struct buf bytes;
	int failed;

	if (!lines->len)
		return out_drop(out, item, "there is nothing in it that is acknowledged", error);
	buf_init(&bytes, OUTPUT_MAX);
	failed = encode_lines(step, lines, out_time_ms(out), &bytes, error);
	if (!failed && (lines->full || bytes.full))
		failed =
			edi_fault(error, step->dialect, "limit", "the acknowledgement passes %u MiB", OUTPUT_MAX >> 20);
	if (!failed) {
		answer = out_item(out, item);
		answer->form = FORM_BYTES;
		answer->bytes = reader_new_copy(buf_view(&bytes));
		failed = out_emit(out, answer, error);
	}
	buf_free(&bytes);
	return failed;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	struct step *step = self;
	struct edi_acknowledge acknowledge;
	struct edi_observer observer;
	struct buf lines;
	int failed;

	buf_init(&lines, OUTPUT_MAX);
	edi_acknowledge_begin(&acknowledge, (enum edi_answer)step->settings->answer, out_time_ms(out),
			      (uint64_t)step->settings->control, &lines);
	acknowledge.accept = step->accept;
	acknowledge.receipt = step->settings->receipt;
	observer = edi_acknowledge_observer(&acknowledge);
	failed = edi_observe(step->dialect, step->settings->decode.charset, edi_decoder_judge(step->decoder), &observer,
			     item, out, error);
	edi_acknowledge_end(&acknowledge);
	failed = failed || give(step, item, out, &lines, error);
	buf_free(&lines);
	return failed;
}

const struct transformer_ops edi_acknowledge_transformer = {
	.name = "acknowledge",
	.help = "Writes the acknowledgement of an EDI document",
	.options = options,
	.settings_size = sizeof(struct settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_step,
	.close = close_step,
	.run = run,
};
