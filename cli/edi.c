/* ferrule edi learn: what a partner's real documents use of a grammar, proposed as an overlay. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/hand.h"
#include "cli/parts.h"
#include "transformers/edi/edi_grammar.h"
#include "transformers/transformers.h"

#define FOREVER_MIN 3 /* documents, or segments, after which never and always mean something */
#define SIZES_MIN 10  /* values after which lengths do */
#define CODES_MAX 20  /* of one element; with more it is no code */
#define CODE_LENGTH 3 /* a text that may be no longer is a code, with or without a list */
#define GRAMMARS_MAX 50

struct use {               /* of a node, an element or a component */
	uint64_t of, came; /* how often it could come, and did */
	uint32_t min, max; /* characters */
	uint64_t values;
	json_t *codes; /* {CODE: how often}; NULL once there are too many */
	bool many;
};

struct learned { /* of one grammar */
	const struct edi_grammar *grammar;
	json_t *uses; /* {"parties/N104": index into list} */
	struct use *list;
	size_t count, capacity;
	uint64_t documents;
	json_t *unplaced; /* {TAG: how often} */
};

struct learn {
	struct hand *hand;
	struct transformer_context context;
	struct edi_library library;
	struct learned grammars[GRAMMARS_MAX];
	size_t count;
	uint64_t refused;
	struct buf line; /* what came so far of one */
};

/* ---- counting */
static struct use *use_of(struct learned *learned, const char *path)
{
	json_t *index = json_object_get(learned->uses, path);

	if (!index) {
		index = json_integer((json_int_t)learned->count);
		json_object_set_new(learned->uses, path, index);
		learned->list = mem_grow(learned->list, &learned->capacity, learned->count + 1, sizeof *learned->list);
		memset(&learned->list[learned->count++], 0, sizeof *learned->list);
	}
	return &learned->list[json_integer_value(index)];
}

static const struct use *use_find(const struct learned *learned, const char *path)
{
	const json_t *index = json_object_get(learned->uses, path);

	return index ? &learned->list[json_integer_value(index)] : NULL;
}

