/* Option tables: every type, its defaults and limits, and what is said of mistakes. */
#include "config.h"
#include "tests/support/support.h"

#include <stdlib.h>

#include "base/expression.h"
#include "base/option.h"

struct inner {
	int64_t wait;
	const char *label;
};

struct settings {
	const char *text, *secret;
	int64_t count, wait;
	uint64_t size;
	bool flag;
	int kind;
	struct expression *when, *mapping;
	struct expression_list by;
	struct template *path;
	struct template_map headers;
	struct text_list names;
	struct inner inner;
	const struct node *node;
};

static const struct option inner_options[] = {
	{.name = "wait",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct inner, wait),
	 .fallback = "5s",
	 .range = "1s..1h",
	 .help = "How long"},
	{.name = "label",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct inner, label),
	 .flags = OPTION_REQUIRED,
	 .help = "What it is called"},
	OPTION_END,
};

#define AT(field) offsetof(struct settings, field)
static const struct option options[] = {
	{.name = "kind",
	 .type = OPTION_ENUM,
	 .offset = AT(kind),
	 .fallback = "second",
	 .range = "first|second|third",
	 .flags = OPTION_MAIN},
	{.name = "text", .type = OPTION_TEXT, .offset = AT(text), .fallback = "hello"},
	{.name = "secret", .type = OPTION_SECRET, .offset = AT(secret), .flags = 0},
	{.name = "count", .type = OPTION_INT, .offset = AT(count), .fallback = "7", .range = "-5..100"},
	{.name = "wait", .type = OPTION_DURATION, .offset = AT(wait), .fallback = "1h30m"},
	{.name = "size", .type = OPTION_SIZE, .offset = AT(size), .fallback = "64KiB", .range = "1KB..1GiB"},
	{.name = "flag", .type = OPTION_BOOL, .offset = AT(flag), .fallback = "yes"},
	{.name = "when", .type = OPTION_EXPRESSION, .offset = AT(when), .flags = 0},
	{.name = "mapping", .type = OPTION_MAPPING, .offset = AT(mapping), .flags = 0},
	{.name = "by", .type = OPTION_EXPRESSIONS, .offset = AT(by), .fallback = ".id"},
	{.name = "path", .type = OPTION_TEMPLATE, .offset = AT(path), .flags = 0},
	{.name = "headers", .type = OPTION_TEMPLATES, .offset = AT(headers), .flags = 0},
	{.name = "names", .type = OPTION_TEXTS, .offset = AT(names), .flags = 0},
	{.name = "inner", .type = OPTION_TABLE, .offset = AT(inner), .table = inner_options},
	{.name = "node", .type = OPTION_NODE, .offset = AT(node), .flags = 0},
	OPTION_END,
};

static const struct option strict_options[] = {
	{.name = "name",
	 .type = OPTION_TEXT,
	 .offset = AT(text),
	 .flags = OPTION_REQUIRED,
	 .help = "What it is called"},
	{.name = "inner",
	 .type = OPTION_TABLE,
	 .offset = AT(inner),
	 .table = inner_options,
	 .flags = OPTION_REQUIRED,
	 .help = "The rest"},
	OPTION_END,
};

/* A word that brings keys of its own. */
struct choice {
	int format;
	const char *own;
	void *brought;
};

struct table_keys {
	const char *separator, *layout;
	struct text_list grammars;
};

static const struct option csv_options[] = {
	{.name = "separator", .type = OPTION_TEXT, .offset = offsetof(struct table_keys, separator), .fallback = ","},
	OPTION_END,
};

static const struct option fixed_options[] = {
	{.name = "layout",
	 .type = OPTION_FILE,
	 .offset = offsetof(struct table_keys, layout),
	 .range = "layouts",
	 .flags = OPTION_REQUIRED,
	 .help = "How its records look"},
	{.name = "grammars", .type = OPTION_FILES, .offset = offsetof(struct table_keys, grammars), .range = "layouts"},
	OPTION_END,
};

static const struct option_more *more(int word)
{
	static const struct option_more csv = {csv_options, sizeof(struct table_keys)},
					fixed = {fixed_options, sizeof(struct table_keys)};

	return word == 1 ? &csv : word == 2 ? &fixed : NULL;
}

