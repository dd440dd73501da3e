/* Masking: what is found, what takes its place, and what stays. */
#include "config.h"
#include "services/masking.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
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

static void names_of_other_alphabets_are_masked(void **state)
{
	static const char *const names[] = {
		"\305\201ukasz Wa\305\202\304\231sa",
		"\320\223\320\273\320\265\320\261 \320\221\320\276\321\200\320\270\321\201\320\276\320\262",
		"\347\216\213\344\274\237",
		"\352\271\200\353\257\274\354\244\200",
		"\316\225\316\273\316\255\316\275\316\267",
		"\347\224\260\344\270\255\343\201\225\343\202\223",
		"Gr\303\270n \303\234lk\303\274"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *bytes = mem_printf("x;%s;y", names[i]);
		size_t left = 0;

		add(names[i]);
		masked(bytes);
		assert_int_equal(strlen(text), strlen(bytes));
		assert_true(utf8_is_clean(span_of(text)));
		assert_int_equal(places, 1);
		for (size_t k = 2; k + 2 < strlen(bytes); k++)
			left += (unsigned char)bytes[k] >= 0xc0 && !strncmp(bytes + k, text + k, 2);
		assert_in_range(left, 0, 4); /* by chance */
		free(bytes);
	}
}

static void a_letter_is_found_in_the_other_case_and_in_every_escape(void **state)
{
	static const char *const ways[] = {"Z\303\211 M\303\234LLER",
					   "{\"a\": \"Z\\u00e9 M\\u00FCLLER\"}",
					   "<a>Z&#233; M&#xfc;ller</a>",
					   "name=Z%C3%A9+M%C3%BCller&x=1",
					   "name=Z%E9%20M%FCller",
					   "\"\\u005a\303\251 M\303\274ller\"",
					   "NAD+BY++Z?\303\251 M\303\274ller'"};

	add("Z\303\251 M\303\274ller");
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		masked(ways[i]);
		assert_int_equal(places, 1);
		assert_int_equal(strlen(text), strlen(ways[i]));
		assert_null(strcasestr(text, "ller"));
	}
	assert_non_null(strstr(masked("name=Z%C3%A9+M%C3%BCller&x=1"), "&x=1"));
}

static void a_new_line_within_a_value_does_not_hide_it(void **state)
{
	add("12 Quay Road\nWharfton");
	masked("{\"to\": \"12 Quay Road\\nWharfton\"}");
	assert_int_equal(places, 1);
	assert_null(strstr(text, "Wharf"));
	assert_non_null(strstr(text, "\\n"));
}

static void what_is_short_in_letters_is_not_short_in_signs(void **state)
{
	add("\347\216\213\344\274\237");
	assert_int_equal(masking_count(masking), 1);
	masked("{\"who\": \"\347\216\213\344\274\237\345\205\210\347\224\237\"}");
	assert_int_equal(places, 1);
}

