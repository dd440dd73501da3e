/* A test from a document that really went through: its original from the vault, what today's configuration makes of it,
 * with personal data masked in both. What masking does not reach, a person has to look for: docs/testing.md. */
#include "config.h"
#include "cli/test_record.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vault.h"
#include "cli/site.h"
#include "cli/test_update.h"
#include "cli/yaml_write.h"
#include "config/yaml.h"
#include "services/masking.h"
#include "services/site_store.h"

#define SETTLE_MS 2000
#define SLUG_MAX 60

struct recording {
	struct test_run *run;
	const char *key;
	json_t *trace, *document; /* its first message; within the trace */
	struct buf original, masked;
	struct masking *masking;
	struct trial_input input;
	struct trial trial;
	struct rehearsal whole, part; /* of the original; of what is masked */
	char slug[SLUG_MAX + 1], *name, *shown_key, *part_name;
	char file[PATH_MAX], yaml[PATH_MAX]; /* below the site */
	size_t places;
	bool unmasked; /* not all that is personal was found */
	json_t *notes;
};

/* ---- what went through */
static const struct site *site_of(const struct recording *r)
{
	return r->run->sites->site;
}

/* What was committed just now is recorded a moment later. */
static void settle(const struct recording *r)
{
	struct error error = {0};
	struct findings findings;
	struct session *session;

	findings_init(&findings);
	session = session_open(r->run->directory, r->run->bundle->environment, &findings, NULL, &error);
	if (session)
		session_settle(session, SETTLE_MS);
	session_close(session);
	findings_free(&findings);
}

static bool has_stage(const json_t *message, const char *stage)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(message, "stages"), i, one)
		if (!strcmp(json_text(one, "stage"), stage))
			return true;
	return false;
}

static int look(struct recording *r, struct lineage *lineage, const char *key, struct error *error)
{
	json_decref(r->trace);
	r->trace = NULL;
	return lineage_trace(lineage, span_of(key), 100000, &r->trace, error);
}

/* The document among the first messages. Several: the caller has to say which. */
static int choose(struct recording *r, struct error *error)
{
	const char *names = "";
	json_t *message;
	char list[400] = "";
	size_t i, n = 0;

	json_array_foreach(json_object_get(r->trace, "tree"), i, message) {
		if (!has_stage(message, "received"))
			continue;
		r->document = message;
		names = json_text(json_object_get(message, "origin"), "name");
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", n++ ? ", " : "", names);
	}
	if (!n)
		return error_set(error, ERROR_REJECT, "record.unknown",
				 "nothing that was received here has `%s`: ferrule trace says what there is", r->key);
	if (n > 1)
		return error_set(error, ERROR_REJECT, "record.several",
				 "several documents have `%s`, name one of them: %s", r->key, list);
	return 0;
}

static int read_original(struct recording *r, struct error *error)
{
	const char *ref = json_text(json_object_get(r->document, "origin"), "ref");
	struct vault *vault = vault_open(site_of(r)->vault_path, error);
	struct reader *reader = vault ? vault_get_new(vault, span_of(ref), error) : NULL;
	int result = reader ? reader_all(reader, &r->original, error) : -1;

	reader_unref(reader);
	vault_close(vault);
	return result;
}

/* The trace of the whole document, and its bytes. */
static int fetch(struct recording *r, struct error *error)
{
	struct lineage *lineage;
	char *id;
	int result = -1;

	settle(r);
	lineage = site_lineage_reader(site_of(r), error);
	if (!lineage)
		return -1;
	if (!look(r, lineage, r->key, error) && !choose(r, error)) {
		bool match = json_is_true(json_object_get(r->document, "match"));

		id = mem_strdup(json_text(r->document, "id"));
		result = look(r, lineage, id, error) || choose(r, error) || read_original(r, error) ? -1 : 0;
		free(id);
		if (!result && !match)
			r->part_name = mem_strdup(r->key); /* what asked for it may be one part of several */
	}
	lineage_close(lineage);
	return result;
}

/* ---- the test */
static const char *flow_of(const json_t *document)
{
	const json_t *stage;
	size_t i;

	json_array_foreach(json_object_get(document, "stages"), i, stage)
		if (!strcmp(json_text(stage, "stage"), "received"))
			return json_text(stage, "place");
	return "";
}

