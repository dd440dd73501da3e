/* The table of what can be wrong with an EDI document. See edi_finding.h. */
#include "config.h"
#include "transformers/edi/edi_finding.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define SYNTAX EDI_CHECK_SYNTAX
#define STRUCTURE EDI_CHECK_STRUCTURE
#define CODES EDI_CHECK_CODES
#define BALANCE EDI_CHECK_BALANCE

const struct edi_kind_facts edi_kinds[EDI_KINDS] = {
	/* ak502 7 is for a control number that is none; that the two differ is 3 */
	[EDI_KIND_CONTROL] = {.code = "control",
			      .level = SYNTAX,
			      .ak502 = "3",
			      .ak905 = "4",
			      .ta105 = "001",
			      .contrl = "28",
			      .help = "Control numbers of header and trailer differ, or there is none"},
	[EDI_KIND_COUNT] = {.code = "count",
			    .level = SYNTAX,
			    .ak502 = "4",
			    .ak905 = "5",
			    .ta105 = "021",
			    .contrl = "29",
			    .help = "A trailer counts something else than came"},
	[EDI_KIND_TRUNCATED] = {.code = "truncated",
				.level = SYNTAX,
				.ak502 = "2",
				.ak905 = "3",
				.ta105 = "023",
				.contrl = "13",
				.help = "A trailer is missing"},
	[EDI_KIND_OUTSIDE] = {.code = "structure",
			      .level = SYNTAX,
			      .ak304 = "2",
			      .ik304 = "2",
			      .ta105 = "022",
			      .contrl = "33",
			      .help = "A segment stands where the envelope has no place for it"},
	[EDI_KIND_NAME] = {.code = "segment",
			   .level = SYNTAX,
			   .ak304 = "1",
			   .ik304 = "1",
			   .ta105 = "024",
			   .contrl = "21",
			   .help = "A segment has no name of two or three capital letters and digits"},
	[EDI_KIND_CHARACTER] = {.code = "character",
				.level = SYNTAX,
				.ak403 = "6",
				.ik403 = "6",
				.ta105 = "024",
				.contrl = "21",
				.help = "A character stands in data that may not"},
	[EDI_KIND_LIMIT] = {.code = "limit",
			    .level = SYNTAX,
			    .ta105 = "024",
			    .contrl = "18",
			    .help = "Something is larger than is read"},
	[EDI_KIND_SEPARATOR] = {.code = "separator",
				.level = SYNTAX,
				.ta105 = "026",
				.contrl = "22",
				.help = "A separator is one that cannot be used"},
	[EDI_KIND_ISA] = {.code = "isa", .level = SYNTAX, .ta105 = "022", .help = "ISA does not have its fixed length"},
	[EDI_KIND_JUNK] = {.code = "junk",
			   .level = SYNTAX,
			   .ta105 = "022",
			   .contrl = "18",
			   .help = "Text that is no interchange"},
	[EDI_KIND_CHARSET] = {.code = "charset",
			      .level = SYNTAX,
			      .ta105 = "024",
			      .contrl = "46",
			      .help = "The character set is not known"},
	[EDI_KIND_ENCODING] = {.code = "encoding",
			       .level = SYNTAX,
			       .ta105 = "024",
			       .contrl = "46",
			       .help = "The document is in UTF-16"},
	[EDI_KIND_EMPTY] = {.code = "empty", .level = SYNTAX, .ta105 = "022", .contrl = "18", .help = "Nothing came"},
	[EDI_KIND_DOCUMENT] = {.code = "document",
			       .level = SYNTAX,
			       .help = "A nested document that is encoded has something that its grammar has not"},
	[EDI_KIND_VALUE] = {.code = "value",
			    .level = SYNTAX,
			    .help = "A value of a nested document cannot be written as its element is"},
	[EDI_KIND_JSON] = {.code = "json",
			   .level = SYNTAX,
			   .help = "What is encoded is no line of JSON, or a part of it has another form"},
	[EDI_KIND_FORMAT] = {.code = "format",
			     .level = SYNTAX,
			     .help = "A line that is encoded says that it is of another format"},
	[EDI_KIND_ENVELOPE] = {.code = "envelope",
			       .level = SYNTAX,
			       .help = "What `envelope` of encode gives is no object"},
	[EDI_KIND_OTHER] = {.code = "other", .level = SYNTAX, .ta105 = "024", .contrl = "18", .help = "Anything else"},
	[EDI_KIND_GRAMMAR] = {.code = "grammar",
			      .level = STRUCTURE,
			      .ak502 = "1",
			      .contrl = "14",
			      .help = "There is no grammar for this version and type"},
	[EDI_KIND_SEGMENT_UNKNOWN] = {.code = "segment-unknown",
				      .level = STRUCTURE,
				      .ak304 = "1",
				      .ik304 = "1",
				      .contrl = "15",
				      .help = "The standard has no such segment"},
	[EDI_KIND_SEGMENT_UNDEFINED] = {.code = "segment-undefined",
					.level = STRUCTURE,
					.ak304 = "6",
					.ik304 = "6",
					.contrl = "15",
					.help = "The transaction set does not have this segment"},
	[EDI_KIND_SEGMENT_ORDER] = {.code = "segment-order",
				    .level = STRUCTURE,
				    .ak304 = "7",
				    .ik304 = "7",
				    .contrl = "15",
				    .help = "The segment has its place somewhere else in the transaction set"},
	[EDI_KIND_SEGMENT_UNUSED] = {.code = "segment-unused",
				     .level = STRUCTURE,
				     .ak304 = "2",
				     .ik304 = "2",
				     .guide304 = "I4",
				     .contrl = "15",
				     .help = "A segment or loop came that the grammar says is never used"},
	[EDI_KIND_SEGMENT_MISSING] = {.code = "segment-missing",
				      .level = STRUCTURE,
				      .ak304 = "3",
				      .ik304 = "3",
				      .guide304 = "I8",
				      .contrl = "13",
				      .help = "A segment that must be there is not"},
	[EDI_KIND_SEGMENT_REPEATS] = {.code = "segment-repeats",
				      .level = STRUCTURE,
				      .ak304 = "5",
				      .ik304 = "5",
				      .contrl = "35",
				      .help = "A segment comes more often than it may"},
	[EDI_KIND_LOOP_MISSING] = {.code = "loop-missing",
				   .level = STRUCTURE,
				   .ak304 = "3",
				   .ik304 = "3",
				   .guide304 = "I7",
				   .contrl = "13",
				   .help = "A loop that must be there is not"},
	[EDI_KIND_LOOP_REPEATS] = {.code = "loop-repeats",
				   .level = STRUCTURE,
				   .ak304 = "4",
				   .ik304 = "4",
				   .contrl = "36",
				   .help = "A loop comes more often than it may"},
	[EDI_KIND_ELEMENT_MISSING] = {.code = "element-missing",
				      .level = STRUCTURE,
				      .ak304 = "8",
				      .ak403 = "1",
				      .ik304 = "8",
				      .ik403 = "1",
				      .contrl = "13",
				      .help = "An element or component that must be there is not"},
	[EDI_KIND_ELEMENT_CONDITION] = {.code = "element-condition",
					.level = STRUCTURE,
					.ak304 = "8",
					.ak403 = "2",
					.ik304 = "8",
					.ik403 = "2",
					.contrl = "13",
					.help = "An element that another one asks for is not there"},
	[EDI_KIND_ELEMENT_EXCLUDED] = {.code = "element-excluded",
				       .level = STRUCTURE,
				       .ak304 = "8",
				       .ak403 = "10",
				       .ik304 = "8",
				       .ik403 = "10",
				       .contrl = "15",
				       .help = "An element stands beside one that excludes it"},
	[EDI_KIND_ELEMENT_UNUSED] = {.code = "element-unused",
				     .level = STRUCTURE,
				     .ak304 = "8",
				     .ak403 = "3",
				     .ik304 = "8",
				     .ik403 = "3",
				     .guide403 = "I10",
				     .contrl = "15",
				     .help = "An element or component came that the grammar says is never used"},
	[EDI_KIND_ELEMENT_REPEATS] = {.code = "element-repeats",
				      .level = STRUCTURE,
				      .ak304 = "8",
				      .ak403 = "12",
				      .ik304 = "8",
				      .ik403 = "12",
				      .contrl = "35",
				      .help = "An element is repeated more often than it may be"},
	[EDI_KIND_ELEMENT_SHORT] = {.code = "element-short",
				    .level = STRUCTURE,
				    .ak304 = "8",
				    .ak403 = "4",
				    .ik304 = "8",
				    .ik403 = "4",
				    .contrl = "40",
				    .help = "An element has too few characters"},
	[EDI_KIND_ELEMENT_LONG] = {.code = "element-long",
				   .level = STRUCTURE,
				   .ak304 = "8",
				   .ak403 = "5",
				   .ik304 = "8",
				   .ik403 = "5",
				   .contrl = "39",
				   .help = "An element has too many characters"},
	[EDI_KIND_ELEMENT_TYPE] = {.code = "element-type",
				   .level = STRUCTURE,
				   .ak304 = "8",
				   .ak403 = "6",
				   .ik304 = "8",
				   .ik403 = "6",
				   .contrl = "37",
				   .help = "An element has characters that its type does not allow"},
	[EDI_KIND_ELEMENT_DATE] = {.code = "element-date",
				   .level = STRUCTURE,
				   .ak304 = "8",
				   .ak403 = "8",
				   .ik304 = "8",
				   .ik403 = "8",
				   .contrl = "12",
				   .help = "A date is none of the calendar"},
	[EDI_KIND_ELEMENT_TIME] = {.code = "element-time",
				   .level = STRUCTURE,
				   .ak304 = "8",
				   .ak403 = "9",
				   .ik304 = "8",
				   .ik403 = "9",
				   .contrl = "12",
				   .help = "A time is none of a day"},
	[EDI_KIND_ELEMENTS] = {.code = "elements",
			       .level = STRUCTURE,
			       .ak304 = "8",
			       .ak403 = "3",
			       .ik304 = "8",
			       .ik403 = "3",
			       .contrl = "16",
			       .help = "A segment has more elements than the grammar knows"},
	[EDI_KIND_COMPONENTS] = {.code = "components",
				 .level = STRUCTURE,
				 .ak304 = "8",
				 .ak403 = "3", /* 13 is not in 004010's list */
				 .ik304 = "8",
				 .ik403 = "13",
				 .contrl = "16",
				 .help = "An element has more components than the grammar knows"},
	[EDI_KIND_CODE] = {.code = "code",
			   .level = CODES,
			   .ak304 = "8",
			   .ak403 = "7",
			   .ik304 = "8",
			   .ik403 = "7",
			   .guide403 = "I6",
			   .contrl = "12",
			   .help = "A code is none of the list"},
	[EDI_KIND_BALANCE_COUNT] = {.code = "balance-count",
				    .level = BALANCE,
				    .ak304 = "8",
				    .ak403 = "7",
				    .ik304 = "8",
				    .ik403 = "7",
				    .contrl = "12",
				    .help = "The document counts something else than it has"},
	[EDI_KIND_BALANCE_SUM] = {.code = "balance-sum",
				  .level = BALANCE,
				  .ak304 = "8",
				  .ak403 = "7",
				  .ik304 = "8",
				  .ik403 = "7",
				  .contrl = "12",
				  .help = "The document states another total than its parts have"},
};

