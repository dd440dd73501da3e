/* Bytes in a chain, of any size: room for what a step makes, digests that tell the watchdog, names. See chain.h. */
#include "config.h"
#include "transformers/chain_private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

#define CHUNK (256u * 1024)
#define TICK_EACH (16u << 20)

struct spill *out_spill(struct out *out)
{
	const struct chain *chain = out->chain;

	return spill_new(chain->limits.spill, chain->limits.document_max, chain->steps[out->index].label);
}

void out_name(struct out *out, struct item *item, struct span name)
{
	json_t *facts = item->facts ? json_copy(item->facts) : json_object();
	struct buf clean;

	buf_init(&clean, 1024);
	utf8_clean(&clean, name.len > 255 ? span_make(name.data, 255) : name);
	json_object_set_new(facts, "name", json_stringn(clean.len ? clean.data : "", clean.len));
	buf_free(&clean);
	json_decref(item->facts);
	item->facts = facts;
	out->chain->serial++;
}

/* A small one costs one call; a large one tells that it goes on. */
static int digest_of(struct chain *chain, struct reader *bytes, struct id *digest, struct error *error)
{
	struct sha256 *sum = sha256_new();
	char *chunk = mem_alloc(CHUNK);
	uint64_t at = 0, size = reader_size(bytes);
	int result = 0;

	while (at < size && !result) {
		ssize_t n = reader_read(bytes, at, chunk, CHUNK, error);

		if (n < 0) {
			result = -1;
			break;
		}
		sha256_add(sum, chunk, (size_t)n);
		if (at / TICK_EACH != (at + (uint64_t)n) / TICK_EACH && chain->events->tick)
			result = chain->events->tick(chain->events->arg, error);
		at += (uint64_t)n;
	}
	sha256_end(sum, digest->bytes);
	sha256_free(sum);
	free(chunk);
	return result;
}

int chain_sign(struct chain *chain, const struct item *item, struct id *digest, struct error *error)
{
	if (item->bytes == chain->input->body && !id_is_none(&chain->input->body_digest)) {
		*digest = chain->input->body_digest;
		return 0;
	}
	if (reader_size(item->bytes) > CHUNK)
		return digest_of(chain, item->bytes, digest, error);
	return reader_digest(item->bytes, digest->bytes, error);
}

void chain_stands_on(const struct chain *chain, size_t index, struct item *item)
{
	struct span parts[2];

	if (id_is_none(&item->stands))
		return;
	parts[0] = id_span(&item->stands);
	parts[1] = span_of(chain->steps[index].label);
	item->stands = id_of(parts, 2);
}
