/* The chain: identity, replay of a part, limits, and memory that does not grow with the document. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/tree.h"
#include "tests/support/chain.h"
#include "tests/support/support.h"

#define ISA "ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*U*00401*000000001*0*P*>~"
#define GS "GS*PO*ACME*HQ*20260101*1200*1*X*004010~"
#define PO(control, number) "ST*850*" control "~BEG*00*SA*" number "~SE*3*" control "~"
#define THREE ISA GS PO("0001", "A") PO("0002", "B") PO("0003", "C") "GE*3*1~IEA*1*000000001~"

static struct came came = {.with_ids = true};

/* The lines as a copy; the caller frees. */
static char *run_flow(const char *flow, const char *steps, const char *body, const char *part)
{
	char *config = mem_printf("{\"media_type\":\"application/json\",\"steps\":[%s]}", steps);
	struct made_chain *made = made_chain_new(config, ".", flow, NULL);
	struct error error;

	if (made_chain_run(made, span_of(body), span_of(part), &came, &error))
		fail_msg("%s", error.text);
	made_chain_free(made);
	free(config);
	return mem_span_dup(buf_view(&came.lines));
}

static char *run(const char *steps, const char *body, const char *part)
{
	return run_flow("orders", steps, body, part);
}

/* The id that the line with this output carries; 12 digits, static. */
static const char *id_of_out(const char *lines, const char *out)
{
	static char ids[4][13];
	static int next;
	const char *at = strstr(lines, out), *id = NULL, *p;

	assert_non_null(at);
	for (p = strstr(lines, "\"id\":\""); p && p < at; p = strstr(p + 1, "\"id\":\""))
		id = p;
	assert_non_null(id);
	next = (next + 1) % 4;
	memcpy(ids[next], id + 6, 12);
	return ids[next];
}

#define DECODE "{\"decode\":\"x12\"}"
#define NUMBER "{\"map\":{\"jq\":\".segments[0][3]\"}}"

static void a_filter_changes_nobodys_identity(void **state)
{
	char *all = run(DECODE "," NUMBER, THREE, NULL),
	     *some = run(DECODE "," NUMBER ",{\"filter\":\". != \\\"A\\\"\"}", THREE, NULL);

	assert_int_equal(came.published, 2);
	assert_string_equal(id_of_out(all, "\"out\":\"B\""), id_of_out(some, "\"out\":\"B\""));
	assert_string_equal(id_of_out(all, "\"out\":\"C\""), id_of_out(some, "\"out\":\"C\""));
	assert_string_not_equal(id_of_out(all, "\"out\":\"B\""), id_of_out(all, "\"out\":\"C\""));
	free(all);
	free(some);
}

static void the_same_input_gives_the_same_ids_and_another_flow_others(void **state)
{
	char *one = run("", "{\"a\":1}", NULL), *again = run("", "{\"a\":1}", NULL),
	     *other = run_flow("others", "", "{\"a\":1}", NULL);

	assert_string_equal(one, again);
	assert_string_not_equal(one, other);
	free(one);
	free(again);
	free(other);
}

static void declared_ids_stand_in_place_of_ordinals(void **state)
{
#define BY_CONTROL ",{\"split\":{\"by\":\"transaction\",\"id\":[\".transaction.control\"]}},"
	char *three = run(DECODE BY_CONTROL NUMBER, THREE, NULL);
	char *two =
		run(DECODE BY_CONTROL NUMBER, ISA GS PO("0003", "C") PO("0002", "B") "GE*2*1~IEA*1*000000001~", NULL);

	assert_string_equal(id_of_out(three, "\"out\":\"B\""), id_of_out(two, "\"out\":\"B\""));
	assert_string_equal(id_of_out(three, "\"out\":\"C\""), id_of_out(two, "\"out\":\"C\""));
	free(three);
	free(two);
	three = run("{\"split\":{\"by\":\".o[]\",\"id\":\".n\"}},{\"split\":\".l[]\"}",
		    "{\"o\":[{\"n\":\"x\",\"l\":[1,2]},{\"n\":\"y\",\"l\":[3]}]}", NULL);
	two = run("{\"split\":{\"by\":\".o[]\",\"id\":\".n\"}},{\"split\":\".l[]\"}",
		  "{\"o\":[{\"n\":\"y\",\"l\":[3]}]}", NULL);
	assert_string_equal(id_of_out(three, "\"out\":3"), id_of_out(two, "\"out\":3"));
	assert_string_not_equal(id_of_out(three, "\"out\":1"), id_of_out(three, "\"out\":2"));
	free(three);
	free(two);
}

