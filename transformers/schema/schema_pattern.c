/* Patterns of ECMA 262 by PCRE2: they are rewritten, as the two languages share most words but not all. See
 * schema_pattern.h. */
#include "config.h"
#include "transformers/schema/schema_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

#define REWRITTEN_MAX (PATTERN_MAX * 32)
#define NESTED_MAX 200
#define HEAP_KEPT_KIB 64 /* what a pattern keeps from one match to the next */
#define HEAP_MAX_KIB (64 * 1024)

struct pattern {
	char *text;
	pcre2_code *code;
	pcre2_match_data *match; /* used again and again, so that its memory is found once */
	pcre2_match_context *limits;
};

/* ---- rewriting */
struct rewrite {
	struct span in;
	size_t at;
	struct buf out;
	const char *wrong; /* NULL: nothing yet */
};

static int peek(const struct rewrite *rewrite, size_t ahead)
{
	return rewrite->at + ahead < rewrite->in.len ? (unsigned char)rewrite->in.data[rewrite->at + ahead] : -1;
}

static void wrong(struct rewrite *rewrite, const char *what)
{
	if (!rewrite->wrong)
		rewrite->wrong = what;
}

/* Exactly `digits` hexadecimal digits, `ahead` from here; -1 when there are others. */
static long hex(const struct rewrite *rewrite, size_t ahead, size_t digits)
{
	long value = 0;

	for (size_t i = 0; i < digits; i++) {
		int c = peek(rewrite, ahead + i);

		if (c < 0 || !isxdigit(c))
			return -1;
		value = value * 16 + (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return value;
}

static void put_code(struct rewrite *rewrite, long code)
{
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		wrong(rewrite, "\\u names no character");
	else
		buf_printf(&rewrite->out, "\\x{%lx}", (unsigned long)code);
}

/* \u0041, \u{1f432}, and two \u of a surrogate pair. At the u. */
static void unicode_escape(struct rewrite *rewrite)
{
	long code = hex(rewrite, 1, 4), low;
	size_t n = 2;

	if (peek(rewrite, 1) == '{') {
		for (code = 0; peek(rewrite, n) >= 0 && isxdigit(peek(rewrite, n)) && code <= 0x10ffff; n++)
			code = code * 16 + hex(rewrite, n, 1);
		if (peek(rewrite, n) != '}' || n == 2)
			wrong(rewrite, "\\u{ needs hexadecimal digits and a }");
		rewrite->at += n + 1;
		put_code(rewrite, code);
		return;
	}
	if (code < 0) {
		wrong(rewrite, "\\u needs four hexadecimal digits");
		return;
	}
	rewrite->at += 5;
	low = peek(rewrite, 0) == '\\' && peek(rewrite, 1) == 'u' ? hex(rewrite, 2, 4) : -1;
	if (code >= 0xd800 && code < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
		rewrite->at += 6;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	put_code(rewrite, code);
}

/* The long names of general categories, of which PCRE2 knows the short ones. */
static const char *const categories[][2] = {
	{"Letter", "L"},
	{"Cased_Letter", "L&"},
	{"LC", "L&"},
	{"Uppercase_Letter", "Lu"},
	{"Lowercase_Letter", "Ll"},
	{"Titlecase_Letter", "Lt"},
	{"Modifier_Letter", "Lm"},
	{"Other_Letter", "Lo"},
	{"Mark", "M"},
	{"Combining_Mark", "M"},
	{"Nonspacing_Mark", "Mn"},
	{"Spacing_Mark", "Mc"},
	{"Enclosing_Mark", "Me"},
	{"Number", "N"},
	{"Decimal_Number", "Nd"},
	{"digit", "Nd"},
	{"Letter_Number", "Nl"},
	{"Other_Number", "No"},
	{"Punctuation", "P"},
	{"punct", "P"},
	{"Connector_Punctuation", "Pc"},
	{"Dash_Punctuation", "Pd"},
	{"Open_Punctuation", "Ps"},
	{"Close_Punctuation", "Pe"},
	{"Initial_Punctuation", "Pi"},
	{"Final_Punctuation", "Pf"},
	{"Other_Punctuation", "Po"},
	{"Symbol", "S"},
	{"Math_Symbol", "Sm"},
	{"Currency_Symbol", "Sc"},
	{"Modifier_Symbol", "Sk"},
	{"Other_Symbol", "So"},
	{"Separator", "Z"},
	{"Space_Separator", "Zs"},
	{"Line_Separator", "Zl"},
	{"Paragraph_Separator", "Zp"},
	{"Other", "C"},
	{"Control", "Cc"},
	{"cntrl", "Cc"},
	{"Format", "Cf"},
	{"Surrogate", "Cs"},
	{"Private_Use", "Co"},
	{"Unassigned", "Cn"},
};

/* \p{Letter}, \P{Script=Greek}. At the p. */
static void property_escape(struct rewrite *rewrite)
{
	const char *start = rewrite->in.data + rewrite->at + 2, *name;
	char kind = (char)peek(rewrite, 0);
	size_t n = 0;
	struct span word;

	while (peek(rewrite, n + 2) >= 0 && peek(rewrite, n + 2) != '}')
		n++;
	if (peek(rewrite, 1) != '{' || peek(rewrite, n + 2) != '}' || !n) {
		wrong(rewrite, "\\p needs the name of a property in braces");
		return;
	}
	word = span_make(start, n);
	if (span_starts(word, "General_Category="))
		word = span_make(word.data + 17, word.len - 17);
	else if (span_starts(word, "gc="))
		word = span_make(word.data + 3, word.len - 3);
	buf_printf(&rewrite->out, "\\%c{", kind);
	name = NULL;
	for (size_t i = 0; i < sizeof categories / sizeof *categories && !name; i++)
		if (span_is(word, categories[i][0]))
			name = categories[i][1];
	if (name)
		buf_text(&rewrite->out, name);
	else
		buf_span(&rewrite->out, word);
	buf_char(&rewrite->out, '}');
	rewrite->at += n + 3;
}

/* Behind a backslash. */
static void escape(struct rewrite *rewrite, bool class)
{
	int c = peek(rewrite, 1);

	rewrite->at++;
	if (c < 0) {
		wrong(rewrite, "a backslash at its end");
	} else if (c == 'u') {
		unicode_escape(rewrite);
	} else if (c == 'p' || c == 'P') {
		property_escape(rewrite);
	} else if (c == 'x') {
		if (hex(rewrite, 1, 2) < 0)
			wrong(rewrite, "\\x needs two hexadecimal digits");
		else
			put_code(rewrite, hex(rewrite, 1, 2));
		rewrite->at += 3;
	} else if (c == 's' || c == 'S') {
		/* PCRE2's own \s is ASCII's; its Xps lacks only U+FEFF. */
		buf_text(&rewrite->out, c == 's' ? class ? "\\p{Xps}\\x{feff}" : "[\\p{Xps}\\x{feff}]"
					: class  ? "\\P{Xps}"
						 : "[^\\p{Xps}\\x{feff}]");
		rewrite->at++;
	} else if (c == 'c' && peek(rewrite, 1) >= 0 && isalpha(peek(rewrite, 1))) {
		put_code(rewrite, peek(rewrite, 1) & 0x1f);
		rewrite->at += 2;
	} else if (c == '0') {
		if (peek(rewrite, 1) >= '0' && peek(rewrite, 1) <= '9')
			wrong(rewrite, "octal numbers are not ECMA 262's");
		buf_text(&rewrite->out, "\\x{0}");
		rewrite->at++;
	} else if (isalpha(c) && (!strchr("dDwWbBfnrtvk", c) || (class && strchr("Bk", c)))) {
		wrong(rewrite, "a letter behind a backslash that means nothing in ECMA 262");
	} else if (isdigit(c) && class) {
		wrong(rewrite, "a reference to a group inside [ ]");
	} else {
		buf_char(&rewrite->out, '\\');
		buf_char(&rewrite->out, (char)c);
		rewrite->at++;
	}
}

/* From [ to ]. In ECMA 262 an inner [ is only itself; in PCRE2 it may begin [:alpha:]. */
static void class(struct rewrite *rewrite)
{
	buf_char(&rewrite->out, '[');
	rewrite->at++;
	if (peek(rewrite, 0) == '^') {
		buf_char(&rewrite->out, '^');
		rewrite->at++;
	}
	while (!rewrite->wrong && peek(rewrite, 0) != ']') {
		int c = peek(rewrite, 0);

		if (c < 0) {
			wrong(rewrite, "[ without ]");
		} else if (c == '\\') {
			escape(rewrite, true);
		} else {
			if (c == '[')
				buf_char(&rewrite->out, '\\');
			buf_char(&rewrite->out, (char)c);
			rewrite->at++;
		}
	}
	buf_char(&rewrite->out, ']');
	rewrite->at++;
}

static void group(struct rewrite *rewrite)
{
	int kind = peek(rewrite, 1) == '?' ? peek(rewrite, 2) : 0, next = kind ? peek(rewrite, 3) : 0;

	if (peek(rewrite, 1) == '*')
		wrong(rewrite, "nothing to repeat behind (");
	else if (kind && kind != ':' && kind != '=' && kind != '!' && kind != '<')
		wrong(rewrite, "(? is followed by one of : = ! <= <! <name>");
	else if (kind == '<' && next != '=' && next != '!' &&
		 (next < 0 || (!isalpha(next) && next != '_' && next != '$')))
		wrong(rewrite, "(?< is followed by = or ! or a name");
	buf_char(&rewrite->out, '(');
	rewrite->at++;
	if (!kind)
		return;
	buf_char(&rewrite->out, '?');
	buf_char(&rewrite->out, (char)kind);
	rewrite->at += 2;
}

/* The length of a quantifier here; 0 when there is none. */
static size_t quantifier(const struct rewrite *rewrite)
{
	size_t n = 1, digits = 0;
	int c = peek(rewrite, 0);

	if (c == '*' || c == '+' || c == '?')
		return 1;
	if (c != '{')
		return 0;
	while (peek(rewrite, n) >= '0' && peek(rewrite, n) <= '9')
		n++, digits++;
	if (!digits)
		return 0;
	if (peek(rewrite, n) == ',')
		for (n++; peek(rewrite, n) >= '0' && peek(rewrite, n) <= '9';)
			n++;
	return peek(rewrite, n) == '}' ? n + 1 : 0;
}

static void plain(struct rewrite *rewrite)
{
	int c = peek(rewrite, 0);
	size_t n = quantifier(rewrite);

	if (n) {
		buf_append(&rewrite->out, rewrite->in.data + rewrite->at, n);
		rewrite->at += n;
		if (peek(rewrite, 0) == '?')
			buf_char(&rewrite->out, (char)peek(rewrite, 0)), rewrite->at++;
		if (quantifier(rewrite))
			wrong(rewrite, "a quantifier behind a quantifier");
		return;
	}
	if (c == '.')
		buf_text(&rewrite->out, "[^\\n\\r\\x{2028}\\x{2029}]");
	else if (c == '{')
		buf_text(&rewrite->out, "\\{");
	else
		buf_char(&rewrite->out, (char)c);
	rewrite->at++;
}

static char *to_pcre(struct span text, struct error *error)
{
	struct rewrite rewrite = {.in = text};

	buf_init(&rewrite.out, REWRITTEN_MAX);
	while (rewrite.at < text.len && !rewrite.wrong) {
		int c = peek(&rewrite, 0);

		if (c == '\\')
			escape(&rewrite, false);
		else if (c == '[')
			class(&rewrite);
		else if (c == '(')
			group(&rewrite);
		else
			plain(&rewrite);
	}
	if (!rewrite.wrong && !rewrite.out.full)
		return rewrite.out.data ? buf_take(&rewrite.out) : mem_strdup("");
	error_set(error, ERROR_REJECT, "pattern.invalid", "%s, at character %zu",
		  rewrite.wrong ? rewrite.wrong : "it is too long", rewrite.at + 1);
	buf_free(&rewrite.out);
	return NULL;
}

/* ---- compiling and matching */
static pcre2_code *compile(const char *text, uint32_t more, struct error *error)
{
	uint32_t flags = more | PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF |
			 PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	unsigned char why[200];
	PCRE2_SIZE at = 0;
	pcre2_code *code;
	int number = 0;

	if (!context)
		abort();
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pcre2_set_parens_nest_limit(context, NESTED_MAX);
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, flags, &number, &at, context);
	pcre2_compile_context_free(context);
	if (code)
		return code;
	pcre2_get_error_message(number, why, sizeof why);
	error_set(error, ERROR_REJECT, "pattern.invalid", "%s", (const char *)why);
	return NULL;
}

struct pattern *pattern_new(struct span text, struct error *error)
{
	return pattern_new_flags(text, false, false, error);
}

struct pattern *pattern_new_flags(struct span text, bool ignore_case, bool lines, struct error *error)
{
	uint32_t flags = (ignore_case ? PCRE2_CASELESS : 0) | (lines ? PCRE2_MULTILINE : 0);
	struct pattern *pattern;
	pcre2_code *code;
	char *pcre;

	if (text.len > PATTERN_MAX) {
		error_set(error, ERROR_REJECT, "pattern.invalid", "it is longer than %d bytes", PATTERN_MAX);
		return NULL;
	}
	if (memchr(text.data ? text.data : "", 0, text.len)) {
		error_set(error, ERROR_REJECT, "pattern.invalid", "it contains a zero character");
		return NULL;
	}
	pcre = to_pcre(text, error);
	code = pcre ? compile(pcre, flags, error) : NULL;
	free(pcre);
	if (!code)
		return NULL;
	pattern = mem_alloc(sizeof *pattern);
	pattern->text = mem_span_dup(text);
	pattern->code = code;
	pattern->match = pcre2_match_data_create(1, NULL);
	pattern->limits = pcre2_match_context_create(NULL);
	if (!pattern->match || !pattern->limits)
		abort();
	return pattern;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_match_context_free(pattern->limits);
	pcre2_match_data_free(pattern->match);
	pcre2_code_free(pattern->code);
	free(pattern->text);
	free(pattern);
}

/* With memory of its own, which is not kept: a match that needs much is rare. */
static int match_at_length(const struct pattern *pattern, struct span text)
{
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	int found;

	if (!match)
		abort();
	pcre2_set_heap_limit(pattern->limits, HEAP_MAX_KIB);
	found = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.len, 0, 0, match,
			    pattern->limits);
	pcre2_match_data_free(match);
	return found;
}

static bool is_limit(int found)
{
	return found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_HEAPLIMIT;
}

/* PCRE2 does not tell how many steps a match took, only that they were too many: so it is tried with few first. */
int pattern_match(const struct pattern *pattern, struct span text, size_t *work)
{
	const struct {
		uint32_t steps;
		size_t work;
	} tries[] = {{200 + 4 * (uint32_t)text.len, 1 + text.len / 64}, {10000, 500}, {PATTERN_WORK_MAX, 500000}};
	int found = PCRE2_ERROR_MATCHLIMIT;

	if (text.len > PATTERN_TEXT_MAX)
		return -1;
	for (size_t i = 0; i < 3 && is_limit(found); i++) {
		pcre2_set_match_limit(pattern->limits, tries[i].steps);
		pcre2_set_heap_limit(pattern->limits, HEAP_KEPT_KIB);
		found = i ? match_at_length(pattern, text)
			  : pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.len, 0, 0,
					pattern->match, pattern->limits);
		if (work)
			*work += tries[i].work;
	}
	return found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

int pattern_find(const struct pattern *pattern, struct span text, size_t from, size_t places[PATTERN_PLACES],
		 size_t *work)
{
	pcre2_match_data *match;
	const PCRE2_SIZE *found;
	int count;

	if (text.len > PATTERN_TEXT_MAX)
		return -1;
	match = pcre2_match_data_create(PATTERN_PLACES / 2, NULL);
	if (!match)
		abort();
	pcre2_set_match_limit(pattern->limits, PATTERN_WORK_MAX);
	pcre2_set_heap_limit(pattern->limits, HEAP_MAX_KIB);
	count = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.len, from, 0, match,
			    pattern->limits);
	if (work)
		*work += is_limit(count) ? PATTERN_WORK_MAX : 1 + (text.len - from) / 64;
	found = pcre2_get_ovector_pointer(match);
	for (int i = 0; i < PATTERN_PLACES; i++)
		places[i] = count == 0 || i < 2 * count ? found[i] : PATTERN_NOWHERE;
	pcre2_match_data_free(match);
	return count >= 0 ? 1 : count == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

const char *pattern_text(const struct pattern *pattern)
{
	return pattern->text;
}
