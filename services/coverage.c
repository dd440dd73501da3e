/* Coverage of mappings. See coverage.h. */
#include "config.h"
#include "services/coverage.h"

#include <stdlib.h>

#include "base/expression.h"
#include "base/expression_marks.h"
#include "base/utf8.h"

#define SHOWN_MAX 50 /* bytes of a part that are shown */
#define SLOWER 20 /* so much more time has an expression that is watched */

/* An expression by its place: the same in each site. */
struct covered {
	struct covered *next;
	char *file, *text;
	struct place place;
	struct marks marks;
	uint64_t *hits;
	bool mapping, measured;
};

struct coverage {
	struct covered *first; /* by file and place */
};

struct coverage *coverage_new(void)
{
	return mem_alloc(sizeof(struct coverage));
}

void coverage_free(struct coverage *coverage)
{
	while (coverage && coverage->first) {
		struct covered *covered = coverage->first;

		coverage->first = covered->next;
		marks_free(&covered->marks);
		free(covered->hits);
		free(covered->file);
		free(covered->text);
		free(covered);
	}
	free(coverage);
}

static int compare(const struct covered *covered, struct place place, struct span text)
{
	int order = strcmp(covered->file, place.file);
	size_t n = strlen(covered->text);

	if (!order)
		order = (covered->place.line > place.line) - (covered->place.line < place.line);
	if (!order)
		order = (covered->place.column > place.column) - (covered->place.column < place.column);
	if (!order)
		order = memcmp(covered->text, text.data, n < text.len ? n : text.len);
	return order ? order : (n > text.len) - (n < text.len);
}

static struct covered *covered_at(struct coverage *coverage, struct place place, struct span text)
{
	struct covered **at = &coverage->first, *made;

	while (*at && compare(*at, place, text) < 0)
		at = &(*at)->next;
	if (*at && compare(*at, place, text) == 0)
		return *at;
	made = mem_alloc(sizeof *made);
	made->file = mem_strdup(place.file);
	made->text = mem_span_dup(text);
	made->place = place;
	made->measured = !marks_find(&made->marks, span_of(made->text), false);
	made->hits = mem_alloc((made->marks.count + 1) * sizeof *made->hits);
	made->next = *at;
	return *at = made;
}

static bool is_path(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr("._$[]0123456789", text.data[i]) && !(text.data[i] >= 'a' && text.data[i] <= 'z') &&
		    !(text.data[i] >= 'A' && text.data[i] <= 'Z'))
			return false;
	return true;
}

static void watch(void *arg, struct expression *expression, bool mapping)
{
	struct place place = expression_place(expression);
	struct span text = expression_source(expression);
	struct covered *covered;

	if (!place.file || (!mapping && is_path(text)))
		return; /* a path that is not looked at shows by what it is for */
	covered = covered_at(arg, place, text);
	covered->mapping = covered->mapping || mapping;
	if (covered->measured && expression_watch(expression, &covered->marks, covered->hits, false))
		covered->measured = false;
}

void coverage_watch(struct coverage *coverage, struct site *site)
{
	site->limits.step_time_ms = (site->limits.step_time_ms ? site->limits.step_time_ms : 2000) * SLOWER;
	site_expressions(site, watch, coverage);
}

/* ---- telling ------------------------------------------------------------------------------------------------------
 */
struct sums {
	size_t parts, ran;
};

static struct sums sums_of(const struct covered *covered)
{
	struct sums sums = {0, 0};

	for (size_t i = 0; covered->measured && i < covered->marks.count; i++) {
		sums.parts++;
		sums.ran += covered->hits[i] > 0;
	}
	return sums;
}

static int percent(struct sums sums)
{
	return sums.parts ? (int)(100 * sums.ran / sums.parts) : 100;
}

/* One line of it. */
static json_t *shown(const char *text, size_t len)
{
	char cut[SHOWN_MAX + 1];
	size_t n = 0, i = 0, character;
	bool gap = true;

	for (; i < len; i += character) {
		bool blank = text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';

		character = utf8_character(span_make(text + i, len - i));
		if (!character || n + character > SHOWN_MAX)
			break;
		if (blank && !gap)
			cut[n++] = ' ';
		else if (!blank)
			memcpy(cut + n, text + i, character), n += character;
		gap = blank;
	}
	return json_sprintf("%.*s%s", (int)n, cut, i < len ? "…" : "");
}