static void a_message_that_a_route_publishes_is_another_than_at_the_end(void **state)
{
	char *end = run("", "1", NULL), *routed = run("{\"route\":[{\"publish\":\"t.v1\"}]}", "1", NULL);

	assert_non_null(strstr(routed, "\"topic\":\"t.v1\""));
	assert_string_not_equal(id_of_out(end, "\"out\":1"), id_of_out(routed, "\"out\":1"));
	free(end);
	free(routed);
}

static void a_part_is_replayed_alone(void **state)
{
	char *all = run(DECODE "," NUMBER, THREE, NULL), *part = run(DECODE "," NUMBER, THREE, "1/1/2");

	assert_int_equal(came.published, 1);
	assert_string_equal(id_of_out(all, "\"out\":\"B\""), id_of_out(part, "\"out\":\"B\""));
	free(part);
	free(all);
	free(run(DECODE "," NUMBER, THREE, "1/1"));
	assert_int_equal(came.published, 3);
	free(run(DECODE "," NUMBER ",{\"filter\":\"false\"}", THREE, "1/1/3"));
	assert_int_equal(came.dropped, 1);
	free(run(DECODE "," NUMBER, THREE, "1/1/20"));
	assert_int_equal(came.published + came.dead + came.dropped, 0);
#define LINES "{\"decode\":\"json-lines\"},{\"split\":\".[]\"}"
	free(run(LINES, "[1,2]\n[3,4]\nbad", "2/1"));
	assert_int_equal(came.published, 1);
	assert_int_equal(came.dead, 0);
	free(run(LINES, "[1,2]\n[3,4]\nbad", "2"));
	assert_int_equal(came.published, 2);
	free(run(LINES, "[1,2]\n[3,4]\nbad", "3"));
	assert_int_equal(came.published, 0);
	assert_int_equal(came.dead, 1);
}

static void the_content_of_a_dead_part_is_that_part(void **state)
{
	free(run(DECODE, ISA GS PO("0001", "A") "ST*850*0002~BEG*00~SE*9*0002~" "GE*2*1~IEA*1*000000001~", NULL));
	assert_int_equal(came.dead, 1);
	assert_int_equal(came.content_len, strlen("ST*850*0002~BEG*00~SE*9*0002~"));
}

static void too_many_outputs_kill_the_input_and_not_the_program(void **state)
{
	struct chain_limits limits = {.outputs_max = 3};
	struct made_chain *made = made_chain_new(
		"{\"media_type\":\"application/json\",\"steps\":[{\"split\":\"range(10)\"}]}", ".", "f", &limits);
	struct error error;

	assert_int_equal(made_chain_run(made, SPAN_LITERAL("1"), SPAN_NONE, &came, &error), 0);
	assert_int_equal(came.published, 3);
	assert_int_equal(came.dead, 1);
	assert_non_null(strstr(came.lines.data, "chain.outputs"));
	assert_int_equal(made_chain_run(made, SPAN_LITERAL("2"), SPAN_NONE, &came, &error), 0);
	made_chain_free(made);
}

