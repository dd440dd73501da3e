/* schematron: lets XML through that rules allow. Rules for XPath 2.0 are judged here (transformers/schematron/); those
 * that somebody compiled to XSLT 1.0 run in libxslt, and the report that they give (SVRL, ISO 19757-3) is read. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "transformers/schematron/schematron.h"
#include "transformers/xml/xml_nodes.h"
#include "transformers/xml/xml_xslt.h"

struct settings {
	const char *rules, *phase;
	int refuse;
};

enum { REFUSE_ERRORS, REFUSE_WARNINGS };

static const struct option options[] = {
	{.name = "rules",
	 .type = OPTION_FILE,
	 .offset = offsetof(struct settings, rules),
	 .range = "mappings",
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "the rules, a file in mappings/: Schematron (.sch) for XPath 2.0, or rules compiled to XSLT"},
	{.name = "phase",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct settings, phase),
	 .help = "judge by the patterns of this phase only; without it, of the rules' own default, else by all"},
	{.name = "refuse",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct settings, refuse),
	 .range = "errors|warnings",
	 .fallback = "errors",
	 .help = "warnings: also what is only flagged as a warning"},
	OPTION_END,
};

struct judge {
	const struct settings *settings;
	struct schematron *rules; /* or … */
	struct xml_stylesheet *sheet;
};

/* ---- rules */
static void close_judge(void *self)
{
	struct judge *judge = self;

	schematron_free(judge->rules);
	xml_stylesheet_free(judge->sheet);
	free(judge);
}

static int read_rules(struct judge *judge, const struct transformer_context *context, struct findings *findings,
		      struct error *error)
{
	const char *name = judge->settings->rules;
	const struct span *text = context && context->file ? context->file(context->site, "mappings", name) : NULL;
	struct xpath_tree *tree;

	if (!text)
		return error_set(error, ERROR_REJECT, "schematron.rules", "there is no mappings/%s", name);
	tree = xml_nodes_of_file(*text, name, error);
	if (!tree)
		return error_wrap(error, "mappings/%s cannot be used", name);
	if (schematron_is_ours(tree)) {
		judge->rules = schematron_new(name, tree, judge->settings->phase, context, findings, error);
		return judge->rules ? 0 : -1;
	}
	xpath_tree_free(tree);
	if (judge->settings->phase)
		return error_set(error, ERROR_REJECT, "schematron.rules",
				 "mappings/%s is compiled to XSLT 1.0, and `phase` is for rules that are not", name);
	judge->sheet = xml_stylesheet_new(name, context, error);
	return judge->sheet ? 0 : -1;
}

static void *open_judge(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct judge *judge = mem_alloc(sizeof *judge);

	judge->settings = settings;
	if (!read_rules(judge, context, NULL, error))
		return judge;
	close_judge(judge);
	return NULL;
}

/* Each fault of rules that are judged here has a place of its own. */
static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	struct judge *judge = mem_alloc(sizeof *judge);
	size_t errors = findings->errors;
	struct error error;

	judge->settings = settings;
	if (read_rules(judge, context, findings, &error) && findings->errors == errors)
		finding_add(findings, place, SEVERITY_ERROR,
			    strcmp(error.code, "xslt.stylesheet") ? "schematron.rules" : "xslt.stylesheet", "%s",
			    error.text);
	close_judge(judge);
	return findings->errors == errors ? 0 : -1;
}

/* ---- what is broken */
#define SVRL "http://purl.oclc.org/dsdl/svrl"
#define WARNINGS_MAX 100

struct report {
	int refuse;
	struct buf text; /* of what refuses */
	unsigned refused;
	json_t *warnings;
};

/* Rules say it as `flag` or `role`, in words that are not prescribed. */
static bool is_warning(const char *flag, const char *role)
{
	const char *word = flag && *flag ? flag : role;

	return word && (!strncasecmp(word, "warn", 4) || !strncasecmp(word, "info", 4));
}

/* Does it refuse the document? *told: is it one of those that are told? */
static bool counts(struct report *report, bool warning, bool *told)
{
	if (warning && report->refuse == REFUSE_ERRORS) {
		*told = json_array_size(report->warnings) < WARNINGS_MAX;
		return false;
	}
	*told = ++report->refused <= XML_TOLD_MAX;
	return true;
}

static void tell(struct report *report, bool refuses, const char *id, const char *text, const char *place)
{
	if (!refuses) {
		json_array_append_new(report->warnings,
				      json_pack("{s:s*, s:s, s:s*}", "id", id, "text", text, "location", place));
		return;
	}
	if (report->text.len)
		buf_text(&report->text, "; ");
	if (id)
		buf_printf(&report->text, "%s: ", id);
	buf_text(&report->text, text);
	if (place)
		buf_printf(&report->text, " (%s)", place);
}

/* ---- by libxslt */
static bool is_svrl(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && node->ns && !strcmp((const char *)node->ns->href, SVRL) &&
	       !strcmp((const char *)node->name, name);
}

