/* The audit trail's chain (operations/audit.h): what verification accepts, and each way in which a trail is not what it
 * was. */
#include "config.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "operations/audit.h"

#define LINES 6

struct trail {
	struct audit_key key;
	struct audit_head head;
	char *lines[LINES];
};

static void add(struct trail *trail, struct buf *line)
{
	trail->lines[trail->head.number - 1] = mem_strdup(line->data);
	buf_reset(line);
}

/* 1 the key, 2 and 3 records, 4 a check point, 5 a record, 6 a check point */
static struct trail *trail_new(void)
{
	struct trail *trail = mem_alloc(sizeof *trail);
	json_t *facts = json_pack("{s:s}", "name", "erp");
	struct buf line;

	buf_init(&line, AUDIT_LINE_MAX);
	memset(trail->key.seed, 7, sizeof trail->key.seed);
	sign_public(trail->key.seed, trail->key.public_key);
	audit_announce(&trail->head, 1000, &trail->key, &line);
	add(trail, &line);
	audit_record(&trail->head, 2000, "hold.set", "dana", facts, &line);
	add(trail, &line);
	audit_record(&trail->head, 1500, "hold.release", "dana", NULL, &line); /* the clock was put back */
	add(trail, &line);
	audit_checkpoint(&trail->head, 3000, &trail->key, &line);
	add(trail, &line);
	audit_record(&trail->head, 4000, "received", "", facts, &line);
	add(trail, &line);
	audit_checkpoint(&trail->head, 5000, &trail->key, &line);
	add(trail, &line);
	buf_free(&line);
	json_decref(facts);
	return trail;
}

static void trail_free(struct trail *trail)
{
	for (size_t i = 0; i < LINES; i++)
		free(trail->lines[i]);
	free(trail);
}

/* The number of the first line that is refused, 0: none. */
static size_t refused_at(struct trail *trail, struct audit_check *check, struct error *error)
{
	for (size_t i = 0; i < LINES; i++)
		if (audit_check_line(check, span_of(trail->lines[i]), error))
			return i + 1;
	return 0;
}

static void expect(struct trail *trail, size_t at, const char *code)
{
	struct audit_check check = {0};
	struct error error = {0};
	char record[32];

	assert_int_equal(refused_at(trail, &check, &error), at);
	assert_string_equal(error.code, code);
	snprintf(record, sizeof record, "record %zu ", at);
	assert_non_null(strstr(error.text, record));
	trail_free(trail);
}

/* The same length, another meaning. */
static void change(char *line, const char *from, const char *to)
{
	char *at = strstr(line, from);

	assert_non_null(at);
	memcpy(at, to, strlen(to));
}

static void a_whole_trail_holds(void **state)
{
	struct trail *trail = trail_new();
	struct audit_check check = {0};
	struct error error = {0};

	assert_int_equal(refused_at(trail, &check, &error), 0);
	assert_int_equal(check.head.number, 6);
	assert_memory_equal(check.head.hash, trail->head.hash, SHA256_SIZE);
	assert_int_equal(check.checkpoints, 2);
	assert_int_equal(check.signed_number, 6);
	assert_non_null(strstr(trail->lines[1], "{\"n\":2,\"at\":\"1970-01-01T00:00:02.000Z\",\"what\":\"hold.set\","
						"\"by\":\"dana\",\"facts\":{\"name\":\"erp\"},\"before\":\""));
	assert_non_null(strstr(trail->lines[2], "1970-01-01T00:00:02.000Z")); /* not before its neighbour */
	trail_free(trail);
}

static void a_changed_record_is_found_at_the_next_one(void **state)
{
	struct trail *trail = trail_new();

	change(trail->lines[1], "dana", "evil");
	expect(trail, 3, "audit.chain");
}

static void a_missing_record_is_found(void **state)
{
	struct trail *trail = trail_new();

	free(trail->lines[2]);
	trail->lines[2] = mem_strdup(trail->lines[3]);
	expect(trail, 3, "audit.number");
}

/* Whoever changes a record and computes all hashes anew cannot sign. */
static void a_chain_made_anew_lacks_the_signature(void **state)
{
	struct trail *trail = trail_new();
	struct audit_head head = {0};
	struct audit_check check = {0};
	struct error error = {0};
	struct buf line;

	buf_init(&line, AUDIT_LINE_MAX);
	audit_announce(&head, 1000, &trail->key, &line);
	buf_reset(&line);
	audit_record(&head, 2000, "hold.set", "nobody", NULL, &line);
	free(trail->lines[1]);
	trail->lines[1] = mem_strdup(line.data);
	buf_reset(&line);
	audit_record(&head, 2000, "hold.release", "dana", NULL, &line);
	free(trail->lines[2]);
	trail->lines[2] = mem_strdup(line.data);
	buf_reset(&line);
	audit_checkpoint(&head, 3000, &trail->key, &line);
	memcpy(strstr(line.data, "signature\":\""), strstr(trail->lines[3], "signature\":\""),
	       12 + 88); /* the old one */
	free(trail->lines[3]);
	trail->lines[3] = mem_strdup(line.data);
	assert_int_equal(refused_at(trail, &check, &error), 4);
	assert_string_equal(error.code, "audit.signature");
	buf_free(&line);
	trail_free(trail);
}