static const struct option choice_options[] = {
	{.name = "format",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct choice, format),
	 .range = "json|csv|fixed",
	 .fallback = "csv",
	 .flags = OPTION_MAIN,
	 .more = more,
	 .more_offset = offsetof(struct choice, brought)},
	{.name = "own", .type = OPTION_TEXT, .offset = offsetof(struct choice, own)},
	OPTION_END,
};

struct fixture {
	struct arena *arena;
	struct findings findings;
	struct option_context context;
	struct settings settings;
	struct span mapping;
	int line;
};

static const struct span *find_mapping(void *site, const char *name, const char **file)
{
	struct fixture *f = site;

	if (strcmp(name, "order.jq"))
		return NULL;
	*file = "mappings/order.jq";
	f->mapping = SPAN_LITERAL("{number}");
	return &f->mapping;
}

static bool find_file(void *site, const char *folder, const char *name, const char **near)
{
	assert_string_equal(folder, "layouts");
	*near = "stock.yaml";
	return !strcmp(name, "stock.yaml");
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->arena = arena_new();
	findings_init(&f->findings);
	f->context = (struct option_context){
		.arena = f->arena, .findings = &f->findings, .mapping = find_mapping, .site = f, .file = find_file};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	findings_free(&f->findings);
	arena_free(f->arena);
	free(f);
	return 0;
}

static struct node *scalar(struct fixture *f, const char *text)
{
	struct node *node = arena_alloc(f->arena, sizeof *node);

	*node = (struct node){.type = NODE_SCALAR, .place = {"site.yaml", ++f->line, 3}, .text = span_of(text)};
	return node;
}

static struct node *list(struct fixture *f, size_t n, struct node **items)
{
	struct node *node = scalar(f, "");

	node->type = NODE_LIST;
	node->items = arena_alloc(f->arena, (n + 1) * sizeof *node->items);
	if (n)
		memcpy(node->items, items, n * sizeof *items);
	node->count = n;
	return node;
}

/* Grows by one pair with each call; map(f, NULL, …) begins one. */
static struct node *map(struct fixture *f, struct node *into, const char *key, struct node *value)
{
	struct pair *pairs;

	if (!into) {
		into = scalar(f, "");
		into->type = NODE_MAP;
	}
	if (!key)
		return into;
	pairs = arena_alloc(f->arena, (into->count + 1) * sizeof *pairs);
	if (into->count)
		memcpy(pairs, into->pairs, into->count * sizeof *pairs);
	pairs[into->count] = (struct pair){.key = *scalar(f, key), .value = value};
	into->pairs = pairs;
	into->count++;
	return into;
}

static int fill(struct fixture *f, const struct node *node)
{
	memset(&f->settings, 0, sizeof f->settings);
	f->findings.count = f->findings.errors = 0;
	return option_fill(&f->context, node, options, NULL, &f->settings);
}

static int fill_key(struct fixture *f, const char *key, struct node *value)
{
	return fill(f, map(f, NULL, key, value));
}

