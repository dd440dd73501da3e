/* Expressions; the fence around libjq 1.6 (with expression_jv.c, its values). See expression.h.
 *
 * The program that libjq gets is one line of our own, then the text as it stands, so that its line numbers stay right
 * after one is taken off. That line binds $envelope, takes away what is not allowed by giving its name to something
 * that does not compile (libjq drops definitions nobody uses), and mends builtins on which libjq 1.6 aborts (implode,
 * todate), never returns (indices of an empty text) or leaks (indices in an array).
 *
 * Limits: a timer of CPU time ticks while libjq runs. Its handler reads the clock and /proc/self/statm and calls
 * jq_halt, which only sets a flag that jq_next looks at before each opcode. So a limit holds between opcodes: one
 * opcode that is a C function (a regular expression that backtracks for ever, one huge allocation) is stopped by the
 * watchdog and the resource limits of its process, not here. Nor can it be helped that libjq frees deep values by
 * recursion: a program that nests some hundred thousand arrays ends its process, as poison. */
#include "config.h"
#include "base/expression.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jq.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/expression_jv.h"
#include "base/expression_path.h"
#include "base/expression_scan.h"
#include "base/tree.h"

#define TEXT_MAX (1024u * 1024)      /* of a program */
#define TICK_MS 10
#define DEFAULT_TIME_MS 2000
#define DEFAULT_MEMORY (256u << 20)

struct expression {
	struct arena *arena;
	struct span text;
	struct place place;
	bool looked; /* whether it is a plain path */
	struct path *path;
	jq_state *jq;
	bool busy;
	bool asks; /* for $envelope; else it is not worth converting */
	char failure[400]; /* why it does not compile; empty: not known to fail */
};

/* ---- words that are not there */
#define ABSENT(name) "def " name ": $__absent; "
#define PRELUDE                                                                                                        \
	"{} as $ENV | .[1] as $envelope | .[2] as $__now | def now: $__now; "                                          \
	ABSENT("env") ABSENT("input") ABSENT("inputs") ABSENT("debug") ABSENT("stderr")                                \
	ABSENT("input_filename") ABSENT("input_line_number") ABSENT("modulemeta") ABSENT("get_search_list")            \
	ABSENT("halt") ABSENT("halt_error") ABSENT("halt_error(f)") ABSENT("localtime") ABSENT("strflocaltime(f)")     \
	"def __implode: implode; def implode: if type == \"array\" and "                                               \
	"all(.[]; type == \"number\" and . >= 0 and . <= 1114111 and (. < 55296 or . > 57343)) "                       \
	"then __implode else error(\"implode needs an array of code points\") end; "                                   \
	"def __indices($i): indices($i); def indices($i): "                                                            \
	"if type == \"string\" and $i == \"\" then [] elif type == \"array\" then "                                    \
	"(if ($i | type) == \"array\" then $i else [$i] end) as $x | ($x | length) as $n | if $n == 0 then [] "        \
	"else [range(0; length - $n + 1) as $k | select(.[$k:$k + $n] == $x) | $k] end else __indices($i) end; "       \
	"def index($i): indices($i) | .[0]; def rindex($i): indices($i) | .[-1:][0]; "                                 \
	"def __strftime(f): strftime(f); def strftime(f): "                                                            \
	"if type == \"number\" and ((. > -1e15 and . < 1e15) | not) "                                                  \
	"then error(\"strftime: \\(.) seconds are no time\") else __strftime(f) end; "                                 \
	"def todateiso8601: strftime(\"%Y-%m-%dT%H:%M:%SZ\"); "                                                        \
	"def dateiso8601: todateiso8601; def todate: todateiso8601; def date: todateiso8601; "                         \
	".[0] | (\n"
#define EPILOGUE "\n)"

static const char *const absent[] = {
	"env", "$ENV", "input", "inputs", "debug", "stderr", "input_filename", "input_line_number", "modulemeta",
	"get_search_list", "halt", "halt_error", "localtime", "strflocaltime", "import", "include", "$__prog_args",
};

struct expression *expression_new(struct arena *arena, struct span text, struct place place)
{
	struct expression *e = arena_alloc(arena, sizeof *e);

	e->arena = arena;
	e->text = arena_span(arena, text);
	e->place = place;
	return e;
}

void expression_drop(struct expression *e)
{
	if (e && e->jq)
		jq_teardown(&e->jq);
}

struct span expression_source(const struct expression *e)
{
	return e->text;
}

struct place expression_place(const struct expression *e)
{
	return e->place;
}

