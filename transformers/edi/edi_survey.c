/* The envelope of an interchange, judged before anything of it goes on. See edi.h. */
#include "config.h"
#include "transformers/edi/edi_package.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum looked {
	LOOKED_ON,
	LOOKED_TO_END,  /* the interchange ends here */
	LOOKED_TO_LOSS, /* nothing behind this can be cut */
	LOOKED_IN_VAIN, /* as window_get says */
};

struct survey {
	struct edi_scan *scan;
	const struct edi_dialect *dialect;
	const struct edi_start *start;
	struct edi_survey *result;
	uint32_t groups;
	bool in_group, in_transaction;
	uint64_t group_offset, group_transactions;
	char group_control[40], group_claimed[16];
	struct error group_why;
	uint64_t packages_from, packages_to; /* from the first to behind the last; from = UINT64_MAX: there is none */
};

static struct span significant(struct span number)
{
	while (number.len > 1 && *number.data == '0')
		number = span_make(number.data + 1, number.len - 1);
	return number;
}

static bool is_number(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isdigit((unsigned char)text.data[i]))
			return false;
	return text.len != 0;
}

struct span edi_control(const struct edi_dialect *dialect, const struct edi_syntax *syntax, struct span segment,
			int element)
{
	struct span control = edi_element(syntax, segment, element);

	return dialect->close_loose ? edi_component(syntax, control, 1) : control;
}

bool edi_is_same_control(const struct edi_dialect *dialect, enum edi_level level, struct span open, struct span close)
{
	open = edi_trimmed(open);
	close = edi_trimmed(close);
	if (!dialect->close_control || span_equal(open, close))
		return true;
	if (dialect->close_loose && (!open.len || !close.len))
		return true;
	return dialect->numeric_control && level != EDI_TRANSACTION && is_number(open) && is_number(close) &&
	       span_equal(significant(open), significant(close));
}

bool edi_count_agrees(const struct edi_dialect *dialect, struct span says, uint64_t count)
{
	return edi_says(says, count) || (dialect->close_loose && !says.len);
}

bool edi_says(struct span number, uint64_t count)
{
	uint64_t value = 0;

	number = edi_trimmed(number);
	if (!number.len || number.len > 12)
		return false;
	for (size_t i = 0; i < number.len; i++) {
		if (!isdigit((unsigned char)number.data[i]))
			return false;
		value = value * 10 + (uint64_t)(number.data[i] - '0');
	}
	return value == count;
}

struct span edi_shown(struct span text)
{
	return span_make(text.data ? text.data : "", text.len < 40 ? text.len : 40);
}

static void spoil(struct survey *survey, const char *kind, const char *what)
{
	if (survey->result->why.class == ERROR_NONE)
		edi_fault(&survey->result->why, survey->dialect, kind, "%s", what);
}

static void leave_group(struct survey *survey, uint64_t end)
{
	struct edi_survey *result = survey->result;

	survey->in_group = false;
	if (survey->group_why.class == ERROR_NONE)
		return;
	if (result->faults_count == EDI_GROUP_FAULTS_MAX) {
		spoil(survey, "count", "too many of its groups are broken");
		return;
	}
	if (!result->faults)
		result->faults = mem_alloc(EDI_GROUP_FAULTS_MAX * sizeof *result->faults);
	result->faults[result->faults_count] = (struct edi_group_fault){.ordinal = survey->groups,
									.offset = survey->group_offset,
									.length = end - survey->group_offset,
									.why = survey->group_why,
									.transactions = survey->group_transactions};
	memcpy(result->faults[result->faults_count++].claimed, survey->group_claimed, sizeof survey->group_claimed);
}

static void lose_group_end(struct survey *survey, uint64_t end)
{
	if (!survey->in_group)
		return;
	edi_fault(&survey->group_why, survey->dialect, "truncated", "group %u (control %s) has no %s", survey->groups,
		  survey->group_control, survey->dialect->close[EDI_GROUP]);
	leave_group(survey, end);
}

