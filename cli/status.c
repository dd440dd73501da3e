/* ferrule status: what waits where, and with --problems what is wrong and what to do. */
#include "config.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/moving.h"
#include "cli/site.h"
#include "services/site_store.h"

#define SETTLE_MS 2000

static const struct verb_option options[] = {
	{"problems", NULL, "only what is wrong: since when, who waits, whom to call, what to type", NULL},
	{"totals", NULL, "what became of everything so far, by stage and place", NULL},
	{"until-idle", "TIME", "wait until nothing is under way, at most so long; shows progress", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

static void print_queues(const json_t *queues)
{
	static const char *const titles[] = {"queue", ">waiting", ">in hand", ">parked", "oldest", NULL};
	struct table *table = table_new(titles);
	const json_t *queue;
	size_t i;

	json_array_foreach(queues, i, queue) {
		table_add(table, json_text(queue, "name"));
		table_number(table, json_number(queue, "ready"));
		table_number(table, json_number(queue, "unsettled"));
		table_number(table, json_number(queue, "parked"));
		table_add(table,
			  json_number(queue, "ready") ? show_age(SHOWN_HERE, json_number(queue, "oldest_ms")) : "");
	}
	puts("");
	table_print_take(table, "  ");
}

static void print_held(const struct arguments *arguments, const json_t *held)
{
	const json_t *step;
	size_t i;

	json_array_foreach(held, i, step) {
		int64_t due = json_number(step, "due_ms"), wait = due - clock_now_ms();
		char when[CLOCK_TEXT];

		printf("  %s in %lld open, before %s, since %s",
		       show_count(SHOWN_HERE, json_number(step, "members"), "message"),
		       (long long)json_number(step, "open"), json_text(step, "queue"),
		       show_age(SHOWN_HERE, json_number(step, "oldest_ms")));
		duration_format(wait > 0 ? wait : 0, when);
		if (json_is_integer(json_object_get(step, "due_ms")))
			printf("; the next goes on in %s", when);
		printf(": ferrule collect list%s\n", show_site(SHOWN_HERE, arguments));
	}
}

static const char *directory_of(const struct arguments *arguments)
{
	return argument_word(arguments, 0, argument_given(arguments, "site") ? argument(arguments, "site") : ".");
}

/* ---- what the site waits for ------------------------------------------------------------------------------------- */

static bool is_paused(const json_t *state)
{
	return !strcmp(json_text(state, "state"), "paused") || !strcmp(json_text(state, "state"), "failing");
}

static size_t print_paused(json_t *endpoints)
{
	const char *name;
	json_t *state;
	size_t n = 0;

	json_object_foreach(endpoints, name, state) {
		if (!is_paused(state))
			continue;
		n++;
		printf("  %s is %s since %s: %s", name, json_text(state, "state"),
		       show_time(SHOWN_HERE, json_number(state, "since")), json_text(state, "error"));
		if (json_number(state, "next"))
			printf("; next try %s", show_age(SHOWN_HERE, json_number(state, "next")));
		puts("");
	}
	return n;
}

static void print_refused(const char *name, const json_t *refused)
{
	if (refused)
		printf("  %s: %s refused, the last %s: %s\n", name,
		       show_count(SHOWN_HERE, json_number(refused, "count"), "file"),
		       show_age(SHOWN_HERE, json_number(refused, "at")), json_text(refused, "error"));
}

static void print_sources(json_t *endpoints)
{
	const char *name;
	json_t *state;
	const json_t *half;
	size_t i;

	json_object_foreach(endpoints, name, state) {
		const json_t *halves = json_object_get(state, "halves"), *list = json_object_get(halves, "list");

		json_array_foreach(list, i, half)
			printf("  %s: %s waits for %s since %s\n", name, json_text(half, "name"),
			       json_text(half, "lacks"), show_time(SHOWN_HERE, json_number(half, "since")));
		print_refused(name, json_object_get(state, "refused"));
		if (json_number(halves, "count") > (int64_t)json_array_size(list))
			printf("  %s: … and %lld more wait so\n", name,
			       (long long)json_number(halves, "count") - (long long)json_array_size(list));
	}
}

static void print_moving(const json_t *moving)
{
	const json_t *one;
	struct buf text;
	size_t i;

	buf_init(&text, 1000);
	json_array_foreach(moving, i, one) {
		buf_reset(&text);
		moving_line(one, 0, &text);
		printf("  %.*s\n", SPAN_ARGS(buf_view(&text)));
	}
	buf_free(&text);
}

static size_t print_holds(const json_t *holds)
{
	const json_t *hold;
	size_t i;

	json_array_foreach(holds, i, hold)
		printf("  %s is held until %s%s%s%s%s\n", json_text(hold, "name"),
		       show_time(SHOWN_HERE, json_number(hold, "until_ms")), *json_text(hold, "by") ? " by " : "",
		       json_text(hold, "by"), *json_text(hold, "reason") ? ": " : "", json_text(hold, "reason"));
	return json_array_size(holds);
}

static size_t print_broker(const json_t *answer)
{
	const json_t *broker = json_object_get(answer, "broker");
	size_t n = 0;

	if (!json_is_true(json_object_get(broker, "consuming")))
		n += printf("  the broker %s is not consumed: %s\n", json_text(broker, "name"),
			    json_text(broker, "text")) > 0;
	if (json_is_false(json_object_get(answer, "accepting")))
		n += puts("  nothing is accepted until there is room on the disk again") >= 0;
	return n;
}

/* A line each for what a person has to look at, with the command to type. */
static size_t print_persons(const struct arguments *arguments, const json_t *answer)
{
	const char *site = show_site(SHOWN_HERE, arguments);
	int64_t dead = json_number(answer, "dead"), doubts = json_number(answer, "doubt");

	if (dead)
		printf("  %s: ferrule dead list%s\n", show_count(SHOWN_HERE, dead, "dead letter"), site);
	if (doubts)
		printf("  %s: ferrule doubt list%s\n", show_count(SHOWN_HERE, doubts, "doubt"), site);
	return (size_t)(dead + doubts);
}

static int64_t sum_of(const json_t *queues, const char *field)
{
	const json_t *queue;
	int64_t sum = 0;
	size_t i;

	json_array_foreach(queues, i, queue)
		sum += json_number(queue, field);
	return sum;
}

static bool is_on(const json_t *problem, const char *machine)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(problem, "machines"), i, one)
		if (!strcmp(json_string_value(one), machine))
			return true;
	return false;
}

