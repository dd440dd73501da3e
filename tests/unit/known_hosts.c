/* Files of known hosts, as ssh and ssh-keygen write them. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/known_hosts.h"
#include "base/mem.h"
#include "tests/support/support.h"

/* "a key", "other" and "third" in base64 */
#define KEY "YSBrZXk="
#define OTHER "b3RoZXI="
#define THIRD "dGhpcmQ="

static unsigned others;

static void count(void *arg, struct span key)
{
	others += !span_is(key, "a key");
}

static enum known_host find(const char *text, const char *host, int port, bool *authority)
{
	others = 0;
	return known_hosts_find(span_of(text), host, port, SPAN_LITERAL("a key"), count, NULL, authority);
}

static void is(const char *text, const char *host, int port, enum known_host wanted)
{
	bool authority;
	enum known_host found = find(text, host, port, &authority);

	if (found != wanted)
		fail_msg("%s port %d: %d, not %d, in %s", host, port, found, wanted, text);
}

static void names_in_lists_with_ports_and_patterns_are_found(void **state)
{
	is("", "a", 22, KNOWN_HOST_NONE);
	is("# a kind " KEY "\n\n   \n@\na\na kind\na kind !!!\n", "a", 22, KNOWN_HOST_NONE);
	is("a kind " KEY " comment\r\n", "a", 22, KNOWN_HOST_SAME);
	is("x,A,y kind " KEY, "a", 22, KNOWN_HOST_SAME);
	is("a kind " KEY, "A", 22, KNOWN_HOST_SAME);
	is("ab kind " KEY, "a", 22, KNOWN_HOST_NONE);
	is("a kind " KEY, "a", 2222, KNOWN_HOST_SAME);
	is("[a]:2222 kind " KEY, "a", 2222, KNOWN_HOST_SAME);
	is("[a]:2222 kind " KEY, "a", 22, KNOWN_HOST_NONE);
	is("[a]:2222 kind " OTHER "\na kind " KEY, "a", 2222, KNOWN_HOST_OTHER);
	is("*.b.example kind " KEY, "a.b.example", 22, KNOWN_HOST_SAME);
	is("*.b.example kind " KEY, "b.example", 22, KNOWN_HOST_NONE);
	is("[*.example]:22?? kind " KEY, "a.example", 2222, KNOWN_HOST_SAME);
	is("*,!a kind " KEY, "a", 22, KNOWN_HOST_NONE);
	is("*,!a kind " KEY, "b", 22, KNOWN_HOST_SAME);
}

static void several_keys_of_a_host_are_all_good_and_others_are_told(void **state)
{
	bool authority;

	is("a kind " OTHER "\na kind " KEY "\na kind " THIRD, "a", 22, KNOWN_HOST_SAME);
	assert_int_equal(find("a kind " OTHER "\nb kind " KEY "\na kind " THIRD, "a", 22, &authority),
			 KNOWN_HOST_OTHER);
	assert_int_equal(others, 2);
}

static void a_revoked_key_is_refused_whatever_else_is_said(void **state)
{
	is("a kind " KEY "\n@revoked a kind " KEY, "a", 22, KNOWN_HOST_REVOKED);
	is("@revoked * kind " KEY "\na kind " KEY, "a", 22, KNOWN_HOST_REVOKED);
	is("@revoked a kind " KEY "\n[a]:2222 kind " KEY, "a", 2222, KNOWN_HOST_REVOKED);
	is("@revoked a kind " OTHER "\na kind " KEY, "a", 22, KNOWN_HOST_SAME);
	is("@revoked a kind " OTHER, "a", 22, KNOWN_HOST_NONE);
}

static void an_authority_is_no_key_and_is_told(void **state)
{
	bool authority;

	assert_int_equal(find("@cert-authority *.example kind " KEY, "a.example", 22, &authority), KNOWN_HOST_NONE);
	assert_true(authority);
	assert_int_equal(find("@cert-authority b kind " KEY "\n@strange a kind " KEY, "a", 22, &authority),
			 KNOWN_HOST_NONE);
	assert_false(authority);
}

static char *by_ssh_keygen(const char *text)
{
	char *root = support_tmpdir(), *path = support_path(root, "known"), *command, *result;

	support_write(path, span_of(text));
	command = mem_printf("ssh-keygen -q -H -f '%s' >/dev/null 2>&1", path);
	assert_int_equal(system(command), 0);
	result = support_read(path, NULL);
	free(command);
	free(path);
	support_rmtree(root);
	free(root);
	return result;
}

