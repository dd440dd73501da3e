/* EDIFACT (ISO 9735, syntax versions 1 to 4): UNA, UNB, UNG, UNH, UNT, UNE, UNZ. Interactive interchanges
 * are in edifact_interactive.c, packages of objects (UNO) in edi_package.h. See edi.h. */
#include "config.h"
#include "transformers/edi/edifact.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define UNA_LENGTH 9

/* ---- separators: UNA's, or those of the syntax level (ISO 9735-1, 8.1 and annex A) */
static bool is_separator(char c)
{
	return c && !isalnum((unsigned char)c) && c != ' ' && (unsigned char)c < 0x80;
}

static void set_separators(struct edi_syntax *syntax, const char una[6])
{
	memset(syntax, 0, sizeof *syntax);
	syntax->component = una[0];
	syntax->element = syntax->tag = una[1];
	syntax->decimal = una[2];
	syntax->release = una[3] == ' ' ? '\0' : una[3];
	syntax->terminator = una[5];
}

static bool are_sound(const struct edi_syntax *s)
{
	if ((unsigned char)s->decimal >= 0x80)
		return false;
	if (!is_separator(s->element) || !is_separator(s->component) || !is_separator(s->terminator) ||
	    s->element == s->component || s->element == s->terminator || s->component == s->terminator)
		return false;
	return !s->release || (is_separator(s->release) && s->release != s->element && s->release != s->component &&
			       s->release != s->terminator);
}

static void set_repetition(struct edi_syntax *syntax, char c)
{
	if (is_separator(c) && c != syntax->element && c != syntax->component && c != syntax->terminator &&
	    c != syntax->release)
		syntax->repetition = c;
}

/* What follows the tag of the header. */
static char behind_tag(struct span got)
{
	size_t at = 3;

	while (at < got.len && (got.data[at] == '\r' || got.data[at] == '\n'))
		at++;
	return at < got.len ? got.data[at] : '\0';
}

/* Without UNA: the usual ones, or the control characters that level B once had. */
static void guess(struct span got, struct edi_syntax *syntax)
{
	set_separators(syntax, behind_tag(got) == '\x1d' ? "\x1f\x1d.  \x1c" : ":+.? '");
}

/* ---- the header */
static bool says(struct span got, const char *name)
{
	return span_starts(got, name);
}

const char *edifact_charset(const char *level)
{
	static const struct {
		const char *level, *charset;
	} sets[] = {{"UNOC", "ISO-8859-1"}, {"UNOD", "ISO-8859-2"},  {"UNOE", "ISO-8859-5"}, {"UNOF", "ISO-8859-7"},
		    {"UNOG", "ISO-8859-3"}, {"UNOH", "ISO-8859-4"},  {"UNOI", "ISO-8859-6"}, {"UNOJ", "ISO-8859-8"},
		    {"UNOK", "ISO-8859-9"}, {"UNOL", "ISO-8859-15"}, {"UNOW", "UTF-8"},      {"UNOY", "UTF-8"}};

	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		if (!strcasecmp(level, sets[i].level))
			return sets[i].charset;
	return NULL; /* UNOA and UNOB are ASCII; what others send in them is guessed */
}

static int read_header(struct edi_scan *scan, struct span got, struct edi_start *start, bool una, struct error *why)
{
	struct edi_syntax *syntax = &scan->syntax;
	struct span identifier, version;
	char level[48];

	if (edi_take_header(scan, got, start, why))
		return -1;
	edi_syntax_ready(syntax);
	identifier = edi_element(syntax, start->header, 1);
	version = edi_component(syntax, identifier, 2);
	/* In interactive EDIFACT some say version 0, and mean 4. */
	if (version.len && (version.data[0] >= '4' || scan->dialect == &edi_interactive))
		set_repetition(syntax, una ? start->una[4] : '*');
	snprintf(level, sizeof level, "%.*s", SPAN_ARGS(edi_shown(edi_component(syntax, identifier, 1))));
	start->charset = edifact_charset(level);
	start->unox = !strcasecmp(level, "UNOX") && !memchr("\x1b\x0e\x0f", syntax->terminator, 3) &&
		      !memchr("\x1b\x0e\x0f", syntax->element, 3) && !memchr("\x1b\x0e\x0f", syntax->component, 3);
	if (scan->dialect == &edi_interactive)
		return 0;
	version = edi_component(syntax, edi_element(syntax, start->header, 5), 1);
	if (!version.len || version.len > 35)
		return error_set(why, ERROR_REJECT, "edifact.control",
				 "UNB has no control reference of 1 to 14 characters in its element 5");
	return 0;
}