static void assert_finding(struct fixture *f, const char *code, const char *part)
{
	assert_int_equal(f->findings.count, 1);
	assert_string_equal(f->findings.list[0].code, code);
	if (!strstr(f->findings.list[0].text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, f->findings.list[0].text);
	assert_true(f->findings.list[0].place.line > 0);
}

static void an_empty_map_gives_every_default(void **state)
{
	struct fixture *f = *state;
	struct settings *s = &f->settings;

	assert_int_equal(fill(f, map(f, NULL, NULL, NULL)), 0);
	assert_int_equal(f->findings.count, 0);
	assert_int_equal(s->kind, 1);
	assert_string_equal(s->text, "hello");
	assert_null(s->secret);
	assert_int_equal(s->count, 7);
	assert_int_equal(s->wait, 5400000);
	assert_int_equal(s->size, 65536);
	assert_true(s->flag);
	assert_null(s->when);
	assert_null(s->node);
	assert_int_equal(s->by.count, 1);
	assert_true(span_is(expression_source(s->by.items[0]), ".id"));
	assert_int_equal(s->names.count, 0);
	assert_int_equal(s->inner.wait, 5000);
	assert_null(s->inner.label); /* required only where the table is there */
}

static void every_type_is_read(void **state)
{
	struct fixture *f = *state;
	struct settings *s = &f->settings;
	struct node *names[] = {scalar(f, "a"), scalar(f, "b")}, *node;
	struct span constant;

	node = map(f, NULL, "kind", scalar(f, "third"));
	map(f, node, "text", scalar(f, "004010"));
	map(f, node, "secret", map(f, NULL, "secret", scalar(f, "erp-key")));
	map(f, node, "count", scalar(f, "-5"));
	map(f, node, "wait", scalar(f, "250ms"));
	map(f, node, "size", scalar(f, "10MB"));
	map(f, node, "flag", scalar(f, "Off"));
	map(f, node, "when", scalar(f, ".a > 1"));
	map(f, node, "mapping", scalar(f, "order.jq"));
	map(f, node, "by", list(f, 2, (struct node *[]){scalar(f, ".a"), scalar(f, ".b")}));
	map(f, node, "path", scalar(f, "fixed"));
	map(f, node, "headers", map(f, map(f, NULL, "X-A", scalar(f, "1")), "X-B", scalar(f, "$(.b)")));
	map(f, node, "names", list(f, 2, names));
	map(f, node, "inner", map(f, NULL, "label", scalar(f, "l")));
	map(f, node, "node", list(f, 0, NULL));
	if (fill(f, node))
		fail_msg("%s", f->findings.list[0].text);
	assert_int_equal(s->kind, 2);
	assert_string_equal(s->text, "004010");
	assert_string_equal(s->secret, "erp-key");
	assert_int_equal(s->count, -5);
	assert_int_equal(s->wait, 250);
	assert_int_equal(s->size, 10000000);
	assert_false(s->flag);
	assert_true(span_is(expression_source(s->when), ".a > 1"));
	assert_true(span_is(expression_source(s->mapping), "{number}"));
	assert_string_equal(expression_place(s->mapping).file, "mappings/order.jq");
	assert_int_equal(s->by.count, 2);
	assert_true(span_is(expression_source(s->by.items[1]), ".b"));
	assert_true(template_constant(s->path, &constant) && span_is(constant, "fixed"));
	assert_int_equal(s->headers.count, 2);
	assert_string_equal(s->headers.items[1].name, "X-B");
	assert_true(span_is(template_source(s->headers.items[1].template), "$(.b)"));
	assert_int_equal(s->names.count, 2);
	assert_string_equal(s->names.items[1], "b");
	assert_string_equal(s->inner.label, "l");
	assert_int_equal(s->inner.wait, 5000);
	assert_int_equal(s->node->type, NODE_LIST);
}

static void a_bare_scalar_is_the_main_option_and_the_rest_has_its_defaults(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fill(f, scalar(f, "first")), 0);
	assert_int_equal(f->settings.kind, 0);
	assert_int_equal(f->settings.count, 7);
	memset(&f->settings, 0, sizeof f->settings);
	assert_int_equal(option_fill(&f->context, scalar(f, "x"), strict_options, NULL, &f->settings), -1);
	assert_finding(f, "option.type", "name, inner");
}

static void one_text_stands_for_a_list_of_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fill_key(f, "names", scalar(f, "only")), 0);
	assert_int_equal(f->settings.names.count, 1);
	assert_string_equal(f->settings.names.items[0], "only");
	assert_int_equal(fill_key(f, "names", list(f, 1, (struct node *[]){map(f, NULL, NULL, NULL)})), -1);
	assert_finding(f, "option.type", "not a map");
}

static void an_unknown_key_is_told_with_the_nearest_name_or_all_names(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fill_key(f, "cuont", scalar(f, "1")), -1);
	assert_finding(f, "option.unknown", "unknown key `cuont`; did you mean `count`?");
	assert_int_equal(fill_key(f, "subscription", scalar(f, "1")), -1);
	assert_finding(f, "option.unknown", "known here: kind, text, secret, count");
}

static void keys_of_the_caller_are_left_alone_but_suggested(void **state)
{
	static const char *const also[] = {"effect", "count", NULL};
	struct fixture *f = *state;
	struct node *node = map(f, map(f, NULL, "effect", scalar(f, "x")), "count", list(f, 0, NULL));

	assert_int_equal(option_fill(&f->context, node, options, also, &f->settings), 0);
	map(f, node, "efect", scalar(f, "x"));
	assert_int_equal(option_fill(&f->context, node, options, also, &f->settings), -1);
	assert_finding(f, "option.unknown", "did you mean `effect`?");
}

