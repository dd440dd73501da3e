/* ferrule status: what waits where, and with --problems what is wrong and what to do. */
#include "config.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/site.h"
#include "services/site_store.h"

static const struct verb_option options[] = {
	{"problems", NULL, "only what is wrong: since when, who waits, whom to call, what to type"},
	{"totals", NULL, "what became of everything so far, by stage and place"},
	{"until-idle", "TIME", "wait until nothing is under way, at most so long; shows progress"},
	SITE_OPTIONS,
	{NULL, NULL, NULL},
};

static void print_queue(const json_t *queue)
{
	const char *held = json_is_true(json_object_get(queue, "held")) ? "  held" : "";

	printf("  %-34s %8lld %8lld %8lld  %s%s\n", json_text(queue, "name"), (long long)json_number(queue, "ready"),
	       (long long)json_number(queue, "unsettled"), (long long)json_number(queue, "parked"),
	       json_number(queue, "ready") ? show_age(SHOWN_HERE, json_number(queue, "oldest_ms")) : "", held);
}

static void print_endpoints(json_t *endpoints)
{
	const char *name;
	json_t *state;

	json_object_foreach(endpoints, name, state)
		if (!strcmp(json_text(state, "state"), "paused") || !strcmp(json_text(state, "state"), "failing"))
			printf("  %s is %s since %s: %s\n", name, json_text(state, "state"),
			       show_age(SHOWN_HERE, json_number(state, "since")), json_text(state, "error"));
}

static void print_status(const json_t *answer, bool running, const char *site)
{
	const json_t *queues = json_object_get(answer, "queues"), *queue;
	size_t i;

	printf("%s, revision %s: %s\n", json_text(answer, "site"), show_id(SHOWN_HERE, json_text(answer, "revision")),
	       running ? "running" : "not running (ferrule run)");
	if (running && !json_is_true(json_object_get(json_object_get(answer, "broker"), "consuming")))
		printf("  the broker is not consumed: %s\n", json_text(json_object_get(answer, "broker"), "text"));
	printf("\n  %-34s %8s %8s %8s  %s\n", "queue", "waiting", "in hand", "parked", "oldest");
	json_array_foreach(queues, i, queue)
		print_queue(queue);
	print_endpoints(json_object_get(answer, "endpoints"));
	printf("\n  dead letters %lld (ferrule dead list%s), doubts %lld (ferrule doubt list%s), parked %lld\n",
	       (long long)json_number(answer, "dead"), site, (long long)json_number(answer, "doubt"), site,
	       (long long)json_number(answer, "parked"));
}

static void print_problem(const json_t *problem, const char *site)
{
	printf("- %s\n", json_text(problem, "what"));
	if (json_number(problem, "since"))
		printf("    since    %s\n", show_age(SHOWN_HERE, json_number(problem, "since")));
	if (json_array_size(json_object_get(problem, "keys")))
		printf("    waiting  %s\n", show_keys(SHOWN_HERE, json_object_get(problem, "keys")));
	if (*json_text(problem, "owner"))
		printf("    owner    %s\n", json_text(problem, "owner"));
	if (*json_text(problem, "runbook"))
		printf("    runbook  %s\n", json_text(problem, "runbook"));
	if (*json_text(problem, "next"))
		printf("    next     %s%s\n", json_text(problem, "next"),
		       strncmp(json_text(problem, "next"), "ferrule ", 8) ? "" : site);
}

static int print_problems(const json_t *problems, const char *site)
{
	const json_t *problem;
	size_t i;

	if (!json_array_size(problems))
		puts("No problems.");
	json_array_foreach(problems, i, problem)
		print_problem(problem, site);
	return json_array_size(problems) ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------
 */

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

static void show_progress(const json_t *idle)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r  waiting %lld, in hand %lld, parked %lld, unrecorded %lld   ",
		(long long)json_number(idle, "ready"), (long long)json_number(idle, "unsettled"),
		(long long)json_number(idle, "parked"), (long long)json_number(idle, "unrecorded"));
}

