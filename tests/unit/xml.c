/* decode: xml and encode: xml together: what is read and written again is the same document by Canonical XML 1.0, the
 * limits hold, and what must not be taken is refused. */
#include "config.h"

#include <dirent.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "tests/support/chain.h"
#include "tests/support/support.h"

static const struct chain_limits small = {.tree_max = 1000, .outputs_max = 1000};

static unsigned run(const char *steps, struct span in, const struct chain_limits *limits, struct came *came)
{
	char *config = mem_printf("{\"steps\": [%s]}", steps);
	struct made_chain *made = made_chain_new(config, ".", "test", limits);
	struct error error;

	if (made_chain_run(made, in, SPAN_NONE, came, &error))
		fail_msg("%s: %s", steps, error.text);
	made_chain_free(made);
	free(config);
	return came->published;
}

/* The text that one output has, or the code it was refused with. To be freed. */
static char *text_of(const struct came *came, const char *member)
{
	char *line = mem_span_dup(span_make(came->lines.data, strcspn(came->lines.data, "\n")));
	json_t *tree = json_loads(line, 0, NULL);
	char *text = mem_strdup(json_string_value(json_object_get(tree, member)));

	json_decref(tree);
	free(line);
	return text;
}

static void refused(const char *settings, const char *in, const char *code)
{
	char *steps = mem_printf("{\"decode\": {\"format\": \"xml\"%s}}", settings), *told;
	struct came came = {0};

	if (run(steps, span_of(in), &small, &came) || came.dead != 1)
		fail_msg("%.60s… is not refused: %s", in, came.lines.data);
	told = text_of(&came, "dead");
	assert_string_equal(told, code);
	free(told);
	free(steps);
	buf_free(&came.lines);
}

/* ---- the same document */
static char *canonical(const char *text, size_t len)
{
	xmlDoc *document = xmlReadMemory(text, (int)len, NULL, NULL, XML_PARSE_NONET);
	xmlChar *canonic = NULL;
	char *copy;

	if (!document)
		fail_msg("no XML: %.*s", (int)len, text);
	assert_true(xmlC14NDocDumpMemory(document, NULL, XML_C14N_1_0, NULL, 1, &canonic) >= 0);
	copy = mem_strdup((char *)canonic);
	xmlFree(canonic);
	xmlFreeDoc(document);
	return copy;
}

static void same(const char *form, const char *text, size_t len)
{
	char *steps = mem_printf("{\"decode\": {\"format\": \"xml\", \"form\": \"%s\"}}, {\"encode\": \"xml\"}", form);
	struct came came = {0};
	char *want = canonical(text, len), *again, *got;

	if (run(steps, span_make(text, len), NULL, &came) != 1)
		fail_msg("%s", came.lines.data);
	again = text_of(&came, "text");
	got = canonical(again, strlen(again));
	assert_string_equal(got, want);
	free(got);
	free(want);
	free(again);
	free(steps);
	buf_free(&came.lines);
}

static const char *const documents[] = {
	"<a/>",
	"<a b='1' c=\"&quot;&#10;&#9;&#13;&lt;\">t&#13;\n&gt;]]&gt;</a>",
	"<a>x<b/>y<b>z</b><c/><b/></a>",
	"<a xmlns='urn:a' xmlns:b='urn:b' b:c='d'><b:e xmlns='urn:f'><g xmlns=''/></b:e><b:e xmlns:b='urn:h'/></a>",
	"<a xml:space='preserve'> <b> </b> </a>",
	"<a> <b>x</b> y </a>",
	"<a><![CDATA[<b>&]]>c<![CDATA[]]></a>",
	"<\xc3\xa4 \xc3\xb6='\xe2\x82\xac'>\xf0\x9f\x98\x80</\xc3\xa4>",
	"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>",
	"\xef\xbb\xbf<a>\xc3\xa4</a>",
	"<a xml:lang='en'><b/><b/><c/><c/><b/></a>",
};

static void a_document_that_is_read_and_written_is_the_same(void **state)
{
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
		same("plain", documents[i], strlen(documents[i]));
		same("exact", documents[i], strlen(documents[i]));
	}
}

static void comments_and_instructions_and_indentation_are_kept_in_the_exact_form(void **state)
{
	static const char text[] = "<!-- a --><?b c?>\n<d>\n  <e/> <!-- f --><?g?>\n</d>\n<!--h-->";
	static const char wide[] = "\xff\xfe<\0a\0>\0x\0<\0/\0a\0>\0";

	same("exact", text, strlen(text));
	same("exact", wide, sizeof wide - 1);
}

static void every_sample(const char *folder, unsigned *n)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *path = support_path(folder, entry->d_name), *content;
		size_t len = strlen(entry->d_name), size;

		if (len > 4 && !strcasecmp(entry->d_name + len - 4, ".xml")) {
			content = support_read(path, &size);
			same("exact", content, size);
			++*n;
			free(content);
		}
		free(path);
	}
	if (directory)
		closedir(directory);
}

static void samples_are_the_same_when_written_again(void **state)
{
	static const char *const folders[] = {"ubl/eInvoicing-EN16931", "iso20022/iso20022.js"};
	unsigned n = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *source = getenv("FERRULE_SRCDIR");
		char *path = mem_printf("%s/../shared/data/%s", source ? source : SRCDIR, folders[i]);

		every_sample(path, &n);
		free(path);
	}
	if (!n)
		support_skip("there are no sample files in ../shared/data beside the source");
}

/* ---- what is refused */
static char *many(const char *before, const char *each, unsigned n, const char *after)
{
	struct buf text;

	buf_init(&text, SIZE_MAX / 4);
	buf_text(&text, before);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&text, each, i);
	buf_text(&text, after);
	return buf_take(&text);
}

