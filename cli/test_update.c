/* Rewriting what tests expect. See test_update.h. A section is written anew as a whole, each item with the fields that
 * it named; what stands around it stays as it is, comments included. */
#include "config.h"
#include "cli/test_update.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "cli/yaml_write.h"
#include "config/yaml.h"

/* ---- items --------------------------------------------------------------------------------------------------------
 */
static void copy_fact(json_t *item, const struct happened *happened, const char *name)
{
	json_t *value = json_object_get(happened->facts, name);

	if (value)
		json_object_set(item, name, value);
}

/* The body as the test would best look at it. */
static void put_body(json_t *item, const struct happened *happened)
{
	if (happened->tree)
		json_object_set(item, "body", happened->tree);
	else if (happened->body.len && utf8_is_clean(happened->body))
		json_object_set_new(item, "text", json_stringn(happened->body.data, happened->body.len));
}

json_t *test_item_new(const struct happened *happened)
{
	static const char *const facts[TRIAL_KINDS][8] = {
		{"topic", "contract", NULL},
		{"to", "method", "path", "key", "code", NULL},
		{"code", "step", "position", NULL},
		{"step", "why", NULL},
	};
	const char *outcome = json_string_value(json_object_get(happened->facts, "outcome"));
	json_t *item = json_object();

	for (size_t i = 0; facts[happened->kind][i]; i++)
		copy_fact(item, happened, facts[happened->kind][i]);
	if (outcome && strcmp(outcome, "delivered") != 0)
		json_object_set_new(item, "outcome", json_string(outcome));
	if (happened->kind == TRIAL_PUBLISHED && json_object_size(happened->keys))
		json_object_set(item, "keys", happened->keys);
	if (happened->kind == TRIAL_PUBLISHED || happened->kind == TRIAL_DELIVERED)
		put_body(item, happened);
	return item;
}

/* The same again only counts. */
static void add_item(json_t *list, json_t *item)
{
	json_t *last = json_array_get(list, json_array_size(list) - 1), *bare;
	json_int_t count = 1;

	if (json_array_size(list)) {
		bare = json_copy(last);
		count = json_integer_value(json_object_get(last, "count"));
		json_object_del(bare, "count");
		if (json_equal(bare, item)) {
			json_object_set_new(last, "count", json_integer(count ? count + 1 : 2));
			json_decref(item);
			item = NULL;
		}
		json_decref(bare);
	}
	if (item)
		json_array_append_new(list, item);
}

json_t *test_sections_new(const struct rehearsal *rehearsal)
{
	json_t *sections = json_object();

	for (int kind = 0; kind < TRIAL_KINDS; kind++) {
		json_t *list = json_array();

		for (size_t h = 0; h < rehearsal->count; h++) {
			const struct happened *happened = &rehearsal->list[h];

			if (happened->kind == (enum trial_kind)kind &&
			    !(happened->kind == TRIAL_DEAD && happened->other))
				add_item(list, test_item_new(happened));
		}
		if (json_array_size(list))
			json_object_set(sections, trial_section_names[kind], list);
		json_decref(list);
	}
	return sections;
}

/* ---- what a wanted item becomes -----------------------------------------------------------------------------------
 */
static json_t *conditions_new(const struct trial_wanted *wanted, const struct happened *happened)
{
	json_t *list = json_array();

	for (size_t i = 0; i < wanted->where.count; i++) {
		struct span source = expression_source(wanted->where.items[i]);
		struct error error = {0};
		bool is = false;

		if (!rehearsal_condition(happened, wanted->where.items[i], &is, &error) && is)
			json_array_append_new(list, json_stringn(source.data, source.len));
	}
	return list;
}

static int write_file(const struct test_run *run, const char *file, struct span body, struct error *error)
{
	char path[PATH_MAX];
	char *slash;
	FILE *out;
	int result = 0;

	snprintf(path, sizeof path, "%s/%s", run->directory, file);
	slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
		if (access(path, F_OK))
			return error_set(error, ERROR_REJECT, "test.update", "make the folder %s first", path);
		*slash = '/';
	}
	out = fopen(path, "we");
	if (!out || fwrite(body.len ? body.data : "", 1, body.len, out) != body.len)
		result = error_errno(error, ERROR_REJECT, "test.update", "writing %s", path);
	if (out && fclose(out) && !result)
		result = error_errno(error, ERROR_REJECT, "test.update", "writing %s", path);
	return result;
}