static void what_is_required_is_missed_at_the_place_of_its_map(void **state)
{
	struct fixture *f = *state;
	struct node *node = map(f, NULL, "inner", map(f, NULL, NULL, NULL));

	assert_int_equal(option_fill(&f->context, node, strict_options, NULL, &f->settings), -1);
	findings_sort(&f->findings);
	assert_int_equal(f->findings.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(f->findings.list[i].code, "option.missing");
	assert_int_equal(f->findings.list[0].place.line, node_find(node, "inner")->place.line);
	assert_string_equal(f->findings.list[0].text, "`label` is missing: What it is called");
	assert_string_equal(f->findings.list[1].text, "`name` is missing: What it is called");
}

static void a_key_with_nothing_behind_it_counts_as_absent(void **state)
{
	struct fixture *f = *state;
	struct node *quoted = scalar(f, "");

	assert_int_equal(fill_key(f, "text", scalar(f, "")), 0);
	assert_string_equal(f->settings.text, "hello");
	quoted->quoted = true;
	assert_int_equal(fill_key(f, "text", quoted), 0);
	assert_string_equal(f->settings.text, "");
}

static void values_of_the_wrong_type_are_told(void **state)
{
	static const struct { const char *key, *value, *code, *part; } bad[] = {
		{"count", "abc", "option.type", "`count` must be a whole number, not `abc`"},
		{"count", "1.5", "option.type", "whole number"},
		{"count", "99999999999999999999", "option.type", "whole number"},
		{"count", "101", "option.range", "`count` must be in -5..100, not `101`"},
		{"count", "-6", "option.range", "-5..100"},
		{"size", "10 parsecs", "option.type", "a size such as"},
		{"size", "99999999999TiB", "option.type", "a size such as"},
		{"size", "999", "option.range", "1KB..1GiB"},
		{"size", "2GiB", "option.range", "1KB..1GiB"},
		{"wait", "90", "option.type", "a duration such as"},
		{"flag", "maybe", "option.type", "true or false"},
		{"kind", "secnod", "option.enum", "first|second|third, not `secnod`; did you mean `second`?"},
		{"kind", "zzz", "option.enum", "not `zzz`"},
		{"secret", "hunter2", "option.secret", "{secret: NAME}"},
		{"mapping", "nothing.jq", "option.mapping", "there is no mappings/nothing.jq"},
		{"headers", "x", "option.type", "map of names"},
		{"text", NULL, "option.type", "not a list"},
		{"path", NULL, "option.type", "not a list"},
		{"when", NULL, "option.type", "not a list"},
		{"kind", NULL, "option.type", "not a list"},
		{"count", NULL, "option.type", "not a list"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct node *value = bad[i].value ? scalar(f, bad[i].value) : list(f, 0, NULL);

		assert_int_equal(fill_key(f, bad[i].key, value), -1);
		assert_finding(f, bad[i].code, bad[i].part);
		assert_int_equal(f->findings.list[0].place.line, value->place.line);
	}
}

static void a_secret_in_the_wrong_place_is_never_shown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fill_key(f, "secret", scalar(f, "hunter2")), -1);
	assert_null(strstr(f->findings.list[0].text, "hunter2"));
	assert_int_equal(fill_key(f, "secret", map(f, NULL, "secret", scalar(f, "hunter 2/x"))), -1);
	assert_finding(f, "option.secret", "letters");
	assert_null(strstr(f->findings.list[0].text, "hunter"));
}

static void a_zero_character_and_long_values_are_told_in_one_line(void **state)
{
	struct fixture *f = *state;
	struct node *node = scalar(f, "");

	node->text = span_make("a\0b", 3);
	assert_int_equal(fill_key(f, "text", node), -1);
	assert_finding(f, "option.type", "zero character");
	node = scalar(f, "x\ny äääääääääääääääääääääääääääääääääääääääääääääääääääääää");
	assert_int_equal(fill_key(f, "count", node), -1);
	assert_finding(f, "option.type", "not `x y ä");
	assert_non_null(strstr(f->findings.list[0].text, "ä…`"));
}

static void all_mistakes_are_told_in_one_pass(void **state)
{
	struct fixture *f = *state;
	struct node *node = map(f, map(f, NULL, "count", scalar(f, "x")), "nope-nope", scalar(f, "x"));

	map(f, node, "inner", map(f, NULL, "wait", scalar(f, "2h")));
	assert_int_equal(fill(f, node), -1);
	assert_int_equal(f->findings.count, 4);
}

