/* Segments and envelopes of X12. See x12.h. */
#include "config.h"
#include "transformers/x12.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the interchange header: fixed places, from which the separators are taken (X12.5) */
static bool is_separator(char c)
{
	return c && !isalnum((unsigned char)c) && c != ' ' && (unsigned char)c < 0x80;
}

/* 106 characters, not counting the line ends of a file that was wrapped. The terminator itself may be a line end. */
static size_t collect(struct span from, char into[X12_ISA_LENGTH], size_t *used)
{
	size_t n = 0, i = 0;

	for (; i < from.len && n < X12_ISA_LENGTH; i++)
		if (n == X12_ISA_LENGTH - 1 || (from.data[i] != '\r' && from.data[i] != '\n'))
			into[n++] = from.data[i];
	*used = i;
	return n;
}

static int read_separators(struct x12_isa *isa, struct error *why)
{
	static const uint8_t places[] = {3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103};
	struct x12_syntax *syntax = &isa->syntax;
	char repetition = isa->text[82];

	for (size_t i = 0; i < sizeof places; i++)
		if (isa->text[places[i]] != isa->text[3])
			return error_set(why, ERROR_REJECT, "x12.isa",
					 "the ISA segment does not have its fixed length of 106: no separator at its "
					 "character %d",
					 places[i] + 1);
	syntax->element = isa->text[3];
	syntax->component = isa->text[104];
	syntax->terminator = isa->text[105];
	syntax->repetition = memcmp(isa->text + 84, "00402", 5) >= 0 && is_separator(repetition) ? repetition : '\0';
	syntax->wraps = syntax->terminator != '\r' && syntax->terminator != '\n';
	if (!is_separator(syntax->element) || !is_separator(syntax->component) || !is_separator(syntax->terminator))
		return error_set(why, ERROR_REJECT, "x12.separator",
				 "a separator in ISA is a letter, a digit, a blank or no ASCII character");
	if (syntax->element == syntax->component || syntax->element == syntax->terminator ||
	    syntax->component == syntax->terminator ||
	    (syntax->repetition && (syntax->repetition == syntax->element || syntax->repetition == syntax->component ||
				    syntax->repetition == syntax->terminator)))
		return error_set(why, ERROR_REJECT, "x12.separator", "two separators in ISA are the same character");
	return 0;
}

static int read_isa(struct x12_scan *scan, uint64_t offset, struct x12_isa *isa, struct error *why, struct error *error)
{
	struct span got;
	size_t used;

	if (window_get(&scan->window, offset, X12_ISA_LENGTH + 16, &got, error))
		return -1;
	if (got.len < 3 || memcmp(got.data, "ISA", 3)) {
		error_set(why, ERROR_REJECT, "x12.junk", "there is no X12 at byte %llu: an interchange starts with ISA",
			  (unsigned long long)offset);
		return 0;
	}
	isa->offset = offset;
	if (collect(got, isa->text, &used) < X12_ISA_LENGTH) {
		error_set(why, ERROR_REJECT, "x12.truncated", "the document ends within ISA");
		return 0;
	}
	isa->end = offset + used;
	return read_separators(isa, why) ? 0 : 1;
}

int x12_isa_read(struct x12_scan *scan, uint64_t offset, struct x12_isa *isa, struct error *why, struct error *error)
{
	int result = read_isa(scan, offset, isa, why, error);

	if (result == 0)
		error_place(why, "byte %llu", (unsigned long long)offset);
	return result;
}

struct span x12_isa_element(const struct x12_isa *isa, int number)
{
	static const uint8_t starts[] = {0, 4, 7, 18, 21, 32, 35, 51, 54, 70, 77, 82, 84, 90, 100, 102, 104},
			     lengths[] = {3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1};
	struct span element = span_make(isa->text + starts[number], lengths[number]);

	while (element.len && element.data[element.len - 1] == ' ')
		element.len--;
	return element;
}

int x12_isa_find(struct x12_scan *scan, uint64_t from, uint64_t to, uint64_t *found, struct error *error)
{
	struct x12_isa isa;
	struct error why;
	struct span got;

	while (from < to) {
		const char *at;
		int is;

		if (window_get(&scan->window, from, 3, &got, error))
			return -1;
		at = got.len >= 3 ? memmem(got.data, got.len, "ISA", 3) : NULL;
		if (!at) {
			from += got.len > 2 ? got.len - 2 : 3;
			continue;
		}
		from += (uint64_t)(at - got.data);
		if (from >= to)
			break;
		is = x12_isa_read(scan, from, &isa, &why, error);
		if (is) {
			*found = from;
			return is < 0 ? -1 : 0;
		}
		from++;
	}
	*found = to;
	return 0;
}

