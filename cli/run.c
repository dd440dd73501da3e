/* ferrule run: the site, until it is told to end. */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/verb.h"
#include "services/supervisor.h"

static const struct verb_option options[] = {
	{"site", "DIR", "the same as the word DIR", NULL},
	{"env", "NAME", "take the values of environments/NAME.yaml", NULL},
	{"role", "ROLE", "only this role, and the queue process; may be repeated", NULL},
	{"until-idle", NULL, "poll each source once and end when nothing is ready, held, parked or unrecorded", NULL},
	{"for", "TIME", "end after this long, such as 90s or 5m", NULL},
	{"watchdog", "TIME", "kill a worker that makes no progress with a message for so long (20s)", NULL},
	{"log", "LEVELS", "error, warn, info or debug, for all or by module: info,deliver=debug", NULL},
	{.name = NULL},
};

static const char *const role_names[] = {"gateway", "poll",   "transform", "deliver",
					 "sink",    "record", "steward",   "queue"};
#define ROLES (sizeof role_names / sizeof *role_names)

/* A role, or one of its processes: poll:acme-orders, transform.1. */
static bool is_role(const char *word)
{
	size_t n = strcspn(word, ":.");

	for (size_t i = 0; i < ROLES; i++)
		if (strlen(role_names[i]) == n && !strncmp(word, role_names[i], n))
			return true;
	return false;
}

static int duration(const struct arguments *arguments, const char *name, int64_t *ms)
{
	const char *text = argument(arguments, name);

	*ms = 0;
	if (text && duration_parse(span_of(text), ms))
		return verb_usage(arguments, "--%s %s: a time looks like 90s, 5m or 1h30m", name, text);
	return 0;
}

static const char *directory_of(const struct arguments *arguments)
{
	return argument_word(arguments, 0, argument_given(arguments, "site") ? argument(arguments, "site") : ".");
}

static int run(const struct arguments *arguments)
{
	const char *roles[ARGUMENTS_MAX + 1] = {NULL};
	struct supervisor_config config = {
		.directory = directory_of(arguments),
		.environment = argument_given(arguments, "env") ? argument(arguments, "env") : "",
		.until_idle = argument_given(arguments, "until-idle"),
	};
	struct error error = {0};

	for (size_t n = 0; argument_nth(arguments, "role", n); n++) {
		if (!is_role(argument_nth(arguments, "role", n)))
			return verb_unknown(arguments, "role", argument_nth(arguments, "role", n), role_names, ROLES,
					    "gateway, poll, transform, deliver, sink, record or steward");
		roles[n] = argument_nth(arguments, "role", n);
		config.roles = roles;
	}
	if (argument_given(arguments, "for") && !duration(arguments, "for", &config.for_ms) && !config.for_ms)
		return verb_usage(arguments, "--for %s: more than nothing; without --for it runs until it is ended",
				  argument(arguments, "for"));
	if (duration(arguments, "for", &config.for_ms) || duration(arguments, "watchdog", &config.watchdog_ms))
		return EXIT_USAGE;
	if (argument_given(arguments, "log") && log_levels(argument(arguments, "log")))
		return verb_usage(arguments, "--log %s: levels are error, warn, info and debug",
				  argument(arguments, "log"));
	if (supervisor_run(&config, &error))
		return verb_failed(arguments, &error);
	return EXIT_DONE;
}

const struct verb verb_run = {
	.name = "run",
	.words = "[DIR]",
	.words_max = 1,
	.summary = "Run the site",
	.text = "  ferrule run\n"
		"  ferrule run --until-idle --for 60s\n"
		"  ferrule run --for 5m --log info,deliver=debug\n"
		"\nEnds cleanly on SIGTERM and Ctrl-C within 10 seconds. SIGHUP takes a changed configuration, if it "
		"is "
		"valid.\nWhat goes on is logged on standard error, a line key=value each; ferrule status shows it.\n"
		"ROLE is gateway, poll, transform, deliver, sink, record or steward. Exit code 1: the configuration is "
		"not valid;\n3: the queue process could not start (with --until-idle or --for; a later version's "
		"store, say).\n",
	.options = options,
	.run = run,
};
