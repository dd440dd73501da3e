/* The results of `ferrule test`: for people, as JSON, as TAP and as JUnit XML. */
#include "config.h"
#include "cli/test.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

/* A file with a mistake may hide its tests: for machines that is a failure of its own. */
#define READABLE "the site and its tests are without mistakes"

static const char *const results[] = {"ok", "failed", "broken"};

/* ---- for people ----------------------------------------------------------------------------------------------------
 */
static const char *color_of(const struct test_run *run, char mark)
{
	if (!run->color)
		return NULL;
	return mark == '-' ? "\033[31m" : mark == '+' ? "\033[32m" : mark == '@' ? "\033[36m" : NULL;
}

static void print_indented(const struct test_run *run, const char *text, const char *indent)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *color = color_of(run, *text);

		printf("%s%s%.*s%s\n", indent, color ? color : "", (int)n, text, color ? "\033[0m" : "");
		text += n + (text[n] == '\n');
	}
}

static void print_tap(const struct test_run *run, const struct test_outcome *outcome)
{
	printf("%sok %zu - ", outcome->result == TEST_OK ? "" : "not ", run->count);
	for (const char *at = outcome->trial->name; *at; at++) /* "# skip" would be an order to the harness */
		printf(*at == '#' || *at == '\\' ? "\\%c" : "%c", (unsigned char)*at < ' ' ? ' ' : *at);
	putchar('\n');
	if (outcome->text)
		print_indented(run, outcome->text, "# ");
}

void test_report_one(const struct test_run *run, const struct test_outcome *outcome)
{
	if (run->arguments->json)
		return;
	if (argument_given(run->arguments, "tap")) {
		print_tap(run, outcome);
		return;
	}
	printf("%s%-7s%s %s\n",
	       !run->color                  ? ""
	       : outcome->result == TEST_OK ? "\033[32m"
					    : "\033[31m",
	       outcome->result == TEST_OK       ? "ok"
	       : outcome->result == TEST_FAILED ? "FAILED"
						: "BROKEN",
	       run->color ? "\033[0m" : "", outcome->trial->name);
	if (outcome->text)
		print_indented(run, outcome->text, "        ");
	fflush(stdout);
}

static json_t *json_of(const struct test_run *run)
{
	json_t *cases = json_array(), *answer;

	for (size_t i = 0; i < run->count; i++) {
		const struct test_outcome *outcome = &run->outcomes[i];
		json_t *one = json_pack("{s:s s:s s:i s:s s:s s:I}", "name", outcome->trial->name, "file",
					outcome->trial->place.file, "line", outcome->trial->place.line, "flow",
					outcome->trial->flow ? outcome->trial->flow : "", "result",
					results[outcome->result], "ms", (json_int_t)outcome->ms);

		if (outcome->text)
			json_object_set_new(one, "text", json_string(outcome->text));
		json_array_append_new(cases, one);
	}
	answer = json_pack("{s:I s:I s:I s:I s:o}", "tests", (json_int_t)run->count, "ok", (json_int_t)run->ok,
			   "failed", (json_int_t)run->failed, "ms", (json_int_t)run->ms, "cases", cases);
	if (run->updated)
		json_object_set_new(answer, "updated", json_integer(run->updated));
	if (run->coverage)
		json_object_set_new(answer, "coverage", coverage_json_new(run->coverage));
	if (run->findings.count)
		json_object_set_new(answer, "findings", report_json_new(&run->findings));
	return answer;
}

static void print_coverage(const struct test_run *run, const char *indent)
{
	struct buf text;

	if (!run->coverage)
		return;
	buf_init(&text, SIZE_MAX / 2);
	coverage_tell(run->coverage, &text);
	print_indented(run, text.data, indent);
	buf_free(&text);
}

static void print_mistakes(size_t n, const char *where)
{
	if (n)
		printf(", %zu mistake%s in the %s", n, n == 1 ? "" : "s", where);
}

