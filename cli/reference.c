/* The reference in Markdown, from the tables: docs/reference/, which `make docs` writes and the tests compare. */
#include "config.h"
#include "cli/help.h"
#include "cli/parts.h"

#include <string.h>

#include "config/describe.h"
#include "config/error_codes.h"
#include "config/site.h"
#include "services/registry.h"
#include "transformers/edi/edi_finding.h"

#define MADE "<!-- Made by `make docs` from the tables of the program; changes here are lost. -->\n\n"

const char *const reference_names[] = {"cli", "errors", "findings", "site", "steps", NULL};

struct page {
	struct buf *out;
	const char *area;
	bool steps; /* the areas of this page: steps, or all others */
};

/* ---- text ------------------------------------------------------------------------------------------------ */
/* In a table's cell and in prose nothing of it is markup. */
static void put(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr("|*<>_", text.data[i]))
			buf_char(out, '\\');
		buf_char(out, text.data[i]);
	}
}

static void sentence(struct buf *out, const char *text)
{
	char first[2] = {help_first(text), 0};
	size_t n = strlen(text);

	put(out, span_of(first));
	put(out, span_of(text + 1));
	if (n && text[n - 1] != '.')
		buf_char(out, '.');
}

static void code(struct buf *out, const char *text)
{
	buf_char(out, '`');
	for (; *text; text++) {
		if (*text == '|')
			buf_char(out, '\\');
		buf_char(out, *text);
	}
	buf_char(out, '`');
}

/* ---- keys ------------------------------------------------------------------------------------------------ */
static void option_row(void *arg, const struct described_option *row)
{
	struct page *page = arg;
	struct buf form;

	buf_init(&form, 4096);
	describe_form(row->option, &form);
	buf_text(page->out, "| ");
	code(page->out, row->path);
	buf_text(page->out, row->option->flags & OPTION_REQUIRED ? " (required) | " : " | ");
	put(page->out, buf_view(&form));
	buf_text(page->out, " | ");
	if (row->option->fallback && *row->option->fallback)
		code(page->out, row->option->fallback);
	buf_text(page->out, " | ");
	if (row->words) {
		put(page->out, span_of(row->words));
		buf_text(page->out, ": ");
	}
	sentence(page->out, row->option->help ? row->option->help : row->option->name);
	buf_text(page->out, row->option->flags & OPTION_MAIN ? " May stand alone. |\n" : " |\n");
	buf_free(&form);
}

static void heading(struct page *page, const struct described *described)
{
	static const char *const titles[][2] = {
		{"site", "site.yaml"},   {"flow", "Flows"}, {"endpoint", "Every endpoint"},  {"system", "Systems"},
		{"transfer", "Transfers"}, {"calendar", "Calendars"},
		{"snippet", "Snippets"}, {"test", "Tests"}, {"environment", "Environments"},
	};

	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
		if (strcmp(titles[i][0], described->area) == 0)
			buf_printf(page->out, "## %s\n\n", titles[i][1]);
	}
	if (*described->name)
		buf_printf(page->out, "## `%s%s%s`\n\n", page->steps ? "" : described->area, page->steps ? "" : ": ",
			   described->name);
	else if (page->steps)
		buf_text(page->out, "## Every step\n\n");
}

static void described_part(void *arg, const struct described *described)
{
	struct page *page = arg;

	if (page->steps != (strcmp(described->area, "step") == 0))
		return;
	heading(page, described);
	if (described->help) {
		sentence(page->out, described->help);
		buf_text(page->out, "\n\n");
	}
	if (!described->options || !described->options->name) {
		buf_text(page->out, "It has no settings.\n\n");
		return;
	}
	buf_text(page->out, "| key | value | default | meaning |\n|---|---|---|---|\n");
	describe_options(described->options, option_row, page);
	buf_char(page->out, '\n');
}

static void print_site(struct buf *out)
{
	buf_text(out, "# Every key of a site\n\n" MADE "`a.b` is `b` within `a`; `a.NAME.b` is within each entry of "
		      "`a`. \"May stand alone\": where nothing else "
		      "is said, its value stands in place of the whole map: `encode: xml` is `encode: {format: xml}`. "
		      "A duration "
		      "is `250ms`, `90s`, `1h30m` or `5d`, a size `512`, `64KiB` or `10MB`. `${NAME}` and "
		      "`${NAME:default}` are "
		      "replaced in every value when the site is read; `$(…)` is jq, evaluated for each message. Steps: "
		      "[steps.md](steps.md).\n\n");
	describe_each(registry_get(), described_part, &(struct page){.out = out});
}

static void print_steps(struct buf *out)
{
	buf_text(out,
		 "# Every step\n\n" MADE
		 "What they do and how they work together: [../steps.md](../steps.md). `- map: a.jq` and "
		 "`- map: {mapping: a.jq}` say the same; other settings may stand beside the name of the step.\n\n");
	describe_each(registry_get(), described_part, &(struct page){.out = out, .steps = true});
}