/* ---- compiling */
/* A text of several lines in YAML is a block that starts on the line below its `|`; a .jq file starts on its first. */
static struct place place_at(const struct expression *e, int line)
{
	struct place place = e->place;
	size_t n = place.file ? strlen(place.file) : 0;
	bool own_file = n > 3 && !strcmp(place.file + n - 3, ".jq");

	if (place.line == 0)
		place.line = 1;
	if (!own_file && memchr(e->text.data, '\n', e->text.len))
		place.line++;
	place.line += line - 1;
	if (line > 1)
		place.column = 0;
	return place;
}

static int last_line(struct span text)
{
	int lines = 1;

	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
		text.len--;
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	return lines;
}

struct compiling {
	struct expression *e;
	struct findings *findings; /* or NULL */
};

static void complain(struct compiling *c, int line, const char *text)
{
	struct place place = place_at(c->e, line);

	if (c->findings)
		finding_add(c->findings, place, SEVERITY_ERROR, "jq.compile", "%s", text);
	if (!c->e->failure[0])
		snprintf(c->e->failure, sizeof c->e->failure, "%s:%d: %.300s", place.file ? place.file : "expression",
			 place.line, text);
}

/* Where a word stands outside strings; false: nowhere. `.word` is a field and no use of it. */
static bool find_word(struct span text, struct span *word, int *line, bool only_variable)
{
	struct scan scan = {.text = text};
	enum scan_token token;

	while ((token = scan_next(&scan, word)) == SCAN_WORD || token == SCAN_CLOSE)
		for (size_t i = 0; token == SCAN_WORD && i < sizeof absent / sizeof *absent; i++)
			if (span_is(*word, absent[i]) && (!only_variable || absent[i][0] == '$')) {
				*line = scan.line;
				return true;
			}
	return false;
}

static void on_message(void *arg, jv message)
{
	struct compiling *c = arg;
	jv formatted = jq_format_error(message);
	const char *text = jv_string_value(formatted), *place = strstr(text, " at <top-level>, line ");
	int line = place ? atoi(place + 22) - 1 : 1, last = last_line(c->e->text), cut;
	char what[400];
	struct span word;

	if (strstr(text, "compile error") && !place)
		goto done;
	if (!strncmp(text, "jq: error: ", 11))
		text += 11;
	cut = place ? (int)(place - text) : (int)strlen(text);
	snprintf(what, sizeof what, "%.*s", cut > 350 ? 350 : cut, text);
	if (strstr(what, " (Unix shell quoting issues?)"))
		*strstr(what, " (Unix shell quoting issues?)") = '\0';
	if (strstr(what, "$__absent") && find_word(c->e->text, &word, &line, false))
		snprintf(what, sizeof what, "`%.*s` does not exist here: an expression sees only its message",
			 SPAN_ARGS(word));
	else if (!strncmp(what, "syntax error", 12) && find_word(c->e->text, &word, &line, false) &&
		 (span_is(word, "import") || span_is(word, "include")))
		snprintf(what, sizeof what, "`%.*s` does not exist here: there are no modules", SPAN_ARGS(word));
	complain(c, line < 1 ? 1 : line > last ? last : line, what);
done:
	jv_free(formatted);
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.data[i]))
			return false;
	return true;
}

static int check_text(struct compiling *c)
{
	struct span word;
	int line;

	if (is_blank(c->e->text))
		complain(c, 1, "the expression is empty");
	else if (memchr(c->e->text.data, '\0', c->e->text.len))
		complain(c, 1, "the expression contains a NUL");
	else if (c->e->text.len > TEXT_MAX)
		complain(c, 1, "the expression is larger than 1 MiB");
	else if (find_word(c->e->text, &word, &line, true))
		complain(c, line, "`$ENV` does not exist here: an expression sees only its message");
	else
		return 0;
	return -1;
}