static void enter_group(struct survey *survey, const struct edi_segment *segment)
{
	const struct edi_syntax *syntax = &survey->scan->syntax;
	struct span control = edi_element(syntax, segment->text, survey->dialect->control[EDI_GROUP]);

	lose_group_end(survey, segment->offset);
	survey->groups++;
	survey->in_group = true;
	survey->group_offset = segment->offset;
	survey->group_transactions = 0;
	survey->group_claimed[0] = '\0';
	error_clear(&survey->group_why);
	snprintf(survey->group_control, sizeof survey->group_control, "%.*s",
		 (int)(control.len < sizeof survey->group_control ? control.len : sizeof survey->group_control - 1),
		 control.data ? control.data : "");
	if (segment->text.len > EDI_HEADER_MAX)
		edi_fault(&survey->group_why, survey->dialect, "limit",
			  "the header of group %u is longer than %d bytes", survey->groups, EDI_HEADER_MAX);
	else if (survey->dialect->check_open(syntax, EDI_GROUP, segment->text, &survey->group_why))
		error_wrap(&survey->group_why, "group %u", survey->groups);
}

/* What is counted besides groups. */
static const char *counted(const struct survey *survey)
{
	return survey->packages_from < UINT64_MAX ? "messages and package" : survey->dialect->transaction;
}

static void end_group(struct survey *survey, const struct edi_segment *segment)
{
	const struct edi_dialect *dialect = survey->dialect;
	const struct edi_syntax *syntax = &survey->scan->syntax;
	struct span count = edi_element(syntax, segment->text, dialect->close_count),
		    control = edi_control(dialect, syntax, segment->text, dialect->close_control);

	if (!survey->in_group) {
		char text[60];

		snprintf(text, sizeof text, "there is a %s without its %s", dialect->close[EDI_GROUP],
			 dialect->open[EDI_GROUP]);
		spoil(survey, "structure", text);
		return;
	}
	if (count.len < sizeof survey->group_claimed)
		snprintf(survey->group_claimed, sizeof survey->group_claimed, "%.*s", (int)count.len,
			 count.data ? count.data : "");
	if (survey->group_why.class == ERROR_NONE &&
	    !edi_is_same_control(dialect, EDI_GROUP, span_of(survey->group_control), control))
		edi_fault(&survey->group_why, dialect, "control", "group %u: %s02 is \"%.*s\", but %s%02d is \"%s\"",
			  survey->groups, dialect->close[EDI_GROUP], SPAN_ARGS(edi_shown(control)),
			  dialect->open[EDI_GROUP], dialect->control[EDI_GROUP], survey->group_control);
	else if (survey->group_why.class == ERROR_NONE && !edi_says(count, survey->group_transactions))
		edi_fault(&survey->group_why, dialect, "count",
			  "group %u (control %s): %s01 says \"%.*s\" %ss, there are %llu", survey->groups,
			  survey->group_control, dialect->close[EDI_GROUP], SPAN_ARGS(edi_shown(count)),
			  counted(survey), (unsigned long long)survey->group_transactions);
	leave_group(survey, segment->end);
}

/* What the trailer counts: groups where there are any, else transactions (EDIFACT); always groups (X12). */
static bool count_agrees(const struct survey *survey, struct span count, uint64_t *there, const char **what)
{
	const struct edi_dialect *dialect = survey->dialect;
	bool groups = dialect->groups_needed || (dialect->count_groups && survey->groups);

	*there = groups ? survey->groups : survey->result->transactions;
	*what = groups ? "group" : counted(survey);
	if (edi_count_agrees(dialect, count, *there))
		return true;
	/* Some count their TA1 as a group. */
	return dialect->groups_needed && !survey->groups && edi_says(count, 1);
}

static void end_interchange(struct survey *survey, const struct edi_segment *segment)
{
	const struct edi_dialect *dialect = survey->dialect;
	const struct edi_syntax *syntax = &survey->scan->syntax;
	struct span count = edi_element(syntax, segment->text, dialect->close_count),
		    control = edi_control(dialect, syntax, segment->text, dialect->close_control),
		    wanted = edi_control(dialect, syntax, survey->start->header, dialect->control[EDI_INTERCHANGE]);
	struct error *why = &survey->result->why;
	const char *what;
	uint64_t there;

	lose_group_end(survey, segment->offset);
	survey->result->end = segment->end;
	if (why->class != ERROR_NONE)
		return;
	if (!edi_is_same_control(dialect, EDI_INTERCHANGE, wanted, control))
		edi_fault(why, dialect, "control", "%s%02d is \"%.*s\", but %s%02d is \"%.*s\"",
			  dialect->close[EDI_INTERCHANGE], dialect->close_control, SPAN_ARGS(edi_shown(control)),
			  dialect->open[EDI_INTERCHANGE], dialect->control[EDI_INTERCHANGE],
			  SPAN_ARGS(edi_shown(edi_trimmed(wanted))));
	else if (!count_agrees(survey, count, &there, &what))
		edi_fault(why, dialect, "count", "%s%02d says \"%.*s\" %ss, there are %llu",
			  dialect->close[EDI_INTERCHANGE], dialect->close_count, SPAN_ARGS(edi_shown(count)), what,
			  (unsigned long long)there);
}