enum edi_kind edi_kind_of(const char *code)
{
	const char *dot = strchr(code, '.');

	if (dot)
		code = dot + 1;
	for (int kind = 0; kind < EDI_KINDS; kind++)
		if (!strcmp(edi_kinds[kind].code, code))
			return (enum edi_kind)kind;
	return EDI_KIND_OTHER;
}

void edi_findings_free(struct edi_findings *findings)
{
	free(findings->list);
	memset(findings, 0, sizeof *findings);
}

void edi_findings_reset(struct edi_findings *findings)
{
	findings->count = 0;
	findings->more = 0;
}

struct edi_finding *edi_finding_add(struct edi_findings *findings, enum edi_kind kind)
{
	struct edi_finding *finding;

	if (findings->count == EDI_FINDINGS_MAX) {
		findings->more++;
		return NULL;
	}
	if (!findings->list)
		findings->list = mem_alloc(EDI_FINDINGS_MAX * sizeof *findings->list);
	finding = &findings->list[findings->count++];
	memset(finding, 0, sizeof *finding);
	finding->kind = kind;
	return finding;
}

static void put_number(json_t *object, const char *name, uint64_t number)
{
	if (number)
		json_object_set_new(object, name, json_integer((json_int_t)number));
}

static void put_text(json_t *object, const char *name, const char *text)
{
	if (*text)
		json_object_set_new(object, name, json_string(text));
}

json_t *edi_finding_json_new(const struct edi_finding *finding, const char *dialect)
{
	const struct edi_kind_facts *kind = &edi_kinds[finding->kind];
	json_t *object = json_object();
	char code[64];

	snprintf(code, sizeof code, "%s.%s", dialect, kind->code);
	put_text(object, "code", code);
	put_text(object, "level",
		 kind->level == STRUCTURE ? "structure"
		 : kind->level == CODES   ? "codes"
		 : kind->level == BALANCE ? "balance"
					  : "syntax");
	put_number(object, "segment", finding->segment);
	put_text(object, "tag", finding->tag);
	put_text(object, "loop", finding->loop);
	put_number(object, "element", finding->element);
	put_number(object, "component", finding->component);
	if (finding->repetition > 1)
		put_number(object, "repetition", finding->repetition);
	put_text(object, "reference", finding->reference);
	json_object_set_new(object, "offset", json_integer((json_int_t)finding->offset));
	put_text(object, "value", finding->value);
	put_text(object, "text", finding->text);
	return object;
}
