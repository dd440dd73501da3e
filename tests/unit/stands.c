/* What an encryption stands for: the same request each time it is done again, though not in the same bytes. */
#include "config.h"
#include "services/deliver_request.h"

#include <stdlib.h>

#include "services/transform_output.h"
#include "tests/support/support.h"
#include "transformers/chain.h"

struct scramble {
	const char *bytes, *of;
};

/* A stand-in for encrypt: whatever goes in, these bytes come out, and stand for what went in. */
static int scramble(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct scramble *s = self;
	struct item *made = out_item(out, item);

	made->form = FORM_BYTES;
	made->bytes = reader_new_copy(span_of(s->bytes));
	if (s->of)
		made->stands = id_digest(span_of(s->of));
	return out_emit(out, made, error);
}

static const struct transformer_ops scramble_ops = {
	.name = "scramble", .takes = FORM_BYTES, .gives = FORM_BYTES, .run = scramble};

struct got {
	struct message *message;
	struct message from;
};

static int keep(void *arg, const struct chain_output *output, struct error *error)
{
	static const struct flow flow = {.name = "flow"};
	struct got *got = arg;

	got->message = message_new();
	output_inherit(got->message, &got->from, output, &flow);
	message_body_take(got->message, reader_ref(output->body));
	return 0;
}

static struct message *made_of(const struct chain_step *steps, size_t n, struct message *input)
{
	struct got got = {.from = *input};
	struct chain_events events = {.arg = &got, .publish = keep};
	struct error error;
	struct chain *chain = chain_new("flow", steps, n, NULL, NULL, &error);

	assert_non_null(chain);
	assert_int_equal(chain_run(chain, input, &events, &error), 0);
	chain_free(chain);
	assert_non_null(got.message);
	return got.message;
}

static struct id request_of(const struct scramble *first, const struct scramble *then)
{
	struct chain_step steps[] = {{.ops = &scramble_ops, .settings = first, .label = "encrypt"},
				     {.ops = &scramble_ops, .settings = then, .label = "gzip"}};
	struct message *input = message_new(), *made;
	struct error error;
	struct id digest;

	message_body_take(input, reader_new_copy(span_of("plain")));
	made = made_of(steps, then ? 2 : 1, input);
	assert_int_equal(request_digest(made, &digest, &error), 0);
	message_free(made);
	message_free(input);
	return digest;
}

static void the_same_document_encrypted_again_is_the_same_request(void **state)
{
	struct scramble a = {"x8f2", "plain"}, again = {"k3m9", "plain"}, other = {"k3m9", "other"},
			bare = {"k3m9", NULL};
	struct id first = request_of(&a, NULL), second = request_of(&again, NULL), third = request_of(&other, NULL),
		  fourth = request_of(&bare, NULL);

	assert_true(id_equal(&first, &second));
	assert_false(id_equal(&first, &third));
	assert_false(id_equal(&first, &fourth));
}

static void what_is_made_of_it_stands_for_it_too(void **state)
{
	struct scramble a = {"x8f2", "plain"}, again = {"k3m9", "plain"}, packed = {"pack1", NULL},
			more = {"pack2", NULL};
	struct id first = request_of(&a, &packed), second = request_of(&again, &more), direct = request_of(&a, NULL);

	assert_true(id_equal(&first, &second));
	assert_false(id_equal(&first, &direct));
}

static void the_next_flow_knows_it(void **state)
{
	struct scramble a = {"x8f2", "plain"}, again = {"k3m9", "plain"};
	struct chain_step first = {.ops = &scramble_ops, .settings = &a, .label = "encrypt"}, second = first;
	struct message *input = message_new(), *one, *two, *last_of_one, *last_of_two;
	struct error error;
	struct id x, y;

	second.settings = &again;
	message_body_take(input, reader_new_copy(span_of("plain")));
	one = made_of(&first, 1, input);
	two = made_of(&second, 1, input);
	last_of_one = made_of(NULL, 0, one);
	last_of_two = made_of(NULL, 0, two);
	assert_int_equal(request_digest(last_of_one, &x, &error) | request_digest(last_of_two, &y, &error), 0);
	assert_true(id_equal(&x, &y));
	message_free(last_of_one);
	message_free(last_of_two);
	message_free(one);
	message_free(two);
	message_free(input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_document_encrypted_again_is_the_same_request),
		cmocka_unit_test(what_is_made_of_it_stands_for_it_too),
		cmocka_unit_test(the_next_flow_knows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
