/* Man pages from the tables: one for each verb, ferrule(1), and ferrule-site(5) with every key. In the man macros of
 * groff and mandoc (man(7)). */
#include "config.h"
#include "cli/help.h"
#include "cli/parts.h"

#include <ctype.h>
#include <string.h>

#include "config/describe.h"
#include "services/registry.h"

/* Of the last change that readers should know of; pages have one by convention. */
#define MANUAL_DATE "2026-11-23"

const char *const manual_names[] = {"ferrule", "ferrule-site", NULL};

/* ---- text ------------------------------------------------------------------------------------------------ */
/* Nothing of it is a request; hyphens are those that are typed. */
static void put(struct buf *out, struct span text)
{
	bool begins = true;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (begins && (c == '.' || c == '\''))
			buf_text(out, "\\&");
		if (c == '\\')
			buf_text(out, "\\e");
		else if (c == '-')
			buf_text(out, "\\-");
		else
			buf_char(out, c);
		begins = c == '\n';
	}
}

static void sentence(struct buf *out, const char *text)
{
	char first[2] = {help_first(text), 0};
	size_t n = strlen(text);

	put(out, span_of(first));
	put(out, span_of(text + 1));
	buf_text(out, n && text[n - 1] != '.' ? ".\n" : "\n");
}

static void title(struct buf *out, const char *name, int section, const char *summary)
{
	buf_text(out, ".TH ");
	for (const char *c = name; *c; c++)
		buf_char(out, (char)toupper((unsigned char)*c));
	buf_printf(out, " %d \"" MANUAL_DATE "\" \"ferrule %s\" \"Ferrule\"\n.SH NAME\n", section, PACKAGE_VERSION);
	put(out, span_of(name));
	buf_text(out, " \\- ");
	put(out, span_of(summary));
	buf_char(out, '\n');
}

static void paragraph(void *arg, bool example, struct span text)
{
	struct buf *out = arg;

	buf_text(out, example ? ".PP\n.nf\n.RS 4\n" : ".PP\n");
	put(out, text);
	buf_text(out, example ? "\n.RE\n.fi\n" : "\n");
}

/* ---- verbs ----------------------------------------------------------------------------------------------- */
static void print_options(struct buf *out, const struct verb *verb)
{
	if (!verb->options || !verb->options->name)
		return;
	buf_text(out, ".SH OPTIONS\n");
	for (const struct verb_option *option = verb->options; option->name; option++) {
		char *text;

		buf_text(out, ".TP\n.B \\-\\-");
		put(out, span_of(option->name));
		if (option->value) {
			buf_text(out, " \\fI");
			put(out, span_of(option->value));
			buf_text(out, "\\fR");
		}
		buf_char(out, '\n');
		text = part_help_new(option);
		sentence(out, text);
		free(text);
	}
}

static void print_exit(struct buf *out)
{
	buf_text(out, ".SH \"EXIT STATUS\"\n"
		      ".TP\n.B 0\nDone.\n.TP\n.B 1\nFindings or failures.\n.TP\n.B 2\nThe command line is wrong.\n"
		      ".TP\n.B 3\nThe site cannot be reached.\n");
}

static void print_verb(struct buf *out, const struct verb *verb)
{
	char name[64];

	snprintf(name, sizeof name, "ferrule-%s", verb->name);
	title(out, name, 1, verb->summary);
	buf_printf(out, ".SH SYNOPSIS\n.B ferrule %s\n", verb->name);
	if (verb->options && verb->options->name)
		buf_text(out, "[\\fIoptions\\fR]\n");
	if (*verb->words) {
		put(out, span_of(verb->words));
		buf_char(out, '\n');
	}
	buf_text(out, ".SH DESCRIPTION\n");
	sentence(out, verb->summary);
	if (verb->alias)
		buf_printf(out, "It may be typed\n.B ferrule %s\nas well.\n", verb->alias);
	help_paragraphs(verb->text, paragraph, out);
	print_options(out, verb);
	if (verb->json) {
		buf_text(out, ".SH JSON\nWith \\-\\-json it answers:\n.PP\n.nf\n");
		put(out, span_of(verb->json));
		buf_text(out, "\n.fi\n");
	}
	print_exit(out);
	buf_text(out, ".SH \"SEE ALSO\"\n.BR ferrule (1),\n.BR ferrule\\-site (5)\n");
}