static void a_tree_has_a_limit(void **state)
{
	struct chain_limits limits = {.tree_max = 100};
	struct made_chain *made = made_chain_new(
		"{\"media_type\":\"application/json\",\"steps\":[{\"map\":{\"jq\":\".\"}}]}", ".", "f", &limits);
	char *big = mem_printf("\"%0200d\"", 0);
	struct error error;

	assert_int_equal(made_chain_run(made, span_of(big), SPAN_NONE, &came, &error), 0);
	assert_non_null(strstr(came.lines.data, "chain.too-large"));
	made_chain_free(made);
	free(big);
}

struct counted {
	uint64_t outputs, dead;
	uint64_t fail_at;
	char code[40];
};

static int count_output(void *arg, const struct chain_output *output, struct error *error)
{
	struct counted *counted = arg;

	if (++counted->outputs == counted->fail_at)
		return error_set(error, ERROR_RETRY, "queue.full", "try again");
	return 0;
}

static int count_dead(void *arg, const struct item *item, const char *step, const struct error *why,
		      struct span content, struct error *error)
{
	struct counted *counted = arg;

	counted->dead++;
	snprintf(counted->code, sizeof counted->code, "%s", why->code);
	return 0;
}

static int count_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	return 0;
}

static int run_reader(struct made_chain *made, struct reader *body, struct counted *counted, struct error *error)
{
	struct chain_events events = {
		.arg = counted, .publish = count_output, .dead = count_dead, .drop = count_drop};
	struct message *message = message_new();
	int result;

	message_body_take(message, body);
	result = chain_run(made->chain, message, &events, error);
	message_free(message);
	return result;
}

static void a_failing_publish_stops_everything(void **state)
{
	struct made_chain *made =
		made_chain_new("{\"steps\":[" DECODE ",{\"split\":\".segments[]\"}]}", ".", "f", NULL);
	struct counted counted = {.fail_at = 2};
	struct error error;

	assert_int_equal(run_reader(made, reader_new_copy(SPAN_LITERAL(THREE)), &counted, &error), -1);
	assert_int_equal(error.class, ERROR_RETRY);
	assert_string_equal(error.code, "queue.full");
	assert_int_equal(counted.outputs, 2);
	assert_int_equal(counted.dead, 0);
	made_chain_free(made);
}

static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size = 0, pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct reader *file_of(const char *start, const char *each, unsigned times, const char *end)
{
	int fd = memfd_create("document", 0);
	FILE *file = fdopen(dup(fd), "w");
	long size;

	assert_non_null(file);
	fputs(start, file);
	for (unsigned i = 0; i < times; i++)
		fprintf(file, each, i + 1000, i, i + 1000);
	fprintf(file, end, times);
	size = ftell(file);
	fclose(file);
	return reader_new_fd(fd, 0, (uint64_t)size);
}

static void a_document_of_a_hundred_thousand_transactions_needs_the_memory_of_one(void **state)
{
	struct made_chain *made = made_chain_new("{\"steps\":[" DECODE
						 ",{\"split\":\".segments[]\"},{\"filter\":\".[3] != \\\"x\\\"\"}]}",
						 ".", "f", NULL);
	struct reader *body =
		file_of(ISA GS, "ST*850*%06u~BEG*00*SA*PO-%u~SE*3*%06u~", 100000, "GE*%u*1~IEA*1*000000001~");
	struct counted counted = {0};
	struct error error;
	size_t before = resident();

	assert_int_equal(run_reader(made, body, &counted, &error), 0);
	assert_int_equal(counted.outputs, 100000);
	assert_int_equal(counted.dead, 0);
#ifndef FERRULE_SANITIZED
	assert_true(resident() - before < 24u << 20); /* most of it the ids, so that a conflict is seen */
#endif
	(void)before;
	made_chain_free(made);
}

