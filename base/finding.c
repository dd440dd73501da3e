/* Findings and suggestions. See finding.h. */
#include "config.h"
#include "base/finding.h"

#include <stdio.h>
#include <stdlib.h>

#define WORD_MAX 64 /* longer words have no near name */

void findings_init(struct findings *findings)
{
	memset(findings, 0, sizeof *findings);
	findings->arena = arena_new();
}

void findings_free(struct findings *findings)
{
	free(findings->list);
	arena_free(findings->arena);
	memset(findings, 0, sizeof *findings);
}

static struct finding *add(struct findings *findings, struct place place, enum severity severity, const char *code,
			   const char *format, va_list args)
{
	const char *used = findings->used ? findings->used(findings->used_arg, place.file) : NULL;
	struct finding *finding;
	va_list again;
	char *text;
	int n;

	findings->errors += severity == SEVERITY_ERROR;
	if (findings->count == FINDINGS_KEPT_MAX) {
		findings->dropped++;
		return NULL;
	}
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	/* the files it is in may be forgotten before it is told */
	place.file = arena_strdup(findings->arena, place.file);
	text = arena_alloc(findings->arena, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, format, args);
	findings->list = mem_grow(findings->list, &findings->capacity, findings->count + 1, sizeof *findings->list);
	finding = &findings->list[findings->count++];
	*finding = (struct finding){.place = place,
				    .severity = severity,
				    .code = arena_strdup(findings->arena, code),
				    .text = text,
				    .used = arena_strdup(findings->arena, used)};
	return finding;
}

void finding_add(struct findings *findings, struct place place, enum severity severity, const char *code,
		 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(findings, place, severity, code, format, args);
	va_end(args);
}

void finding_add_within(struct findings *findings, struct place guess, struct place start, size_t offset,
			enum severity severity, const char *code, const char *format, ...)
{
	struct finding *finding;
	va_list args;

	va_start(args, format);
	finding = add(findings, guess, severity, code, format, args);
	va_end(args);
	if (!finding)
		return;
	finding->within = true;
	finding->start = start;
	finding->start.file = finding->place.file;
	finding->offset = offset;
}

struct place place_within(struct place start, struct span text, size_t offset)
{
	size_t n = start.file ? strlen(start.file) : 0, line = 0;
	bool whole = n == 0 || (n > 3 && !strcmp(start.file + n - 3, ".jq"));

	if (start.line == 0)
		start.line = 1;
	for (size_t i = 0; i < offset && i < text.len; i++) {
		if (text.data[i] == '\n') {
			start.line++;
			line = i + 1;
			start.column = whole ? 1 : 0;
		}
	}
	for (size_t i = line; start.column > 0 && i < offset && i < text.len; i++)
		start.column += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return start;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* Code and text come last only to make the order the same every time: qsort is not stable. */
static int compare(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;
	int file = compare_text(a->place.file, b->place.file), code;

	if (file)
		return file;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity < b->severity ? -1 : 1;
	code = strcmp(a->code, b->code);
	return code ? code : strcmp(a->text, b->text);
}

void findings_sort(struct findings *findings)
{
	if (findings->count)
		qsort(findings->list, findings->count, sizeof *findings->list, compare);
}

const char *severity_name(enum severity severity)
{
	return severity == SEVERITY_ERROR ? "error" : "warning";
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: an insertion, a deletion, a change or two letters swapped cost one each. */
static size_t distance(struct span a, struct span b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = a.data[i - 1] == b.data[j - 1];

			row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[b.len];
}

const char *nearest_name(struct span word, const char *const *candidates, size_t n)
{
	size_t limit = least(3, word.len / 2) + 1;
	const char *found = NULL;

	if (word.len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct span candidate = span_of(candidates[i]);
		size_t d;

		if (candidate.len > WORD_MAX)
			continue;
		d = distance(word, candidate);
		if (d < limit) {
			limit = d;
			found = candidates[i];
		}
	}
	return found;
}
