/* What verbs that talk to a site share. See site.h. */
#include "config.h"
#include "cli/site.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define ASK_MS 30000

struct session *site_reach(const struct arguments *arguments, const char *directory, bool *running, int *code)
{
	const char *site = directory                           ? directory
			   : argument_given(arguments, "site") ? argument(arguments, "site")
							       : ".";
	struct error error = {0};
	struct findings findings;
	struct session *session;

	log_role(arguments->verb->name);
	log_levels("error");
	findings_init(&findings);
	session = session_open(site, argument_given(arguments, "env") ? argument(arguments, "env") : "", &findings,
			       running, &error);
	*code = EXIT_DONE;
	if (!session) {
		verb_print_findings(&findings, stderr);
		verb_failed(arguments, &error);
		*code = EXIT_UNREACHABLE;
	}
	findings_free(&findings);
	return session;
}

json_t *site_ask(const struct arguments *arguments, struct session *session, const char *question, json_t *request,
		 int *code)
{
	struct error error = {0};
	json_t *answer = NULL;

	if (queue_ask(session_queue(session), question, request, &answer, ASK_MS, &error))
		*code = verb_failed(arguments, &error);
	json_decref(request);
	return answer;
}

int site_change(const struct arguments *arguments, struct session *session, const char *change, json_t *request)
{
	struct unit *unit = unit_new(session_queue(session));
	struct error error = {0};

	unit_change(unit, change, request);
	return unit_commit_wait(unit, &error) ? verb_failed(arguments, &error) : EXIT_DONE;
}

int site_time(const struct arguments *arguments, const char *name, int64_t fallback, int64_t *ms)
{
	const char *text = argument(arguments, name);
	int64_t span;

	*ms = fallback;
	if (!text || !clock_parse(span_of(text), ms))
		return 0;
	if (duration_parse(span_of(text), &span))
		return verb_usage(arguments, "--%s %s: a time looks like 2026-01-31T12:00:00Z or 2h", name, text);
	*ms = clock_now_ms() - span;
	return 0;
}

int site_rate(const struct arguments *arguments, struct timespec *pause)
{
	const char *text = argument(arguments, "rate");
	double rate = text ? strtod(text, NULL) : 0, seconds;

	*pause = (struct timespec){0, 0};
	if (!text)
		return 0;
	if (rate < 0.001)
		return verb_usage(arguments, "--rate %s: a rate looks like 10/s", text);
	seconds = 1 / rate;
	pause->tv_sec = (time_t)seconds;
	pause->tv_nsec = (long)((seconds - (double)pause->tv_sec) * 1e9);
	return 0;
}

const char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t json_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *show_age(char *text, int64_t ms)
{
	char span[CLOCK_TEXT];
	int64_t age = clock_now_ms() - ms;

	if (ms <= 0)
		return "";
	duration_format(age < 0 ? -age : age, span);
	snprintf(text, SHOWN, age < 0 ? "in %s" : "%s ago", span);
	return text;
}

const char *show_time(char *text, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms <= 0)
		return "";
	localtime_r(&seconds, &tm);
	strftime(text, SHOWN, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

static void add_option(struct buf *line, const char *name, const char *value)
{
	bool plain = !value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:,@=")];

	buf_printf(line, " --%s ", name);
	if (!plain)
		buf_char(line, '\'');
	for (const char *c = value; *c; c++)
		if (*c == '\'')
			buf_text(line, "'\\''");
		else
			buf_char(line, *c);
	if (!plain)
		buf_char(line, '\'');
}

/* `status` and `run` take the directory as a word. */
const char *show_site(char *text, const struct arguments *arguments)
{
	const char *directory = argument(arguments, "site");
	struct buf line;

	if (!strcmp(arguments->verb->name, "status"))
		directory = argument_word(arguments, 0, directory);
	buf_init(&line, SHOWN - 1);
	if (directory)
		add_option(&line, "site", directory);
	if (argument_given(arguments, "env"))
		add_option(&line, "env", argument(arguments, "env"));
	snprintf(text, SHOWN, "%.*s", line.full ? 0 : (int)line.len, line.len ? line.data : "");
	buf_free(&line);
	return text;
}

const char *show_id(char *text, const char *hex)
{
	snprintf(text, SHOWN, "%.12s", hex);
	return text;
}

const char *show_keys(char *text, const json_t *keys)
{
	size_t used = 0, i, shown = 0;
	const json_t *key;

	text[0] = '\0';
	json_array_foreach(keys, i, key) {
		const char *value = json_is_string(key) ? json_string_value(key) : json_text(key, "value");

		if (used > 300)
			break;
		used += (size_t)snprintf(text + used, SHOWN - used, "%s%.60s", shown++ ? ", " : "", value);
	}
	if (i < json_array_size(keys))
		snprintf(text + used, SHOWN - used, " … %zu more", json_array_size(keys) - i);
	return text;
}
