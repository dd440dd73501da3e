/* Opening and closing segments for the encoder: separators, character sets, headers from facts, counts. See
 * edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_encode.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

/* ---- facts and headers */
const char *edi_fact(const json_t *facts, const char *name)
{
	const char *text = json_string_value(json_object_get(facts, name));

	return text && *text ? text : NULL;
}

bool edi_has_header(const json_t *facts)
{
	return json_array_size(json_object_get(facts, "header")) != 0;
}

json_t *edi_header_new(const json_t *facts, const char *name)
{
	const json_t *header = json_object_get(facts, "header");

	if (json_array_size(header))
		return json_deep_copy(header);
	return json_pack("[s]", name);
}

const char *edi_header_text(const json_t *header, size_t element, size_t component)
{
	const json_t *value = json_array_get(header, element);

	if (json_is_array(json_array_get(value, 0))) /* of the first repetition */
		value = json_array_get(value, 0);
	if (json_is_array(value))
		value = json_array_get(value, component - 1);
	else if (component > 1)
		value = NULL;
	return json_string_value(value) ? json_string_value(value) : "";
}

void edi_header_set(json_t *header, size_t element, json_t *take)
{
	while (json_array_size(header) <= element)
		json_array_append_new(header, json_string(""));
	json_array_set_new(header, element, take);
}

void edi_header_default(json_t *header, size_t element, const char *text)
{
	if (json_array_size(header) <= element || !*edi_header_text(header, element, 1))
		edi_header_set(header, element, json_string(text));
}

static bool says_the_same(const char *written, const char *fact)
{
	return span_equal(edi_trimmed(span_of(written)), edi_trimmed(span_of(fact)));
}

void edi_header_fact(json_t *header, size_t element, const json_t *facts, const char *name)
{
	const char *fact = edi_fact(facts, name);

	if (fact && !says_the_same(edi_header_text(header, element, 1), fact))
		edi_header_set(header, element, json_string(fact));
}

const char *edi_party(const char *party, char *qualifier)
{
	const char *colon = strchr(party, ':');
	size_t n = colon ? (size_t)(colon - party) : 0;

	if (n > 39)
		n = 0, colon = NULL;
	memcpy(qualifier, party, n);
	qualifier[n] = '\0';
	return colon ? colon + 1 : party;
}

