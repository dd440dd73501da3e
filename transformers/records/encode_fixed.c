/* encode: fixed-width: lines of JSON to records of fixed positions. See fixed.h. */
#include "config.h"
#include "transformers/encode.h"

#include <stdlib.h>

#include "transformers/records/fixed.h"

/* What decoding gave as `end`: line ends and nothing else. */
static bool is_end(const char *end)
{
	return end && strlen(end) <= 2 * (size_t)FIXED_END_MAX && !end[strspn(end, "\r\n\xc2\x85")];
}

static void write_end(const struct layout *layout, const char *end, struct buf *out)
{
	char one[3] = "", bytes[8];

	for (size_t n; *end; end += n) {
		n = (unsigned char)end[0] == 0xc2 && end[1] ? 2 : 1;
		memcpy(one, end, n);
		one[n] = '\0';
		buf_append(out, bytes, fixed_line_end(layout, one, bytes));
	}
}

static int write_line(const struct layout *layout, struct fixed_state *state, const json_t *line, struct buf *out,
		      struct error *error)
{
	const char *end = json_string_value(json_object_get(line, "end")),
		   *before = json_string_value(json_object_get(line, "before"));
	size_t start = out->len, length;

	if (before && !strcmp(before, FIXED_MARK) && !out->len && layout->set.utf8 && layout->framing == FRAMING_LINES)
		buf_text(out, FIXED_MARK);
	if (layout->framing == FRAMING_RDW)
		buf_append(out, "\0\0\0\0", FIXED_RDW);
	if (fixed_write_record(state, line, out, error))
		return -1;
	length = out->len - start;
	if (layout->framing == FRAMING_RDW && !out->full) {
		if (length > UINT16_MAX)
			return error_set(error, ERROR_REJECT, "fixed-width.length", "a record has at most 65531 bytes");
		out->data[start] = (char)(length >> 8);
		out->data[start + 1] = (char)length;
	}
	if (layout->framing == FRAMING_LINES)
		write_end(layout, is_end(end) ? end : layout->line_end, out);
	return 0;
}

static int write_document(const struct encode *encode, const struct expression_input *input, struct buf *out,
			  struct error *error)
{
	const struct fixed *fixed = encode->self;
	struct fixed_state *state = mem_alloc(sizeof *state);
	const json_t *body = input->body, *lines = json_is_object(body) ? json_object_get(body, "records") : body;
	int failed = 0;

	state->layout = fixed->layout;
	if (!json_is_array(lines))
		failed = write_line(fixed->layout, state, body, out, error);
	for (size_t i = 0; !failed && i < json_array_size(lines); i++) {
		failed = write_line(fixed->layout, state, json_array_get(lines, i), out, error);
		if (failed)
			error_wrap(error, "record %zu", i + 1);
	}
	free(state);
	return failed;
}

const struct encode_format encode_fixed_width = {
	.name = "fixed-width",
	.media_type = "application/octet-stream",
	.write = write_document,
	.more = {fixed_encode_options, sizeof(struct fixed_settings)},
	.check = fixed_check,
	.open = fixed_open,
	.close = fixed_close,
};