static int compile_jq(struct compiling *c)
{
	struct expression *e = c->e;
	struct buf program;
	int compiled;

	if (check_text(c))
		return -1;
	e->asks = memmem(e->text.data, e->text.len, "$envelope", 9) != NULL;
	buf_init(&program, TEXT_MAX + sizeof PRELUDE + sizeof EPILOGUE);
	buf_text(&program, PRELUDE);
	buf_span(&program, e->text);
	buf_text(&program, EPILOGUE);
	e->jq = jq_init();
	/* Without these attributes libjq 1.6 aborts on any program that names a module. */
	jq_set_attr(e->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(e->jq, jv_string("JQ_ORIGIN"), jv_string("/nonexistent"));
	jq_set_error_cb(e->jq, on_message, c);
	compiled = jq_compile(e->jq, program.data);
	jq_set_error_cb(e->jq, NULL, NULL);
	buf_free(&program);
	if (compiled)
		return 0;
	jq_teardown(&e->jq);
	if (!e->failure[0])
		complain(c, 1, "it does not compile");
	return -1;
}

static int compile(struct expression *e, struct findings *findings)
{
	struct compiling c = {e, findings};

	if (!e->looked) {
		e->path = path_parse(e->arena, e->text);
		e->looked = true;
	}
	if (e->path || e->jq)
		return 0;
	if (e->failure[0] && !findings)
		return -1;
	e->failure[0] = '\0';
	return compile_jq(&c);
}

int expression_check(struct expression *e, struct findings *findings)
{
	return compile(e, findings);
}

/* ---- the watch over a run; a signal handler can reach nothing but file scope */
static struct watch {
	jq_state *jq;
	int64_t end_ns;      /* on the CPU clock of this thread */
	size_t memory, base; /* bytes; base is taken at the first tick of a run */
	volatile sig_atomic_t why; /* 't', 'm' or 0 */
} watch;

struct watch_saved {
	struct sigaction action;
	struct itimerval timer;
	sigset_t mask;
};

static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Resident bytes, with nothing but what a signal handler may call. */
static size_t resident(void)
{
	char text[128];
	size_t pages = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1), i = 0;

	if (fd >= 0)
		close(fd);
	while (i < n && text[i] != ' ')
		i++;
	for (i++; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		pages = pages * 10 + (size_t)(text[i] - '0');
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void on_tick(int signal_number)
{
	int saved = errno;
	size_t now;

	if (watch.why || !watch.jq)
		return;
	if (cpu_ns() >= watch.end_ns) {
		watch.why = 't';
	} else {
		now = resident();
		if (!watch.base || now < watch.base)
			watch.base = now;
		if (now - watch.base > watch.memory)
			watch.why = 'm';
	}
	if (watch.why)
		jq_halt(watch.jq, jv_null(), jv_null()); /* sets fields; these values own nothing */
	errno = saved;
}

static void watch_start(struct watch_saved *saved)
{
	struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct itimerval timer = {{0, TICK_MS * 1000}, {0, TICK_MS * 1000}};
	sigset_t prof;

	sigemptyset(&action.sa_mask);
	sigemptyset(&prof);
	sigaddset(&prof, SIGPROF);
	sigaction(SIGPROF, &action, &saved->action);
	pthread_sigmask(SIG_UNBLOCK, &prof, &saved->mask);
	setitimer(ITIMER_PROF, &timer, &saved->timer);
}

static void watch_stop(const struct watch_saved *saved)
{
	watch.jq = NULL;
	setitimer(ITIMER_PROF, &saved->timer, NULL);
	pthread_sigmask(SIG_SETMASK, &saved->mask, NULL);
	sigaction(SIGPROF, &saved->action, NULL);
}

/* ---- running */
struct run {
	struct expression *e;
	int64_t left_ns;
	size_t memory, base;
	struct error *error;
};

static struct place start_of(const struct expression *e)
{
	return place_at(e, 1);
}

static int run_failed(struct run *run, const char *code, const char *what)
{
	struct place place = start_of(run->e);

	return error_set(run->error, ERROR_REJECT, code, "%s (%s:%d)", what, place.file ? place.file : "expression",
			 place.line);
}

static int run_past_limit(struct run *run, int why)
{
	char what[200];

	/* Halted in the middle: what libjq left on its stack is of no more use. */
	jq_teardown(&run->e->jq);
	snprintf(what, sizeof what,
		 why == 't' ? "stopped after its limit of CPU time" : "stopped: it needed more than %zu MiB of memory",
		 run->memory >> 20);
	return run_failed(run, why == 't' ? "jq.time" : "jq.memory", what);
}

static int run_error(struct run *run, jv message)
{
	char what[400];
	jv text = jv_get_kind(message) == JV_KIND_STRING ? message : jv_dump_string(message, 0);

	snprintf(what, sizeof what, "%.380s", jv_string_value(text));
	jv_free(text);
	return run_failed(run, "jq.error", what);
}

/* 1: a result, 0: no more, -1. Watched, in what is left of the run's time. */
static int run_next(struct run *run, json_t **result)
{
	struct watch_saved saved;
	int64_t started = cpu_ns();
	jv value;
	int why;

	watch.end_ns = started + run->left_ns;
	watch.memory = run->memory;
	watch.base = run->base;
	watch.why = 0;
	watch.jq = run->e->jq;
	watch_start(&saved);
	value = jq_next(run->e->jq);
	watch_stop(&saved);
	run->left_ns -= cpu_ns() - started;
	run->base = watch.base;
	why = watch.why;
	if (why) {
		jv_free(value);
		return run_past_limit(run, why);
	}
	if (jv_is_valid(value)) {
		*result = tree_from_jv(value, run->error);
		return *result ? 1 : -1;
	}
	if (jv_invalid_has_msg(jv_copy(value)))
		return run_error(run, jv_invalid_get_msg(value));
	jv_free(value);
	return 0;
}

/* `now` is the message's time. */
static jv time_of(const json_t *envelope)
{
	const char *text = json_string_value(json_object_get(envelope, "time"));
	int64_t ms;

	if (!text || clock_parse(span_of(text), &ms))
		return jv_number(0);
	return jv_number((double)ms / 1000);
}

static jv input_of(const struct expression_input *input, bool asks, struct error *error)
{
	jv body = jv_from_tree(input->body, error), envelope, all;

	if (!jv_is_valid(body))
		return body;
	envelope = asks && input->envelope ? jv_from_tree(input->envelope, error) : jv_object();
	if (!jv_is_valid(envelope)) {
		jv_free(body);
		error_wrap(error, "$envelope");
		return envelope;
	}
	all = jv_array_append(jv_array_sized(3), body);
	all = jv_array_append(all, envelope);
	return jv_array_append(all, time_of(input->envelope));
}

typedef int each_fn(void *, json_t *);

static int run_jq(struct expression *e, const struct expression_input *input, each_fn *each, void *arg,
		  struct error *error)
{
	struct run run = {e, (input->limits.time_ms ? input->limits.time_ms : DEFAULT_TIME_MS) * 1000000,
			  input->limits.memory ? input->limits.memory : DEFAULT_MEMORY, 0, error};
	jv value = input_of(input, e->asks, error);
	json_t *result = NULL;
	int more, stop = 0;

	if (!jv_is_valid(value))
		return -1;
	assert(!e->busy);
	e->busy = true;
	jq_start(e->jq, value, 0);
	while (!stop && (more = run_next(&run, &result)) > 0) {
		stop = each(arg, result);
		json_decref(result);
	}
	e->busy = false;
	if (e->jq)
		jq_start(e->jq, jv_null(), 0); /* lets go of the input */
	return stop || more < 0 ? -1 : 0;
}

static int run_path(struct expression *e, const struct expression_input *input, each_fn *each, void *arg,
		    struct error *error)
{
	struct run run = {.e = e, .error = error};
	json_t *empty = NULL, *root = input->body, *result;
	struct error why;
	int failed;

	if (e->path->envelope)
		root = input->envelope ? input->envelope : (empty = json_object());
	if (path_follow(e->path, root, &result, &why))
		failed = run_failed(&run, why.code, why.text);
	else
		failed = each(arg, result) ? -1 : 0;
	json_decref(empty);
	return failed;
}

int expression_each(struct expression *e, const struct expression_input *input, each_fn *each, void *arg,
		    struct error *error)
{
	if (compile(e, NULL))
		return error_set(error, ERROR_REJECT, "jq.compile", "%s", e->failure);
	if (e->path)
		return run_path(e, input, each, arg, error);
	return run_jq(e, input, each, arg, error);
}

struct first {
	json_t *result;
};

static int take_first(void *arg, json_t *result)
{
	struct first *first = arg;

	first->result = json_incref(result);
	return 1;
}

int expression_run(struct expression *e, const struct expression_input *input, json_t **result, struct error *error)
{
	struct first first = {NULL};
	int failed = expression_each(e, input, take_first, &first, error);

	*result = first.result;
	return first.result ? 0 : failed;
}

int expression_text(struct expression *e, const struct expression_input *input, struct buf *out, struct error *error)
{
	json_t *result;
	int failed = 0;

	if (expression_run(e, input, &result, error))
		return -1;
	if (json_is_string(result))
		failed = buf_append(out, json_string_value(result), json_string_length(result));
	else if (result && !json_is_null(result))
		failed = tree_write(out, result, 0);
	json_decref(result);
	return failed ? error_set(error, ERROR_REJECT, "jq.text-too-large", "the text passes %zu bytes", out->max) : 0;
}

int expression_true(struct expression *e, const struct expression_input *input, bool *is, struct error *error)
{
	json_t *result;

	if (expression_run(e, input, &result, error))
		return -1;
	*is = result && !json_is_null(result) && !json_is_false(result);
	json_decref(result);
	return 0;
}
