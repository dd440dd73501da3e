/* Masking: what is found, what takes its place, and what stays. */
#include "config.h"
#include "services/masking.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/support/support.h"

static struct masking *masking;
static char *text;
static size_t places;

static int set_up(void **state)
{
	masking = masking_new();
	text = NULL;
	return 0;
}

static int tear_down(void **state)
{
	masking_free(masking);
	free(text);
	return 0;
}

static const char *masked(const char *bytes)
{
	struct buf out;

	masking_prepare(masking, span_of(bytes));
	buf_init(&out, 1 << 20);
	places = masking_apply(masking, span_of(bytes), &out);
	free(text);
	text = mem_span_dup(buf_view(&out));
	buf_free(&out);
	return text;
}

/* Same length, and at each byte the same kind: an upper-case letter, a lower-case one, a digit, or the very same. */
static void same_shape(const char *before, const char *after)
{
	assert_int_equal(strlen(before), strlen(after));
	for (size_t i = 0; before[i]; i++) {
		unsigned char a = (unsigned char)before[i], b = (unsigned char)after[i];

		if (isupper(a) ? !isupper(b) : islower(a) ? !islower(b) : isdigit(a) ? !isdigit(b) : a < 0x80 && a != b)
			fail_msg("at %zu: %s became %s", i, before, after);
	}
}

static void add(const char *value)
{
	masking_add(masking, span_of(value));
}

static void a_value_becomes_one_of_the_same_shape_everywhere(void **state)
{
	const char *bytes = "PER*BD*DANA WHITFIELD*TE~PID*DANA WHITFIELD~", *after;

	add("Dana Whitfield");
	after = masked(bytes);
	same_shape(bytes, after);
	assert_null(strstr(after, "DANA"));
	assert_null(strstr(after, "WHITFIELD"));
	assert_int_equal(places, 2);
	assert_memory_equal(after + 7, after + 29, 14); /* the same stand-in */
}

static void punctuation_does_not_hide_a_value(void **state)
{
	const char *bytes = "TE*15035550142*x, 1 (503) 555-0142, 1503555014299", *after;

	add("+15035550142");
	after = masked(bytes);
	same_shape(bytes, after);
	assert_int_equal(places, 3);
	assert_null(strstr(after, "5035550142"));
	assert_string_not_equal(after, bytes);
}

static void a_short_value_is_masked_as_a_word_only(void **state)
{
	add("Ann");
	assert_string_equal(masked("banner annual"), "banner annual");
	assert_int_equal(places, 0);
	assert_string_not_equal(masked("dear Ann, \"first\\nAnn\""), "dear Ann, \"first\\nAnn\"");
	assert_int_equal(places, 2);
}

static void values_of_one_or_two_characters_stay(void **state)
{
	add("OR");
	add("7");
	assert_int_equal(masking_count(masking), 0);
	assert_string_equal(masked("N4*X*OR*7~"), "N4*X*OR*7~");
}

static void a_date_stays_a_date(void **state)
{
	add("1984-02-29");
	for (int i = 0; i < 50; i++) {
		const char *after = masked("DMG*D8*19840229*F~");
		int month = atoi((char[]){after[11], after[12], 0}), day = atoi((char[]){after[13], after[14], 0});

		assert_memory_equal(after, "DMG*D8*1984", 11);
		assert_in_range(month, 1, 12);
		assert_in_range(day, 1, 28);
		masking_free(masking);
		masking = masking_new();
		add("1984-02-29");
	}
}

static void a_value_made_of_several_fields_is_found_by_its_words(void **state)
{
	const char *bytes = "NM1*IL*1*WHITFIELD*DANA~", *after;

	add("Dana Whitfield");
	after = masked(bytes);
	same_shape(bytes, after);
	assert_int_equal(places, 2);
	assert_null(strstr(after, "DANA"));
}

static void accents_are_found_in_every_encoding(void **state)
{
	const char *utf8 = "\"Zo\xc3\xa9 M\xc3\xbcller\"", *latin = "Zo\xe9 M\xfcller",
		   *json = "\"Zo\\u00e9 M\\u00fcller\"";

	add("Zo\xc3\xa9 M\xc3\xbcller");
	assert_int_equal(strlen(masked(utf8)), strlen(utf8));
	assert_int_equal(places, 1);
	assert_int_equal(strlen(masked(latin)), strlen(latin));
	assert_int_equal(places, 1);
	assert_null(memchr(text, 0xc3, strlen(text)));
	assert_int_equal(strlen(masked(json)), strlen(json));
	assert_int_equal(places, 1);
	assert_null(strstr(text, "ller"));
}

static void the_longest_value_wins(void **state)
{
	const char *bytes = "Harbor Street 12";

	add("Harbor");
	add("Harbor Street 12");
	same_shape(bytes, masked(bytes));
	assert_int_equal(places, 1);
}

static const json_t *find(void *arg, const char *reference)
{
	return json_object_get(arg, reference);
}

static void what_a_contract_marks_is_collected(void **state)
{
	json_t *schemas =
		json_loads("{\"main\": {\"properties\": {\"who\": {\"$ref\": \"#/$defs/person\"},"
			   " \"list\": {\"items\": {\"$ref\": \"other/v1#/$defs/mail\"}},"
			   " \"any\": {\"anyOf\": [{\"properties\": {\"tax\": {\"x-ferrule-personal\": true}}}, "
			   "{\"type\": \"null\"}]},"
			   " \"street\": {\"x-ferrule-personal\": true}},"
			   " \"$defs\": {\"person\": {\"properties\": {\"name\": {\"x-ferrule-personal\": true}}}}},"
			   " \"other/v1\": {\"$defs\": {\"mail\": {\"x-ferrule-personal\": true}}}}",
			   0, NULL);
	json_t *instance = json_loads("{\"who\": {\"name\": \"Dana Whitfield\", \"role\": \"buyer\"},"
				      " \"list\": [\"a@b.example\", \"c@d.example\"], \"any\": {\"tax\": 123456},"
				      " \"street\": [\"Harbor 12\", \"Dock 4\"], \"city\": \"Portland\"}",
				      0, NULL);
	const char *bytes = "Dana Whitfield,buyer,a@b.example,c@d.example,123456,Harbor 12,Dock 4,Portland";

	masking_collect(masking, json_object_get(schemas, "main"), instance, find, schemas);
	assert_int_equal(masking_count(masking), 6);
	same_shape(bytes, masked(bytes));
	assert_int_equal(places, 6);
	assert_non_null(strstr(text, ",buyer,"));
	assert_non_null(strstr(text, ",Portland"));
	json_decref(instance);
	json_decref(schemas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_value_becomes_one_of_the_same_shape_everywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(punctuation_does_not_hide_a_value, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_short_value_is_masked_as_a_word_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(values_of_one_or_two_characters_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_date_stays_a_date, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_value_made_of_several_fields_is_found_by_its_words, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(accents_are_found_in_every_encoding, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_value_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_contract_marks_is_collected, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