#define ED "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"

static void hashed_names_are_found_and_taken_out(void **state)
{
	static const char key[] = ED "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	char *plain = mem_printf("a.example %s\n[b.example]:2222 %s\n", key, key), *hashed = by_ssh_keygen(plain);
	struct buf bytes, left;
	bool authority;

	buf_init(&bytes, 200);
	buf_init(&left, 2000);
	assert_int_equal(base64_decode(&bytes, span_of(strchr(key, ' ') + 1)), 0);
	assert_null(strstr(hashed, "example"));
	assert_int_equal(known_hosts_find(span_of(hashed), "A.example", 22, buf_view(&bytes), NULL, NULL, &authority),
			 KNOWN_HOST_SAME);
	assert_int_equal(known_hosts_find(span_of(hashed), "b.example", 2222, buf_view(&bytes), NULL, NULL, &authority),
			 KNOWN_HOST_SAME);
	assert_int_equal(known_hosts_find(span_of(hashed), "b.example", 22, buf_view(&bytes), NULL, NULL, &authority),
			 KNOWN_HOST_NONE);
	assert_int_equal(known_hosts_without(span_of(hashed), "a.example", &left), 0);
	assert_int_equal(known_hosts_find(buf_view(&left), "a.example", 22, buf_view(&bytes), NULL, NULL, &authority),
			 KNOWN_HOST_NONE);
	assert_int_equal(known_hosts_find(buf_view(&left), "b.example", 2222, buf_view(&bytes), NULL, NULL, &authority),
			 KNOWN_HOST_SAME);
	buf_free(&left);
	buf_free(&bytes);
	free(hashed);
	free(plain);
}

static void a_name_is_taken_out_and_everything_else_stays(void **state)
{
	struct buf left;

	buf_init(&left, 2000);
	assert_int_equal(known_hosts_without(span_of("# of ours\na kind " KEY " x\nb,a,c kind " OTHER
						     "\n@revoked a kind " KEY "\n*.a kind " KEY "\n\n[a]:22 kind " KEY),
					     "a", &left),
			 0);
	assert_string_equal(left.data, "# of ours\nb,c kind " OTHER "\n@revoked a kind " KEY "\n*.a kind " KEY
				       "\n\n[a]:22 kind " KEY "\n");
	buf_free(&left);
}

static void left_of(const char *text, const char *name, const char *wanted)
{
	struct buf left;

	buf_init(&left, 2000);
	assert_int_equal(known_hosts_without(span_of(text), name, &left), 0);
	assert_string_equal(left.data ? left.data : "", wanted);
	buf_free(&left);
}

/* Else the key that is replaced would be trusted as before, since hosts are found in any case. */
static void a_name_is_taken_out_in_any_case(void **state)
{
	char *hashed = by_ssh_keygen("a.example " ED "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");

	left_of("a.example kind " KEY "\n", "A.Example", "");
	left_of("b,A.EXAMPLE kind " KEY "\n", "a.example", "b kind " KEY "\n");
	left_of("[A.example]:2222 kind " KEY "\n", "[a.Example]:2222", "");
	left_of(hashed, "A.Example", "");
	free(hashed);
}

static void what_is_left_of_a_list_says_nothing_else(void **state)
{
	left_of("a,#x,b kind " KEY "\n", "a", ",#x,b kind " KEY "\n");
	left_of("a,@revoked,b kind " KEY "\n", "a", ",@revoked,b kind " KEY "\n");
	left_of("a,|1|x|y kind " KEY "\n", "a", ",|1|x|y kind " KEY "\n");
	left_of("|1|x|y,a kind " KEY "\n", "a", "|1|x|y,a kind " KEY "\n");
	is(",#x,b kind " KEY "\n", "b", 22, KNOWN_HOST_SAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_lists_with_ports_and_patterns_are_found),
		cmocka_unit_test(several_keys_of_a_host_are_all_good_and_others_are_told),
		cmocka_unit_test(a_revoked_key_is_refused_whatever_else_is_said),
		cmocka_unit_test(an_authority_is_no_key_and_is_told),
		cmocka_unit_test(hashed_names_are_found_and_taken_out),
		cmocka_unit_test(a_name_is_taken_out_and_everything_else_stays),
		cmocka_unit_test(a_name_is_taken_out_in_any_case),
		cmocka_unit_test(what_is_left_of_a_list_says_nothing_else),
	};

	return cmocka_run_group_tests_name("files of known hosts", tests, NULL, NULL);
}