static void print_program(struct buf *out)
{
	title(out, "ferrule", 1, "joins ERP, CRM, support systems and trading partners through durable queues");
	buf_text(
		out,
		".SH SYNOPSIS\n.B ferrule\n\\fIverb\\fR [\\fIoptions\\fR] [\\fIwords\\fR]\n.br\n.B ferrule help\n"
		"[\\fIverb\\fR]\n.SH DESCRIPTION\n"
		"Ferrule takes what arrives (partner files, webhooks), turns it into canonical messages checked "
		"against "
		"contracts, and delivers them to every system that needs them: once, in order where asked, and so that "
		"anyone can ask where an order is. A site is a directory of YAML, jq and JSON Schema, described in\n"
		".BR ferrule\\-site (5).\n.SH VERBS\n");
	for (size_t i = 0; verbs[i]; i++) {
		buf_printf(out, ".TP\n.BR ferrule\\-%s (1)\n", verbs[i]->name);
		sentence(out, verbs[i]->summary);
	}
	buf_text(out, ".SH ENVIRONMENT\n"
		      ".TP\n.B FERRULE_DATA\nWhere the contracts and templates that ship are, if not where they were "
		      "installed.\n"
		      ".TP\n.B FERRULE_MACHINE\nWhat this machine is called in\n.B ferrule status\nand in alerts, "
		      "among several of one site; its host name if not set.\n"
		      ".PP\n${NAME} in a site's YAML is replaced from environments/, then from the environment.\n");
	print_exit(out);
	buf_text(out,
		 ".SH EXAMPLES\n.nf\n.RS 4\nferrule init my\\-site\nferrule check my\\-site\nferrule run my\\-site\n"
		 "ferrule trace PO\\-4711 \\-\\-site my\\-site\n.RE\n.fi\n");
	buf_text(out, ".SH \"SEE ALSO\"\n.BR ferrule\\-site (5)\n");
}

/* ---- keys ------------------------------------------------------------------------------------------------ */
static void option_entry(void *arg, const struct described_option *row)
{
	struct buf *out = arg, form;

	buf_init(&form, 4096);
	describe_form(row->option, &form);
	buf_text(out, ".TP\n\\fB");
	put(out, span_of(row->path));
	buf_text(out, "\\fR: \\fI");
	put(out, buf_view(&form));
	buf_text(out, "\\fR\n");
	if (row->words) {
		put(out, span_of(row->words));
		buf_text(out, ": ");
	}
	sentence(out, row->option->help ? row->option->help : row->option->name);
	if (row->option->flags & OPTION_REQUIRED)
		buf_text(out, "Required.\n");
	if (row->option->fallback && *row->option->fallback) {
		buf_text(out, "Default: ");
		put(out, span_of(row->option->fallback));
		buf_text(out, ".\n");
	}
	if (row->option->flags & OPTION_MAIN)
		buf_text(out, "May stand alone.\n");
	buf_free(&form);
}

static void described_part(void *arg, const struct described *described)
{
	struct buf *out = arg;

	if (*described->name) {
		buf_text(out, ".SS \"");
		put(out, span_of(described->area));
		buf_text(out, ": ");
		put(out, span_of(described->name));
	} else {
		buf_text(out, ".SH \"");
		for (const char *c = described->area; *c; c++)
			buf_char(out, (char)toupper((unsigned char)*c));
		buf_text(out, strcmp(described->area, "step") ? "" : " (EVERY)");
	}
	buf_text(out, "\"\n");
	if (described->help)
		sentence(out, described->help);
	if (!described->options || !described->options->name)
		buf_text(out, "It has no settings.\n");
	describe_options(described->options, option_entry, out);
}

static void print_keys(struct buf *out)
{
	title(out, "ferrule-site", 5, "every key of a Ferrule site");
	buf_text(out,
		 ".SH DESCRIPTION\nA site is a directory:\n.PP\n.nf\n.RS 4\n"
		 "site.yaml                name, queue, store, listener, retention\n"
		 "flows/*.yaml             where messages come from, what is done, where they go\n"
		 "systems/*.yaml           how to reach a system, and its operations\n"
		 "transfers/*.yaml         flows with a schedule\n"
		 "calendars/*.yaml         which days are working days\n"
		 "snippets/*.yaml          steps that several flows use\n"
		 "environments/*.yaml      values for \\-\\-env\n"
		 "mappings/*.jq            mappings\n"
		 "canonical/               contracts: ENTITY/vN.schema.json\n"
		 "tests/*.yaml             what must come of what\n"
		 "secrets/                 a file for each secret, mode 0700\n.RE\n.fi\n.PP\n"
		 "a.b is b within a; a.NAME.b is within each entry of a. \"May stand alone\": where nothing else is "
		 "said, "
		 "its value stands in place of the whole map. A duration is 250ms, 90s, 1h30m or 5d; a size 512, 64KiB "
		 "or "
		 "10MB. ${NAME} and ${NAME:default} are replaced in every value when the site is read; $(...) is jq, "
		 "evaluated for each message.\n");
	describe_each(registry_get(), described_part, out);
	buf_text(out, ".SH \"SEE ALSO\"\n.BR ferrule (1),\n.BR ferrule\\-check (1),\n.BR ferrule\\-schema (1)\n");
}

int manual_print(const char *name, struct buf *out)
{
	const struct verb *verb = verb_find(name);

	if (strcmp(name, "ferrule") == 0)
		print_program(out);
	else if (strcmp(name, "ferrule-site") == 0)
		print_keys(out);
	else if (verb)
		print_verb(out, verb);
	else
		return -1;
	return 0;
}
