/* X12, EDIFACT and TRADACOMS as formats of `decode`. See edi_decode.h. */
#include "config.h"
#include "transformers/edi_decode.h"

#include <strings.h>

#include "transformers/format.h"

const struct option edi_decode_options[] = {
	{.name = "charset",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct edi_decode_settings, charset),
	 .help = "the character set of the bytes, whatever the header says: UTF-8, or one with a byte for each "
		 "character, such as ISO-8859-1 or CP1252"},
	OPTION_END,
};

int edi_check(const void *of, const struct transformer_context *context, struct place place, struct findings *findings)
{
	const struct edi_decode_settings *settings = of;
	struct edi_charset charset;

	if (!settings->charset || !strcasecmp(settings->charset, "UTF-8") ||
	    !edi_charset_make(&charset, settings->charset))
		return 0;
	finding_add(findings, place, SEVERITY_ERROR, "decode.charset",
		    "`%s` is no character set that is known here and has a byte for each character", settings->charset);
	return -1;
}

int edi_run(const struct edi_dialect *dialect, const struct edi_decode_settings *settings, struct item *item,
	    struct out *out, struct error *error)
{
	return edi_read(dialect, settings->charset, item, out, error);
}

static int run_x12(void *self, struct item *item, struct out *out, struct error *error)
{
	return edi_run(&edi_x12, self, item, out, error);
}

static int run_edifact(void *self, struct item *item, struct out *out, struct error *error)
{
	return edi_run(&edi_edifact, self, item, out, error);
}

static int run_tradacoms(void *self, struct item *item, struct out *out, struct error *error)
{
	return edi_run(&edi_tradacoms, self, item, out, error);
}

const struct decode_format decode_x12 = {
	.name = "x12",
	.help = "ASC X12 interchanges, a transaction set each",
	.more = EDI_DECODE_MORE,
	.check = edi_check,
	.run = run_x12,
};

const struct decode_format decode_edifact = {
	.name = "edifact",
	.help = "EDIFACT interchanges, a message each",
	.more = EDI_DECODE_MORE,
	.check = edi_check,
	.run = run_edifact,
};

const struct decode_format decode_tradacoms = {
	.name = "tradacoms",
	.help = "TRADACOMS transmissions, a message each",
	.more = EDI_DECODE_MORE,
	.check = edi_check,
	.run = run_tradacoms,
};
