/* decode: bytes to trees, in one of the formats below. */
#include "config.h"
#include "transformers/transformers.h"

#include "transformers/format.h"

struct decode_settings {
	int format;
};

static const struct decode_format *const formats[] = {&decode_x12, &decode_json,
						      &decode_json_lines}; /* in the order of the option's range */

static const struct option options[] = {
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct decode_settings, format),
	 .range = "x12|json|json-lines",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "what the bytes are"},
	OPTION_END,
};

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct decode_settings *settings = self;

	return formats[settings->format]->run(item, out, error);
}

const struct transformer_ops decode_transformer = {
	.name = "decode", .help = "Reads bytes of a format",
	.options = options, .settings_size = sizeof(struct decode_settings),
	.takes = FORM_BYTES, .gives = FORM_TREE,
	.run = run,
};