/* What the processes of the site's other machines know. */
static size_t print_elsewhere(const json_t *answer)
{
	const json_t *problem;
	size_t i, n = 0;

	json_array_foreach(json_object_get(answer, "problems"), i, problem) {
		if (!json_array_size(json_object_get(problem, "machines")) ||
		    is_on(problem, json_text(answer, "machine")))
			continue;
		printf("  %s: %s\n", show_keys(SHOWN_HERE, json_object_get(problem, "machines")),
		       json_text(problem, "what"));
		n++;
	}
	return n;
}

static void print_status(const struct arguments *arguments, const json_t *answer, bool running)
{
	const json_t *queues = json_object_get(answer, "queues");
	int64_t waiting = sum_of(queues, "ready"), in_hand = sum_of(queues, "unsettled"),
		parked = sum_of(queues, "parked");
	size_t n = 0;

	printf("%s: ", json_text(answer, "site"));
	if (running)
		printf("running, started %s", show_age(SHOWN_HERE, json_number(answer, "since")));
	else
		printf("not running (ferrule run %s)", argument_given(arguments, "site")
							       ? argument(arguments, "site")
							       : argument_word(arguments, 0, "."));
	printf("; revision %s\n", show_id(SHOWN_HERE, json_text(answer, "revision")));
	print_queues(queues);
	puts("");
	if (running)
		n += print_broker(answer);
	n += print_paused(json_object_get(answer, "endpoints"));
	n += print_elsewhere(answer);
	print_moving(json_object_get(answer, "moving"));
	print_sources(json_object_get(answer, "endpoints"));
	n += print_holds(json_object_get(answer, "holds"));
	if (parked)
		printf("  %s: for another try, the end of a hold, or a dead letter in front\n",
		       show_count(SHOWN_HERE, parked, "parked message"));
	print_held(arguments, json_object_get(answer, "held"));
	n += print_persons(arguments, answer);
	if (n)
		printf("  what is wrong, and what to do: ferrule status --problems%s\n",
		       show_site(SHOWN_HERE, arguments));
	else if (!waiting && !in_hand && !parked && !json_array_size(json_object_get(answer, "held")))
		puts("  nothing waits, nothing is wrong");
}