static void put_named(json_t *item, const char *name, const json_t *wanted, const json_t *got)
{
	json_t *shown = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)wanted, key, value) {
		if (json_object_get(got, key))
			json_object_set(shown, key, json_object_get(got, key));
	}
	if (json_object_size(shown))
		json_object_set(item, name, shown);
	json_decref(shown);
}

static json_t *item_of(const struct trial_wanted *wanted, const struct happened *happened)
{
	json_t *item = json_object(), *value, *conditions;
	const char *name;

	json_object_foreach(wanted->facts, name, value) {
		const char *got = json_string_value(json_object_get(happened->facts, name));
		bool part = got && strstr(got, json_string_value(value));

		if (strcmp(name, "outcome") != 0 || strcmp(got ? got : "", "delivered") != 0)
			json_object_set_new(item, name,
					    json_string(part && strcmp(name, "outcome") != 0 ? json_string_value(value)
							: got                                ? got
											     : ""));
	}
	put_named(item, "keys", wanted->keys, happened->keys);
	put_named(item, "headers", wanted->headers, happened->headers);
	conditions = conditions_new(wanted, happened);
	if (wanted->body.json)
		put_body(item, happened);
	if (wanted->has && happened->tree)
		json_object_set_new(item, "has", json_projection_new(wanted->has, happened->tree));
	if (json_array_size(conditions))
		json_object_set(item, "where",
				json_array_size(conditions) == 1 ? json_array_get(conditions, 0) : conditions);
	json_decref(conditions);
	if (wanted->body.text.data)
		json_object_set_new(item, "text",
				    json_stringn(happened->body.len ? happened->body.data : "", happened->body.len));
	if (wanted->body.file)
		json_object_set_new(item, "file", json_string(wanted->body.file));
	return item;
}

/* The next of this kind that nobody has. */
static size_t next_free(const struct rehearsal *rehearsal, const struct comparison *comparison, const bool *used,
			enum trial_kind kind)
{
	for (size_t h = 0; h < rehearsal->count; h++)
		if (!comparison->owner[h] && !used[h] && rehearsal->list[h].kind == kind &&
		    !(kind == TRIAL_DEAD && rehearsal->list[h].other))
			return h;
	return rehearsal->count;
}

static size_t an_owned(const struct rehearsal *rehearsal, const struct comparison *comparison, size_t w)
{
	size_t h = 0;

	while (h < rehearsal->count && comparison->owner[h] != w + 1)
		h++;
	return h;
}

static json_t *section_new(const struct trial *trial, enum trial_kind kind, const struct rehearsal *rehearsal,
			   const struct comparison *comparison)
{
	bool *used = mem_alloc((rehearsal->count + 1) * sizeof *used);
	json_t *list = json_array(), *item;
	size_t h;

	for (size_t w = 0; w < trial->wanted_count; w++) {
		const struct trial_wanted *wanted = &trial->wanted[w];
		int64_t kept = wanted->count - comparison->missing[w];

		if (wanted->kind != kind)
			continue;
		h = kept ? an_owned(rehearsal, comparison, w) : next_free(rehearsal, comparison, used, kind);
		if (h == rehearsal->count)
			continue;
		used[h] = true;
		item = item_of(wanted, &rehearsal->list[h]);
		if (kept > 1)
			json_object_set_new(item, "count", json_integer(kept));
		json_array_append_new(list, item);
	}
	while ((h = next_free(rehearsal, comparison, used, kind)) < rehearsal->count) {
		used[h] = true;
		add_item(list, test_item_new(&rehearsal->list[h]));
	}
	free(used);
	return list;
}