/* ---- segments */
int x12_skip_filler(struct x12_scan *scan, struct error *error)
{
	struct span got;

	for (;;) {
		size_t n = 0;

		if (window_get(&scan->window, scan->offset, 1, &got, error))
			return -1;
		while (n < got.len && memchr("\r\n \t\x1a", got.data[n], 6)) /* with the NUL */
			n++;
		scan->offset += n;
		if (n < got.len || !got.len)
			return 0;
	}
}

/* BIN*length*bytes and BDS*filter*length*bytes: any byte may stand in the last element. Length of the whole segment
 * without terminator, 0: not such a one. */
static int measure_binary(struct x12_scan *scan, struct span got, size_t *length, size_t *from, struct error *error)
{
	const char *p = got.data + 4, *end = got.data + (got.len < 64 ? got.len : 64);
	size_t bytes = 0, digits = 0;
	struct span all;

	*length = 0;
	if (got.len < 6 || got.data[3] != scan->syntax.element ||
	    (memcmp(got.data, "BIN", 3) && memcmp(got.data, "BDS", 3)))
		return 0;
	if (got.data[2] == 'S') {
		while (p < end && *p != scan->syntax.element && *p != scan->syntax.terminator)
			p++;
		p++;
	}
	for (; p < end && isdigit((unsigned char)*p) && digits < 9; p++, digits++)
		bytes = bytes * 10 + (size_t)(*p - '0');
	if (!digits || p >= end || *p != scan->syntax.element || bytes > X12_SEGMENT_MAX)
		return 0;
	*from = (size_t)(p + 1 - got.data);
	if (window_get(&scan->window, scan->offset, *from + bytes + 1, &all, error))
		return -1;
	if (all.len > *from + bytes && all.data[*from + bytes] == scan->syntax.terminator)
		*length = *from + bytes;
	return 0;
}

/* Length of the segment at scan->offset; past the limit *oversized, and how far its end is. */
static int measure(struct x12_scan *scan, struct x12_segment *segment, size_t *length, struct error *error)
{
	size_t want = 512, looked = 0;
	const char *end;
	struct span got;

	for (;;) {
		if (window_get(&scan->window, scan->offset, want, &got, error))
			return -1;
		if (!looked && (measure_binary(scan, got, length, &segment->binary_from, error) || *length)) {
			segment->binary = *length != 0;
			segment->end = scan->offset + *length + 1;
			return *length ? 0 : -1;
		}
		if (!looked && window_get(&scan->window, scan->offset, want, &got, error))
			return -1;
		end = memchr(got.data + looked, scan->syntax.terminator, got.len - looked);
		looked = got.len;
		if (end || scan->offset + got.len == scan->window.size || got.len > X12_SEGMENT_MAX)
			break;
		want = got.len * 2;
	}
	*length = end ? (size_t)(end - got.data) : got.len;
	segment->end = scan->offset + *length + (end != NULL);
	segment->oversized = *length > X12_SEGMENT_MAX;
	while (!end && segment->end < scan->window.size) {
		if (window_get(&scan->window, segment->end, 1, &got, error))
			return -1;
		end = memchr(got.data, scan->syntax.terminator, got.len);
		segment->end += end ? (uint64_t)(end - got.data) + 1 : got.len;
	}
	if (segment->oversized)
		*length = 64;
	return 0;
}

static struct span unwrap(struct x12_scan *scan, struct span text)
{
	buf_reset(&scan->unwrapped);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '\r' && text.data[i] != '\n')
			buf_char(&scan->unwrapped, text.data[i]);
	return buf_view(&scan->unwrapped);
}

