/* decode: bytes to trees, in one of the formats below, each of which has its own options. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

#include "transformers/format.h"

static const struct decode_format *const formats[] = {
	&decode_x12,        &decode_edifact, &decode_tradacoms, &decode_json,
	&decode_json_lines, &decode_csv,     &decode_xml,       &decode_fixed_width,
	&decode_idoc,       &decode_mt940,   &decode_bai2,      &decode_nacha}; /* in the order of the option's range */

struct decode_settings {
	int format;
	void *of_format; /* what its options say */
};

static const struct option_more *more(int word)
{
	const struct decode_format *format = formats[word];

	return format->more.table ? &format->more : NULL;
}

static const struct option options[] = {
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct decode_settings, format),
	 .range = "x12|edifact|tradacoms|json|json-lines|csv|xml|fixed-width|idoc|mt940|bai2|nacha",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "what the bytes are; each format has further keys",
	 .more = more,
	 .more_offset = offsetof(struct decode_settings, of_format)},
	OPTION_END,
};

struct decode {
	const struct decode_format *format;
	void *self;
};

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct decode_settings *settings = of;
	const struct decode_format *format = formats[settings->format];

	return format->check ? format->check(settings->of_format, context, place, findings) : 0;
}

static void *open_decode(const void *of, const struct transformer_context *context, struct error *error)
{
	const struct decode_settings *settings = of;
	const struct decode_format *format = formats[settings->format];
	struct decode *decode;
	void *self = format->open ? format->open(settings->of_format, context, error) : settings->of_format;

	if (!self && format->open)
		return NULL;
	decode = mem_alloc(sizeof *decode);
	*decode = (struct decode){format, self};
	return decode;
}

static void close_decode(void *self)
{
	struct decode *decode = self;

	if (decode->format->open && decode->format->close)
		decode->format->close(decode->self);
	free(decode);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct decode *decode = self;

	return decode->format->run(decode->self, item, out, error);
}

const struct transformer_ops decode_transformer = {
	.name = "decode",
	.help = "Reads bytes of a format",
	.options = options,
	.settings_size = sizeof(struct decode_settings),
	.takes = FORM_BYTES,
	.gives = FORM_TREE,
	.check = check,
	.check_file = edi_file_check,
	.open = open_decode,
	.close = close_decode,
	.run = run,
};