static void enter_transaction(struct survey *survey)
{
	survey->result->transactions++;
	survey->group_transactions++;
	survey->in_transaction = true;
	if (!survey->in_group && survey->dialect->groups_needed) {
		char text[60];

		snprintf(text, sizeof text, "there is a %s outside any group", survey->dialect->transaction);
		spoil(survey, "structure", text);
	}
}

/* A segment that belongs to no transaction. */
static enum looked look_outside(struct survey *survey, struct edi_segment *segment)
{
	const struct edi_dialect *dialect = survey->dialect;
	char text[80];

	if (survey->in_group) {
		if (survey->group_why.class == ERROR_NONE)
			edi_fault(&survey->group_why, dialect, "structure",
				  "group %u has a segment outside any %s at byte %llu", survey->groups,
				  dialect->transaction,
				  (unsigned long long)edi_offset(survey->scan, segment->offset));
		return LOOKED_ON;
	}
	edi_unwrap(survey->scan, segment);
	if (!dialect->service(&survey->scan->syntax, segment->text)) {
		snprintf(text, sizeof text, "there is a segment outside any %s, at byte %llu",
			 dialect->groups_needed ? "group" : "message",
			 (unsigned long long)edi_offset(survey->scan, segment->offset));
		spoil(survey, "structure",
		      edi_opens_package(survey->scan, segment->text)
			      ? "there is a package of an object (UNO), which is of syntax version 4"
			      : text);
	}
	return LOOKED_ON;
}

static bool has_packages(const struct survey *survey)
{
	const struct edi_syntax *syntax = &survey->scan->syntax;
	struct span version = edi_component(syntax, edi_element(syntax, survey->start->header, 1), 2);

	return version.len && *version.data >= '4';
}

/* Over the object, whose bytes may look like anything, and UNP. What is wrong with it is its own affair, as long as its
 * end is found. */
static enum looked look_at_package(struct survey *survey, const struct edi_segment *uno, struct error *error)
{
	struct edi_package package;
	struct edi_segment closing;
	uint64_t from = uno->offset;
	char text[160];
	int found;

	survey->in_transaction = false;
	enter_transaction(survey);
	survey->in_transaction = false;
	if (from < survey->packages_from)
		survey->packages_from = from;
	found = edi_package_find(survey->scan, uno, &package, error);
	if (found > 0)
		found = edi_next(survey->scan, &closing, error);
	if (found < 0)
		return LOOKED_IN_VAIN;
	survey->packages_to = survey->scan->offset;
	if (found)
		return LOOKED_ON;
	snprintf(text, sizeof text,
		 "the package at byte %llu has no UNP: neither where its length says, nor behind that",
		 (unsigned long long)edi_offset(survey->scan, from));
	error_clear(&survey->result->why);
	spoil(survey, "truncated", text);
	return LOOKED_TO_LOSS;
}

static enum looked look(struct survey *survey, struct edi_segment *segment, struct error *error)
{
	const struct edi_dialect *dialect = survey->dialect;
	const struct edi_syntax *syntax = &survey->scan->syntax;

	if (edi_is_interesting(survey->scan, segment->text)) {
		edi_unwrap(survey->scan, segment);
		if (edi_is(syntax, segment->text, dialect->close[EDI_TRANSACTION])) {
			bool was = survey->in_transaction;

			survey->in_transaction = false;
			return was ? LOOKED_ON : look_outside(survey, segment);
		}
		if (edi_opens_package(survey->scan, segment->text) && has_packages(survey))
			return look_at_package(survey, segment, error);
		if (edi_is(syntax, segment->text, dialect->open[EDI_TRANSACTION])) {
			enter_transaction(survey);
			return LOOKED_ON;
		}
		if (edi_is(syntax, segment->text, dialect->close[EDI_INTERCHANGE]))
			return LOOKED_TO_END;
		if (dialect->open[EDI_GROUP] && edi_is(syntax, segment->text, dialect->open[EDI_GROUP])) {
			survey->in_transaction = false;
			enter_group(survey, segment);
			return LOOKED_ON;
		}
		if (dialect->open[EDI_GROUP] && edi_is(syntax, segment->text, dialect->close[EDI_GROUP])) {
			survey->in_transaction = false;
			end_group(survey, segment);
			return LOOKED_ON;
		}
	}
	return survey->in_transaction ? LOOKED_ON : look_outside(survey, segment);
}

