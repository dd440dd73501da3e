/* Decoding a document to the nested form and encoding that gives the same bytes: for our own samples, real documents
 * that others published, and for each grammar that ships a document with all that it has. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/support/edi_hand.h"
#include "transformers/edi/edi_grammar.h"

static bool comes_back(const char *format, const char *keys, struct span document, const char *what)
{
	char decode[120], encode[60];
	struct buf lines, bytes;
	bool sound;

	snprintf(decode, sizeof decode, "{format: %s, form: nested, keys: %s}", format, keys);
	snprintf(encode, sizeof encode, "{format: %s}", format);
	buf_init(&lines, SIZE_MAX / 4);
	buf_init(&bytes, SIZE_MAX / 4);
	sound = !edi_hand_run(&decode_transformer, decode, document, &lines);
	if (sound && edi_hand_run(&encode_transformer, encode, buf_view(&lines), &bytes))
		fail_msg("%s (%s) cannot be encoded: %s", what, keys, edi_hand_told);
	if (sound && !span_equal(document, buf_view(&bytes)))
		fail_msg("%s (%s) does not come back:\n%.*s\n%.*s\n%.*s", what, keys, SPAN_ARGS(document),
			 SPAN_ARGS(buf_view(&bytes)), SPAN_ARGS(buf_view(&lines)));
	buf_free(&lines);
	buf_free(&bytes);
	return sound;
}

static const char *const all_keys[] = {"names", "positions", "both"};

/* Directories of EDIFACT, and versions of X12, that no grammar ships for, as their nearest one: what has no place there
 * comes back all the same. */
static void pretend(char *content, size_t n)
{
	static const char *const versions[][2] = {
		{":D:93A:", ":D:96A:"}, {":D:97B:", ":D:96A:"}, {":D:95B:", ":D:96A:"}, {":D:97A:", ":D:96A:"},
		{":D:98B:", ":D:01B:"}, {":D:07A:", ":D:01B:"}, {"003040", "004010"},   {"003060", "004010"},
		{"004030", "004010"},   {"003010", "004010"},   {"003020", "004010"}};

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		for (char *at = content;
		     (at = memmem(at, n - (size_t)(at - content), versions[i][0], strlen(versions[i][0])));)
			memcpy(at, versions[i][1], strlen(versions[i][0]));
}

static unsigned walk(const char *format, const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	unsigned sound = 0;

	while (directory && (entry = readdir(directory))) {
		char *path = support_path(folder, entry->d_name), *content;
		struct stat status;
		size_t n;

		if (entry->d_name[0] != '.' && !stat(path, &status) && S_ISDIR(status.st_mode)) {
			sound += walk(format, path);
		} else if (entry->d_name[0] != '.' && (content = support_read(path, &n)) != NULL) {
			bool same;

			pretend(content, n);
			same = comes_back(format, "names", span_make(content, n), path);

			sound += same;
			for (size_t i = 1; same && i < 3; i++)
				assert_true(comes_back(format, all_keys[i], span_make(content, n), path));
			free(content);
		}
		free(path);
	}
	if (directory)
		closedir(directory);
	return sound;
}

static void our_own_documents_come_back_from_the_nested_form(void **state)
{
	static const struct {
		const char *format, *folder;
		unsigned at_least;
	} folders[] = {{"x12", "golden/x12", 18},
		       {"x12", "formats/documents", 13},
		       {"x12", "formats/acknowledgements", 6},
		       {"edifact", "golden/edifact", 25},
		       {"edifact", "formats/documents", 11},
		       {"edifact", "formats/acknowledgements", 3}};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char *folder = mem_printf("%s/tests/%s", edi_hand_source(), folders[i].folder);
		unsigned sound = walk(folders[i].format, folder);

		if (sound < folders[i].at_least)
			fail_msg("only %u documents of tests/%s are read as nested %s", sound, folders[i].folder,
				 folders[i].format);
		free(folder);
	}
}

static void real_documents_come_back_from_the_nested_form(void **state)
{
	char *root = getenv("FERRULE_DATA") ? mem_strdup(getenv("FERRULE_DATA"))
					    : mem_printf("%s/../shared/data", edi_hand_source());
	struct stat status;

	if (stat(root, &status)) {
		free(root);
		support_skip("there are no sample files in ../shared/data beside the source, nor in FERRULE_DATA");
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		const char *format = i ? "edifact" : "x12";
		char *folder = support_path(root, format);

		unsigned sound = walk(format, folder);

		if (sound < (i ? 3 : 7))
			fail_msg("only %u real documents of %s are read as nested", sound, format);
		free(folder);
	}
	free(root);
}

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	(void)site;
	(void)folder;
	return edi_hand_file(name);
}

