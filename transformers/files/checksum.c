/* checksum: makes a sidecar beside a document, or compares a document with one that its envelope brings. */
#include "config.h"
#include "transformers/transformers.h"

#include "transformers/files/document.h"
#include "base/sidecar.h"

enum { MAKE_NONE, MAKE_SHA256, MAKE_SHA512, MAKE_SHA1, MAKE_MD5 };

struct checksum_settings {
	struct expression *expect;
	int make, form;
};

static const struct option options[] = {
	{.name = "expect",
	 .type = OPTION_EXPRESSION,
	 .offset = offsetof(struct checksum_settings, expect),
	 .flags = OPTION_MAIN,
	 .help = "jq over the envelope that gives a sidecar's text, or a digest: what it says must be true of the "
		 "document"},
	{.name = "make",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct checksum_settings, make),
	 .range = "none|sha256|sha512|sha1|md5",
	 .fallback = "none",
	 .help = "a sidecar of this kind goes on behind the document, as NAME.sha256"},
	{.name = "form",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct checksum_settings, form),
	 .range = "gnu|bsd",
	 .fallback = "gnu",
	 .help = "`DIGEST  NAME` as sha256sum writes it, or `SHA256 (NAME) = DIGEST`"},
	OPTION_END,
};

static int tick(void *out, struct error *error)
{
	return out_tick(out, error);
}

static int compare(const struct checksum_settings *settings, struct item *item, struct out *out, struct error *error)
{
	struct expression_input input = out_input(out, item);
	struct sidecar sidecar;
	struct buf text;
	int failed;

	if (!settings->expect)
		return 0;
	if (!input.body)
		input.body = json_null();
	buf_init(&text, SIDECAR_MAX);
	failed = expression_text(settings->expect, &input, &text, error) ||
		 sidecar_read(&sidecar, buf_view(&text), document_name(out, item), error) ||
		 sidecar_check(&sidecar, item->bytes, tick, out, error);
	buf_free(&text);
	return failed ? -1 : 0;
}

/* The document first: who waits for the sidecar finds both. */
static int make(const struct checksum_settings *settings, struct item *item, struct out *out, struct error *error)
{
	static const enum digest_kind made[] = {
		[MAKE_SHA256] = DIGEST_SHA256,
		[MAKE_SHA512] = DIGEST_SHA512,
		[MAKE_SHA1] = DIGEST_SHA1,
		[MAKE_MD5] = DIGEST_MD5};
	static const char *const endings[] = {
		[MAKE_SHA256] = "sha256", [MAKE_SHA512] = "sha512", [MAKE_SHA1] = "sha1", [MAKE_MD5] = "md5"};
	struct span name = document_name(out, item);
	struct item *document, *sidecar;
	struct buf text;
	int failed;

	buf_init(&text, 4096);
	failed = sidecar_make(&text, made[settings->make], settings->form, name, item->bytes, tick, out, error);
	if (!failed) {
		sidecar = out_item(out, item);
		sidecar->form = FORM_BYTES;
		sidecar->bytes = reader_new_copy(buf_view(&text));
		sidecar->media_type = SPAN_LITERAL("text/plain");
		out_name(out, sidecar, span_of(arena_printf(out_arena(out), "%.*s.%s", SPAN_ARGS(name),
							     endings[settings->make])));
		out_level(out, sidecar, "2");
		document = out_twin(out, item);
		out_level(out, document, "1");
		failed = out_emit(out, document, error);
		if (failed)
			out_drop(out, sidecar, "stopped", NULL);
		else
			failed = out_emit(out, sidecar, error);
	}
	buf_free(&text);
	return failed ? -1 : 0;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct checksum_settings *settings = self;

	if (compare(settings, item, out, error))
		return -1;
	return settings->make == MAKE_NONE ? out_emit(out, item, error) : make(settings, item, out, error);
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct checksum_settings *checksum = settings;
	size_t errors = findings->errors;

	if (checksum->expect)
		expression_check(checksum->expect, findings);
	return findings->errors == errors ? 0 : -1;
}

const struct transformer_ops checksum_transformer = {
	.name = "checksum",
	.help = "Compares a document with its sidecar, or makes one",
	.options = options,
	.settings_size = sizeof(struct checksum_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.run = run,
};
