/* Broken sites, one mistake each. tests/broken/base is a sound site; CASE.case says what is different in it, and what
 * `check` says then, to the letter, each line with its code behind it:
 *
 *     # what is wrong, in a sentence
 *     === env prod                     the environment; `all` for each in turn
 *     === file flows/out.yaml          the lines that follow, up to the next ===
 *     === delete mappings/order.jq
 *     === chmod 755 secrets
 *     === link secrets secrets         a symbolic link, to and where; to itself it cannot be read, not even by root
 *     === repeat 1000 flows/big.yaml   the lines that follow, so many times
 *     === each 9 snippets/a@.yaml      so many files, with 1 to 9 for each @, and the next number for each %
 *     === expect
 *     flows/out.yaml:3:1: error: unknown key `subscribes`; did you mean `subscribe`? [option.unknown]
 *
 * FERRULE_UPDATE=1 writes what is said: read the difference before you commit it. Each case is also checked twice, as
 * the second time is answered from what was kept, and told as SARIF. Every code of config/codes.c needs a case. */
#include "config.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/site.h"
#include "services/registry.h"
#include "tests/support/support.h"

#define CODES_MAX 400

struct broken_case {
	char *text, *site; /* site: the directory that was made of it */
	char environment[256];
	struct span expected;
	size_t expect_at; /* where the expected lines start in the text */
};

static bool seen[CODES_MAX];

/* ---- making the site --------------------------------------------------------------------------------------- */
static void copy_tree(const char *from, const char *to)
{
	struct dirent **entries;
	int n = scandir(from, &entries, NULL, alphasort);

	mkdir(to, 0755);
	for (int i = 0; i < n; i++) {
		char *a = support_path(from, entries[i]->d_name), *b = support_path(to, entries[i]->d_name);
		struct stat status;
		size_t len;

		if (entries[i]->d_name[0] != '.' && stat(a, &status) == 0) {
			if (S_ISDIR(status.st_mode)) {
				copy_tree(a, b);
			} else {
				char *text = support_read(a, &len);

				support_write(b, span_make(text, len));
				free(text);
			}
		}
		free(a);
		free(b);
		free(entries[i]);
	}
	free(n >= 0 ? entries : NULL);
}

static void repeat(const char *file, struct span lines, unsigned times)
{
	struct buf out;

	buf_init(&out, 8 << 20);
	while (times-- > 0)
		buf_span(&out, lines);
	support_write(file, buf_view(&out));
	buf_free(&out);
}

static void each(const char *file, struct span lines, unsigned times)
{
	for (unsigned n = 1; n <= times; n++) {
		struct buf name, out;
		char *path;

		buf_init(&name, 4096);
		buf_init(&out, 1 << 16);
		for (const char *at = file; *at; at++)
			*at == '@' ? buf_printf(&name, "%u", n) : buf_char(&name, *at);
		for (size_t i = 0; i < lines.len; i++)
			strchr("@%", lines.data[i]) ? buf_printf(&out, "%u", n + (lines.data[i] == '%'))
						    : buf_char(&out, lines.data[i]);
		path = buf_take(&name);
		support_write(path, buf_view(&out));
		free(path);
		buf_free(&out);
	}
}

static void apply(struct broken_case *c, const char *line, struct span lines)
{
	char word[16] = "", path[256] = "", to[256] = "", *file;
	unsigned mode = 0;

	if (sscanf(line, "=== chmod %o %255s", &mode, path) == 2) {
		file = support_path(c->site, path);
		mkdir(file, 0700);
		chmod(file, mode);
		free(file);
		return;
	}
	if (sscanf(line, "=== link %255s %255s", to, path) == 2) {
		file = support_path(c->site, path);
		support_rmtree(file);
		assert_int_equal(symlink(to, file), 0);
		free(file);
		return;
	}
	if (sscanf(line, "=== repeat %u %255s", &mode, path) == 2) {
		file = support_path(c->site, path);
		repeat(file, lines, mode);
		free(file);
		return;
	}
	if (sscanf(line, "=== each %u %255s", &mode, path) == 2) {
		file = support_path(c->site, path);
		each(file, lines, mode);
		free(file);
		return;
	}
	assert_true(sscanf(line, "=== %15s %255s", word, path) >= 1);
	file = support_path(c->site, path);
	if (strcmp(word, "env") == 0)
		snprintf(c->environment, sizeof c->environment, "%s", path);
	else if (strcmp(word, "file") == 0)
		support_write(file, lines);
	else if (strcmp(word, "delete") == 0)
		support_rmtree(file);
	else if (strcmp(word, "expect") == 0)
		c->expected = lines;
	else
		fail_msg("%s: there is no such line in a case", line);
	free(file);
}