static void refused_many(const char *settings, const char *before, const char *each, unsigned n, const char *after,
			 const char *code)
{
	char *text = many(before, each, n, after);

	refused(settings, text, code);
	free(text);
}

static void entities_are_never_taken(void **state)
{
	refused("", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "xml.entity");
	refused("", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "xml.entity");
	refused("", "<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://127.0.0.1:1/x'> %b;]><a/>", "xml.entity");
	refused("", "<!DOCTYPE a [<!NOTATION n SYSTEM 'n'><!ENTITY b SYSTEM 'x' NDATA n>]><a/>", "xml.entity");
	refused("", "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a>&nbsp;</a>", "xml.entity");
	refused("", "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a b='&nbsp;'/>", "xml.entity");
	refused("", "<a>&nbsp;</a>", "xml.entity");
}

static void what_is_no_xml_is_refused(void **state)
{
	refused("", "", "xml.empty");
	refused("", " \n", "xml.empty");
	refused("", "ISA*00*", "xml.empty");
	refused("", "<a>", "xml.syntax");
	refused("", "<a/><b/>", "xml.syntax");
	refused("", "<a b='1' b='2'/>", "xml.syntax");
	refused("", "<a xmlns:b='urn:x' xmlns:c='urn:x' b:d='1' c:d='2'/>", "xml.namespace");
	refused("", "<b:a/>", "xml.namespace");
	refused("", "<a>\x01</a>", "xml.character");
	refused("", "<a>&#0;</a>", "xml.character");
	refused("", "<a>\xe4 is ISO 8859-1</a>", "xml.encoding");
	refused("", "<?xml version='1.0' encoding='klingon'?><a/>", "xml.encoding");
}

static void limits_hold(void **state)
{
	refused_many("", "<a>", "<b>%u</b>", 100, "</a>", "xml.too-large");
	refused_many("", "<a>", "%08u", 200, "</a>", "xml.too-large");
	refused_many(", \"attributes\": 3", "<a", " b%u=''", 4, "/>", "xml.attributes");
	refused_many(", \"depth\": 3", "", "<a>", 4, "", "xml.depth");
	refused_many(", \"each\": \"//x\"", "<a", " b%u=''", 50000, "/>", "xml.too-large");
	refused_many(", \"each\": \"//x\"", "", "<a>", 300, "", "xml.depth");
	refused_many(", \"each\": \"//x\"", "<x>", "<a%u/>", 30000, "</x>", "xml.too-large");
}

static void only_so_many_names_are_remembered(void **state)
{
	char *text = many("<o>", "<x><a%u/></x>", 30000, "</o>");
	struct came came = {0};

	run("{\"decode\": {\"format\": \"xml\", \"each\": \"//x\"}}", span_of(text), NULL, &came);
	assert_true(came.published > 1000 && came.published < 30000);
	assert_int_equal(came.dead, 1);
	free(text);
	buf_free(&came.lines);
}

static void an_element_that_is_too_large_is_refused_alone(void **state)
{
	char *text = many("<o><x/><x>", "<b>%u</b>", 100, "</x><x/></o>");
	struct came came = {0};

	run("{\"decode\": {\"format\": \"xml\", \"each\": \"/o/x\"}}", span_of(text), &small, &came);
	assert_int_equal(came.published, 2);
	assert_int_equal(came.dead, 1);
	assert_non_null(strstr(came.lines.data, "xml.too-large"));
	free(text);
	buf_free(&came.lines);
}

static void a_prefix_in_a_path_is_that_of_the_document(void **state)
{
	struct came came = {0};
	struct span text = SPAN_LITERAL("<o xmlns:p='urn:p'><x/><p:x/><y><x/></y></o>");

	assert_int_equal(run("{\"decode\": {\"format\": \"xml\", \"each\": \"/o/x\"}}", text, NULL, &came), 2);
	assert_int_equal(run("{\"decode\": {\"format\": \"xml\", \"each\": \"/o/p:x\"}}", text, NULL, &came), 1);
	assert_int_equal(run("{\"decode\": {\"format\": \"xml\", \"each\": \"//x\"}}", text, NULL, &came), 3);
	assert_int_equal(run("{\"decode\": {\"format\": \"xml\", \"each\": \"/*/*/x\"}}", text, NULL, &came), 1);
	assert_int_equal(run("{\"decode\": {\"format\": \"xml\", \"each\": \"/o/*\"}}", text, NULL, &came), 3);
	buf_free(&came.lines);
}

static void what_the_root_is_stands_in_the_envelope(void **state)
{
	struct came came = {0};

	run("{\"decode\": {\"format\": \"xml\", \"names\": \"local\"}}, {\"filter\": \"$envelope.xml.namespace == "
	    "\\\"urn:x\\\" and $envelope.xml.root == \\\"a\\\"\"}",
	    SPAN_LITERAL("<p:a xmlns:p='urn:x'/>"), NULL, &came);
	assert_int_equal(came.published, 1);
	buf_free(&came.lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_that_is_read_and_written_is_the_same),
		cmocka_unit_test(comments_and_instructions_and_indentation_are_kept_in_the_exact_form),
		cmocka_unit_test(samples_are_the_same_when_written_again),
		cmocka_unit_test(entities_are_never_taken),
		cmocka_unit_test(what_is_no_xml_is_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(only_so_many_names_are_remembered),
		cmocka_unit_test(an_element_that_is_too_large_is_refused_alone),
		cmocka_unit_test(a_prefix_in_a_path_is_that_of_the_document),
		cmocka_unit_test(what_the_root_is_stands_in_the_envelope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