static void expect_reject(const char *steps, const char *start, uint64_t size, const char *code)
{
	char *config = mem_printf("{\"steps\":[%s]}", steps);
	struct made_chain *made = made_chain_new(config, ".", "f", NULL);
	struct counted counted = {0};
	struct error error;
	int fd = memfd_create("document", 0);
	size_t before = resident();

	assert_int_equal(write(fd, start, strlen(start)), strlen(start));
	assert_int_equal(ftruncate(fd, (off_t)size), 0); /* the rest reads as NUL */
	assert_int_equal(run_reader(made, reader_new_fd(fd, 0, size), &counted, &error), 0);
	assert_int_equal(counted.outputs, 0);
	assert_int_equal(counted.dead, 1);
	assert_string_equal(counted.code, code);
#ifndef FERRULE_SANITIZED
	assert_true(resident() < before + (16u << 20));
#endif
	(void)before;
	made_chain_free(made);
	free(config);
}

static void a_line_without_end_is_refused_in_little_memory(void **state)
{
	expect_reject(DECODE, ISA GS "ST*850*0001~BEG*", 200u << 20, "x12.truncated");
	expect_reject(DECODE, "no x12", 200u << 20, "x12.junk");
	expect_reject("{\"decode\":\"json\"}", "{\"a\":", 1u << 30, "json.too-large");
	expect_reject("{\"decode\":\"json-lines\"}", "{\"a\":", 100u << 20, "json.too-large");
}

struct written {
	struct buf text;
	unsigned told;
};

static int write_bytes(void *arg, struct span bytes, struct error *error)
{
	return buf_span(&((struct written *)arg)->text, bytes);
}

static void tell(void *arg, const char *step, struct span position, const struct error *why, const char *dropped,
		 const json_t *findings)
{
	((struct written *)arg)->told++;
}

static void by_hand_prints_a_line_for_each_output(void **state)
{
	struct made_chain *made = made_chain_new("{\"steps\":[{\"decode\":\"json-lines\"}]}", ".", "", NULL);
	struct written written = {0};
	struct chain_hand hand = {.write = write_bytes, .tell = tell, .arg = &written};
	struct chain_report report;
	struct reader *body = reader_new_copy(SPAN_LITERAL("{ \"a\": 1 }\nx\n[]"));
	struct error error;

	buf_init(&written.text, 1000);
	assert_int_equal(chain_run_by_hand(made->chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error), 0);
	assert_string_equal(written.text.data, "{\"a\":1}\n[]\n");
	assert_int_equal(report.outputs, 2);
	assert_int_equal(report.dead, 1);
	assert_int_equal(written.told, 1);
	buf_reset(&written.text);
	hand.flags = TREE_PRETTY;
	assert_int_equal(chain_run_by_hand(made->chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error), 0);
	assert_string_equal(written.text.data, "{\n  \"a\": 1\n}\n[]\n");
	buf_free(&written.text);
	reader_unref(body);
	made_chain_free(made);
}

#define ALL                                                                                                            \
	"{\"route\":{\"mode\":\"all\",\"branches\":[{\"when\":\".a\",\"publish\":\"a.v1\"," \
	"\"steps\":[{\"map\":{\"jq\":\".a\"}}]},"                                                                     \
	"{\"when\":\".b\",\"publish\":\"b.v1\"}],\"otherwise\":{\"publish\":\"none.v1\"}}}"

static void a_route_to_all_gives_each_branch_a_message_of_its_own(void **state)
{
	char *both = run(ALL, "{\"a\":1,\"b\":2}", NULL), *again = run(ALL, "{\"a\":1,\"b\":2}", NULL), *none, *one;

	assert_int_equal(came.published, 2);
	assert_string_equal(both, again);
	assert_non_null(strstr(both, "\"topic\":\"a.v1\""));
	assert_string_not_equal(id_of_out(both, "\"out\":1"), id_of_out(both, "\"out\":{\"a\":1"));
	one = run(ALL, "{\"b\":2}", NULL);
	assert_int_equal(came.published, 1);
	assert_null(strstr(one, "a.v1"));
	none = run(ALL, "{}", NULL);
	assert_non_null(strstr(none, "\"topic\":\"none.v1\""));
	free(both);
	free(again);
	free(one);
	free(none);
}