static int start_at(struct edi_scan *scan, uint64_t offset, struct span got, struct edi_start *start, struct error *why)
{
	bool una = says(got, "UNA") && got.len >= UNA_LENGTH;
	size_t skip = una ? UNA_LENGTH : 0;

	start->offset = start->una_end = offset;
	for (size_t i = 5; una && i < 8; i++)
		if ((unsigned char)got.data[i] >= 0x80 || memchr("\r\n", got.data[i], 3)) /* with the NUL */
			return error_set(why, ERROR_REJECT, "edifact.separator",
					 "a character of UNA is a line end or none of ASCII");
	if (una) {
		memcpy(start->una, got.data + 3, sizeof start->una);
		start->una_end = offset + UNA_LENGTH;
		set_separators(&scan->syntax, start->una);
		while (skip < got.len && memchr("\r\n \t", got.data[skip], 4))
			skip++;
	}
	start->header_from = offset + skip;
	got = span_make(got.data + skip, got.len - skip);
	if (!says(got, "UNB") && !says(got, "UIB"))
		return error_set(why, ERROR_REJECT, "edifact.junk",
				 "there is no EDIFACT at byte %llu: an interchange starts with UNA, UNB or UIB",
				 (unsigned long long)offset);
	edi_scan_speak(scan, says(got, "UNB") ? &edi_edifact : &edi_interactive);
	if (!una)
		guess(got, &scan->syntax);
	if (!una && behind_tag(got) != scan->syntax.element)
		return error_set(why, ERROR_REJECT, "edifact.separator",
				 "%.3s is not followed by +, and there is no UNA that says which separators are used",
				 got.data);
	if (!are_sound(&scan->syntax))
		return error_set(why, ERROR_REJECT, "edifact.separator",
				 "a separator in UNA is a letter, a digit or no ASCII character, or two are the same");
	if (behind_tag(got) != scan->syntax.element)
		return error_set(why, ERROR_REJECT, "edifact.separator",
				 "%.3s is not followed by %c, which UNA says is what separates elements", got.data,
				 scan->syntax.element);
	return read_header(scan, got, start, una, why);
}

int edifact_start(struct edi_scan *scan, uint64_t offset, struct edi_start *start, struct error *why,
		  struct error *error)
{
	struct span got;
	uint64_t back = offset < UNA_LENGTH ? offset : UNA_LENGTH;

	/* A UNB that belongs to a UNA which cannot be used must not be read without it. */
	if (window_get(&scan->window, offset - back, UNA_LENGTH + 3, &got, error))
		return -1;
	if (back == UNA_LENGTH && span_starts(got, "UNA") && got.len >= UNA_LENGTH + 3 &&
	    (!memcmp(got.data + UNA_LENGTH, "UNB", 3) || !memcmp(got.data + UNA_LENGTH, "UIB", 3))) {
		error_set(why, ERROR_REJECT, "edifact.separator", "the UNA in front of %.3s cannot be used",
			  got.data + UNA_LENGTH);
		return 0;
	}
	if (window_get(&scan->window, offset, EDI_HEADER_MAX + 64, &got, error))
		return -1;
	if (got.len > EDI_HEADER_MAX + 64)
		got.len = EDI_HEADER_MAX + 64;
	start->charset = NULL;
	start->unox = false;
	return start_at(scan, offset, got, start, why) ? 0 : 1;
}

size_t edifact_find(struct span bytes)
{
	for (size_t i = 0; i + 3 <= bytes.len; i++) {
		const char *at = memchr(bytes.data + i, 'U', bytes.len - i - 2);

		if (!at)
			break;
		if (!memcmp(at, "UNA", 3) || !memcmp(at, "UNB", 3) || !memcmp(at, "UIB", 3))
			return (size_t)(at - bytes.data);
		i = (size_t)(at - bytes.data);
	}
	return bytes.len;
}

/* Security segments of syntax 4. */
bool edifact_service(const struct edi_syntax *syntax, struct span segment)
{
	return span_starts(segment, "US");
}

static int check_open(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct error *why)
{
	struct span control = edi_component(syntax, edi_element(syntax, segment, level == EDI_GROUP ? 5 : 1), 1), type;

	if (!control.len || control.len > 35)
		return error_set(why, ERROR_REJECT, "edifact.control",
				 "%s has no reference number of 1 to 14 characters",
				 level == EDI_GROUP ? "UNG" : "UNH");
	type = edi_component(syntax, edi_element(syntax, segment, 2), 1);
	if (level == EDI_TRANSACTION && !type.len)
		return error_set(why, ERROR_REJECT, "edifact.control", "UNH does not say which message it is");
	return 0;
}

