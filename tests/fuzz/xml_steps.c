/* Fuzz target: any bytes through a schema, a stylesheet and rules in Schematron; the first byte chooses. */
#include "config.h"
#include "tests/fuzz/chain.h"

static const char schema[] =
	"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='a'><xs:complexType mixed='true'>"
	"<xs:choice minOccurs='0' maxOccurs='unbounded'><xs:element ref='a'/><xs:element name='b' type='xs:decimal'/>"
	"<xs:any namespace='##other' processContents='lax'/></xs:choice><xs:attribute name='c' type='xs:date'/>"
	"<xs:anyAttribute processContents='lax'/></xs:complexType></xs:element></xs:schema>";
static const char stylesheet[] =
	"<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:key name='k' match='*' "
	"use='@c'/><xsl:template match='@*|node()'><xsl:copy><xsl:apply-templates select='@*|node()'/></xsl:copy>"
	"</xsl:template><xsl:template match='b'><d n=\"{count(key('k', .))}\"><xsl:for-each select='../*'><xsl:sort "
	"select='.'/><xsl:value-of select=\"substring-before(concat(name(), ., generate-id()), 'x')\"/><xsl:copy-of "
	"select='document(.)'/></xsl:for-each></d></xsl:template></xsl:stylesheet>";
static const char rules[] =
	"<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' "
	"xmlns:s='http://purl.oclc.org/dsdl/svrl'><xsl:template match='/'><s:schematron-output><xsl:for-each "
	"select='//*'><s:failed-assert id='{name()}' flag='{@c}' location='{count(ancestor::*)}'><s:text><xsl:value-of "
	"select='.'/></s:text></s:failed-assert></xsl:for-each></s:schematron-output></xsl:template></xsl:stylesheet>";

static const struct {
	const struct transformer_ops *ops;
	const char *name;
	struct span text;
} steps[] = {
	{&xsd_transformer, "a.xsd", {schema, sizeof schema - 1}},
	{&xslt_transformer, "a.xsl", {stylesheet, sizeof stylesheet - 1}},
	{&schematron_transformer, "b.xsl", {rules, sizeof rules - 1}},
};

#define STEPS (sizeof steps / sizeof *steps)

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	for (size_t i = 0; i < STEPS; i++)
		if (!strcmp(steps[i].name, name))
			return &steps[i].text;
	return NULL;
}

static struct chain *chain_of(size_t at)
{
	static struct arena *arena; /* of all of them, as long as the program */
	static const struct transformer_context surroundings = {.file = file_of};
	struct node node = {.type = NODE_SCALAR, .text = span_of(steps[at].name)};
	struct findings findings;
	struct option_context context = {.findings = &findings};
	struct chain_step step = {.ops = steps[at].ops, .label = "step"};
	struct error error;
	struct chain *chain;

	if (!arena)
		arena = arena_new();
	context.arena = arena;
	step.settings = arena_alloc(arena, step.ops->settings_size);
	findings_init(&findings);
	if (option_fill(&context, &node, step.ops->options, NULL, (void *)(uintptr_t)step.settings))
		abort();
	chain = chain_new("fuzz", &step, 1, &surroundings, NULL, &error);
	if (!chain)
		abort();
	findings_free(&findings);
	return chain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct chain *chains[STEPS];
	struct chain_hand hand = {.write = forget_bytes};
	struct chain_report report;
	struct reader *body;
	struct error error;
	size_t at;

	if (!size)
		return 0;
	for (size_t i = 0; i < STEPS && !chains[i]; i++)
		chains[i] = chain_of(i);
	at = data[0] % STEPS;
	body = reader_new_copy(span_make(data + 1, size - 1));
	if (chain_run_by_hand(chains[at], body, SPAN_NONE, SPAN_NONE, &hand, &report, &error) ||
	    report.outputs + report.dead != 1)
		abort();
	reader_unref(body);
	return 0;
}