static uint32_t characters(const char *text)
{
	uint32_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void count_value(struct use *use, const json_t *value)
{
	const char *text = json_string_value(value);
	uint32_t n = text ? characters(text) : 0;
	json_t *seen;

	if (!text)
		return;
	use->min = !use->values || n < use->min ? n : use->min;
	use->max = n > use->max ? n : use->max;
	use->values++;
	if (use->many)
		return;
	if (!use->codes)
		use->codes = json_object();
	seen = json_object_get(use->codes, text);
	json_object_set_new(use->codes, text, json_integer(json_integer_value(seen) + 1));
	if (json_object_size(use->codes) <= CODES_MAX)
		return;
	json_decref(use->codes);
	use->codes = NULL;
	use->many = true;
}

/* The label without quotes and colon. */
static char *key_of(const struct edi_label *label)
{
	return mem_span_dup(span_make(label->text + 1, label->len - 3));
}

static void count_slots(struct learned *learned, const struct edi_slot *slots, size_t n, const json_t *members,
			const char *path, const char *format)
{
	for (size_t i = 0; i < n; i++) {
		char *key = key_of(&slots[i].by_position), *raw = mem_printf("%s_raw", key),
		     *own = mem_printf(format, path, i + 1);
		json_t *value = json_object_get(members, key), *as_was = json_object_get(members, raw), *one;
		struct use *use = use_of(learned, own);
		size_t k;

		use->of++;
		use->came += value != NULL;
		count_value(use, as_was ? as_was : value);
		json_array_foreach(value, k, one) {
			count_value(use, one);
			if (slots[i].parts && json_is_object(one))
				count_slots(learned, slots[i].parts, slots[i].parts_count, one, own, "%s-%zu");
		}
		if (slots[i].parts && json_is_object(value))
			count_slots(learned, slots[i].parts, slots[i].parts_count, value, own, "%s-%zu");
		free(key);
		free(raw);
		free(own);
	}
}

static void count_loop(struct learned *learned, const struct edi_node *loop, const json_t *members, const char *path);

static void count_one(struct learned *learned, const struct edi_node *node, const json_t *members, const char *path)
{
	if (node->loop)
		count_loop(learned, node, members, path);
	else
		count_slots(learned, node->form->slots, node->form->slots_count, members, path, "%s%02zu");
}

/* A name where the tag alone would mean another one of the same loop. */
static char *path_of(const struct edi_node *node, const char *path)
{
	bool plain = !node->loop;

	for (size_t i = 0; plain && node->parent->children[i] != node; i++)
		plain = node->parent->children[i]->loop || node->parent->children[i]->key != node->key;
	return mem_printf("%s%s%s", path, *path ? "/" : "", plain ? node->form->tag : node->name);
}

static void count_loop(struct learned *learned, const struct edi_node *loop, const json_t *members, const char *path)
{
	for (size_t i = 0; i < loop->count; i++) {
		const struct edi_node *node = loop->children[i];
		char *key = key_of(&node->by_position), *own = path_of(node, path);
		json_t *value = json_object_get(members, key), *one;
		struct use *use = use_of(learned, own);
		size_t k;

		use->of++;
		use->came += value != NULL;
		json_array_foreach(value, k, one)
			count_one(learned, node, one, own);
		if (json_is_object(value))
			count_one(learned, node, value, own);
		free(key);
		free(own);
	}
}

static struct learned *learned_of(struct learn *learn, const char *file)
{
	struct learned *learned;
	struct edi_grammar *grammar;

	for (size_t i = 0; i < learn->count; i++)
		if (!strcmp(learn->grammars[i].grammar->file, file))
			return &learn->grammars[i];
	grammar = learn->count < GRAMMARS_MAX ? edi_grammar_read(&learn->library, file, (struct place){file, 1, 1})
					      : NULL;
	if (!grammar)
		return NULL;
	learned = &learn->grammars[learn->count++];
	learned->grammar = grammar;
	learned->uses = json_object();
	learned->unplaced = json_object();
	return learned;
}

static void count_document(struct learn *learn, const json_t *line)
{
	const char *file = json_string_value(json_object_get(line, "grammar"));
	struct learned *learned = file ? learned_of(learn, file) : NULL;
	json_t *one;
	size_t i;

	if (!learned)
		return;
	learned->documents++;
	count_loop(learned, &learned->grammar->root, json_object_get(line, "document"), "");
	json_array_foreach(json_object_get(line, "unplaced"), i, one) {
		const char *tag = json_string_value(json_array_get(json_array_get(one, 1), 0));

		json_object_set_new(
			learned->unplaced, tag ? tag : "",
			json_integer(json_integer_value(json_object_get(learned->unplaced, tag ? tag : "")) + 1));
	}
}

/* ---- reading */
static int take_lines(void *arg, struct span bytes, struct error *error)
{
	struct learn *learn = arg;

	(void)error;
	for (size_t i = 0; i < bytes.len; i++) {
		json_t *line;

		if (bytes.data[i] != '\n') {
			const char *end = memchr(bytes.data + i, '\n', bytes.len - i);
			size_t n = end ? (size_t)(end - bytes.data) - i : bytes.len - i;

			buf_append(&learn->line, bytes.data + i, n);
			i += n - 1;
			continue;
		}
		line = json_loadb(learn->line.data, learn->line.len, JSON_ALLOW_NUL, NULL);
		count_document(learn, line);
		json_decref(line);
		buf_reset(&learn->line);
	}
	return 0;
}

static void tell(void *arg, const char *step, struct span position, const struct error *why, const char *dropped,
		 const json_t *findings)
{
	struct learn *learn = arg;

	(void)step;
	(void)findings;
	learn->refused++;
	fprintf(stderr, "left out: %.*s: %s\n", SPAN_ARGS(position), why ? why->text : dropped);
}

static const char *format_of(struct reader *input)
{
	char start[64] = "";
	struct error unused = {0};
	ssize_t n = reader_read(input, 0, start, sizeof start - 1, &unused);
	size_t at = n >= 3 && !memcmp(start, "\xef\xbb\xbf", 3) ? 3 : 0;

	while (start[at] && isspace((unsigned char)start[at]))
		at++;
	return !strncmp(start + at, "ISA", 3) ? "x12" : "edifact";
}

static const struct span *file_of(void *hand, const char *folder, const char *name)
{
	return hand_file(hand, folder, name);
}

static int read_one(struct learn *learn, const char *name, struct error *error)
{
	struct reader *input = hand_open(name, error);
	struct chain_hand how = {.write = take_lines, .tell = tell, .arg = learn};
	struct chain_report report = {0};
	struct chain_step step;
	struct chain *chain = NULL;
	int failed = -1;

	if (input && !hand_fill_step(learn->hand, &step, "decode", format_of(input), true, &learn->context, error))
		chain = chain_new("edi learn", &step, 1, &learn->context, NULL, error);
	if (chain)
		failed = chain_run_by_hand(chain, input, span_of(name), SPAN_NONE, &how, &report, error);
	chain_free(chain);
	reader_unref(input);
	return failed;
}

/* ---- the overlay */
static bool forever(uint64_t times)
{
	return times >= FOREVER_MIN;
}

static void print_codes(const struct use *use)
{
	const char *code, *comma = "";
	json_t *unused;

	printf(", codes: [");
	json_object_foreach(use->codes, code, unused) {
		printf("%s'", comma);
		for (const char *p = code; *p; p++)
			printf(*p == '\'' ? "''" : "%c", *p);
		printf("'");
		comma = ", ";
	}
	printf("]");
}

static bool says_codes(const struct edi_data *data, const struct use *use)
{
	return forever(use->values) && use->codes && !use->many && json_object_size(use->codes) &&
	       (data->codes || (data->type == EDI_TYPE_TEXT && data->max <= CODE_LENGTH));
}

static bool says_size(const struct edi_data *data, const struct use *use)
{
	return use->values >= SIZES_MIN && (data->type == EDI_TYPE_TEXT || data->type == EDI_TYPE_ALPHA) &&
	       (use->max < data->max || use->min > data->min) && use->max;
}

static void print_slots(const struct learned *learned, const struct edi_slot *slots, size_t n, const char *path,
			const char *format)
{
	for (size_t i = 0; i < n; i++) {
		char *own = mem_printf(format, path, i + 1);
		const struct use *use = use_find(learned, own);
		bool never = use && !use->came && forever(use->of) && slots[i].use == EDI_OPTIONAL,
		     always = use && use->came == use->of && forever(use->of) && slots[i].use == EDI_OPTIONAL,
		     codes = use && !slots[i].parts && says_codes(&slots[i].data, use),
		     size = use && !slots[i].parts && !codes && says_size(&slots[i].data, use);

		if (never || always || codes || size) {
			printf("  - {at: %s", own);
			if (never || always)
				printf(", use: %s", never ? "never" : "M");
			if (codes)
				print_codes(use);
			if (size)
				printf(", size: %u..%u", use->min, use->max);
			printf("} # %llu of %llu\n", (unsigned long long)use->came, (unsigned long long)use->of);
		}
		if (use && use->came && slots[i].parts)
			print_slots(learned, slots[i].parts, slots[i].parts_count, own, "%s-%zu");
		free(own);
	}
}

static void print_loop(const struct learned *learned, const struct edi_node *loop, const char *path)
{
	for (size_t i = 0; i < loop->count; i++) {
		const struct edi_node *node = loop->children[i];
		char *own = path_of(node, path);
		const struct use *use = use_find(learned, own);

		if (use && !use->came && forever(use->of) && node->use == EDI_OPTIONAL)
			printf("  - {at: %s, use: never} # 0 of %llu\n", own, (unsigned long long)use->of);
		else if (use && use->came == use->of && forever(use->of) && node->use == EDI_OPTIONAL)
			printf("  - {at: %s, use: M} # %llu of %llu\n", own, (unsigned long long)use->came,
			       (unsigned long long)use->of);
		if (use && use->came && node->loop)
			print_loop(learned, node, own);
		else if (use && use->came)
			print_slots(learned, node->form->slots, node->form->slots_count, own, "%s%02zu");
		free(own);
	}
}

static void print_overlay(const struct learned *learned, size_t files)
{
	const struct edi_grammar *grammar = learned->grammar;
	const char *tag;
	json_t *times;

	printf("grammar: %s %s %s\nextends: %s\n", grammar->format, grammar->version, grammar->type, grammar->file);
	printf("source: learned from %llu document%s in %zu file%s; what they do not show is not known\n",
	       (unsigned long long)learned->documents, learned->documents == 1 ? "" : "s", files,
	       files == 1 ? "" : "s");
	json_object_foreach(learned->unplaced, tag, times)
		printf("# %s has no place in the grammar, and came %lld time%s\n", tag,
		       (long long)json_integer_value(times), json_integer_value(times) == 1 ? "" : "s");
	printf("change:\n");
	print_loop(learned, &grammar->root, "");
}

static void forget(struct learn *learn)
{
	for (size_t i = 0; i < learn->count; i++) {
		struct learned *learned = &learn->grammars[i];

		for (size_t k = 0; k < learned->count; k++)
			json_decref(learned->list[k].codes);
		free(learned->list);
		json_decref(learned->uses);
		json_decref(learned->unplaced);
	}
	buf_free(&learn->line);
	findings_free(&learn->hand->findings);
}

static int learn_files(struct hand *hand, const struct arguments *arguments)
{
	struct learn learn = {.hand = hand, .context = {.site = hand, .file = file_of}};
	struct error error = {0};
	size_t files = arguments->count - 1;
	int failed = 0;

	learn.library =
		(struct edi_library){.arena = hand->arena, .findings = &hand->findings, .context = &learn.context};
	buf_init(&learn.line, SIZE_MAX / 4);
	for (size_t i = 1; i <= files && !failed; i++)
		failed = read_one(&learn, arguments->words[i], &error);
	if (failed)
		failed = verb_failed_with(arguments, &error, &hand->findings, EXIT_FINDINGS);
	else if (!learn.count)
		failed = verb_refused(arguments, EXIT_FINDINGS, "edi.learn",
				      "there is no document in these files for which there is a grammar");
	for (size_t i = 0; i < learn.count && !failed; i++) {
		if (i)
			printf("---\n# a file of its own\n");
		print_overlay(&learn.grammars[i], files);
	}
	forget(&learn);
	findings_init(&hand->findings);
	return failed ? failed : learn.refused ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- acknowledgements */
static int acknowledge(const struct arguments *arguments)
{
	static const char *const keys[] = {"as", "control"};
	struct arguments with = *arguments;
	char text[2][64];
	struct hand hand;

	if (arguments->count > 3)
		return verb_usage(arguments, "one file at a time");
	for (size_t i = 0; i < 2; i++) {
		const char *value = argument(arguments, keys[i]);

		if (value && with.options_count == ARGUMENTS_MAX)
			return verb_usage(arguments, "too many options");
		if (!value)
			continue;
		snprintf(text[i], sizeof text[i], "%s=%.40s", keys[i], value);
		with.options[with.options_count].name = "set";
		with.options[with.options_count++].value = text[i];
	}
	hand_begin(&hand, &with);
	return hand_end(&hand, hand_run(&hand, &edi_acknowledge_transformer, arguments->words[1],
					argument_word(arguments, 2, NULL)));
}

static int run(const struct arguments *arguments)
{
	static const char *const settings[] = {"form=nested", "keys=positions"};
	struct arguments with = *arguments;
	struct hand hand;

	if (!strcmp(arguments->words[0], "acknowledge"))
		return acknowledge(arguments);
	if (strcmp(arguments->words[0], "learn") != 0)
		return verb_unknown(arguments, "verb of edi", arguments->words[0],
				    (const char *const[]){"learn", "acknowledge"}, 2, "ferrule help edi");
	if (!part_takes(arguments, "learn"))
		return EXIT_USAGE;
	if (with.options_count + 2 > ARGUMENTS_MAX)
		return verb_usage(arguments, "too many options");
	for (size_t i = 0; i < 2; i++) {
		with.options[with.options_count].name = "set";
		with.options[with.options_count++].value = settings[i];
	}
	hand_begin(&hand, &with);
	return hand_end(&hand, learn_files(&hand, &with));
}

static const struct verb_option options[] = {
	{"as", "WHAT", "997, 999, ta1 or contrl (997 for x12, contrl for edifact)", "acknowledge"},
	{"control", "NUMBER", "the control number of the first interchange (1)", "acknowledge"},
	HAND_SET_OPTION,
	{.name = NULL},
};

const struct verb verb_edi = {
	.name = "edi",
	.words = "learn FILE… | acknowledge FORMAT [FILE]",
	.words_min = 2,
	.words_max = ARGUMENTS_MAX,
	.summary = "Learn an overlay from a partner's EDI files, or acknowledge them",
	.text = "  ferrule edi learn input/acme/20260302-acme-0001.edi\n\nPrints YAML for a file of edi/: which "
		"segments and elements "
		"never came or always did (of at least three), which codes, and how long values were (of at least "
		"ten). "
		"What it says is what these files show; read it before a flow goes by it. The comments say how often. "
		"--set grammars=[FILE] names the grammar, where it is not the one that ships.\n\n"
		"  ferrule edi acknowledge x12 --set check=[structure,codes] input/acme/20260302-acme-0001.edi\n\n"
		"Prints the acknowledgement of a document, as a document: 997, 999, TA1 or CONTRL. What is judged "
		"beyond syntax "
		"says --set check, as for decode; further keys are grammars, charset, accept (levels that are told and "
		"refuse nothing) and receipt (CONTRL: only that it came).\n",
	.options = options,
	.run = run,
};