int edi_find(struct edi_scan *scan, uint64_t from, uint64_t to, uint64_t *found, struct error *error)
{
	const struct edi_dialect *dialect = scan->dialect;
	struct edi_syntax syntax = scan->syntax;
	struct edi_start start;
	struct error why;
	struct span got;
	int is = 0;

	while (from < to && !is) {
		size_t at;

		if (window_get(&scan->window, from, 512, &got, error))
			return -1;
		at = scan->dialect->find(got);
		if (at >= got.len || from + at >= to) {
			from += got.len > 8 && from + got.len < scan->window.size ? got.len - 8 : got.len;
			continue;
		}
		from += at;
		is = scan->dialect->start(scan, from, &start, &why, error);
		if (!is)
			from++;
	}
	scan->syntax = syntax;
	edi_scan_speak(scan, dialect);
	edi_seek(scan, from < to ? from : to);
	*found = scan->offset;
	return is < 0 ? -1 : 0;
}

/* The start of another one in it, but not in what lies from its first package to behind its last: that may be an
 * interchange itself, and is not the sender's. */
static int find_next(struct survey *survey, uint64_t *next, struct error *error)
{
	uint64_t end = survey->result->end, until = survey->packages_from < end ? survey->packages_from : end;

	if (edi_find(survey->scan, survey->start->end, until, next, error))
		return -1;
	if (*next < until || until == end)
		return 0;
	return edi_find(survey->scan, survey->packages_to < end ? survey->packages_to : end, end, next, error);
}

/* A document that was cut, with the next interchange right behind the cut: that one shall not be lost with it. */
static int save_next(struct survey *survey, struct error *error)
{
	struct edi_survey *result = survey->result;
	const struct edi_dialect *dialect = survey->dialect;
	uint64_t next;

	result->looked_to = result->end;
	if (result->why.class == ERROR_NONE)
		return 0;
	if (find_next(survey, &next, error))
		return -1;
	if (next < result->end) {
		result->end = next;
		edi_fault(&result->why, dialect, "truncated",
			  "the interchange (control %.*s) is cut off: the next one starts before its %s",
			  SPAN_ARGS(edi_shown(edi_element(&survey->scan->syntax, survey->start->header,
							  dialect->control[EDI_INTERCHANGE]))),
			  dialect->close[EDI_INTERCHANGE]);
	}
	return 0;
}

static void begin(struct survey *survey, struct edi_scan *scan, const struct edi_start *start,
		  struct edi_survey *result)
{
	memset(survey, 0, sizeof *survey);
	memset(result, 0, sizeof *result);
	survey->scan = scan;
	survey->dialect = scan->dialect;
	survey->start = start;
	survey->result = result;
	survey->packages_from = UINT64_MAX;
	edi_seek(scan, start->end);
}

int edi_survey(struct edi_scan *scan, const struct edi_start *start, struct edi_survey *result, struct error *error)
{
	const struct edi_dialect *dialect = scan->dialect;
	struct edi_segment segment;
	struct survey survey;
	int more;

	begin(&survey, scan, start, result);
	while (survey.in_transaction ? edi_pass_over(scan) : (void)0, (more = edi_next(scan, &segment, error)) > 0) {
		if (segment.text.len && segment.text.data[0] == dialect->open[EDI_INTERCHANGE][0] &&
		    edi_is(&scan->syntax, segment.text, dialect->open[EDI_INTERCHANGE]))
			break;
		switch (look(&survey, &segment, error)) {
		case LOOKED_ON:
			continue;
		case LOOKED_IN_VAIN:
			return -1;
		case LOOKED_TO_END:
			end_interchange(&survey, &segment);
			return save_next(&survey, error);
		case LOOKED_TO_LOSS:
			result->end = scan->window.size;
			return save_next(&survey, error);
		}
	}
	if (more < 0)
		return -1;
	result->end = segment.offset;
	result->why.class = ERROR_NONE;
	edi_fault(&result->why, dialect, "truncated",
		  "the interchange (control %.*s) has no %s: the document is not complete",
		  SPAN_ARGS(edi_shown(edi_element(&scan->syntax, start->header, dialect->control[EDI_INTERCHANGE]))),
		  dialect->close[EDI_INTERCHANGE]);
	return save_next(&survey, error);
}