/* Files with what is expected: the tests that name them stay as they are. */
static int write_files(const struct test_run *run, const struct trial *trial, const struct rehearsal *rehearsal,
		       const struct comparison *comparison, struct error *error)
{
	bool *used = mem_alloc((rehearsal->count + 1) * sizeof *used);
	int result = 0;

	for (size_t w = 0; w < trial->wanted_count && !result; w++) {
		const struct trial_wanted *wanted = &trial->wanted[w];
		size_t h;

		if (!comparison->missing[w])
			continue;
		h = next_free(rehearsal, comparison, used, wanted->kind);
		if (h == rehearsal->count)
			continue;
		used[h] = true;
		if (wanted->body.file)
			result = write_file(run, wanted->body.file, rehearsal->list[h].body, error);
	}
	free(used);
	return result;
}

/* ---- lines of the file ---------------------------------------------------------------------------------------------
 */
static struct span line_of(struct span text, int number)
{
	const char *end;

	while (--number > 0) {
		end = memchr(text.data, '\n', text.len);
		if (!end)
			return span_make(NULL, 0);
		text = span_make(end + 1, text.len - (size_t)(end + 1 - text.data));
	}
	end = text.len ? memchr(text.data, '\n', text.len) : NULL;
	return span_make(text.len ? text.data : NULL, end ? (size_t)(end - text.data) : text.len);
}

static size_t indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.len && line.data[n] == ' ')
		n++;
	return n;
}

/* The last line that belongs to what begins at this line and column: all that is indented further, a list's dashes
 * below its key, and the brackets of {} and []. `same` : keys of the same column belong to it, too (the rest of a map).
 */
static int last_line(struct span text, int line, size_t indent, bool same)
{
	int last = line;

	for (int at = line + 1;; at++) {
		struct span now = line_of(text, at);
		size_t n = indent_of(now);

		if (!now.data)
			return last;
		if (n == now.len || now.data[n] == '\r' || (now.data[n] == '#' && n <= indent))
			continue;
		if (span_starts(now, "---") || span_starts(now, "..."))
			return last;
		if (n > indent || (n == indent && (same || strchr("-[]{},", now.data[n]))))
			last = at;
		else
			return last;
	}
}

static const struct trial_file *file_of(const struct test_run *run, const char *path)
{
	for (size_t i = 0; i < run->trials.files_count; i++)
		if (run->trials.files[i].path == path)
			return &run->trials.files[i];
	return NULL;
}

static void write_section(struct buf *out, enum trial_kind kind, const struct node *said, const json_t *list,
			  size_t indent)
{
	bool single = json_array_size(list) == 1 && !(said && said->type == NODE_LIST);
	const json_t *one = single ? json_array_get(list, 0) : NULL;

	if (!json_array_size(list)) {
		buf_printf(out, "%s: none\n", trial_section_names[kind]);
		return;
	}
	yaml_write_pair(out, trial_section_names[kind], one && json_object_size(one) < 4 ? one : list, indent);
}

static int add_edit(struct test_edits *edits, struct place place, int from, int to, char *text, struct error *why)
{
	for (size_t i = 0; i < edits->count; i++)
		if (edits->list[i].place.file == place.file && from <= edits->list[i].to && edits->list[i].from <= to) {
			free(text);
			return error_set(why, ERROR_REJECT, "test.update",
					 "%s:%d: several tests share this; write it into each of them first",
					 place.file, from);
		}
	edits->list = mem_grow(edits->list, &edits->capacity, edits->count + 1, sizeof *edits->list);
	edits->list[edits->count++] = (struct test_edit){place, from, to, text};
	return 0;
}

/* It says how many, and not `none`. */
static bool is_number(const struct trial *trial, enum trial_kind kind)
{
	bool some = false;

	for (size_t w = 0; w < trial->wanted_count; w++)
		some = some || trial->wanted[w].kind == kind;
	return some && trial->said[kind]->type == NODE_SCALAR;
}

static json_int_t count_of(const struct rehearsal *rehearsal, enum trial_kind kind)
{
	json_int_t n = 0;

	for (size_t h = 0; h < rehearsal->count; h++)
		n += rehearsal->list[h].kind == kind;
	return n;
}

static int rewrite_section(struct test_edits *edits, const struct trial_file *file, const struct trial *trial,
			   enum trial_kind kind, const json_t *list, json_int_t count, struct error *why)
{
	struct place at = trial->said_at[kind];
	struct span line = line_of(file->text, at.line);
	size_t indent = at.column > 0 ? (size_t)at.column - 1 : 0;
	struct buf text;

