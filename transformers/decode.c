/* decode: bytes to trees, in one of the formats below. */
#include "config.h"
#include "transformers/transformers.h"

#include <strings.h>

#include "transformers/edi.h"
#include "transformers/format.h"

static const struct decode_format *const formats[] = {&decode_x12, &decode_edifact, &decode_tradacoms, &decode_json,
						      &decode_json_lines}; /* in the order of the option's range */

static const struct option options[] = {
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct decode_settings, format),
	 .range = "x12|edifact|tradacoms|json|json-lines",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "what the bytes are"},
	{.name = "charset",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct decode_settings, charset),
	 .help = "x12, edifact, tradacoms: the character set of the bytes, whatever the header says: UTF-8, or one "
		 "with a "
		 "byte for each character, such as ISO-8859-1 or CP1252"},
	OPTION_END,
};

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct decode_settings *settings = self;

	return formats[settings->format]->run(settings, item, out, error);
}

static int check(const void *self, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct decode_settings *settings = self;
	struct edi_charset charset;

	if (!settings->charset || !strcasecmp(settings->charset, "UTF-8") ||
	    !edi_charset_make(&charset, settings->charset))
		return 0;
	finding_add(findings, place, SEVERITY_ERROR, "decode.charset",
		    "`%s` is no character set that is known here and has a byte for each character", settings->charset);
	return -1;
}

const struct transformer_ops decode_transformer = {
	.name = "decode",
	.help = "Reads bytes of a format",
	.options = options,
	.settings_size = sizeof(struct decode_settings),
	.takes = FORM_BYTES,
	.gives = FORM_TREE,
	.check = check,
	.run = run,
};
