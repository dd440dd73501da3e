/* Compiling jq; with expression.c the fence around libjq 1.6. See expression_compile.h.
 *
 * The program that libjq gets is one line of our own, then the text as it stands, so that its line numbers stay right
 * after one is taken off. That line binds $envelope, takes away what is not allowed by giving its name to something
 * that does not compile (libjq drops definitions nobody uses), and mends builtins on which libjq 1.6 aborts (implode,
 * todate), never returns (indices of an empty text) or leaks (indices in an array).
 *
 * libjq tells lines only. What does not compile is compiled once more with every token on a line of its own: so a
 * mistake is found to the column. */
#include "config.h"
#include "base/expression_compile.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/expression_marks.h"
#include "base/expression_scan.h"
#include "base/expression_spread.h"

#define TEXT_MAX (1024u * 1024) /* of a program */
#define MESSAGES_MAX 16
#define MESSAGE_SIZE 400

/* ---- words that are not there */
#define ABSENT(name) "def " name ": $__absent; "
#define PRELUDE                                                                                                        \
	"{} as $ENV | .[1] as $envelope | .[2] as $__now | def now: $__now; " ABSENT("env") ABSENT("input") ABSENT(    \
		"inputs") ABSENT("debug") ABSENT("stderr") ABSENT("input_filename") ABSENT("input_line_number")        \
		ABSENT("modulemeta") ABSENT("get_search_list") ABSENT("halt") ABSENT("halt_error")                     \
			ABSENT("halt_error(f)") ABSENT("localtime") ABSENT(                                            \
				"strflocaltime(f)") "def __implode: implode; def implode: if type == \"array\" and "   \
						    "all(.[]; type == \"number\" and . >= 0 and . <= 1114111 and (. "  \
						    "< 55296 or . > 57343)) "                                          \
						    "then __implode else error(\"implode needs an array of code "      \
						    "points\") end; "                                                  \
						    "def __indices($i): indices($i); def indices($i): "                \
						    "if type == \"string\" and $i == \"\" then [] elif type == "       \
						    "\"array\" then "                                                  \
						    "(if ($i | type) == \"array\" then $i else [$i] end) as $x | ($x " \
						    "| length) as $n | if $n == 0 then [] "                            \
						    "else [range(0; length - $n + 1) as $k | select(.[$k:$k + $n] == " \
						    "$x) | $k] end else __indices($i) end; "                           \
						    "def index($i): indices($i) | .[0]; def rindex($i): indices($i) "  \
						    "| .[-1:][0]; "                                                    \
						    "def __strftime(f): strftime(f); def strftime(f): "                \
						    "if type == \"number\" and ((. > -1e15 and . < 1e15) | not) "      \
						    "then error(\"strftime: \\(.) seconds are no time\") else "        \
						    "__strftime(f) end; "                                              \
						    "def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\"); "            \
						    "def dateiso8601: todateiso8601; def todate: todateiso8601; def "  \
						    "date: todateiso8601; "                                            \
						    ".[0] | (\n"
#define EPILOGUE "\n)"

static const char *const absent[] = {
	"env",
	"$ENV",
	"input",
	"inputs",
	"debug",
	"stderr",
	"input_filename",
	"input_line_number",
	"modulemeta",
	"get_search_list",
	"halt",
	"halt_error",
	"localtime",
	"strflocaltime",
	"import",
	"include",
	"$__prog_args",
};

/* ---- telling ----------------------------------------------------------------------------------------------- */
static void complain(const struct compiling *c, size_t offset, const char *text)
{
	struct place place = place_within(c->start, c->text, offset);

	if (c->findings)
		finding_add_within(c->findings, place, c->start, c->offset + offset, SEVERITY_ERROR, "jq.compile", "%s",
				   text);
	if (!c->failure[0])
		snprintf(c->failure, c->failure_size, "%s:%d: %.300s", place.file ? place.file : "expression",
			 place.line, text);
}

/* ---- what does not exist --------------------------------------------------------------------------------- */
/* Where a word stands outside strings; false: nowhere. `.word` is a field and no use of it. */
static bool find_word(struct span text, struct span *word, bool only_variable)
{
	struct scan scan = {.text = text};
	enum scan_token token;

	while ((token = scan_next(&scan, word)) == SCAN_WORD || token == SCAN_CLOSE)
		for (size_t i = 0; token == SCAN_WORD && i < sizeof absent / sizeof *absent; i++)
			if (span_is(*word, absent[i]) && (!only_variable || absent[i][0] == '$'))
				return true;
	return false;
}

/* A `)` that opens nowhere; it would end the brackets that we put around the text. */
static bool find_close(struct span text, size_t *offset)
{
	struct scan scan = {.text = text};
	enum scan_token token;
	struct span word;

	while ((token = scan_next(&scan, &word)) == SCAN_WORD)
		;
	*offset = scan.at - 1;
	return token == SCAN_CLOSE;
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.data[i]))
			return false;
	return true;
}

static int check_text(const struct compiling *c)
{
	struct span word;
	size_t offset;

	if (is_blank(c->text))
		complain(c, 0, "the expression is empty");
	else if (memchr(c->text.data, '\0', c->text.len))
		complain(c, (size_t)((const char *)memchr(c->text.data, '\0', c->text.len) - c->text.data),
			 "the expression contains a NUL");
	else if (c->text.len > (c->woven ? 64 : 1) * TEXT_MAX)
		complain(c, 0, "the expression is larger than 1 MiB");
	else if (find_word(c->text, &word, true))
		complain(c, (size_t)(word.data - c->text.data),
			 "`$ENV` does not exist here: an expression sees only its message");
	else if (find_close(c->text, &offset))
		complain(c, offset, "syntax error, this `)` closes nothing");
	else
		return 0;
	return -1;
}