int x12_next(struct x12_scan *scan, struct x12_segment *segment, struct error *error)
{
	size_t length;
	struct span got;

	memset(segment, 0, sizeof *segment);
	if (x12_skip_filler(scan, error))
		return -1;
	segment->offset = scan->offset;
	if (scan->offset >= scan->window.size)
		return 0;
	if (measure(scan, segment, &length, error) || window_get(&scan->window, scan->offset, length, &got, error))
		return -1;
	segment->text = span_make(got.data, length);
	scan->offset = segment->end;
	if (segment->binary)
		return 1;
	if (!scan->syntax.wraps) /* the other half of a CR LF */
		while (segment->text.len && memchr("\r\n", segment->text.data[segment->text.len - 1], 2))
			segment->text.len--;
	else if (memchr(segment->text.data, '\n', length) || memchr(segment->text.data, '\r', length))
		segment->text = unwrap(scan, segment->text);
	return 1;
}

bool x12_is(const struct x12_scan *scan, const struct x12_segment *segment, const char *name)
{
	size_t n = strlen(name);

	return segment->text.len >= n && !memcmp(segment->text.data, name, n) &&
	       (segment->text.len == n || segment->text.data[n] == scan->syntax.element);
}

struct span x12_element(const struct x12_scan *scan, const struct x12_segment *segment, int number)
{
	struct span rest = segment->text;

	for (int i = 0;; i++) {
		const char *end = rest.len ? memchr(rest.data, scan->syntax.element, rest.len) : NULL;
		size_t n = end ? (size_t)(end - rest.data) : rest.len;

		if (i == number)
			return span_make(rest.data, n);
		if (!end)
			return SPAN_NONE;
		rest = span_make(rest.data + n + 1, rest.len - n - 1);
	}
}

/* ---- the survey */
struct survey {
	struct x12_scan *scan;
	const struct x12_isa *isa;
	struct x12_survey *result;
	uint32_t groups;
	bool in_group;
	uint64_t group_offset, group_transactions;
	char group_control[16];
	struct error group_why;
};

static bool says(struct span element, uint64_t count)
{
	uint64_t value = 0;

	if (!element.len || element.len > 12)
		return false;
	for (size_t i = 0; i < element.len; i++) {
		if (!isdigit((unsigned char)element.data[i]))
			return false;
		value = value * 10 + (uint64_t)(element.data[i] - '0');
	}
	return value == count;
}

static struct span shown(struct span text)
{
	return span_make(text.data ? text.data : "", text.len < 40 ? text.len : 40);
}

static int spoil(struct survey *survey, const char *code, const char *what)
{
	if (survey->result->why.class == ERROR_NONE)
		error_set(&survey->result->why, ERROR_REJECT, code, "%s", what);
	return 0;
}

static void leave_group(struct survey *survey, uint64_t end)
{
	struct x12_survey *result = survey->result;
	struct x12_group_fault *fault;

	survey->in_group = false;
	if (survey->group_why.class == ERROR_NONE)
		return;
	if (result->faults_count == X12_GROUP_FAULTS_MAX) {
		spoil(survey, "x12.count", "too many of its groups are broken");
		return;
	}
	if (!result->faults)
		result->faults = mem_alloc(X12_GROUP_FAULTS_MAX * sizeof *result->faults);
	fault = &result->faults[result->faults_count++];
	*fault = (struct x12_group_fault){survey->groups, survey->group_offset, end - survey->group_offset,
					  survey->group_why};
}

static void lose_group_end(struct survey *survey, uint64_t end)
{
	if (!survey->in_group)
		return;
	error_set(&survey->group_why, ERROR_REJECT, "x12.truncated", "group %u (control %s) has no GE", survey->groups,
		  survey->group_control);
	leave_group(survey, end);
}

static void enter_group(struct survey *survey, const struct x12_segment *segment)
{
	struct span control = x12_element(survey->scan, segment, 6);

	lose_group_end(survey, segment->offset);
	survey->groups++;
	survey->in_group = true;
	survey->group_offset = segment->offset;
	survey->group_transactions = 0;
	error_clear(&survey->group_why);
	snprintf(survey->group_control, sizeof survey->group_control, "%.*s", SPAN_ARGS(shown(control)));
	if (!control.len || control.len > 9)
		error_set(&survey->group_why, ERROR_REJECT, "x12.control",
			  "group %u has no control number of 1 to 9 digits in GS06", survey->groups);
}

