/* Fuzz target: any bytes as frames, whose payloads are taken for errors and for records of lineage. */
#include "config.h"
#include "base/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_records(struct span in)
{
	struct record_view record;

	while (in.len) {
		size_t before = in.len;

		if (!record_decode(&in, &record))
			break;
		if (in.len >= before || record.keys_count > MESSAGE_KEYS_MAX)
			abort();
	}
}

static void take_error(struct span in)
{
	struct error error = {0}, back = {0};
	struct span again;
	struct buf buf;

	if (!wire_take_error(&in, &error))
		return;
	buf_init(&buf, WIRE_FRAME_MAX);
	wire_put_error(&buf, &error);
	again = buf_view(&buf);
	if (!wire_take_error(&again, &back) || back.class != error.class || strcmp(back.code, error.code) ||
	    strcmp(back.text, error.text))
		abort();
	buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size), payload;
	uint8_t type;

	while (wire_next(&in, &type, &payload) == 1) {
		struct id id;

		if (payload.len > WIRE_FRAME_MAX)
			abort();
		take_records(payload);
		take_error(payload);
		wire_take_id(&payload, &id);
	}
	return 0;
}