static void prepare(struct recording *r)
{
	r->input = (struct trial_input){.content = {.text = buf_view(&r->original)},
					.name = json_text(json_object_get(r->document, "origin"), "name"),
					.time_ms = json_number(r->document, "first_ms")};
	if (!r->input.content.text.data)
		r->input.content.text = SPAN_LITERAL("");
	r->trial = (struct trial){.name = r->key,
				  .flow = flow_of(r->document),
				  .now_ms = r->input.time_ms / 1000 * 1000,
				  .follow_all = true,
				  .inputs = &r->input,
				  .inputs_count = 1,
				  .sound = true};
	r->input.time_ms = r->trial.now_ms;
}

static int rehearse(struct recording *r, struct rehearsal *into, struct error *error)
{
	const struct site *site = site_of(r);

	if (!site_flow(site, span_of(r->trial.flow)))
		return error_set(error, ERROR_REJECT, "record.flow", "the site has no flow %s any more", r->trial.flow);
	return rehearsal_run(into, r->run->sites->stage, &r->trial, error);
}

/* The part of the document that the key is about, where it is one of several. */
static void find_part(struct recording *r)
{
	const char *found = NULL;
	size_t outputs = 0;

	for (size_t i = 0; i < r->whole.count; i++) {
		const struct happened *happened = &r->whole.list[i];
		const char *part = json_text(happened->facts, "part"), *name;
		json_t *value;

		if (happened->kind != TRIAL_PUBLISHED || strcmp(happened->flow->name, r->trial.flow) != 0)
			continue;
		outputs++;
		json_object_foreach(happened->keys, name, value) {
			if (r->part_name && !strcmp(json_string_value(value), r->part_name) && *part)
				found = part;
		}
	}
	free(r->part_name);
	r->part_name = found && outputs > 1 ? mem_strdup(found) : NULL;
}

/* ---- masking */
static const json_t *find_schema(void *arg, const char *reference)
{
	const struct site *site = arg;

	for (size_t i = 0; i < site->contracts_count; i++)
		if (!strcmp(site->contracts[i].name, reference) ||
		    !strcmp(json_text(site->contracts[i].schema, "$id"), reference))
			return site->contracts[i].schema;
	return NULL;
}

/* Also what is refused, or only delivered, and in which form. */
static void looked(void *arg, struct span contract_name, const json_t *tree)
{
	struct recording *r = arg;
	struct site *site = r->run->sites->site;
	char *name = mem_span_dup(contract_name);
	const struct contract *contract = *name ? site_contract(site, name) : NULL;

	if (contract && masking_collect(r->masking, contract->schema, tree, find_schema, site))
		r->unmasked = true;
	free(name);
}

static int collect(struct recording *r, struct error *error)
{
	for (size_t i = 0; i < r->whole.count; i++)
		if (r->whole.list[i].tree)
			looked(r, r->whole.list[i].contract, r->whole.list[i].tree);
	if (r->unmasked)
		return error_set(error, ERROR_REJECT, "record.complex",
				 "a document is too deep for its contract to tell what is personal in it; nothing was "
				 "written");
	masking_prepare(r->masking, buf_view(&r->original));
	return 0;
}

static char *masked_new(struct recording *r, const char *text)
{
	struct buf out;
	char *masked;

	buf_init(&out, SIZE_MAX / 2);
	masking_apply(r->masking, span_of(text), &out);
	masked = mem_span_dup(buf_view(&out));
	buf_free(&out);
	return masked;
}

/* What is masked must take the same way. */
static int check_shape(const struct recording *r, const struct rehearsal *original, struct error *error)
{
	static const char *const facts[] = {"flow", "topic", "to", "step", "code", "part"};
	const struct rehearsal *masked = &r->part;

	for (size_t i = 0; i < original->count || i < masked->count; i++) {
		const struct happened *a = i < original->count ? &original->list[i] : NULL,
				      *b = i < masked->count ? &masked->list[i] : NULL;
		bool same = a && b && a->kind == b->kind;

		for (size_t f = 0; same && f < sizeof facts / sizeof *facts; f++)
			same = !strcmp(json_text(a->facts, facts[f]), json_text(b->facts, facts[f]));
		if (!same)
			return error_set(
				error, ERROR_REJECT, "record.masked",
				"masked, the document goes another way than before (%s %s: %s): a value has a form "
				"that its stand-in does not have, nothing was written",
				b ? trial_section_names[b->kind] : "nothing",
				b ? json_text(b->facts, b->kind == TRIAL_DEAD ? "code" : "flow") : "",
				b ? json_text(b->facts, "reason") : "it ends there");
	}
	return 0;
}