static int wait_idle(const struct arguments *arguments, struct session *session)
{
	int64_t limit, since = clock_now_ms(), until;
	struct timespec nap = {0, 100000000};
	int code = EXIT_DONE, calm = 0;

	if (duration_parse(span_of(argument(arguments, "until-idle")), &limit))
		return verb_usage(arguments, "--until-idle %s: a time looks like 90s or 5m",
				  argument(arguments, "until-idle"));
	until = clock_tick_ms() + limit;
	while (calm < 2) {
		json_t *idle = site_ask(arguments, session, "idle", json_object(), &code);
		json_t *status = idle ? site_ask(arguments, session, "status", json_object(), &code) : NULL;

		if (status)
			show_progress(idle);
		calm = status && json_is_true(json_object_get(idle, "idle")) &&
				       polled_since(json_object_get(status, "endpoints"), since)
			       ? calm + 1
			       : 0;
		json_decref(idle);
		json_decref(status);
		if (code || clock_tick_ms() >= until)
			break;
		nanosleep(&nap, NULL);
	}
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	if (!code && calm < 2) {
		fprintf(stderr, "ferrule status: still not idle; what holds it up: ferrule status --problems\n");
		code = EXIT_FINDINGS;
	}
	if (!code)
		puts("  nothing is under way");
	return code;
}

/* ---- totals ------------------------------------------------------------------------------------------------------ */

static const struct stage {
	const char *name, *title;
} stages[] = {
	{"received", "documents received"},
	{"duplicate", "duplicates recognised"},
	{"published", "messages made"},
	{"filtered", "left out by a filter"},
	{"delivered", "delivered"},
	{"recognised", "deliveries recognised as done before"},
	{"resolved", "doubts resolved by looking"},
	{"parked", "tries put off"},
	{"dead", "dead letters"},
	{"doubt", "doubts"},
	{"replayed", "replayed"},
};

static int print_totals(const struct arguments *arguments, struct session *session)
{
	struct error error = {0};
	struct lineage *lineage = site_lineage_reader(session_site(session), &error);
	json_t *totals = lineage ? lineage_totals(lineage, &error) : NULL, *total, *answer;
	int code = EXIT_DONE;
	size_t i;

	lineage_close(lineage);
	if (!totals)
		return verb_failed(arguments, &error);
	for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
		json_array_foreach(totals, i, total)
			if (!strcmp(json_text(total, "stage"), stages[s].name))
				printf("  %6lld  %-38s %s%s%s\n", (long long)json_number(total, "count"),
				       stages[s].title, json_text(total, "place"),
				       *json_text(total, "reason") ? ": " : "", json_text(total, "reason"));
	json_decref(totals);
	answer = site_ask(arguments, session, "status", json_object(), &code);
	if (answer)
		printf("  %6lld  doubts that wait for a person\n", (long long)json_number(answer, "doubt"));
	json_decref(answer);
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
	if (argument_given(arguments, "json"))
		verb_print_json(argument_given(arguments, "problems") ? json_object_get(answer, "problems") : answer);
	else if (argument_given(arguments, "problems"))
		code = print_problems(json_object_get(answer, "problems"), show_site(SHOWN_HERE, arguments));
	else
		print_status(answer, running, show_site(SHOWN_HERE, arguments));
	json_decref(answer);
	return code;
}

static int status(const struct arguments *arguments)
{
	bool running = false;
	int code;
	struct session *session = site_reach(arguments, argument_word(arguments, 0, NULL), &running, &code);

	if (!session)
		return code;
	if (argument_given(arguments, "until-idle"))
		code = wait_idle(arguments, session);
	else if (argument_given(arguments, "totals"))
		code = print_totals(arguments, session);
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
	.text = "Works without a running site, too: it then tells what is stored.\n",
	.options = options,
	.run = status,
};