/* ---- every grammar: a document with all that it has, as a mapping would make it */
static const char *value_of(const struct edi_slot *slot, char into[64])
{
	const struct edi_code *code = NULL;

	for (size_t i = 0; slot->data.codes && i <= slot->data.codes->mask && !code; i++)
		if (slot->data.codes->table[i].text && slot->data.codes->table[i].len < 60)
			code = &slot->data.codes->table[i];
	if (code)
		snprintf(into, 64, "%.*s", (int)code->len, code->text);
	else if (slot->iso == EDI_ISO_DATE)
		snprintf(into, 64, "%s", slot->data.max < 8 ? "260131" : "20260131");
	else if (slot->iso == EDI_ISO_TIME)
		snprintf(into, 64, "1230");
	else if (slot->data.type == EDI_TYPE_IMPLIED && slot->data.decimals)
		snprintf(into, 64, "7.%.*s", slot->data.decimals, "250000000");
	else
		snprintf(into, 64, "%.*s",
			 slot->data.min > 20 ? 20
			 : slot->data.min    ? (int)slot->data.min
					     : 1,
			 "12345678901234567890");
	return into;
}

static void add_slots(json_t *object, const struct edi_slot *slots, size_t count)
{
	char text[64], name[80];

	for (size_t i = 0; i < count; i++) {
		const struct edi_slot *slot = &slots[i];
		json_t *value;

		if (slot->parts) {
			value = json_object();
			add_slots(value, slot->parts, slot->parts_count);
		} else {
			value = json_string(value_of(slot, text));
		}
		snprintf(name, sizeof name, "%.*s", (int)slot->by_name.len - 3, slot->by_name.text + 1);
		if (slot->max != 1)
			value = json_pack("[o]", value);
		json_object_set_new(object, name, value);
	}
}

static json_t *loop_new(const struct edi_node *loop)
{
	json_t *object = json_object();
	char name[80];

	for (uint32_t i = 0; i < loop->count; i++) {
		const struct edi_node *child = loop->children[i];
		json_t *value;

		if (child->use == EDI_NEVER)
			continue;
		if (child->loop) {
			value = loop_new(child);
		} else {
			value = json_object();
			add_slots(value, child->form->slots, child->form->slots_count);
		}
		if (child->max != 1)
			value = json_pack("[O,o]", value, value);
		snprintf(name, sizeof name, "%.*s", (int)child->by_name.len - 3, child->by_name.text + 1);
		json_object_set_new(object, name, value);
	}
	return object;
}

static void a_whole_document_is_encoded(const char *file, const struct edi_grammar *grammar)
{
	bool x12 = !strcmp(grammar->format, "x12");
	const char *space = strchr(grammar->version, ' ');
	json_t *line = json_pack("{s:s,s:{s:s,s:s,s:s,s:s},s:o}", "format", grammar->format, "interchange", "control",
				 "7", "sender", "ZZ:A", "receiver", "ZZ:B", "version", x12 ? "00501" : "4", "document",
				 loop_new(&grammar->root));
	struct buf bytes;
	char *text, settings[400];

	if (x12)
		json_object_update_new(line,
				       json_pack("{s:{s:s,s:s,s:s},s:{s:s}}", "group", "code", "PO", "control", "1",
						 "version", grammar->version, "transaction", "type", grammar->type));
	else
		json_object_set_new(line, "transaction",
				    json_pack("{s:s,s:s%,s:s,s:s}", "type", grammar->type, "version", grammar->version,
					      (size_t)(space - grammar->version), "release", space + 1, "agency",
					      "UN"));
	text = json_dumps(line, JSON_COMPACT);
	buf_init(&bytes, 1 << 26);
	snprintf(settings, sizeof settings, "{format: %s, grammars: [%s]}", grammar->format, file);
	if (edi_hand_run(&encode_transformer, settings, span_of(text), &bytes))
		fail_msg("%s: %s", file, edi_hand_told);
	if (!comes_back(grammar->format, "names", buf_view(&bytes), file) ||
	    !comes_back(grammar->format, "positions", buf_view(&bytes), file))
		fail_msg("%s: %s", file, edi_hand_told);
	buf_free(&bytes);
	free(text);
	json_decref(line);
}

static void every_grammar_encodes_all_that_it_has(void **state)
{
	char *folder = mem_printf("%s/config/edi", edi_hand_source());
	DIR *directory = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		struct arena *arena = arena_new();
		struct findings findings;
		struct transformer_context context = {.file = file_of};
		struct edi_library library = {.arena = arena, .findings = &findings, .context = &context};
		const struct span *content = strstr(entry->d_name, ".yaml") ? edi_hand_file(entry->d_name) : NULL;
		struct edi_grammar *grammar = NULL;

		findings_init(&findings);
		if (content && memmem(content->data, content->len, "\ngrammar:", 9))
			grammar = edi_grammar_read(&library, entry->d_name, (struct place){"test", 1, 1});
		else if (content && span_starts(*content, "grammar:"))
			grammar = edi_grammar_read(&library, entry->d_name, (struct place){"test", 1, 1});
		if (grammar) {
			a_whole_document_is_encoded(entry->d_name, grammar);
			count++;
		}
		findings_free(&findings);
		arena_free(arena);
	}
	closedir(directory);
	free(folder);
	assert_true(count >= 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_documents_come_back_from_the_nested_form),
		cmocka_unit_test(real_documents_come_back_from_the_nested_form),
		cmocka_unit_test(every_grammar_encodes_all_that_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, edi_hand_end);
}