void edi_date(const struct edi_encoder *encoder, const char *format, char text[24])
{
	time_t seconds = (time_t)(encoder->time_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (!strftime(text, 24, format, &tm))
		text[0] = '\0';
}

/* ---- separators */
static void take(char *into, const json_t *separators, const char *name)
{
	const char *text = json_string_value(json_object_get(separators, name));

	if (text)
		*into = *text;
}

static void take_end(struct edi_syntax *syntax, const json_t *separators)
{
	const char *text = json_string_value(json_object_get(separators, "segment"));
	size_t n;

	if (!text || !*text)
		return;
	syntax->terminator = *text++;
	n = strspn(text, "\r\n");
	syntax->suffix_len = n < EDI_SUFFIX_MAX ? n : EDI_SUFFIX_MAX;
	memcpy(syntax->suffix, text, syntax->suffix_len);
}

static bool is_separator(char c)
{
	return !isalnum((unsigned char)c) && c != ' ' && (unsigned char)c < 0x80;
}

static int check_separators(const struct edi_encoder *encoder, const struct edi_syntax *s, struct error *error)
{
	const char all[] = {s->element, s->terminator, s->component, s->repetition, s->release};
	size_t needed = encoder->dialect->fixed_header ? 2 : 3; /* X12 may have no components */

	for (size_t i = 0; i < sizeof all; i++) {
		if ((i < needed && !all[i]) || (all[i] && !is_separator(all[i])))
			return edi_fault(error, encoder->dialect, "separator",
					 "a separator is one character of ASCII, no letter, digit or blank");
		for (size_t k = 0; k < i; k++)
			if (all[i] && all[i] == all[k])
				return edi_fault(error, encoder->dialect, "separator", "two separators are the same");
	}
	return 0;
}

static void set_separators(struct edi_encoder *encoder, const json_t *facts)
{
	struct edi_syntax *syntax = &encoder->sink.syntax;
	const json_t *separators = json_object_get(facts, "separators");
	const char *version = edi_fact(facts, "version"), *una = edi_fact(facts, "una");

	memset(syntax, 0, sizeof *syntax);
	if (encoder->dialect == &edi_x12) {
		*syntax = (struct edi_syntax){.element = '*', .component = '>', .terminator = '~'};
		if (version && strcmp(version, "00402") >= 0 && !separators)
			syntax->repetition = '^';
	} else {
		*syntax = (struct edi_syntax){.element = '+', .component = ':', .terminator = '\'', .release = '?'};
		if (encoder->dialect->una && version && (*version >= '4' || *version == '0') && !separators)
			syntax->repetition = '*';
	}
	syntax->decimal = una && strlen(una) == 6 ? una[2] : '.';
	if (encoder->dialect != &edi_tradacoms) {
		take(&syntax->element, separators, "element");
		take(&syntax->component, separators, "component");
		take(&syntax->repetition, separators, "repetition");
		if (separators && !json_object_get(separators, "release"))
			syntax->release = '\0';
		take(&syntax->release, separators, "release");
		if (encoder->dialect == &edi_x12)
			syntax->release = '\0';
	}
	take_end(syntax, separators);
	syntax->tag = encoder->dialect == &edi_tradacoms ? '=' : syntax->element;
}

/* ---- characters */
static void make_charset(struct edi_encoder *encoder)
{
	struct edi_sink *sink = &encoder->sink;
	char own[40];
	const char *named = NULL;

	sink->level = '\0';
	sink->profile = NULL;
	if (strlen(encoder->charset) > 2) { /* without its quotes */
		snprintf(own, sizeof own, "%.*s", (int)strlen(encoder->charset) - 2, encoder->charset + 1);
		named = own;
	} else if (encoder->dialect->una) {
		named = edifact_charset(encoder->level);
		if (!named && (!strcasecmp(encoder->level, "UNOA") || !strcasecmp(encoder->level, "UNOB")))
			sink->level = (char)toupper((unsigned char)encoder->level[3]);
	}
	/* Nothing says which: UTF-8, or ASCII where somebody wants it to be strict. */
	if (named && (sink->profile = iso2022_profile(named)))
		named = "UTF-8";
	sink->sets = encoder->escaping.sets;
	encoder->escaping.profile = sink->profile;
	sink->utf8 = named ? !strcasecmp(named, "UTF-8") : sink->strictness == EDI_FIT;
	memset(&sink->charset, 0, sizeof sink->charset);
	if (!sink->utf8 && named && edi_charset_make(&sink->charset, named))
		sink->utf8 = true;
	edi_sink_ready(sink);
}

static int check_charset(const struct edi_encoder *encoder, struct error *error)
{
	if (!encoder->sink.profile || !strcasecmp(encoder->level, "UNOX"))
		return 0;
	return edi_fault(error, encoder->dialect, "charset",
			 "%s has escape sequences, which only an interchange whose `syntax` is UNOX may have",
			 iso2022_profile_name(encoder->sink.profile));
}

int edi_set_charset(struct edi_encoder *encoder, struct span charset, struct error *error)
{
	if (span_is(charset, encoder->charset) || charset.len >= sizeof encoder->charset)
		return 0;
	snprintf(encoder->charset, sizeof encoder->charset, "%.*s", (int)charset.len, charset.data ? charset.data : "");
	make_charset(encoder);
	return check_charset(encoder, error);
}

int edi_open_interchange(struct edi_encoder *encoder, json_t *facts, struct span charset, struct error *error)
{
	const char *level = edi_fact(facts, "syntax");

	set_separators(encoder, facts);
	/* A header without one says nothing of its characters. */
	snprintf(encoder->level, sizeof encoder->level, "%s", level ? level : edi_has_header(facts) ? "" : "UNOC");
	if (charset.len >= sizeof encoder->charset)
		charset = SPAN_NONE;
	snprintf(encoder->charset, sizeof encoder->charset, "%.*s", (int)charset.len, charset.data ? charset.data : "");
	make_charset(encoder);
	return check_charset(encoder, error) ? -1 : check_separators(encoder, &encoder->sink.syntax, error);
}

int edi_open_segment(struct edi_encoder *encoder, enum edi_level level, json_t *facts, char control[EDI_CONTROL_MAX],
		     struct error *error)
{
	return encoder->dialect->put_open(encoder, level, facts, control, error);
}

/* ---- trailers */
static bool is_right(const struct edi_encoder *encoder, enum edi_level level, uint64_t count, const char *control,
		     const json_t *as_was)
{
	const struct edi_dialect *dialect = encoder->dialect;
	struct span says = span_of(edi_header_text(as_was, dialect->close_count, 1)),
		    closes = span_of(edi_header_text(as_was, dialect->close_control, 1));

	if (strcmp(edi_header_text(as_was, 0, 1), dialect->close[level]) ||
	    !edi_is_same_control(dialect, level, span_of(control), closes))
		return false;
	return edi_count_agrees(dialect, says, count) ||
	       (level == EDI_INTERCHANGE && dialect->groups_needed && !count && edi_says(says, 1));
}

static void put_control(struct edi_sink *sink, const char *control)
{
	if (edi_put_text(sink, span_of(control), NULL))
		buf_char(sink->out, ' ');
}

void edi_close_segment(struct edi_encoder *encoder, enum edi_level level, uint64_t count, const char *control,
		       const json_t *as_was)
{
	const struct edi_dialect *dialect = encoder->dialect;
	struct edi_sink *sink = &encoder->sink;
	size_t was = sink->out->len;

	if (as_was && is_right(encoder, level, count, control, as_was)) {
		if (!edi_put_segment(sink, as_was, false, NULL))
			return;
		sink->out->len = was;
	}
	buf_printf(sink->out, "%s%c", dialect->close[level], sink->syntax.tag);
	if (dialect->close_control == 1) {
		put_control(sink, control);
		buf_char(sink->out, sink->syntax.element);
	}
	buf_printf(sink->out, "%llu", (unsigned long long)count);
	if (dialect->close_control > 1) {
		buf_char(sink->out, sink->syntax.element);
		put_control(sink, control);
	}
	edi_put_end(sink);
}
