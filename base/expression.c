/* Expressions; the fence around libjq 1.6 (with expression_compile.c and expression_jv.c, its values). See
 * expression.h.
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
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/expression_compile.h"
#include "base/expression_jv.h"
#include "base/expression_marks.h"
#include "base/expression_path.h"
#include "base/tree.h"

#define TICK_MS 10
#define DEFAULT_TIME_MS 2000
#define DEFAULT_MEMORY (256u << 20)

struct expression {
	struct arena *arena;
	struct span text;
	struct place place;
	size_t offset; /* of the text in the value that stands at that place */
	bool looked; /* whether it is a plain path */
	struct path *path;
	jq_state *jq;
	bool busy;
	bool asks; /* for $envelope; else it is not worth converting */
	char failure[400]; /* why it does not compile; empty: not known to fail */
	const struct marks *marks; /* watched */
	uint64_t *hits;
	bool keep, passed;
	size_t last; /* mark that was passed, when `passed` */
	jv last_value;
};

struct expression *expression_new(struct arena *arena, struct span text, struct place place)
{
	return expression_new_within(arena, text, place, 0);
}

struct expression *expression_new_within(struct arena *arena, struct span text, struct place place, size_t offset)
{
	struct expression *e = arena_alloc(arena, sizeof *e);

	e->arena = arena;
	e->text = arena_span(arena, text);
	e->place = place;
	e->offset = offset;
	return e;
}

void expression_drop(struct expression *e)
{
	if (!e)
		return;
	if (e->jq)
		jq_teardown(&e->jq);
	if (e->passed)
		jv_free(e->last_value);
	e->passed = false;
}

struct span expression_source(const struct expression *e)
{
	return e->text;
}

struct place expression_place(const struct expression *e)
{
	return e->place;
}

size_t expression_offset(const struct expression *e)
{
	return e->offset;
}

/* ---- compiling */
/* Where its text starts; a run cannot tell more. */
static struct place start_of(const struct expression *e)
{
	struct place place = e->place;

	if (place.line == 0)
		place.line = 1;
	return place;
}

/* A mark was passed: [its number, what `.` is there]. */
static void on_seen(void *arg, jv seen)
{
	struct expression *e = arg;
	jv number = jv_array_get(jv_copy(seen), 0);
	double at = jv_get_kind(number) == JV_KIND_NUMBER ? jv_number_value(number) : -1;

	jv_free(number);
	if (at >= 0 && at < (double)e->marks->count) {
		if (e->hits)
			e->hits[(size_t)at]++;
		e->last = (size_t)at;
		if (e->keep && e->passed)
			jv_free(e->last_value);
		e->last_value = e->keep ? jv_array_get(jv_copy(seen), 1) : jv_null();
		e->passed = true;
	}
	jv_free(seen);
}

/* The program with its marks; NULL: they make it one that does not compile. */
static jq_state *compile_woven(struct expression *e)
{
	struct compiling c = {
		.start = e->place, .failure = e->failure, .failure_size = sizeof e->failure, .woven = true};
	struct buf text;
	jq_state *jq;

	buf_init(&text, SIZE_MAX / 2);
	marks_weave(e->marks, e->text, &text);
	c.text = buf_view(&text);
	jq = expression_compile(&c);
	buf_free(&text);
	e->failure[0] = '\0';
	if (jq)
		jq_set_debug_cb(jq, on_seen, e);
	return jq;
}

static int compile(struct expression *e, struct findings *findings)
{
	struct compiling c = {e->text, e->place, e->offset, findings, e->failure, sizeof e->failure, false};

	if (!e->looked) {
		e->path = path_parse(e->arena, e->text);
		e->looked = true;
	}
	if (e->path || e->jq)
		return 0;
	if (e->failure[0] && !findings)
		return -1;
	e->failure[0] = '\0';
	e->asks = memmem(e->text.data, e->text.len, "$envelope", 9) != NULL;
	e->jq = e->marks ? compile_woven(e) : expression_compile(&c);
	return e->jq ? 0 : -1;
}

int expression_watch(struct expression *e, const struct marks *marks, uint64_t *hits, bool keep)
{
	assert(!e->jq && !e->busy);
	e->marks = marks;
	e->hits = hits;
	e->keep = keep;
	e->path = NULL; /* libjq tells more */
	e->looked = true;
	if (!compile(e, NULL))
		return 0;
	e->marks = NULL;
	e->looked = false;
	return -1;
}

bool expression_last(const struct expression *e, size_t *mark, json_t **value)
{
	struct error unused;

	if (!e->passed)
		return false;
	*mark = e->last;
	*value = e->keep ? tree_from_jv(jv_copy(e->last_value), &unused) : NULL;
	return true;
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