/* ---- problems ---------------------------------------------------------------------------------------------------- */

/* Nobody but us knows whether the site runs: its queue process may be our own. */
static void add_not_running(json_t *answer)
{
	const json_t *queues = json_object_get(answer, "queues"), *queue;
	int64_t n = sum_of(queues, "ready") + sum_of(queues, "parked"), since = 0;
	size_t i;

	json_array_foreach(queues, i, queue)
		if (json_number(queue, "ready") && (!since || json_number(queue, "oldest_ms") < since))
			since = json_number(queue, "oldest_ms");
	if (n)
		json_array_insert_new(json_object_get(answer, "problems"), 0,
				      json_pack("{s:o s:I s:[] s:s s:s s:s}", "what",
						json_sprintf("the site does not run: %s under way",
							     show_count(SHOWN_HERE, n, "message")),
						"since", (json_int_t)since, "keys", "owner", "", "runbook", "", "next",
						"ferrule run"));
}

/* A queue that nobody serves: in a site that runs, its worker ends again and again. */
static void fit_problems(json_t *answer, bool running)
{
	json_t *problem;
	size_t i;

	json_array_foreach(json_object_get(answer, "problems"), i, problem)
		if (running && !strcmp(json_text(problem, "next"), "ferrule run"))
			json_object_set_new(problem, "next",
					    json_string("the log of ferrule run says why its worker does not"));
	if (!running)
		add_not_running(answer);
}

/* The command comes last in `next`, so what names the site goes behind it. */
static void print_next(const struct arguments *arguments, const char *next)
{
	bool command = strstr(next, "ferrule ") && !strstr(next, "the log of");

	if (!strcmp(next, "ferrule run"))
		printf("  next     ferrule run %s\n", directory_of(arguments));
	else
		printf("  next     %s%s\n", next, command ? show_site(SHOWN_HERE, arguments) : "");
}

static void print_problem(const struct arguments *arguments, const json_t *problem)
{
	int64_t since = json_number(problem, "since");

	printf("%s\n", json_text(problem, "what"));
	if (since)
		printf("  since    %s (%s)\n", show_time(SHOWN_HERE, since), show_age(SHOWN_HERE, since));
	if (json_array_size(json_object_get(problem, "keys")))
		printf("  waiting  %s\n", show_keys(SHOWN_HERE, json_object_get(problem, "keys")));
	if (json_array_size(json_object_get(problem, "machines")))
		printf("  machine  %s\n", show_keys(SHOWN_HERE, json_object_get(problem, "machines")));
	if (*json_text(problem, "owner"))
		printf("  owner    %s\n", json_text(problem, "owner"));
	if (*json_text(problem, "runbook"))
		printf("  runbook  %s\n", json_text(problem, "runbook"));
	if (*json_text(problem, "next"))
		print_next(arguments, json_text(problem, "next"));
}