/* ---- verbs ----------------------------------------------------------------------------------------------- */
static void paragraph(void *arg, bool example, struct span text)
{
	struct buf *out = arg;

	if (example)
		buf_text(out, "```sh\n");
	if (example)
		buf_span(out, text);
	else
		put(out, text);
	buf_text(out, example ? "\n```\n\n" : "\n\n");
}

static void print_verb(struct buf *out, const struct verb *verb)
{
	buf_printf(out, "## ferrule %s\n\n`ferrule %s%s%s`", verb->name, verb->name, *verb->words ? " " : "",
		   verb->words);
	if (verb->alias)
		buf_printf(out, ", also called `ferrule %s`", verb->alias);
	buf_text(out, "\n\n");
	sentence(out, verb->summary);
	buf_text(out, "\n\n");
	if (verb->options && verb->options->name)
		buf_text(out, "| option | meaning |\n|---|---|\n");
	for (const struct verb_option *option = verb->options; option && option->name; option++) {
		char *text;

		buf_printf(out, "| `--%s%s%s` | ", option->name, option->value ? " " : "",
			   option->value ? option->value : "");
		text = part_help_new(option);
		sentence(out, text);
		free(text);
		buf_text(out, " |\n");
	}
	buf_char(out, '\n');
	help_paragraphs(verb->text, paragraph, out);
	if (verb->json)
		buf_printf(out, "With `--json`:\n\n```text\n%s\n```\n\n", verb->json);
}

static void print_verbs(struct buf *out)
{
	buf_text(out,
		 "# Every verb\n\n" MADE "`ferrule help VERB` and `man ferrule-VERB` say the same. Exit codes: 0 done, "
		 "1 findings or failures, 2 the "
		 "command line is wrong, 3 the site cannot be reached. What programs read: `ferrule help json`.\n\n");
	for (size_t i = 0; verbs[i]; i++)
		print_verb(out, verbs[i]);
}

/* ---- findings -------------------------------------------------------------------------------------------- */
static void print_findings(struct buf *out)
{
	buf_text(out,
		 "# Every finding of check\n\n" MADE
		 "`ferrule check` tells a finding as `file:line:column: severity: message`; with `--json` and "
		 "`--sarif` it has its code. Codes stay what they are. `ferrule check --codes` prints this list.\n\n"
		 "| code | severity | what it says |\n|---|---|---|\n");
	for (const struct finding_code *c = finding_codes; c->code; c++) {
		buf_printf(out, "| `%s` | %s | ", c->code, c->severity == SEVERITY_ERROR ? "error" : "warning");
		sentence(out, c->help);
		buf_text(out, " |\n");
	}
}

/* ---- errors ---------------------------------------------------------------------------------------------- */
static void print_errors(struct buf *out)
{
	char becomes[120];

	buf_text(out,
		 "# Every code of an error\n\n" MADE
		 "Dead letters, doubts, log lines and what a command says with `--json` have a code, which stays what "
		 "it is; the sentence beside it may get better. `ferrule help CODE` tells what one means. What a code "
		 "of `ferrule check` means stands in [findings.md](findings.md); some of those, such as `jq.compile`, "
		 "can be the code of a dead letter as well.\n\n"
		 "| code | what becomes of it | what it says |\n|---|---|---|\n");
	for (const struct error_code *c = error_codes; c->code; c++) {
		error_code_becomes(c, becomes, sizeof becomes);
		buf_printf(out, "| `%s` | %s | ", c->code, becomes);
		sentence(out, c->help);
		buf_text(out, " |\n");
	}
	buf_text(out, "\n## Of X12, EDIFACT and TRADACOMS\n\n"
		      "A dead letter of a document has one of these behind the name of its format and a dot, "
		      "`x12.count`, as far as the format has such a thing.\n\n| code | what it says |\n|---|---|\n");
	for (int i = 0; i < EDI_KINDS; i++) {
		if (!edi_kinds[i].help || !edi_kinds[i].code)
			continue;
		buf_printf(out, "| `%s` | ", edi_kinds[i].code);
		sentence(out, edi_kinds[i].help);
		buf_text(out, " |\n");
	}
}

int reference_print(const char *name, struct buf *out)
{
	static void (*const print[])(struct buf *) = {print_verbs, print_errors, print_findings, print_site,
						       print_steps};

	for (size_t i = 0; reference_names[i]; i++) {
		if (strcmp(reference_names[i], name) != 0)
			continue;
		print[i](out);
		while (out->len && out->data[out->len - 1] == '\n' && out->data[out->len - 2] == '\n')
			out->len--;
		return 0;
	}
	return -1;
}