static char *attribute_of(xmlNode *node, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *text = mem_strdup((const char *)value);

	xmlFree(value);
	return text;
}

/* White space in a row is one blank. */
static char *text_of(xmlNode *node)
{
	xmlNode *child = node->children;
	xmlChar *content;
	char *text, *to;

	while (child && !is_svrl(child, "text"))
		child = child->next;
	content = child ? xmlNodeGetContent(child) : NULL;
	text = mem_strdup(content ? (const char *)content : "");
	xmlFree(content);
	to = text;
	for (const char *from = text; *from; from++)
		if (!strchr(" \t\r\n", *from))
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
	return text;
}

static void note(struct report *report, xmlNode *node)
{
	char *id = attribute_of(node, "id"), *flag = attribute_of(node, "flag"), *role = attribute_of(node, "role"),
	     *location = attribute_of(node, "location"), *text = text_of(node);
	bool told, refuses = counts(report, is_warning(flag, role), &told);

	if (told)
		tell(report, refuses, id, text, location);
	free(id);
	free(flag);
	free(role);
	free(location);
	free(text);
}

static int read_report(const struct judge *judge, xmlDoc *svrl, struct report *report, struct error *error)
{
	xmlNode *root = xmlDocGetRootElement(svrl);

	if (!root || !is_svrl(root, "schematron-output"))
		return error_set(error, ERROR_REJECT, "schematron.report",
				 "mappings/%s does not give a report of Schematron (SVRL), but %s",
				 judge->settings->rules, root ? (const char *)root->name : "nothing");
	for (xmlNode *node = root->children; node; node = node->next)
		if (is_svrl(node, "failed-assert") || is_svrl(node, "successful-report"))
			note(report, node);
	return 0;
}

static int judge_by_sheet(const struct judge *judge, struct item *item, struct report *report, struct error *error)
{
	xmlDoc *document = xml_tree_of(item, error), *svrl = NULL;
	int failed;

	if (document)
		svrl = xml_stylesheet_apply(judge->sheet, document, NULL, error);
	failed = svrl ? read_report(judge, svrl, report, error) : -1;
	xmlFreeDoc(svrl);
	xmlFreeDoc(document);
	return failed;
}

/* ---- by ourselves */
static void note_finding(void *arg, struct schematron_finding *finding)
{
	struct report *report = arg;
	char *flag = mem_span_dup(finding->flag), *role = mem_span_dup(finding->role), *id;
	bool told, refuses = counts(report, is_warning(flag, role), &told);
	struct buf text, place;

	free(flag);
	free(role);
	if (!told)
		return;
	id = finding->id.len ? mem_span_dup(finding->id) : NULL;
	buf_init(&text, 2000);
	buf_init(&place, 2100);
	schematron_text(finding, &text);
	schematron_place(finding, &place);
	if (finding->line)
		buf_printf(&place, ", line %u", finding->line);
	tell(report, refuses, id, text.data ? text.data : "", place.data);
	buf_free(&text);
	buf_free(&place);
	free(id);
}

static int judge_by_rules(const struct judge *judge, struct item *item, struct out *out, struct report *report,
			  struct error *error)
{
	struct xpath_tree *tree = xml_nodes_of(item, error);
	int failed = tree ? schematron_judge(judge->rules, tree, out_time_ms(out), note_finding, report, error) : -1;

	xpath_tree_free(tree);
	return failed;
}

/* ---- the step */
static int refuse(const struct judge *judge, const struct report *report, struct error *error)
{
	return error_set(error, ERROR_REJECT, "schematron.refused", "%u rule%s of %s broken: %s", report->refused,
			 report->refused == 1 ? "" : "s", judge->settings->rules, report->text.data);
}

static int pass(struct report *report, struct item *item, struct out *out, struct error *error)
{
	struct item *passed = out_twin(out, item);
	json_t *facts = item->facts ? json_copy(item->facts) : json_object();

	json_object_set_new(facts, "schematron", json_pack("{s:O}", "warnings", report->warnings));
	json_decref(passed->facts);
	passed->facts = facts;
	return out_emit(out, passed, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct judge *judge = self;
	struct report report = {.refuse = judge->settings->refuse, .warnings = json_array()};
	int failed;

	buf_init(&report.text, 4000);
	failed = judge->rules ? judge_by_rules(judge, item, out, &report, error)
			      : judge_by_sheet(judge, item, &report, error);
	if (!failed && report.refused)
		failed = refuse(judge, &report, error);
	if (!failed)
		failed = pass(&report, item, out, error);
	buf_free(&report.text);
	json_decref(report.warnings);
	return failed;
}

const struct transformer_ops schematron_transformer = {
	.name = "schematron",
	.help = "Lets XML through that rules in Schematron allow",
	.options = options,
	.settings_size = sizeof(struct settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_judge,
	.close = close_judge,
	.run = run,
};