	for (size_t i = 0; i < indent; i++)
		if (line.data[i] != ' ' && line.data[i] != '-')
			return error_set(
				why, ERROR_REJECT, "test.update",
				"%s:%d: it stands in the middle of a line; write each key on a line of its own",
				at.file, at.line);
	buf_init(&text, SIZE_MAX / 2);
	buf_append(&text, line.data, indent);
	if (is_number(trial, kind) && count)
		buf_printf(&text, "%s: %lld\n", trial_section_names[kind], (long long)count);
	else
		write_section(&text, kind, trial->said[kind], list, indent);
	return add_edit(edits, at, at.line, last_line(file->text, at.line, indent, false), buf_take(&text), why);
}

/* Within {…}, or behind something else in its line, a test has no lines of its own that more could be put behind. */
static bool has_own_lines(const struct trial_file *file, struct place at)
{
	struct span line = line_of(file->text, at.line);
	size_t indent = at.column > 0 ? (size_t)at.column - 1 : 0;

	for (size_t i = 0; i < indent; i++)
		if (line.data[i] != ' ' && line.data[i] != '-')
			return false;
	return indent < line.len && line.data[indent] != '{';
}

static int append_sections(struct test_edits *edits, const struct trial_file *file, const struct trial *trial,
			   const json_t *sections, struct error *why)
{
	size_t indent = trial->place.column > 0 ? (size_t)trial->place.column - 1 : 0;
	int last = last_line(file->text, trial->place.line, indent, true);
	const char *name;
	struct buf text;
	json_t *list;

	if (!has_own_lines(file, trial->place))
		return error_set(why, ERROR_REJECT, "test.update", "%s:%d: write each key on a line of its own",
				 trial->place.file, trial->place.line);
	buf_init(&text, SIZE_MAX / 2);
	json_object_foreach((json_t *)(uintptr_t)sections, name, list) {
		for (size_t i = 0; i < indent; i++)
			buf_char(&text, ' ');
		for (int kind = 0; kind < TRIAL_KINDS; kind++)
			if (!strcmp(name, trial_section_names[kind]))
				write_section(&text, (enum trial_kind)kind, NULL, list, indent);
	}
	return add_edit(edits, trial->place, last + 1, last, buf_take(&text), why);
}

/* Is there anything about this section that differs? */
static bool differs(const struct rehearsal *rehearsal, const struct trial *trial, const struct comparison *comparison,
		    enum trial_kind kind)
{
	for (size_t w = 0; w < trial->wanted_count; w++)
		if (trial->wanted[w].kind == kind && comparison->missing[w])
			return true;
	for (size_t h = 0; h < rehearsal->count; h++) {
		const struct happened *happened = &rehearsal->list[h];

		if (happened->kind == kind && !comparison->owner[h] &&
		    !(happened->other && comparison->owner[happened->other - 1]) &&
		    (trial->said[kind] || kind == TRIAL_DEAD))
			return true;
	}
	return false;
}

int test_update_note(struct test_edits *edits, const struct test_run *run, const struct trial *trial,
		     const struct test_site *site, const struct rehearsal *rehearsal,
		     const struct comparison *comparison, struct error *why)
{
	const struct trial_file *file = file_of(run, trial->place.file);
	bool silent = !trial->said[0] && !trial->said[1] && !trial->said[2] && !trial->said[3];
	json_t *new = silent ? test_sections_new(rehearsal) : json_object();
	struct comparison now;
	int result;

	result = write_files(run, trial, rehearsal, comparison, why);
	rehearsal_compare(rehearsal, site->stage, trial, &now);
	for (int kind = 0; kind < TRIAL_KINDS && !result && !silent; kind++) {
		json_t *list;

		if (!differs(rehearsal, trial, &now, (enum trial_kind)kind))
			continue;
		list = section_new(trial, (enum trial_kind)kind, rehearsal, &now);
		if (trial->said[kind])
			result = rewrite_section(edits, file, trial, (enum trial_kind)kind, list,
						 count_of(rehearsal, (enum trial_kind)kind), why);
		else
			json_object_set(new, trial_section_names[kind], list);
		json_decref(list);
	}
	if (!result && silent && !json_object_size(new))
		json_object_set_new(new, "published", json_array());
	if (!result && json_object_size(new))
		result = append_sections(edits, file, trial, new, why);
	comparison_free(&now);
	json_decref(new);
	return result;
}

