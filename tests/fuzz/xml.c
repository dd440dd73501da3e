/* Fuzz target: any bytes as XML. What is read in the exact form and written again must be read as the same; so must
 * what is read in the plain form. */
#include "config.h"
#include "tests/fuzz/round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const forms[] = {"plain", "exact"};

static struct chain *decoder(const char *form, const char *each, struct arena *arena)
{
	struct node format = {.type = NODE_SCALAR, .text = SPAN_LITERAL("xml")},
		    chosen = {.type = NODE_SCALAR, .text = span_of(form)},
		    path = {.type = NODE_SCALAR, .text = span_of(each)};
	struct pair pairs[] = {{.key = {.type = NODE_SCALAR, .text = SPAN_LITERAL("format")}, .value = &format},
			       {.key = {.type = NODE_SCALAR, .text = SPAN_LITERAL("form")}, .value = &chosen},
			       {.key = {.type = NODE_SCALAR, .text = SPAN_LITERAL("each")}, .value = &path}};
	struct node node = {.type = NODE_MAP, .pairs = pairs, .count = each ? 3 : 2};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct chain_step step = {.ops = &decode_transformer,
				  .settings = arena_alloc(arena, decode_transformer.settings_size),
				  .label = "decode"};
	struct error error;
	struct chain *chain;

	findings_init(&findings);
	if (option_fill(&context, &node, decode_transformer.options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	chain = chain_new("fuzz", &step, 1, NULL, NULL, &error);
	findings_free(&findings);
	return chain;
}

static uint64_t decode(const char *form, const char *each, struct span in, struct buf *out)
{
	struct arena *arena = arena_new();
	struct chain *chain = decoder(form, each, arena);
	struct chain_hand hand = {.write = round_write, .arg = out};
	struct reader *body = reader_new_copy(in);
	struct chain_report report;
	struct error error;

	if (!chain || chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error) ||
	    report.outputs + report.dead + report.dropped == 0)
		abort();
	chain_free(chain);
	reader_unref(body);
	arena_free(arena);
	return report.dead;
}

static void encode(struct span in, struct buf *out)
{
	struct arena *arena = arena_new();
	struct chain *chain = round_chain(&encode_transformer, "xml", arena);
	struct chain_hand hand = {.write = round_write, .arg = out};
	struct reader *body = reader_new_copy(in);
	struct chain_report report;
	struct error error;

	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_LITERAL("application/json"), &hand, &report, &error) ||
	    report.outputs != 1)
		abort();
	chain_free(chain);
	reader_unref(body);
	arena_free(arena);
}

static void round_of(const char *form, struct span in)
{
	struct buf first, written, again;

	buf_init(&first, SIZE_MAX / 4);
	buf_init(&written, SIZE_MAX / 4);
	buf_init(&again, SIZE_MAX / 4);
	if (!decode(form, NULL, in, &first)) {
		encode(buf_view(&first), &written);
		if (decode(form, NULL, buf_view(&written), &again) || !span_equal(buf_view(&first), buf_view(&again)))
			abort();
	}
	buf_free(&first);
	buf_free(&written);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf ignored;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		round_of(forms[i], span_make(data, size));
	buf_init(&ignored, SIZE_MAX / 4);
	decode("plain", "//a", span_make(data, size), &ignored);
	buf_free(&ignored);
	return 0;
}
