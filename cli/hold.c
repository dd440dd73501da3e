/* ferrule hold, ferrule resume: maintenance without ceasing to receive. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/site.h"

static const struct verb_option hold_options[] = {
	{"until", "TIME", "when it ends by itself: 2026-01-31T18:00:00Z, or from now: 90m"},
	{"reason", "TEXT", "why; shown by status"},
	SITE_OPTIONS,
	{NULL, NULL, NULL},
};

static const struct verb_option resume_options[] = {
	SITE_OPTIONS,
	{NULL, NULL, NULL},
};

/* A flow, an endpoint or a system of the site. */
static bool known(const struct site *site, const char *name)
{
	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		if (!strcmp(flow->name, name))
			return true;
		if (flow->sink &&
		    (!strcmp(flow->sink->name, name) || (flow->sink->system && !strcmp(flow->sink->system, name))))
			return true;
		for (size_t j = 0; j < flow->sources_count; j++)
			if (!strcmp(flow->sources[j].endpoint.name, name))
				return true;
	}
	return false;
}

static int until_of(const struct arguments *arguments, int64_t *until)
{
	const char *text = argument(arguments, "until");
	int64_t span;

	if (!text)
		return verb_usage(arguments, "--until is missing: a hold that nobody ends must end by itself");
	if (!duration_parse(span_of(text), &span))
		*until = clock_now_ms() + span;
	else if (clock_parse(span_of(text), until))
		return verb_usage(arguments, "--until %s: a time looks like 2026-01-31T18:00:00Z or 90m", text);
	return *until > clock_now_ms() ? 0 : verb_usage(arguments, "--until %s is over already", text);
}

static int hold(const struct arguments *arguments)
{
	const char *name = arguments->words[0], *by = getenv("USER");
	struct session *session;
	int64_t until;
	int code;

	if (until_of(arguments, &until))
		return EXIT_USAGE;
	session = site_reach(arguments, NULL, NULL, &code);
	if (!session)
		return code;
	if (!known(session_site(session), name))
		code = verb_usage(arguments, "no flow, endpoint or system is called `%s`: ferrule status shows them",
				  name);
	else
		code = site_change(arguments, session, "hold.set",
				   json_pack("{s:s s:I s:s s:s}", "name", name, "until_ms", (json_int_t)until, "reason",
					     argument_given(arguments, "reason") ? argument(arguments, "reason") : "",
					     "by", by ? by : "root"));
	if (code == EXIT_DONE)
		printf("%s is held until %s; what arrives for it waits. To end it now: ferrule resume %s%s\n", name,
		       show_time(SHOWN_HERE, until), name, show_site(SHOWN_HERE, arguments));
	session_close(session);
	return code;
}

static int resume(const struct arguments *arguments)
{
	int code;
	struct session *session = site_reach(arguments, NULL, NULL, &code);

	if (!session)
		return code;
	code = site_change(arguments, session, "hold.release", json_pack("{s:s}", "name", arguments->words[0]));
	if (code == EXIT_DONE)
		printf("%s goes on\n", arguments->words[0]);
	session_close(session);
	return code;
}

const struct verb verb_hold = {
	.name = "hold",
	.words = "FLOW|ENDPOINT|SYSTEM --until TIME [--reason TEXT]",
	.words_min = 1,
	.words_max = 1,
	.summary = "Let everything for a flow, endpoint or system wait",
	.text = "  ferrule hold erp --until 90m --reason 'month end'\n",
	.options = hold_options,
	.run = hold,
};

const struct verb verb_resume = {
	.name = "resume",
	.words = "FLOW|ENDPOINT|SYSTEM",
	.words_min = 1,
	.words_max = 1,
	.summary = "End a hold",
	.options = resume_options,
	.run = resume,
};