static void end_group(struct survey *survey, const struct x12_segment *segment)
{
	struct span count = x12_element(survey->scan, segment, 1), control = x12_element(survey->scan, segment, 2);

	if (!survey->in_group) {
		spoil(survey, "x12.structure", "there is a GE without its GS");
		return;
	}
	if (survey->group_why.class == ERROR_NONE && !span_is(control, survey->group_control))
		error_set(&survey->group_why, ERROR_REJECT, "x12.control",
			  "group %u: GE02 is \"%.*s\", but GS06 is \"%s\"", survey->groups, SPAN_ARGS(shown(control)),
			  survey->group_control);
	else if (survey->group_why.class == ERROR_NONE && !says(count, survey->group_transactions))
		error_set(&survey->group_why, ERROR_REJECT, "x12.count",
			  "group %u (control %s): GE01 says \"%.*s\" transactions, there are %llu", survey->groups,
			  survey->group_control, SPAN_ARGS(shown(count)),
			  (unsigned long long)survey->group_transactions);
	leave_group(survey, segment->end);
}

static void end_interchange(struct survey *survey, const struct x12_segment *segment)
{
	struct span count = x12_element(survey->scan, segment, 1), control = x12_element(survey->scan, segment, 2),
		    wanted = x12_isa_element(survey->isa, 13);
	struct error *why = &survey->result->why;

	lose_group_end(survey, segment->offset);
	survey->result->end = segment->end;
	if (why->class != ERROR_NONE)
		return;
	if (!span_equal(control, wanted))
		error_set(why, ERROR_REJECT, "x12.control", "IEA02 is \"%.*s\", but ISA13 is \"%.*s\"",
			  SPAN_ARGS(shown(control)), SPAN_ARGS(wanted));
	else if (!says(count, survey->groups) &&
		 (survey->groups || !says(count, 1))) /* some count their TA1 as a group */
		error_set(why, ERROR_REJECT, "x12.count", "IEA01 says \"%.*s\" groups, there are %u",
			  SPAN_ARGS(shown(count)), survey->groups);
}

static bool is_service(const struct x12_scan *scan, const struct x12_segment *segment)
{
	return x12_is(scan, segment, "TA1") || x12_is(scan, segment, "TA3") || x12_is(scan, segment, "ISB") ||
	       x12_is(scan, segment, "ISE") || x12_is(scan, segment, "ISR");
}

static void look(struct survey *survey, const struct x12_segment *segment)
{
	const struct x12_scan *scan = survey->scan;

	if (x12_is(scan, segment, "GS")) {
		enter_group(survey, segment);
	} else if (x12_is(scan, segment, "GE")) {
		end_group(survey, segment);
	} else if (x12_is(scan, segment, "ST")) {
		survey->result->transactions++;
		survey->group_transactions++;
		if (!survey->in_group)
			spoil(survey, "x12.structure", "there is a transaction outside any group");
	} else if (!survey->in_group && segment->text.len && !is_service(scan, segment)) {
		spoil(survey, "x12.structure", "there is a segment outside any group");
	}
}

/* A document that was cut, with the next interchange right behind the cut: that one shall not be lost with it. */
static int save_next(struct survey *survey, struct error *error)
{
	struct x12_survey *result = survey->result;
	uint64_t next;

	if (result->why.class == ERROR_NONE)
		return 0;
	if (x12_isa_find(survey->scan, survey->isa->end, result->end, &next, error))
		return -1;
	if (next < result->end) {
		result->end = next;
		error_set(&result->why, ERROR_REJECT, "x12.truncated",
			  "the interchange (control %.*s) is cut off: the next one starts before its IEA",
			  SPAN_ARGS(x12_isa_element(survey->isa, 13)));
	}
	return 0;
}

int x12_survey(struct x12_scan *scan, const struct x12_isa *isa, struct x12_survey *result, struct error *error)
{
	struct survey survey = {.scan = scan, .isa = isa, .result = result};
	struct x12_segment segment;
	int more;

	memset(result, 0, sizeof *result);
	scan->syntax = isa->syntax;
	scan->offset = isa->end;
	while ((more = x12_next(scan, &segment, error)) > 0) {
		if (x12_is(scan, &segment, "ISA"))
			break;
		if (x12_is(scan, &segment, "IEA")) {
			end_interchange(&survey, &segment);
			return save_next(&survey, error);
		}
		look(&survey, &segment);
	}
	if (more < 0)
		return -1;
	result->end = segment.offset;
	result->why.class = ERROR_NONE;
	error_set(&result->why, ERROR_REJECT, "x12.truncated",
		  "the interchange (control %.*s) has no IEA: the document is not complete",
		  SPAN_ARGS(x12_isa_element(isa, 13)));
	return save_next(&survey, error);
}