static int mask(struct recording *r, struct error *error)
{
	struct rehearsal again = {0};
	int result;

	if (collect(r, error))
		return -1;
	r->places = masking_apply(r->masking, buf_view(&r->original), &r->masked);
	r->name = masked_new(r, r->input.name);
	r->shown_key = masked_new(r, r->key);
	r->input.part = r->part_name;
	result = rehearse(r, &again, error);
	r->input.name = r->name;
	r->input.content.text = buf_view(&r->masked);
	if (!r->input.content.text.data)
		r->input.content.text = SPAN_LITERAL("");
	if (!result && !rehearse(r, &r->part, error))
		result = check_shape(r, &again, error);
	else
		result = -1;
	rehearsal_free(&again);
	return result;
}

/* ---- writing */
static void make_names(struct recording *r)
{
	const char *dot = strrchr(r->name, '.');
	size_t n = 0;

	for (const char *c = r->shown_key; *c && n < SLUG_MAX; c++)
		if (isalnum((unsigned char)*c))
			r->slug[n++] = (char)tolower((unsigned char)*c);
		else if (n && r->slug[n - 1] != '-')
			r->slug[n++] = '-';
	while (n && r->slug[n - 1] == '-')
		n--;
	r->slug[n] = '\0';
	if (!n)
		strcpy(r->slug, "recorded");
	if (!dot || strlen(dot) > 8 ||
	    strspn(dot + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(dot + 1))
		dot = ".txt";
	if (n > strlen(dot) && r->slug[n - strlen(dot)] == '-' && !strcasecmp(r->slug + n - strlen(dot) + 1, dot + 1))
		r->slug[n - strlen(dot)] = '\0';
	snprintf(r->file, sizeof r->file, "tests/files/%s%s", r->slug, dot);
	snprintf(r->yaml, sizeof r->yaml, "tests/%s.yaml", r->slug);
}

static void write_yaml(struct recording *r, struct buf *out)
{
	json_t *input = json_pack("{s:s s:s}", "file", r->file, "name", r->name),
	       *sections = test_sections_new(&r->part), *list, *note;
	char now[CLOCK_TEXT], title[200];
	const char *name;
	size_t i;

	clock_format(r->trial.now_ms, now);
	if (r->part_name)
		json_object_set_new(input, "part", json_string(r->part_name));
	snprintf(title, sizeof title, "%.80s as it went through on %.10s", r->shown_key, now);
	buf_text(out, "# yaml-language-server: $schema=../.ferrule/test.schema.json\n# Recorded by `ferrule test "
		      "--record`. ");
	buf_printf(out, "Personal data is masked: %zu value%s in %zu place%s. Look for what no contract marks.\n",
		   masking_count(r->masking), masking_count(r->masking) == 1 ? "" : "s", r->places,
		   r->places == 1 ? "" : "s");
	json_array_foreach(r->notes, i, note)
		buf_printf(out, "# Mind: %s.\n", json_string_value(note));
	note = json_string(title);
	yaml_write_pair(out, "test", note, 0);
	json_decref(note);
	buf_printf(out, "flow: %s\nnow: %s\nfollow: yes\n", r->trial.flow, now);
	yaml_write_pair(out, "input", input, 0);
	if (!json_object_size(sections))
		buf_text(out, "published: none\n");
	json_object_foreach(sections, name, list) {
		yaml_write_pair(out, name, list, 0);
	}
	json_decref(sections);
	json_decref(input);
}

static int write_file(const struct recording *r, const char *name, struct span bytes, struct error *error)
{
	char path[PATH_MAX];
	FILE *file;
	int result = 0;

	snprintf(path, sizeof path, "%s/%s", r->run->directory, name);
	file = fopen(path, "wxe");
	if (!file && errno == EEXIST)
		return error_set(error, ERROR_REJECT, "record.file",
				 "%s is there already: move it away, or remove it, and record again", path);
	if (!file || fwrite(bytes.len ? bytes.data : "", 1, bytes.len, file) != bytes.len)
		result = error_errno(error, ERROR_REJECT, "record.file", "writing %s", path);
	if (file && fclose(file) && !result)
		result = error_errno(error, ERROR_REJECT, "record.file", "writing %s", path);
	return result;
}

static void make_folders(const struct recording *r)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/tests", r->run->directory);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/tests/files", r->run->directory);
	mkdir(path, 0755);
}

static void take_away(const struct recording *r, const char *name)
{
	char *path = mem_printf("%s/%s", r->run->directory, name);

	unlink(path);
	free(path);
}