static void a_branch_may_split_and_route_again(void **state)
{
	char *lines = run("{\"route\":{\"mode\":\"all\",\"branches\":[{\"publish\":\"whole.v1\"},"
			  "{\"publish\":\"part.v1\",\"steps\":[{\"split\":\".l[]\"},"
			  "{\"route\":[{\"when\":\". == 2\",\"publish\":\"two.v1\"}]},"
			  "{\"map\":{\"jq\":\". * 10\"}}]}]}}",
			  "{\"l\":[1,2,3]}", NULL);

	assert_int_equal(came.published, 4);
	assert_non_null(strstr(lines, "\"topic\":\"part.v1\",\"path\":\"1\""));
	assert_non_null(strstr(lines, "\"out\":30"));
	assert_non_null(strstr(lines, "\"topic\":\"two.v1\",\"path\":\"2\""));
	assert_null(strstr(lines, "\"out\":20"));
	free(lines);
}

static void what_a_step_refuses_may_go_on_as_a_message(void **state)
{
	char *lines = run("{\"split\":\".[]\"},{\"map\":{\"jq\":\"if . == 2 then error(\\\"no two\\\") else . "
			  "end\"},\"on-reject\":{\"publish\":\"refused.v1\",\"steps\":["
			  "{\"map\":{\"jq\":\"{code, step, path, body}\"}}]}}",
			  "[1,2,3]", NULL);

	assert_int_equal(came.published, 3);
	assert_int_equal(came.dead, 0);
	assert_non_null(strstr(lines, "\"topic\":\"refused.v1\",\"path\":\"2\""));
	assert_non_null(strstr(lines, "{\"code\":\"jq.error\",\"step\":\"map\",\"path\":\"2\",\"body\":2}"));
	free(lines);
}

static void what_a_branch_for_refusals_refuses_is_dead(void **state)
{
	char *lines = run("{\"map\":{\"jq\":\"error\"},\"on-reject\":{\"publish\":\"refused.v1\",\"steps\":["
			  "{\"map\":{\"jq\":\"error(\\\"again\\\")\"}}]}}",
			  "{}", NULL);

	assert_int_equal(came.published, 0);
	assert_int_equal(came.dead, 1);
	assert_non_null(strstr(lines, "again"));
	free(lines);
}

static void bytes_that_are_refused_keep_their_text(void **state)
{
	char *lines = run("{\"map\":{\"jq\":\".\"},\"on-reject\":{\"publish\":\"refused.v1\"}}", "{\"a\":", NULL);

	assert_int_equal(came.published, 1);
	assert_non_null(strstr(lines, "\"content\":\"{\\\"a\\\":\""));
	free(lines);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_to_all_gives_each_branch_a_message_of_its_own),
		cmocka_unit_test(a_branch_may_split_and_route_again),
		cmocka_unit_test(what_a_step_refuses_may_go_on_as_a_message),
		cmocka_unit_test(what_a_branch_for_refusals_refuses_is_dead),
		cmocka_unit_test(bytes_that_are_refused_keep_their_text),
		cmocka_unit_test(a_filter_changes_nobodys_identity),
		cmocka_unit_test(the_same_input_gives_the_same_ids_and_another_flow_others),
		cmocka_unit_test(declared_ids_stand_in_place_of_ordinals),
		cmocka_unit_test(a_message_that_a_route_publishes_is_another_than_at_the_end),
		cmocka_unit_test(a_part_is_replayed_alone),
		cmocka_unit_test(the_content_of_a_dead_part_is_that_part),
		cmocka_unit_test(too_many_outputs_kill_the_input_and_not_the_program),
		cmocka_unit_test(a_tree_has_a_limit),
		cmocka_unit_test(a_failing_publish_stops_everything),
		cmocka_unit_test(a_document_of_a_hundred_thousand_transactions_needs_the_memory_of_one),
		cmocka_unit_test(a_line_without_end_is_refused_in_little_memory),
		cmocka_unit_test(by_hand_prints_a_line_for_each_output),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_free(&came.lines);
	return failed;
}
