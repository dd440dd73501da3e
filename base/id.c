/* Identity. See id.h. */
#include "config.h"
#include "base/id.h"

struct id id_of(const struct span *parts, size_t n)
{
	struct buf all;
	struct id id;

	buf_init(&all, SIZE_MAX / 2);
	for (size_t i = 0; i < n; i++)
		buf_field(&all, parts[i]);
	id = id_digest(buf_view(&all));
	buf_free(&all);
	return id;
}

struct id id_digest(struct span data)
{
	struct id id;

	sha256(data, id.bytes);
	return id;
}

bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool id_is_none(const struct id *id)
{
	static const struct id none;

	return id_equal(id, &none);
}

struct span id_span(const struct id *id)
{
	return span_make(id->bytes, sizeof id->bytes);
}

int id_from_span(struct id *id, struct span bytes)
{
	if (bytes.len != sizeof id->bytes)
		return -1;
	memcpy(id->bytes, bytes.data, bytes.len);
	return 0;
}

void id_hex(const struct id *id, char out[ID_TEXT])
{
	hex_encode(out, id->bytes, sizeof id->bytes);
}

int id_parse(struct id *id, struct span hex)
{
	return hex_decode(id->bytes, sizeof id->bytes, hex);
}

uint64_t id_hash(const struct id *id)
{
	uint64_t hash;

	memcpy(&hash, id->bytes, sizeof hash);
	return hash;
}