static int print_problems(const struct arguments *arguments, const json_t *answer)
{
	const json_t *problems = json_object_get(answer, "problems"), *problem;
	json_t *report;
	size_t i;

	if (arguments->json) {
		report = json_pack("{s:O s:O s:O}", "site", json_object_get(answer, "site"), "running",
				   json_object_get(answer, "running"), "problems", problems);
		verb_print_json(report);
		json_decref(report);
	} else if (!json_array_size(problems)) {
		puts("No problems.");
	} else {
		json_array_foreach(problems, i, problem) {
			if (i)
				puts("");
			print_problem(arguments, problem);
		}
	}
	return json_array_size(problems) ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* Every source that is asked was asked since then. */
static bool polled_since(json_t *endpoints, int64_t since)
{
	const char *name;
	json_t *state;

	json_object_foreach(endpoints, name, state)
		if (!strcmp(json_text(state, "state"), "busy") ||
		    (json_object_get(state, "polled") && json_number(state, "polled") < since))
			return false;
	return true;
}

static void show_progress(const struct arguments *arguments, const json_t *idle)
{
	if (arguments->json || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r  waiting %lld, in hand %lld, parked %lld, to be recorded %lld   ",
		(long long)json_number(idle, "ready"), (long long)json_number(idle, "unsettled"),
		(long long)json_number(idle, "parked"), (long long)json_number(idle, "unrecorded"));
}

/* Idle, with every source looked at since we wait; the answer is the last. */
static bool look(const struct arguments *arguments, struct session *session, int64_t since, json_t **idle, int *code)
{
	json_t *status;
	bool calm;

	json_decref(*idle);
	*idle = site_ask(arguments, session, "idle", json_object(), code);
	status = *idle ? site_ask(arguments, session, "status", json_object(), code) : NULL;
	if (status)
		show_progress(arguments, *idle);
	calm = status && json_is_true(json_object_get(*idle, "idle")) &&
	       polled_since(json_object_get(status, "endpoints"), since);
	json_decref(status);
	return calm;
}

static int tell_idle(const struct arguments *arguments, json_t *idle, bool calm, bool running)
{
	const char *site = show_site(SHOWN_HERE, arguments);

	if (arguments->json) {
		json_object_set_new(idle, "idle", json_boolean(calm));
		json_object_set_new(idle, "running", json_boolean(running));
		verb_print_json(idle);
	} else if (calm) {
		puts("  nothing is under way");
	} else if (!running) {
		fprintf(stderr,
			"ferrule status: the site does not run: what waits goes on when it does (ferrule run)\n");
	} else {
		fprintf(stderr, "ferrule status: still not idle; what holds it up: ferrule status --problems%s\n",
			site);
	}
	return calm ? EXIT_DONE : EXIT_FINDINGS;
}

static int wait_idle(const struct arguments *arguments, struct session *session, bool running)
{
	int64_t limit, since = clock_now_ms(), until;
	struct timespec nap = {0, 100000000};
	int code = EXIT_DONE, calm = 0;
	json_t *idle = NULL;

	if (duration_parse(span_of(argument(arguments, "until-idle")), &limit))
		return verb_usage(arguments, "--until-idle %s: a time looks like 90s or 5m",
				  argument(arguments, "until-idle"));
	if (!running)
		session_settle(session, SETTLE_MS);
	until = clock_tick_ms() + limit;
	for (;;) {
		calm = look(arguments, session, since, &idle, &code) ? calm + 1 : 0;
		if (code || calm == 2 || clock_tick_ms() >= until || (!running && !calm))
			break;
		nanosleep(&nap, NULL);
	}
	if (!arguments->json && isatty(STDERR_FILENO))
		fputc('\n', stderr);
	if (!code)
		code = tell_idle(arguments, idle, calm == 2, running);
	json_decref(idle);
	return code;
}

/* ---- totals ------------------------------------------------------------------------------------------------------ */

static const struct stage {
	const char *name, *title;
} stages[] = {
	{"received", "documents received"},
	{"duplicate", "duplicates recognised"},
	{"published", "accepted and queued"},
	{"filtered", "left out by a filter"},
	{"delivered", "delivered"},
	{"recognised", "deliveries recognised as done before"},
	{"resolved", "doubts resolved by looking"},
	{"parked", "tries put off"},
	{"dead", "dead letters"},
	{"doubt", "doubts"},
	{"replayed", "replayed"},
};

static void print_totals(const json_t *totals, const json_t *status)
{
	const json_t *total;
	size_t i;

	for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
		json_array_foreach(totals, i, total)
			if (!strcmp(json_text(total, "stage"), stages[s].name))
				printf("  %6lld  %-38s %s%s%s\n", (long long)json_number(total, "count"),
				       stages[s].title, json_text(total, "place"),
				       *json_text(total, "reason") ? ": " : "", json_text(total, "reason"));
	printf("  %6lld  doubts that wait for a person\n", (long long)json_number(status, "doubt"));
}

static int tell_totals(const struct arguments *arguments, struct session *session, json_t *totals)
{
	int code = EXIT_DONE;
	json_t *status = site_ask(arguments, session, "status", json_object(), &code), *answer;

	if (status && arguments->json) {
		answer = json_pack("{s:O s:I s:I}", "totals", totals, "dead", (json_int_t)json_number(status, "dead"),
				   "doubt", (json_int_t)json_number(status, "doubt"));
		verb_print_json(answer);
		json_decref(answer);
	} else if (status) {
		print_totals(totals, status);
	}
	json_decref(status);
	return code;
}

static int show_totals(const struct arguments *arguments, struct session *session)
{
	struct error error = {0};
	struct lineage *lineage;
	json_t *totals;
	int code;

	session_settle(session, SETTLE_MS);
	lineage = site_lineage_reader(session_site(session), &error);
	if (!lineage && !strcmp(error.code, "db.missing"))
		totals = json_array(); /* it never ran */
	else
		totals = lineage ? lineage_totals(lineage, &error) : NULL;
	code = totals ? tell_totals(arguments, session, totals) : verb_failed(arguments, &error);
	json_decref(totals);
	lineage_close(lineage);
	return code;
}

/* ---- the verb ---------------------------------------------------------------------------------------------------- */

static int show(const struct arguments *arguments, struct session *session, bool running)
{
	int code = EXIT_DONE;
	json_t *answer = site_ask(arguments, session, "status", json_object(), &code);

	if (!answer)
		return code;
	json_object_set_new(answer, "running", json_boolean(running));
	fit_problems(answer, running);
	site_tidy(arguments, answer);
	if (argument_given(arguments, "problems"))
		code = print_problems(arguments, answer);
	else if (arguments->json)
		verb_print_json(answer);
	else
		print_status(arguments, answer, running);
	json_decref(answer);
	return code;
}

static int status(const struct arguments *arguments)
{
	bool running = false;
	struct session *session;
	int code;

	if (arguments->count && argument_given(arguments, "site") &&
	    strcmp(arguments->words[0], argument(arguments, "site")) != 0)
		return verb_usage(arguments, "%s or --site %s: give the directory once", arguments->words[0],
				  argument(arguments, "site"));
	session = site_reach(arguments, argument_word(arguments, 0, NULL), &running, &code);
	if (!session)
		return code;
	if (argument_given(arguments, "until-idle"))
		code = wait_idle(arguments, session, running);
	else if (argument_given(arguments, "totals"))
		code = show_totals(arguments, session);
	else
		code = show(arguments, session, running);
	session_close(session);
	return code;
}

const struct verb verb_status = {
	.name = "status",
	.words = "[DIR]",
	.words_max = 1,
	.summary = "Show what waits where; --problems: what is wrong and what to do",
	.text = "  ferrule status\n"
		"  ferrule status --problems\n"
		"  ferrule status --totals\n"
		"  ferrule status --until-idle 30s\n"
		"\nWorks without a running site, too: it then tells what is stored. With --problems, exit code 1 says "
		"that\n"
		"there are some; with --until-idle, that something is still under way.\n",
	.json = "{site, running, revision, since, queues: [{name, kind, flow, endpoint, system, owner, runbook, "
		"ready,\n"
		"  unsettled, parked, oldest_ms, consumers, held}],\n"
		"  held: [{queue, flow, step, open, members, oldest_ms, due_ms}], "
		"endpoints: {NAME: {state, since, error, next,\n"
		"  halves?: {count, list: [{name, lacks, since, due}]},\n"
		"  refused?: {count, name, at, code, error}}},\n"
		"  moving: [{endpoint, direction, name, done, total, rate, since, attempt, left_ms?}],\n  "
		"workers,\n"
		"  dead, doubt, parked, broker: {connected, consuming, blocked, text}, accepting, problems, holds, "
		"counters,\n"
		"  machine?, machines?: [{machine, since, gone?}]}\n"
		"  --problems: {site, running, problems: [{problem, what, since, keys, owner, runbook, next, "
		"here?, tried?,\n"
		"  machines?}]}\n"
		"  --totals: {totals: [{stage, place, reason, count}], dead, doubt}\n"
		"  --until-idle: {idle, running, ready, unsettled, parked, unrecorded}",
	.options = options,
	.run = status,
};
