/* What a step refused, as a message for its on-reject branch. See chain.h. */
#include "config.h"
#include "transformers/chain_private.h"

#include "base/crypto.h"
#include "base/utf8.h"

static json_t *text(struct span span)
{
	struct buf clean;
	json_t *string;

	buf_init(&clean, SIZE_MAX / 2);
	utf8_clean(&clean, span);
	string = json_stringn(clean.data ? clean.data : "", clean.len);
	buf_free(&clean);
	return string;
}

static void add_keys(json_t *keys, const struct attr *attrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			keys, json_pack("{s:o s:o}", "name", text(attrs[i].name), "value", text(attrs[i].value)));
}

static void put_content(json_t *tree, const struct item *item, struct span content, size_t whole)
{
	struct buf encoded;

	if (item->tree) {
		json_object_set(tree, "body", item->tree);
		return;
	}
	if (content.len < whole)
		json_object_set_new(tree, "cut", json_true());
	if (utf8_is_clean(content)) {
		json_object_set_new(tree, "content", json_stringn(content.len ? content.data : "", content.len));
		return;
	}
	buf_init(&encoded, SIZE_MAX / 2);
	base64_encode(&encoded, content);
	json_object_set_new(tree, "content_base64", json_stringn(encoded.data, encoded.len));
	buf_free(&encoded);
}

json_t *refused_tree_new(const struct chain *chain, const char *step, const struct item *item, const struct error *why,
			 struct span content)
{
	const struct origin *origin = &chain->input->origin;
	struct span position = item->position.len ? item->position : span_of(why->position);
	json_t *keys = json_array(), *tree;
	char digest[ID_TEXT] = "";

	if (!id_is_none(&origin->digest))
		id_hex(&origin->digest, digest);
	add_keys(keys, item->keys, item->keys_count);
	add_keys(keys, chain->input->keys, chain->input->keys_count);
	tree = json_pack("{s:s s:s s:s s:o s:o s:o s:o s:s s:I s:I s:o}", "flow", chain->flow, "step", step, "code",
			 why->code, "reason", text(span_of(why->text)), "position", text(position), "path",
			 text(item->path), "document", text(origin->name), "digest", digest, "offset",
			 (json_int_t)(item->length ? origin->offset + item->offset : origin->offset), "length",
			 (json_int_t)(item->length ? item->length : origin->length), "keys", keys);
	if (json_object_get(item->facts, "findings"))
		json_object_set(tree, "findings", json_object_get(item->facts, "findings"));
	put_content(tree, item, content, item->bytes ? (size_t)reader_size(item->bytes) : content.len);
	return tree;
}