static void a_key_that_was_not_announced_or_given_does_not_count(void **state)
{
	struct trail *trail = trail_new();
	struct audit_check pinned = {.pinned = true, .keys_count = 1};
	struct error error = {0};
	struct audit_key other;

	memset(other.seed, 9, sizeof other.seed);
	sign_public(other.seed, other.public_key);
	memcpy(pinned.keys[0], other.public_key, SIGN_KEY_SIZE);
	assert_int_equal(refused_at(trail, &pinned, &error), 4);
	assert_string_equal(error.code, "audit.key-unknown");
	trail_free(trail);
}

static void a_signature_that_does_not_hold_is_refused(void **state)
{
	struct trail *trail = trail_new();
	char *signature = strstr(trail->lines[5], "signature\":\"") + 12;

	signature[3] = signature[3] == 'A' ? 'B' : 'A';
	expect(trail, 6, "audit.signature");
}

static void what_is_no_record_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"{}",
		"[]",
		"{\"n\":1}",
		"no json",
		"{\"n\":1,\"at\":\"x\",\"what\":\"a\",\"by\":\"\",\"facts\":{},\"before\":\"\"}",
		"{\"n\":1,\"n\":1}"};
	struct error error = {0};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct audit_check check = {0};

		assert_int_equal(audit_check_line(&check, span_of(lines[i]), &error), -1);
		assert_string_equal(error.code, "audit.line");
	}
}

static void facts_that_are_too_large_are_told_by_their_digest(void **state)
{
	char *large = mem_alloc(AUDIT_LINE_MAX + 1);
	struct audit_head head = {0};
	struct audit_check check = {0};
	struct error error = {0};
	struct buf line;
	json_t *facts;

	memset(large, 'x', AUDIT_LINE_MAX);
	facts = json_pack("{s:s}", "text", large);
	buf_init(&line, AUDIT_LINE_MAX);
	audit_record(&head, 1, "note", "dana", facts, &line);
	assert_false(line.full);
	assert_non_null(strstr(line.data, "\"sha256\":"));
	assert_int_equal(audit_check_line(&check, buf_view(&line), &error), 0);
	json_decref(facts);
	buf_free(&line);
	free(large);
}

static void a_name_that_is_too_long_does_not_break_the_chain(void **state)
{
	char *name = mem_alloc(AUDIT_LINE_MAX + 1);
	struct audit_head head = {0};
	struct audit_check check = {0};
	struct error error = {0};
	struct buf line;

	memset(name, '\x01', AUDIT_LINE_MAX);
	memcpy(name + 250, "\xc3\xbc\xc3\xbc\xc3\xbc\xc3", 7); /* cut within a character */
	name[AUDIT_LINE_MAX] = '\0';
	buf_init(&line, AUDIT_LINE_MAX);
	audit_record(&head, 1, "note", name, NULL, &line);
	assert_false(line.full);
	assert_int_equal(audit_check_line(&check, buf_view(&line), &error), 0);
	buf_free(&line);
	free(name);
}

static void a_key_is_made_once_and_must_be_private(void **state)
{
	char *folder = support_tmpdir(), *path = support_path(folder, "audit.key");
	struct audit_key first, again;
	struct error error = {0};

	assert_int_equal(audit_key_load(&first, path, &error), 0);
	assert_int_equal(audit_key_load(&again, path, &error), 0);
	assert_memory_equal(&first, &again, sizeof first);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(audit_key_load(&again, path, &error), -1);
	assert_string_equal(error.code, "audit.key");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 31), 0);
	assert_int_equal(audit_key_load(&again, path, &error), -1);
	support_rmtree(folder);
	free(path);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_trail_holds),
		cmocka_unit_test(a_changed_record_is_found_at_the_next_one),
		cmocka_unit_test(a_missing_record_is_found),
		cmocka_unit_test(a_chain_made_anew_lacks_the_signature),
		cmocka_unit_test(a_key_that_was_not_announced_or_given_does_not_count),
		cmocka_unit_test(a_signature_that_does_not_hold_is_refused),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(facts_that_are_too_large_are_told_by_their_digest),
		cmocka_unit_test(a_name_that_is_too_long_does_not_break_the_chain),
		cmocka_unit_test(a_key_is_made_once_and_must_be_private),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