static void make_site(struct broken_case *c, const char *base, size_t len)
{
	const char *at = c->text, *end = c->text + len;

	copy_tree(base, c->site);
	while (at < end) {
		const char *next = memchr(at, '\n', (size_t)(end - at)), *stop;
		char line[400];

		next = next ? next + 1 : end;
		if (strncmp(at, "=== ", 4) != 0) {
			at = next;
			continue;
		}
		snprintf(line, sizeof line, "%.*s", (int)(next - at - 1), at);
		for (stop = next; stop < end && strncmp(stop, "=== ", 4) != 0;) {
			const char *newline = memchr(stop, '\n', (size_t)(end - stop));

			stop = newline ? newline + 1 : end;
		}
		apply(c, line, span_make(next, (size_t)(stop - next)));
		if (strcmp(line, "=== expect") == 0)
			c->expect_at = (size_t)(next - c->text);
		at = stop;
	}
}

/* ---- checking ---------------------------------------------------------------------------------------------- */
static void note_code(const char *code)
{
	for (size_t i = 0; finding_codes[i].code && i < CODES_MAX; i++) {
		if (strcmp(finding_codes[i].code, code) == 0) {
			seen[i] = true;
			return;
		}
	}
	fail_msg("%s is not among the codes of config/codes.c", code);
}

/* The structure that SARIF 2.1.0 requires, with places that lead somewhere. */
static void assert_sarif(const struct findings *findings, const char *directory)
{
	json_t *sarif = report_sarif_new(findings, directory), *result;
	json_t *run = json_array_get(json_object_get(sarif, "runs"), 0);
	json_t *driver = json_object_get(json_object_get(run, "tool"), "driver"), *results, *rules;
	const char *version, *name, *id, *level, *text, *uri, *rule;
	size_t i;

	assert_int_equal(json_unpack(sarif, "{s:s}", "version", &version), 0);
	assert_string_equal(version, "2.1.0");
	assert_int_equal(json_unpack(driver, "{s:s, s:o}", "name", &name, "rules", &rules), 0);
	results = json_object_get(run, "results");
	assert_int_equal(json_array_size(results), findings->count);
	json_array_foreach(results, i, result) {
		int index, line = 1;

		assert_int_equal(json_unpack(result, "{s:s, s:i, s:s, s:{s:s}, s:[{s:{s:{s:s}}}]}", "ruleId", &id,
					     "ruleIndex", &index, "level", &level, "message", "text", &text,
					     "locations", "physicalLocation", "artifactLocation", "uri", &uri),
				 0);
		rule = json_string_value(json_object_get(json_array_get(rules, (size_t)index), "id"));
		assert_string_equal(rule, id);
		assert_true(strcmp(level, "error") == 0 || strcmp(level, "warning") == 0);
		assert_true(uri[0] != '/' && text[0]);
		json_unpack(result, "{s:[{s:{s:{s:i}}}]}", "locations", "physicalLocation", "region", "startLine",
			    &line);
		assert_true(line >= 1);
	}
	json_decref(sarif);
}

/* The site lies elsewhere each time. */
static void put_line(struct buf *out, const char *text, size_t len, const char *site)
{
	const char *end = text + len, *at;

	while ((at = memmem(text, (size_t)(end - text), site, strlen(site))) != NULL) {
		buf_append(out, text, (size_t)(at - text));
		text = at + strlen(site);
		buf_text(out, *text == '/' ? "" : ".");
		text += *text == '/';
	}
	buf_append(out, text, (size_t)(end - text));
}