/* ---- facts */
void edifact_fact_if(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span value)
{
	if (value.len)
		edi_write_fact(out, name, syntax, value);
}

/* As in X12: the qualifier first, where there is one. */
void edifact_party(struct buf *out, const char *name, const struct edi_syntax *syntax, struct span element)
{
	struct span id = edi_component(syntax, element, 1), qualifier = edi_component(syntax, element, 2);
	struct edi_syntax colon = *syntax;
	struct buf text;

	colon.release = syntax->release;
	buf_init(&text, EDI_HEADER_MAX);
	buf_span(&text, qualifier);
	if (qualifier.len)
		buf_char(&text, ':');
	buf_span(&text, id);
	edi_write_fact(out, name, &colon, buf_view(&text));
	buf_free(&text);
}

static void facts_of_interchange(const struct edi_syntax *syntax, struct span unb, struct buf *out)
{
	struct span identifier = edi_element(syntax, unb, 1);

	edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, unb, 5), 1));
	edifact_party(out, "sender", syntax, edi_element(syntax, unb, 2));
	edifact_party(out, "receiver", syntax, edi_element(syntax, unb, 3));
	edi_write_fact(out, "syntax", syntax, edi_component(syntax, identifier, 1));
	edi_write_fact(out, "version", syntax, edi_component(syntax, identifier, 2));
	edifact_fact_if(out, "application", syntax, edi_component(syntax, edi_element(syntax, unb, 7), 1));
	buf_printf(out, "\"usage\":\"%s\",",
		   span_is(edi_component(syntax, edi_element(syntax, unb, 11), 1), "1") ? "T" : "P");
}

static void facts(const struct edi_syntax *syntax, enum edi_level level, struct span segment, struct buf *out)
{
	static const char *const names[] = {"type", "version", "release", "agency", "association"};
	struct span version = edi_element(syntax, segment, 8);

	switch (level) {
	case EDI_INTERCHANGE:
		facts_of_interchange(syntax, segment, out);
		break;
	case EDI_GROUP:
		edi_write_fact(out, "code", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 5), 1));
		edifact_fact_if(out, "version", syntax, edi_component(syntax, version, 1));
		edifact_fact_if(out, "release", syntax, edi_component(syntax, version, 2));
		break;
	case EDI_TRANSACTION:
		edi_write_fact(out, "type", syntax, edi_component(syntax, edi_element(syntax, segment, 2), 1));
		edi_write_fact(out, "control", syntax, edi_component(syntax, edi_element(syntax, segment, 1), 1));
		for (int i = 1; i < 5; i++)
			edifact_fact_if(out, names[i], syntax,
					edi_component(syntax, edi_element(syntax, segment, 2), i + 1));
		break;
	}
}

/* UNH+1+ORDERS:D:96A:UN:EAN008 with no component left out, of plain elements. */
static bool plain(const struct edi_syntax *syntax, struct span segment)
{
	size_t elements = 0, components = 0;

	for (size_t i = 0; i < segment.len; i++) {
		uint8_t class = syntax->class[(uint8_t)segment.data[i]];

		if (class == EDI_ELEMENT || class == EDI_COMPONENT) {
			if (i + 1 == segment.len || syntax->class[(uint8_t)segment.data[i + 1]] != EDI_TEXT ||
			    (class == EDI_COMPONENT && elements != 2))
				return false;
			elements += class == EDI_ELEMENT;
			components += class == EDI_COMPONENT;
		} else if (class != EDI_TEXT) {
			return false;
		}
	}
	return elements == 2 && components <= 4;
}

const struct edi_dialect edi_edifact = {
	.name = "edifact",
	.open = {"UNB", "UNG", "UNH"},
	.close = {"UNZ", "UNE", "UNT"},
	.package = {"UNO", "UNP"},
	.type = 2,
	.control = {5, 5, 1},
	.close_count = 1,
	.close_control = 2,
	.una = true,
	.count_groups = true,
	.transaction = "message",
	.start = edifact_start,
	.find = edifact_find,
	.service = edifact_service,
	.check_open = check_open,
	.facts = facts,
	.plain = plain,
	.put_open = edifact_put_open,
};