void test_report_end(const struct test_run *run)
{
	json_t *answer;

	if (run->arguments->json) {
		answer = json_of(run);
		verb_print_json(answer);
		json_decref(answer);
	} else if (argument_given(run->arguments, "tap")) {
		print_coverage(run, "# ");
		if (run->findings.errors)
			printf("not ok %zu - " READABLE "\n", run->count + 1);
		printf("1..%zu\n", run->count + (run->findings.errors ? 1 : 0));
	} else if (!run->count && !run->findings.errors) {
		printf("There are no tests in %s/tests; `ferrule help test` tells how to write one.\n", run->directory);
	} else {
		print_coverage(run, "");
		printf("%zu test%s: %zu ok, %zu failed", run->count, run->count == 1 ? "" : "s", run->ok, run->failed);
		if (run->updated)
			printf(", %u rewritten (look at the differences before you keep them)", run->updated);
		print_mistakes(run->site_errors, "site");
		print_mistakes(run->findings.errors - run->site_errors, "tests");
		printf(", %lld ms\n", (long long)run->ms);
	}
}

/* ---- JUnit ---------------------------------------------------------------------------------------------------------
 */
static void put_xml(struct buf *out, const char *text)
{
	struct buf clean;

	buf_init(&clean, SIZE_MAX / 2);
	utf8_clean(&clean, span_of(text));
	for (size_t i = 0; i < clean.len; i++) {
		unsigned char c = (unsigned char)clean.data[i];

		if (c == '<' || c == '>' || c == '&' || c == '"')
			buf_printf(out, "&#%d;", c);
		else if (c >= 0x20 || c == '\n' || c == '\t')
			buf_char(out, (char)c);
	}
	buf_free(&clean);
}

static void put_case(struct buf *out, const struct test_outcome *outcome)
{
	buf_text(out, "    <testcase name=\"");
	put_xml(out, outcome->trial->name);
	buf_text(out, "\" classname=\"");
	put_xml(out, outcome->trial->flow ? outcome->trial->flow : "");
	buf_text(out, "\" file=\"");
	put_xml(out, outcome->trial->place.file);
	buf_printf(out, "\" line=\"%d\" time=\"%.3f\"", outcome->trial->place.line, (double)outcome->ms / 1000);
	if (outcome->result == TEST_OK) {
		buf_text(out, "/>\n");
		return;
	}
	buf_printf(out, ">\n      <%s message=\"", outcome->result == TEST_FAILED ? "failure" : "error");
	put_xml(out, outcome->result == TEST_FAILED ? "not as expected" : "it cannot be run");
	buf_text(out, "\">");
	put_xml(out, outcome->text);
	buf_printf(out, "</%s>\n    </testcase>\n", outcome->result == TEST_FAILED ? "failure" : "error");
}

static void put_findings(struct buf *out, const struct findings *findings)
{
	struct buf text;

	buf_init(&text, SIZE_MAX / 2);
	report_text(findings, "", &text);
	buf_text(out, "    <testcase name=\"" READABLE "\" classname=\"\">\n      <error message=\"mistakes\">");
	put_xml(out, text.data);
	buf_text(out, "</error>\n    </testcase>\n");
	buf_free(&text);
}

static size_t broken(const struct test_run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->count; i++)
		n += run->outcomes[i].result == TEST_BROKEN;
	return n;
}

int test_write_junit(const struct test_run *run, const char *path, struct error *error)
{
	size_t unreadable = run->findings.errors ? 1 : 0, errors = broken(run) + unreadable;
	struct buf out;
	FILE *file;
	int result = 0;

	buf_init(&out, SIZE_MAX / 2);
	buf_printf(&out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"ferrule test\" "
		   "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n",
		   run->count + unreadable, run->failed - broken(run), errors, (double)run->ms / 1000);
	for (size_t i = 0; i < run->count; i++)
		put_case(&out, &run->outcomes[i]);
	if (unreadable)
		put_findings(&out, &run->findings);
	buf_text(&out, "  </testsuite>\n</testsuites>\n");
	file = fopen(path, "we");
	if (!file || fwrite(out.data, 1, out.len, file) != out.len)
		result = error_errno(error, ERROR_FATAL, "test.junit", "writing %s", path);
	if (file && fclose(file) && !result)
		result = error_errno(error, ERROR_FATAL, "test.junit", "writing %s", path);
	buf_free(&out);
	return result;
}