/* Read as the verb would read it, and run. */
static int prove(struct recording *r, struct error *error)
{
	struct rehearsal rehearsal = {0};
	struct comparison comparison = {0};
	struct findings findings;
	struct trials trials;
	int result = -1;

	findings_init(&findings);
	if (trials_read(&trials, r->run->directory, site_of(r), false, &findings, error))
		goto done;
	for (size_t i = 0; i < trials.count; i++) {
		if (strcmp(trials.list[i].place.file, r->yaml) != 0 || !trials.list[i].sound)
			continue;
		if (!rehearsal_run(&rehearsal, r->run->sites->stage, &trials.list[i], error)) {
			rehearsal_compare(&rehearsal, r->run->sites->stage, &trials.list[i], &comparison);
			result = comparison.agrees ? 0 : -1;
		}
	}
	if (result)
		error_set(error, ERROR_REJECT, "record.fails",
			  "the test that was recorded does not pass: what comes of this document is not the same each "
			  "time; "
			  "nothing was written");
done:
	comparison_free(&comparison);
	rehearsal_free(&rehearsal);
	trials_free(&trials);
	findings_free(&findings);
	return result;
}

static int write_all(struct recording *r, struct error *error)
{
	struct buf text, masked;
	int result;

	make_names(r);
	buf_init(&text, SIZE_MAX / 2);
	buf_init(&masked, SIZE_MAX / 2);
	write_yaml(r, &text);
	if (text.len > YAML_SIZE_MAX) {
		result = error_set(
			error, ERROR_REJECT, "record.too-much",
			"a test of all that comes of this document would have %zu KiB, more than the %u KiB of "
			"a file; name a business key of one part of it, nothing was written",
			text.len / 1024, YAML_SIZE_MAX / 1024);
		goto done;
	}
	make_folders(r);
	/* Whatever of it came by another way than the input (a table, a header) is masked here. */
	masking_apply(r->masking, buf_view(&text), &masked);
	result = write_file(r, r->yaml, buf_view(&masked), error);
	if (!result) {
		result = write_file(r, r->file, buf_view(&r->masked), error);
		if (!result)
			result = prove(r, error);
		if (result) {
			take_away(r, r->yaml);
			if (strcmp(error->code, "record.file") != 0)
				take_away(r, r->file);
		}
	}
done:
	buf_free(&masked);
	buf_free(&text);
	return result;
}

static void say(const struct recording *r)
{
	size_t values = masking_count(r->masking), i;
	const json_t *note;

	if (r->run->arguments->json) {
		json_t *answer = json_pack("{s:s s:s s:I s:I s:O}", "test", r->yaml, "input", r->file, "masked",
					   (json_int_t)values, "places", (json_int_t)r->places, "notes", r->notes);

		verb_print_json(answer);
		json_decref(answer);
		return;
	}
	printf("%s is written, with its input %s; it passes.\n", r->yaml, r->file);
	json_array_foreach(r->notes, i, note)
		printf("Mind: %s.\n", json_string_value(note));
	if (values)
		printf("Masked: %zu personal value%s, in %zu place%s of the input. Look for what no contract marks "
		       "before "
		       "you share it.\n",
		       values, values == 1 ? "" : "s", r->places, r->places == 1 ? "" : "s");
	else
		puts("Nothing was masked: no contract marks personal data in what was published. Look before you share "
		     "it.");
}

int test_record(struct test_run *run, const char *key)
{
	struct recording r = {.run = run, .key = key, .masking = masking_new()};
	struct error error = {0};
	int code = EXIT_DONE;

	buf_init(&r.original, TRIAL_TEXT_MAX);
	buf_init(&r.masked, TRIAL_TEXT_MAX);
	if (fetch(&r, &error))
		goto failed;
	prepare(&r);
	stage_watch(run->sites->stage, looked, &r);
	if (rehearse(&r, &r.whole, &error))
		goto failed;
	stage_watch(run->sites->stage, NULL, NULL);
	find_part(&r);
	r.notes = test_record_notes_new(r.document, &r.whole);
	if (mask(&r, &error) || write_all(&r, &error))
		goto failed;
	say(&r);
	goto done;
failed:
	code = verb_failed(run->arguments, &error);
done:
	rehearsal_free(&r.whole);
	rehearsal_free(&r.part);
	masking_free(r.masking);
	json_decref(r.notes);
	json_decref(r.trace);
	free(r.name);
	free(r.shown_key);
	free(r.part_name);
	buf_free(&r.original);
	buf_free(&r.masked);
	return code;
}
