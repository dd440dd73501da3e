/* ferrule log: what a running site writes into its log. */
#include "config.h"

#include "cli/site.h"

static const struct verb_option options[] = {
	SITE_OPTIONS,
	{.name = NULL},
};

static int set(const struct arguments *arguments, struct session *session)
{
	json_t *request = json_object(), *answer;
	int code = EXIT_DONE;

	if (arguments->count)
		json_object_set_new(request, "levels", json_string(arguments->words[0]));
	answer = site_ask(arguments, session, "log", request, &code);
	if (!answer)
		return code;
	if (arguments->json)
		verb_print_json(answer);
	else
		printf("%s\n", json_text(answer, "levels"));
	json_decref(answer);
	return EXIT_DONE;
}

static int log_verb(const struct arguments *arguments)
{
	struct session *session;
	bool running;
	int code;

	session = site_reach(arguments, NULL, &running, &code);
	if (!session)
		return code;
	code = running ? set(arguments, session)
		       : verb_refused(arguments, EXIT_UNREACHABLE, "site.not-running",
				      "the site is not running; to start it so: ferrule run --log debug");
	session_close(session);
	return code;
}

const struct verb verb_log = {
	.name = "log",
	.words = "[LEVELS]",
	.words_max = 1,
	.summary = "Show or change what a running site logs",
	.text = "  ferrule log\n"
		"  ferrule log debug\n"
		"  ferrule log warn,deliver=debug\n"
		"\nLEVELS is error, warn, info or debug for all, then levels by module. It counts at once, in every "
		"process,\n"
		"until the site ends.\n",
	.json = "{levels}",
	.options = options,
	.run = log_verb,
};