/* ---- the files ------------------------------------------------------------------------------------------------------
 */
static struct test_edit *edit_at(struct test_edits *edits, const struct trial_file *file, int line)
{
	for (size_t i = 0; i < edits->count; i++) {
		struct test_edit *edit = &edits->list[i];

		if (edit->place.file == file->path && edit->from == line && edit->text)
			return edit;
	}
	return NULL;
}

static void put_changed(struct buf *out, struct test_edits *edits, const struct trial_file *file)
{
	struct test_edit *edit;
	struct span now;

	for (int line = 1;; line++) {
		while ((edit = edit_at(edits, file, line))) {
			if (out->len && out->data[out->len - 1] != '\n')
				buf_char(out, '\n');
			buf_text(out, edit->text);
			free(edit->text);
			edit->text = NULL; /* it is done */
			line = edit->to >= line ? edit->to + 1 : line;
		}
		now = line_of(file->text, line);
		if (!now.data)
			return;
		buf_span(out, now);
		buf_char(out, '\n');
	}
}

/* Would it be read as the same tests again? What was found by lines may be shaped in a way that nobody thought of. */
static int check_changed(const struct trial_file *file, struct span text, struct error *error)
{
	struct arena *arena = arena_new();
	struct yaml_documents before, after;
	struct findings findings;
	bool same;

	findings_init(&findings);
	yaml_read(arena, &findings, file->path, file->text, NULL, &before);
	same = !yaml_read(arena, &findings, file->path, text, NULL, &after) && before.count == after.count;
	for (size_t i = 0; same && i < after.count; i++)
		same = after.items[i]->type == before.items[i]->type && after.items[i]->count >= before.items[i]->count;
	same = same && !findings.errors;
	findings_free(&findings);
	arena_free(arena);
	return same ? 0
		    : error_set(error, ERROR_REJECT, "test.update",
				"%s is written in a way that cannot be rewritten; write published, delivered, dead and "
				"dropped as a block of lines of their own, or put in by hand what the differences show",
				file->path);
}

/* A file that people wrote is replaced as a whole or not at all. */
static int replace_file(const struct test_run *run, const char *file, struct span text, struct error *error)
{
	char *path = mem_printf("%s/%s", run->directory, file), *real = realpath(path, NULL),
	     *aside = mem_printf("%s.new", real ? real : path);
	struct stat status;
	int fd = real ? open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	bool done = fd >= 0 && !stat(real, &status) && !fchmod(fd, status.st_mode & 07777) && !file_write_all(fd, text);

	if (fd >= 0 && close(fd))
		done = false;
	if (!done || rename(aside, real)) {
		error_errno(error, ERROR_REJECT, "test.update", "writing %s", path);
		unlink(aside);
		done = false;
	}
	free(aside);
	free(real);
	free(path);
	return done ? 0 : -1;
}

int test_update_write(struct test_edits *edits, const struct test_run *run, struct error *error)
{
	struct error why; /* the first is told, and the others are written */
	int result = 0;

	for (size_t f = 0; f < run->trials.files_count; f++) {
		const struct trial_file *file = &run->trials.files[f];
		bool changed = false;
		struct buf text;

		for (size_t i = 0; i < edits->count; i++)
			changed = changed || edits->list[i].place.file == file->path;
		if (!changed)
			continue;
		buf_init(&text, SIZE_MAX / 2);
		put_changed(&text, edits, file);
		if (check_changed(file, buf_view(&text), result ? &why : error) ||
		    replace_file(run, file->path, buf_view(&text), result ? &why : error))
			result = -1;
		buf_free(&text);
	}
	return result;
}

void test_update_free(struct test_edits *edits)
{
	for (size_t i = 0; i < edits->count; i++)
		free(edits->list[i].text);
	free(edits->list);
	*edits = (struct test_edits){0};
}
