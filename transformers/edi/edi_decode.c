/* X12, EDIFACT and TRADACOMS as formats of `decode`. See edi_decode.h. */
#include "config.h"
#include "transformers/edi/edi_decode.h"

#include <stdlib.h>
#include <strings.h>

#include "transformers/edi/edi_judge.h"
#include "transformers/format.h"

#define FORM_NESTED 1

#define CHARSET                                                                                                        \
	{.name = "charset",                                                                                            \
	 .type = OPTION_TEXT,                                                                                          \
	 .offset = offsetof(struct edi_decode_settings, charset),                                                      \
	 .help = "the character set of the bytes, whatever the header says: UTF-8, or one with a byte for each "       \
		 "character, such as ISO-8859-1 or CP1252"}

static const struct option plain_options[] = {CHARSET, OPTION_END};

static const struct option options[] = {
	CHARSET,
	{.name = "form",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct edi_decode_settings, form),
	 .range = "plain|nested",
	 .fallback = "plain",
	 .help = "segments as they came, or loops and elements by name, which needs a grammar"},
	{.name = "grammars",
	 .type = OPTION_FILES,
	 .offset = offsetof(struct edi_decode_settings, grammars),
	 .range = "edi",
	 .help = "files of edi/, of the site or that ship, by which documents are judged and named; of several for the "
		 "same version and type the last goes"},
	{.name = "check",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct edi_decode_settings, check),
	 .help = "what is judged beyond syntax, control numbers and counts: a list of structure, codes and balance"},
	{.name = "keys",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct edi_decode_settings, keys),
	 .range = "names|positions|both",
	 .fallback = "names",
	 .help = "what elements are called in the nested form: their names, as BEG03, or both"},
	OPTION_END,
};

/* ---- settings */
unsigned edi_check_level_of(const char *word)
{
	static const struct {
		const char *word;
		unsigned level;
	} levels[] = {{"structure", EDI_CHECK_STRUCTURE}, {"codes", EDI_CHECK_CODES}, {"balance", EDI_CHECK_BALANCE}};

	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (!strcmp(word, levels[i].word))
			return levels[i].level;
	return 0;
}

static int check_charset(const struct edi_decode_settings *settings, struct place place, struct findings *findings)
{
	struct edi_charset charset;

	if (!settings->charset || !strcasecmp(settings->charset, "UTF-8") ||
	    !edi_charset_make(&charset, settings->charset))
		return 0;
	finding_add(findings, place, SEVERITY_ERROR, "decode.charset",
		    "`%s` is no character set that is known here and has a byte for each character", settings->charset);
	return -1;
}

static int check_grammars(const struct edi_decode_settings *settings, const char *format,
			  const struct transformer_context *context, struct place place, struct findings *findings)
{
	int failed = 0;

	for (size_t i = 0; i < settings->check.count; i++)
		if (!edi_check_level_of(settings->check.items[i])) {
			finding_add(findings, place, SEVERITY_ERROR, "decode.check",
				    "`%s` is nothing that is judged: `check` is a list of structure, codes and balance",
				    settings->check.items[i]);
			failed = -1;
		}
	/* By hand those that ship are found by what is met. */
	if (!settings->grammars.count && context->contract &&
	    (settings->form == FORM_NESTED || settings->check.count)) {
		finding_add(findings, place, SEVERITY_ERROR, "decode.grammars",
			    "%s needs `grammars`, the files of edi/ that say what documents look like",
			    settings->form == FORM_NESTED ? "the nested form" : "`check`");
		failed = -1;
	}
	if (edi_grammars_check(&settings->grammars, format, context, place, findings))
		failed = -1;
	return failed;
}

static int check_plain(const void *of, const struct transformer_context *context, struct place place,
		       struct findings *findings)
{
	return check_charset(of, place, findings);
}

int edi_decoder_check(const struct edi_decode_settings *settings, const char *format,
		      const struct transformer_context *context, struct place place, struct findings *findings)
{
	int failed = check_charset(settings, place, findings);

	return check_grammars(settings, format, context, place, findings) || failed ? -1 : 0;
}

static int check_x12(const void *of, const struct transformer_context *context, struct place place,
		     struct findings *findings)
{
	return edi_decoder_check(of, "x12", context, place, findings);
}

static int check_edifact(const void *of, const struct transformer_context *context, struct place place,
			 struct findings *findings)
{
	return edi_decoder_check(of, "edifact", context, place, findings);
}

/* ---- a decoder that is ready */
struct edi_decoder {
	const struct edi_decode_settings *settings;
	struct edi_grammars *grammars;
	struct edi_judge *judge; /* NULL: segments as they come */
};

struct edi_decoder *edi_decoder_new(const struct edi_decode_settings *settings, const char *format,
				    const struct transformer_context *context, struct error *error)
{
	struct edi_decoder *decoder = mem_alloc(sizeof *decoder);
	unsigned check = 0;

	decoder->settings = settings;
	for (size_t i = 0; i < settings->check.count; i++)
		check |= edi_check_level_of(settings->check.items[i]);
	if (!check && settings->form != FORM_NESTED)
		return decoder;
	decoder->grammars = edi_grammars_new(&settings->grammars, format, context, error);
	if (!decoder->grammars) {
		free(decoder);
		return NULL;
	}
	decoder->judge = edi_judge_new(decoder->grammars, settings->form == FORM_NESTED, settings->keys, check);
	return decoder;
}

static void *open_x12(const void *settings, const struct transformer_context *context, struct error *error)
{
	return edi_decoder_new(settings, "x12", context, error);
}

static void *open_edifact(const void *settings, const struct transformer_context *context, struct error *error)
{
	return edi_decoder_new(settings, "edifact", context, error);
}

struct edi_judge *edi_decoder_judge(const struct edi_decoder *decoder)
{
	return decoder->judge;
}

void edi_decoder_free(struct edi_decoder *decoder)
{
	edi_judge_free(decoder->judge);
	edi_grammars_free(decoder->grammars);
	free(decoder);
}

static void close_decoder(void *self)
{
	edi_decoder_free(self);
}

static int run(const struct edi_dialect *dialect, struct edi_decoder *decoder, struct item *item, struct out *out,
	       struct error *error)
{
	return edi_read(dialect, decoder->settings->charset, decoder->judge, item, out, error);
}

static int run_x12(void *self, struct item *item, struct out *out, struct error *error)
{
	return run(&edi_x12, self, item, out, error);
}

static int run_edifact(void *self, struct item *item, struct out *out, struct error *error)
{
	return run(&edi_edifact, self, item, out, error);
}

static int run_tradacoms(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct edi_decode_settings *settings = self;

	return edi_read(&edi_tradacoms, settings->charset, NULL, item, out, error);
}

const struct decode_format decode_x12 = {
	.name = "x12",
	.help = "ASC X12 interchanges, a transaction set each",
	.more = {options, sizeof(struct edi_decode_settings)},
	.check = check_x12,
	.open = open_x12,
	.close = close_decoder,
	.run = run_x12,
};

const struct decode_format decode_edifact = {
	.name = "edifact",
	.help = "EDIFACT interchanges, a message each",
	.more = {options, sizeof(struct edi_decode_settings)},
	.check = check_edifact,
	.open = open_edifact,
	.close = close_decoder,
	.run = run_edifact,
};

const struct decode_format decode_tradacoms = {
	.name = "tradacoms",
	.help = "TRADACOMS transmissions, a message each",
	.more = {plain_options, sizeof(struct edi_decode_settings)},
	.check = check_plain,
	.run = run_tradacoms,
};
