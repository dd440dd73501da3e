/* Fuzz target: any bytes as lines of JSON to encode. The first byte chooses the format. What was written without a
 * refusal must be read again without a finding but for what nobody checks on the way out. */
#include "config.h"
#include "tests/fuzz/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = {"x12", "edifact", "tradacoms"};
	const char *format = formats[size ? data[0] % 3 : 0];
	struct buf out, lines;

	if (!size)
		return 0;
	buf_init(&out, SIZE_MAX / 4);
	buf_init(&lines, SIZE_MAX / 4);
	round_run(&encode_transformer, format, span_make(data + 1, size - 1), &out);
	if (out.len)
		round_run(&decode_transformer, format, buf_view(&out), &lines);
	buf_free(&out);
	buf_free(&lines);
	return 0;
}