static json_t *missing_new(const struct covered *covered)
{
	json_t *missing = json_array(), *text;
	struct span program = span_of(covered->text);
	size_t behind = 0; /* the end of the last one that is told */

	for (size_t i = 0; i < covered->marks.count; i++) {
		const struct mark *mark = &covered->marks.list[i];
		int line, column;

		if (covered->hits[i] || mark->start < behind)
			continue;
		behind = mark->end;
		mark_place(program, mark->start, &line, &column);
		if (!covered->mapping && line == 1)
			column += covered->place.column - 1;
		text = shown(program.data + mark->start, mark->end - mark->start);
		json_array_append_new(missing, json_pack("{s:i s:i s:s s:o}", "line",
							 covered->mapping ? line : covered->place.line + line - 1,
							 "column", column, "kind", mark_name(mark->kind), "text",
							 text ? text : json_string("")));
	}
	return missing;
}

static json_t *file_new(const struct covered *covered)
{
	struct sums sums = sums_of(covered);

	return json_pack("{s:s s:I s:I s:i s:b s:o}", "file", covered->file, "parts", (json_int_t)sums.parts, "ran",
			 (json_int_t)sums.ran, "percent", percent(sums), "measured", covered->measured, "missing",
			 missing_new(covered));
}

/* Expressions of one file of flows become one entry. */
static void add_to(json_t *files, json_t *file)
{
	json_t *last = json_array_get(files, json_array_size(files) - 1), *missing;
	struct sums sums;

	if (!json_array_size(files) || strcmp(json_string_value(json_object_get(last, "file")),
					      json_string_value(json_object_get(file, "file")))) {
		json_array_append_new(files, file);
		return;
	}
	missing = json_object_get(last, "missing");
	json_array_extend(missing, json_object_get(file, "missing"));
	sums.parts = (size_t)(json_integer_value(json_object_get(last, "parts")) +
			      json_integer_value(json_object_get(file, "parts")));
	sums.ran = (size_t)(json_integer_value(json_object_get(last, "ran")) +
			    json_integer_value(json_object_get(file, "ran")));
	json_object_set_new(last, "parts", json_integer((json_int_t)sums.parts));
	json_object_set_new(last, "ran", json_integer((json_int_t)sums.ran));
	json_object_set_new(last, "percent", json_integer(percent(sums)));
	if (!json_is_true(json_object_get(file, "measured")))
		json_object_set_new(last, "measured", json_false());
	json_decref(file);
}

json_t *coverage_json_new(struct coverage *coverage)
{
	json_t *files = json_array();
	struct sums all = {0, 0};

	for (const struct covered *covered = coverage->first; covered; covered = covered->next) {
		struct sums sums = sums_of(covered);

		all.parts += sums.parts;
		all.ran += sums.ran;
		add_to(files, file_new(covered));
	}
	return json_pack("{s:i s:I s:I s:o}", "percent", percent(all), "parts", (json_int_t)all.parts, "ran",
			 (json_int_t)all.ran, "files", files);
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *never(const char *kind)
{
	if (!strcmp(kind, mark_name(MARK_LEFT)) || !strcmp(kind, mark_name(MARK_FIELD)))
		return "had a value";
	return strcmp(kind, mark_name(MARK_SELECT)) ? "ran" : "let anything pass";
}

/* file:line:column, so that an editor can go there. */
static void tell_file(const json_t *file, struct buf *out)
{
	const char *name = json_string_value(json_object_get(file, "file"));
	const json_t *missing;
	size_t i;

	buf_printf(out, "  %3lld%%  %s (%lld of %lld)%s\n", (long long)number(file, "percent"), name,
		   (long long)number(file, "ran"), (long long)number(file, "parts"),
		   json_is_true(json_object_get(file, "measured")) ? "" : ", in part not understood");
	json_array_foreach(json_object_get(file, "missing"), i, missing)
		buf_printf(out, "        %s:%lld:%lld: %s never %s: %s\n", name, (long long)number(missing, "line"),
			   (long long)number(missing, "column"), json_string_value(json_object_get(missing, "kind")),
			   never(json_string_value(json_object_get(missing, "kind"))),
			   json_string_value(json_object_get(missing, "text")));
}

void coverage_tell(struct coverage *coverage, struct buf *out)
{
	json_t *all = coverage_json_new(coverage), *file;
	size_t i;

	json_array_foreach(json_object_get(all, "files"), i, file)
		tell_file(file, out);
	buf_printf(out, "coverage: %lld%%, %lld of %lld parts ran\n", (long long)number(all, "percent"),
		   (long long)number(all, "ran"), (long long)number(all, "parts"));
	json_decref(all);
}