/* ---- libjq ----------------------------------------------------------------------------------------------- */
struct message {
	char text[MESSAGE_SIZE];
	int line; /* of the program, from 1 after ours; 0: not known */
};

struct messages {
	struct message list[MESSAGES_MAX];
	size_t count;
};

static void on_message(void *arg, jv message)
{
	struct messages *messages = arg;
	jv formatted = jq_format_error(message);
	const char *text = jv_string_value(formatted), *place = strstr(text, " at <top-level>, line ");
	struct message *m;
	int cut;

	if ((strstr(text, "compile error") && !place) || messages->count == MESSAGES_MAX)
		goto done;
	if (!strncmp(text, "jq: error: ", 11))
		text += 11;
	cut = place ? (int)(place - text) : (int)strlen(text);
	m = &messages->list[messages->count++];
	snprintf(m->text, sizeof m->text, "%.*s", cut > 350 ? 350 : cut, text);
	if (strstr(m->text, " (Unix shell quoting issues?)"))
		*strstr(m->text, " (Unix shell quoting issues?)") = '\0';
	m->line = place ? atoi(place + 22) - 1 : 0;
done:
	jv_free(formatted);
}

static jq_state *compile(struct span text, bool woven, struct messages *messages)
{
	jq_state *jq = jq_init();
	struct buf program;
	int compiled;

	*messages = (struct messages){0};
	buf_init(&program, 64 * TEXT_MAX + sizeof PRELUDE + sizeof EPILOGUE);
	buf_text(&program, woven ? MARKS_PRELUDE PRELUDE : PRELUDE);
	buf_span(&program, text);
	buf_text(&program, EPILOGUE);
	/* Without these attributes libjq 1.6 aborts on any program that names a module. */
	jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(jq, jv_string("JQ_ORIGIN"), jv_string("/nonexistent"));
	jq_set_error_cb(jq, on_message, messages);
	compiled = jq_compile(jq, program.data);
	jq_set_error_cb(jq, NULL, NULL);
	buf_free(&program);
	if (!compiled)
		jq_teardown(&jq);
	return compiled ? jq : NULL;
}

/* ---- what went wrong, where ------------------------------------------------------------------------------ */
static size_t line_offset(struct span text, int line)
{
	size_t at = 0, end = text.len;

	while (end > 0 && strchr(" \t\r\n", text.data[end - 1]))
		end--;
	for (; line > 1 && at < end; at++)
		line -= text.data[at] == '\n';
	return at < end ? at : end > 0 ? end - 1 : 0;
}

/* bison's names of tokens are nothing to people: the token itself stands in their place. */
static void name_token(char *text, size_t size, struct span token)
{
	char *at = strstr(text, "unexpected "), rest[MESSAGE_SIZE];
	size_t n;

	if (!at)
		return;
	at += strlen("unexpected ");
	n = *at == '\'' ? 3 : strcspn(at, ", ");
	if (strlen(at) < n)
		return;
	snprintf(rest, sizeof rest, "%s", at + n);
	if (strstr(rest, "QQSTRING") || strstr(rest, "$end"))
		rest[0] = '\0';
	if (token.len > 0)
		snprintf(at, size - (size_t)(at - text), "`%.*s`%s", SPAN_ARGS(token), rest);
	else
		snprintf(at, size - (size_t)(at - text), "end%s", rest);
}

/* Told the same of the spread text, in the same order: then its line is the token. */
static bool same_messages(const struct messages *a, const struct messages *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->list[i].text, b->list[i].text) == 0 && b->list[i].line > 0;
	return same;
}

static void tell(const struct compiling *c, struct message *m, size_t offset, bool exact)
{
	struct span word;

	if (strstr(m->text, "$__absent") && find_word(c->text, &word, false)) {
		snprintf(m->text, sizeof m->text, "`%.*s` does not exist here: an expression sees only its message",
			 SPAN_ARGS(word));
		offset = (size_t)(word.data - c->text.data);
	} else if (!strncmp(m->text, "syntax error", 12) && find_word(c->text, &word, false) &&
		   (span_is(word, "import") || span_is(word, "include"))) {
		snprintf(m->text, sizeof m->text, "`%.*s` does not exist here: there are no modules", SPAN_ARGS(word));
		offset = (size_t)(word.data - c->text.data);
	} else if (exact) {
		name_token(m->text, sizeof m->text, spread_token(c->text, offset));
	}
	complain(c, offset, m->text);
}

static void tell_all(const struct compiling *c, struct messages *messages)
{
	struct messages again;
	struct spread spread;
	jq_state *unwanted;
	bool exact;

	spread_make(&spread, c->text);
	unwanted = compile(buf_view(&spread.text), c->woven, &again);
	if (unwanted)
		jq_teardown(&unwanted);
	exact = same_messages(messages, &again);
	for (size_t i = 0; i < messages->count; i++) {
		size_t line = exact ? (size_t)again.list[i].line - 1 : 0;
		size_t offset = line < spread.lines ? spread.offsets[line] : spread.end;

		tell(c, &messages->list[i], exact ? offset : line_offset(c->text, messages->list[i].line), exact);
	}
	spread_free(&spread);
	if (messages->count == 0)
		complain(c, 0, "it does not compile");
}

jq_state *expression_compile(const struct compiling *c)
{
	struct messages messages;
	jq_state *jq;

	if (check_text(c))
		return NULL;
	jq = compile(c->text, c->woven, &messages);
	if (!jq)
		tell_all(c, &messages);
	return jq;
}