static char *said(const struct broken_case *c, bool fresh)
{
	struct findings findings;
	struct bundle *bundle = NULL;
	struct error error = {0};
	struct buf out;

	buf_init(&out, 1 << 20);
	buf_text(&out, "");
	findings_init(&findings);
	if (strcmp(c->environment, "all") == 0) {
		site_inspect_all(c->site, registry_get(), &findings, fresh, &error);
	} else {
		bundle = bundle_read_new(c->site, c->environment, &error);
		if (bundle)
			site_inspect_cached(bundle, registry_get(), c->site, fresh, &findings);
	}
	for (size_t i = 0; i < findings.count; i++) {
		struct findings one = {.list = &findings.list[i], .count = 1};
		struct buf line;

		note_code(findings.list[i].code);
		buf_init(&line, 1 << 16);
		report_text(&one, "", &line);
		put_line(&out, line.data, line.len - 1, c->site);
		buf_printf(&out, " [%s]\n", findings.list[i].code);
		buf_free(&line);
	}
	assert_sarif(&findings, c->site);
	if (error.code[0]) {
		put_line(&out, error.text, strlen(error.text), c->site);
		buf_printf(&out, " [%s]\n", error.code);
	}
	findings_free(&findings);
	bundle_free(bundle);
	return buf_take(&out);
}

static void update(const struct broken_case *c, const char *file, const char *text)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	buf_append(&out, c->text, c->expect_at);
	buf_text(&out, text);
	support_write(file, buf_view(&out));
	buf_free(&out);
}

static bool run_case(const char *folder, const char *name)
{
	struct broken_case c = {.site = support_tmpdir()};
	char *file = support_path(folder, name), *base = support_path(folder, "base"), *text, *again;
	bool same;
	size_t len;

	c.text = support_read(file, &len);
	make_site(&c, base, len);
	text = said(&c, true);
	again = said(&c, false);
	if (getenv("FERRULE_UPDATE") && c.expect_at > 0)
		update(&c, file, text);
	same = c.expect_at > 0 && (getenv("FERRULE_UPDATE") || span_is(c.expected, text));
	if (!same)
		printf("# expected:\n%.*s# said:\n%s", SPAN_ARGS(c.expected), text);
	if (strcmp(text, again) != 0) {
		printf("# the second time:\n%s", again);
		same = false;
	}
	support_rmtree(c.site);
	free(c.site);
	free(c.text);
	free(file);
	free(base);
	free(text);
	free(again);
	return same;
}

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".case") == 0;
}

/* What `check --against` says is shown where there is a history: tests/cli/contracts.py. */
static bool of_history(const char *code)
{
	static const char *const codes[] = {"contract.breaking", "contract.removed", "contract.suspect"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

static bool told_of_every_code(void)
{
	bool all = true;

	for (size_t i = 0; finding_codes[i].code && i < CODES_MAX; i++) {
		if (of_history(finding_codes[i].code))
			seen[i] = true;
		if (!seen[i])
			printf("# no case in tests/broken has the code %s\n", finding_codes[i].code);
		if (i > 0 && strcmp(finding_codes[i - 1].code, finding_codes[i].code) >= 0)
			printf("# %s is not in its place among the codes\n", finding_codes[i].code), all = false;
		all = all && seen[i];
	}
	return all;
}

int main(int argc, char **argv)
{
	const char *top = getenv("FERRULE_SRCDIR");
	char *folder = support_path(top ? top : SRCDIR, "tests/broken");
	struct dirent **cases;
	int n = scandir(folder, &cases, is_case, alphasort), failed = 0;
	bool passed;

	printf("1..%d\n", n + 1);
	for (int i = 0; i < n; i++) {
		if (argc > 1 && strcmp(argv[1], cases[i]->d_name) != 0)
			continue;
		passed = run_case(folder, cases[i]->d_name);
		printf("%s %d - %s\n", passed ? "ok" : "not ok", i + 1, cases[i]->d_name);
		failed += !passed;
		free(cases[i]);
	}
	free(n >= 0 ? cases : NULL);
	free(folder);
	passed = argc > 1 || told_of_every_code();
	printf("%s %d - every code has a case\n", passed ? "ok" : "not ok", n + 1);
	return failed > 0 || !passed || n <= 0;
}