/* Every value times every byte would take minutes. */
static void many_people_are_masked_in_one_go(void **state)
{
	struct buf bytes;

	buf_init(&bytes, 16 << 20);
	for (int i = 0; i < 20000; i++) {
		char *name = mem_printf("Person%dson Surname%d", i, i * 7), *phone = mem_printf("+1503555%05d", i);

		add(name);
		add(phone);
		buf_printf(&bytes, "PER*IC*%s*TE*%s~\n", name, phone);
		free(name);
		free(phone);
	}
	masked(bytes.data);
	assert_int_equal(places, 40000);
	assert_null(strstr(text, "Surname7~"));
	buf_free(&bytes);
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

/* A contract may mark by every keyword that leads to a value. */
static void a_mark_is_found_wherever_the_schema_has_it(void **state)
{
	static const char *const cases[][2] = {
		{"{'patternProperties': {'^p_': MARK}}", "{'p_1': VALUE}"},
		{"{'properties': {'q': {}}, 'additionalProperties': MARK}", "{'p': VALUE}"},
		{"{'unevaluatedProperties': MARK}", "{'p': VALUE}"},
		{"{'dependentSchemas': {'q': {'properties': {'p': MARK}}}}", "{'p': VALUE, 'q': 1}"},
		{"{'if': {'properties': {'p': MARK}}}", "{'p': VALUE}"},
		{"{'contains': MARK}", "[VALUE]"},
		{"{'prefixItems': [{}, MARK]}", "[1, VALUE]"},
		{"{'prefixItems': [{}], 'items': MARK}", "[1, VALUE]"},
		{"{'prefixItems': [{}], 'unevaluatedItems': MARK}", "[1, VALUE]"},
		{"{'propertyNames': MARK}", "{VALUE: 1}"},
		{"{'$ref': '#p', '$defs': {'x': {'$anchor': 'p', 'x-ferrule-personal': true}}}", "VALUE"},
		{"{'$dynamicRef': '#p', '$defs': {'x': {'$dynamicAnchor': 'p', 'x-ferrule-personal': true}}}", "VALUE"},
		{"{'$ref': '#/$defs/a~1b%20c', '$defs': {'a/b c': MARK}}", "VALUE"},
		{"{'$ref': 'urn:in', '$defs': {'x': {'$id': 'urn:in', '$ref': '#/$defs/y', '$defs': {'y': MARK}}}}",
		 "VALUE"},
		{"{'$id': 'https://acme.example/c/order', '$ref': 'in', '$defs': {'x': {'$id': 'in', "
		 "'x-ferrule-personal': "
		 "true}}}",
		 "VALUE"},
		{"{'x-ferrule-personal': true}", "{'a': [{'b': [VALUE]}]}"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *trees[2];

		for (int k = 0; k < 2; k++) {
			struct buf made;
			const char *at = cases[i][k];

			buf_init(&made, 10000);
			for (; *at; at++)
				if (!strncmp(at, "MARK", 4))
					buf_text(&made, "{\"x-ferrule-personal\": true}"), at += 3;
				else if (!strncmp(at, "VALUE", 5))
					buf_text(&made, "\"Dana Whitfield\""), at += 4;
				else
					buf_char(&made, *at == '\'' ? '"' : *at);
			trees[k] = json_loadb(made.data, made.len, JSON_DECODE_ANY, NULL);
			assert_non_null(trees[k]);
			buf_free(&made);
		}
		assert_int_equal(masking_collect(masking, trees[0], trees[1], NULL, NULL), 0);
		if (masking_count(masking) != 1)
			fail_msg("%s: %zu", cases[i][0], masking_count(masking));
		masking_free(masking);
		masking = masking_new();
		json_decref(trees[0]);
		json_decref(trees[1]);
	}
}

static void numbers_with_a_fraction_are_masked(void **state)
{
	json_t *schema = json_pack("{s:b}", "x-ferrule-personal", 1), *instance = json_pack("[f,f]", 1234.5, 61.25);

	assert_int_equal(masking_collect(masking, schema, instance, NULL, NULL), 0);
	masked("{\"salary\": 1234.50, \"weight\": 61.25, \"other\": 1234.5}");
	assert_int_equal(places, 3);
	json_decref(schema);
	json_decref(instance);
}

static void a_schema_without_end_is_told(void **state)
{
	json_t *schema = json_pack("{s:[{s:s},{s:s}]}", "anyOf", "$ref", "#", "$ref", "#"), *instance = json_integer(7);

	assert_int_equal(masking_collect(masking, schema, instance, NULL, NULL), -1);
	json_decref(schema);
	json_decref(instance);
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
		cmocka_unit_test_setup_teardown(names_of_other_alphabets_are_masked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_letter_is_found_in_the_other_case_and_in_every_escape, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_new_line_within_a_value_does_not_hide_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_short_in_letters_is_not_short_in_signs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_people_are_masked_in_one_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mark_is_found_wherever_the_schema_has_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_with_a_fraction_are_masked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_schema_without_end_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_value_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_contract_marks_is_collected, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
