/* Fuzz target: any bytes as an expression of XPath, as a pattern, and as rules in Schematron. What compiles is
 * evaluated over a small document: it gives a value or an error, and the same one twice. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/schematron/schematron.h"
#include "transformers/xml/xml_nodes.h"
#include "transformers/xpath/xpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] = "<a xmlns:p='urn:p' n='1'><b>1.50</b><b k='x'>2026-02-28</b><p:c> a  b </p:c>"
			       "<!--c--><?d e?></a>";

static void once(const struct xpath_program *program, const struct xpath_expr *expr, const struct xpath_tree *tree,
		 struct buf *into)
{
	struct xpath_run *run = xpath_run_new(program, tree, 1772236800000);
	struct error error;
	struct span text;
	bool truth;

	if (xpath_run_text(run, expr, 1, &text, &error))
		text = span_of(error.text);
	buf_append(into, text.data, text.len);
	xpath_run_reset(run);
	if (xpath_run_test(run, expr, 2, &truth, &error))
		buf_text(into, error.text);
	else
		buf_char(into, truth ? '1' : '0');
	xpath_run_free(run);
}

/* document('…') gives it once more, whatever the name is. */
static const struct xpath_tree *document_again(void *arg, struct span href, struct error *error)
{
	if (!href.len)
		error_set(error, ERROR_REJECT, "xpath.syntax", "there is no document without a name");
	return href.len ? arg : NULL;
}

static void evaluate(struct span text, struct xpath_tree *tree, bool pattern)
{
	struct xpath_program *program = xpath_program_new();
	struct xpath_expr *expr;
	struct buf first, second;
	struct error error;

	xpath_namespace(program, SPAN_LITERAL("p"), SPAN_LITERAL("urn:p"));
	xpath_documents(program, document_again, tree);
	expr = pattern ? xpath_compile_pattern(program, text, &error) : xpath_compile(program, text, &error);
	if (expr) {
		xpath_join(program, tree);
		buf_init(&first, 1 << 20);
		buf_init(&second, 1 << 20);
		once(program, expr, tree, &first);
		once(program, expr, tree, &second);
		if (!span_equal(buf_view(&first), buf_view(&second)))
			abort();
		xpath_tree_part(tree);
		buf_free(&first);
		buf_free(&second);
	} else if (strcmp(error.code, "xpath.syntax") != 0) {
		abort();
	}
	xpath_program_free(program);
}

static void forget(void *arg, struct schematron_finding *finding)
{
	struct buf text;

	buf_init(&text, 10000);
	schematron_text(finding, &text);
	schematron_place(finding, &text);
	buf_free(&text);
}

static void judge(struct span text, struct xpath_tree *tree)
{
	struct error error;
	struct xpath_tree *rules = xml_nodes_of_file(text, "rules", &error);
	struct schematron *schematron = rules ? schematron_new("rules", rules, NULL, NULL, NULL, &error) : NULL;

	if (schematron)
		schematron_judge(schematron, tree, 0, forget, NULL, &error);
	schematron_free(schematron);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xpath_tree *tree;
	struct error error;
	struct span text;

	if (!size)
		return 0;
	if (!tree)
		tree = xml_nodes_of_file(span_make(document, sizeof document - 1), "document", &error);
	if (!tree)
		abort();
	text = span_make(data + 1, size - 1);
	if (data[0] == '<')
		judge(span_make(data, size), tree);
	else
		evaluate(text, tree, data[0] == 'p');
	return 0;
}