static int fill_choice(struct fixture *f, const struct node *node, struct choice *choice)
{
	*choice = (struct choice){0};
	f->findings.count = f->findings.errors = 0;
	return option_fill(&f->context, node, choice_options, NULL, choice);
}

static void a_word_brings_keys_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct choice choice;
	const void *brought;
	const struct table_keys *keys;
	struct node *node = map(f, map(f, NULL, "format", scalar(f, "csv")), "separator", scalar(f, ";"));

	assert_int_equal(fill_choice(f, map(f, node, "own", scalar(f, "x")), &choice), 0);
	assert_ptr_equal(option_more_of(choice_options, &choice, &brought), csv_options);
	keys = brought;
	assert_string_equal(keys->separator, ";");
	assert_string_equal(choice.own, "x");
	/* alone, and by default */
	assert_int_equal(fill_choice(f, scalar(f, "csv"), &choice), 0);
	keys = choice.brought;
	assert_string_equal(keys->separator, ",");
	assert_int_equal(fill_choice(f, map(f, NULL, "separator", scalar(f, "|")), &choice), 0);
	keys = choice.brought;
	assert_string_equal(keys->separator, "|");
	/* a word that brings nothing */
	assert_int_equal(fill_choice(f, scalar(f, "json"), &choice), 0);
	assert_null(option_more_of(choice_options, &choice, &brought));
}

static void a_key_that_the_word_does_not_bring_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct choice choice;
	struct node *node = map(f, map(f, NULL, "format", scalar(f, "json")), "separator", scalar(f, ";"));

	assert_int_equal(fill_choice(f, node, &choice), -1);
	assert_finding(f, "option.unknown", "unknown key `separator`; known here: format, own");
	node = map(f, map(f, NULL, "format", scalar(f, "csv")), "seperator", scalar(f, ";"));
	assert_int_equal(fill_choice(f, node, &choice), -1);
	assert_finding(f, "option.unknown", "did you mean `separator`?");
	assert_int_equal(fill_choice(f, scalar(f, "fixed"), &choice), -1);
	assert_finding(f, "option.missing", "`layout` is missing");
}

static void a_file_that_is_not_there_is_told_with_the_nearest_name(void **state)
{
	struct fixture *f = *state;
	struct choice choice;
	const struct table_keys *keys;
	struct node *node = map(f, map(f, NULL, "format", scalar(f, "fixed")), "layout", scalar(f, "stock.yaml"));

	assert_int_equal(fill_choice(f, map(f, node, "grammars", scalar(f, "stock.yaml")), &choice), 0);
	keys = choice.brought;
	assert_string_equal(keys->layout, "stock.yaml");
	assert_int_equal(keys->grammars.count, 1);
	assert_string_equal(keys->grammars.items[0], "stock.yaml");
	node = map(f, map(f, NULL, "format", scalar(f, "fixed")), "layout", scalar(f, "stok.yaml"));
	assert_int_equal(fill_choice(f, node, &choice), -1);
	assert_finding(f, "option.file", "there is no layouts/stok.yaml; did you mean `stock.yaml`?");
}

#define OPTION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPTION_TEST(an_empty_map_gives_every_default),
		OPTION_TEST(every_type_is_read),
		OPTION_TEST(a_bare_scalar_is_the_main_option_and_the_rest_has_its_defaults),
		OPTION_TEST(one_text_stands_for_a_list_of_one),
		OPTION_TEST(an_unknown_key_is_told_with_the_nearest_name_or_all_names),
		OPTION_TEST(keys_of_the_caller_are_left_alone_but_suggested),
		OPTION_TEST(what_is_required_is_missed_at_the_place_of_its_map),
		OPTION_TEST(a_key_with_nothing_behind_it_counts_as_absent),
		OPTION_TEST(values_of_the_wrong_type_are_told),
		OPTION_TEST(a_secret_in_the_wrong_place_is_never_shown),
		OPTION_TEST(a_zero_character_and_long_values_are_told_in_one_line),
		OPTION_TEST(all_mistakes_are_told_in_one_pass),
		OPTION_TEST(a_word_brings_keys_of_its_own),
		OPTION_TEST(a_key_that_the_word_does_not_bring_is_unknown),
		OPTION_TEST(a_file_that_is_not_there_is_told_with_the_nearest_name),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
