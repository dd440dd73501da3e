/* ferrule transfer: what transfers there are, when they ran and run next, and running or holding them by hand. */
#include "config.h"
#include "cli/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/hold.h"
#include "cli/moving.h"
#include "cli/parts.h"
#include "mft/schedule.h"
#include "services/turns.h"

#define NEXT_MAX 1000

static const struct verb_option options[] = {
	{"next", "N", "so many of the next runs (5)", "show"},
	{"from", "TIME", "the next runs, or copies, from this time on, 2026-03-28T00:00:00Z", "show sent"},
	{"until", "TIME", "when it ends by itself: 90m from now, the next 06:00, or 2026-01-31T18:00:00Z", "hold"},
	{"reason", "TEXT", "why; shown by status", "hold"},
	{"wait", NULL, "until it is over, and show how far it is", "run"},
	{"key", "FILE", "the partner's public key", "account"},
	{"root", "DIR", "where the partners' folders are (/srv/sftp)", "account"},
	{"user", "NAME", "the user that Ferrule runs as (ferrule)", "account"},
	{"apply", NULL, "do it, as root, in place of printing it", "account"},
	{"fingerprint", "SHA256:…", "the key to be trusted, as the partner says it", "trust"},
	SITE_OPTIONS,
	{.name = NULL},
};

/* ---- what is known of one ---- */
struct known {
	json_t *entries; /* source → what its runs left in the store */
	json_t *status;  /* of the site */
};

static int learn(const struct arguments *arguments, struct session *session, struct known *known)
{
	int code = EXIT_DONE;
	json_t *answer, *entry;
	size_t i;

	*known = (struct known){.entries = json_object()};
	answer = site_ask(arguments, session, "table.list",
			  json_pack("{s:s s:i}", "table", TURNS_TABLE, "limit", 10000), &code);
	if (!answer)
		return code;
	json_array_foreach(json_object_get(answer, "entries"), i, entry)
		json_object_set(known->entries, json_text(entry, "key"), json_object_get(entry, "value"));
	json_decref(answer);
	known->status = site_ask(arguments, session, "status", json_object(), &code);
	return known->status ? EXIT_DONE : code;
}

static void forget(struct known *known)
{
	json_decref(known->entries);
	json_decref(known->status);
}

static const json_t *hold_of(const struct known *known, const char *name)
{
	const json_t *hold;
	size_t i;

	json_array_foreach(json_object_get(known->status, "holds"), i, hold)
		if (!strcmp(json_text(hold, "name"), name))
			return hold;
	return NULL;
}

/* The next run, as its zone has it; none, or as things arrive: nothing. */
static void put_next(json_t *object, const struct transfer *transfer)
{
	struct schedule *schedule = schedule_new(&transfer->schedule, NULL);
	int64_t next = schedule && schedule_runs(schedule) ? schedule_next(schedule, clock_now_ms()) : SCHEDULE_NEVER;
	char text[SCHEDULE_TEXT];

	if (next != SCHEDULE_NEVER) {
		schedule_format(schedule, next, text);
		json_object_set_new(object, "next_ms", json_integer((json_int_t)next));
		json_object_set_new(object, "next_at", json_string(text));
	}
	schedule_free(schedule);
}

static const char *state_of(const struct known *known, const struct flow *flow, const char *source, const json_t *runs)
{
	const char *state = json_text(json_object_get(json_object_get(known->status, "endpoints"), source), "state");

	if (hold_of(known, flow->name) || hold_of(known, source))
		return "held";
	if (!strcmp(state, "failing") || !strcmp(state, "busy"))
		return !strcmp(state, "busy") ? "running" : state;
	if (json_number(runs, "began") > json_number(runs, "ended"))
		return "running";
	return !strcmp(json_text(runs, "result"), "failed") ? "failed" : "waiting";
}

static void put_time(json_t *object, const char *name, int64_t ms)
{
	if (ms)
		json_object_set_new(object, name, json_integer((json_int_t)ms));
}

static json_t *schedule_json(const struct schedule_spec *spec)
{
	json_t *schedule = json_pack("{s:s}", "zone", spec->zone);

	if (spec->cron)
		json_object_set_new(schedule, "cron", json_string(spec->cron));
	put_time(schedule, "every_ms", spec->every_ms);
	if (spec->calendar)
		json_object_set_new(schedule, "calendar", json_string(spec->calendar->name));
	if (spec->cut_off)
		json_object_set_new(schedule, "cut_off", json_string(spec->cut_off));
	if (spec->window_from)
		json_object_set_new(schedule, "window", json_sprintf("%s-%s", spec->window_from, spec->window_to));
	return schedule;
}

/* While it fails no run has ended, and the endpoint says why. */
static json_t *failure_of(const struct known *known, const char *source)
{
	const json_t *state = json_object_get(json_object_get(known->status, "endpoints"), source);

	return !strcmp(json_text(state, "state"), "failing")
		       ? json_pack("{s:s s:s}", "code", json_text(state, "code"), "text", json_text(state, "error"))
		       : NULL;
}

/* A run that was asked for and has not begun. */
static void put_wish(json_t *it, const struct known *known, const json_t *runs)
{
	char *key = mem_printf(ASK_WISH_RUN "%s", json_text(it, "name"));
	int64_t at = json_number(json_object_get(known->entries, key), "at");

	put_time(it, "asked_ms", at > json_number(runs, "asked") ? at : 0);
	free(key);
}

/* One source of a transfer, as --json has it; source NULL: it has none, it delivers what is published. */
static json_t *describe(const struct known *known, const struct flow *flow, const struct endpoint *source)
{
	static const char *const copied[] = {"result", "taken", "missed", "error", "lacks"};
	const json_t *runs = source ? json_object_get(known->entries, source->name) : NULL, *hold, *value;
	json_t *it = json_pack("{s:s s:s s:s s:o}", "name", flow->name, "source", source ? source->name : "", "owner",
			       flow->owner ? flow->owner : "", "schedule", schedule_json(&flow->transfer->schedule));

	put_time(it, "began_ms", json_number(runs, "began"));
	put_time(it, "ended_ms", json_number(runs, "ended"));
	if (source)
		put_wish(it, known, runs);
	for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
		value = json_object_get(runs, copied[i]);
		if (value)
			json_object_set(it, copied[i], (json_t *)(uintptr_t)value);
	}
	if (*json_text(runs, "name"))
		json_object_set_new(it, "file", json_string(json_text(runs, "name")));
	put_time(it, "file_ms", json_number(runs, "taken_ms"));
	value = source ? failure_of(known, source->name) : NULL;
	if (value)
		json_object_set_new(it, "error", (json_t *)(uintptr_t)value);
	if (source)
		put_next(it, flow->transfer);
	json_object_set_new(it, "state", json_string(state_of(known, flow, source ? source->name : "", runs)));
	hold = hold_of(known, flow->name);
	if (hold)
		json_object_set(it, "hold", (json_t *)(uintptr_t)hold);
	return it;
}

static void describe_all(const struct known *known, const struct flow *flow, json_t *into)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		json_array_append_new(into, describe(known, flow, &flow->sources[i].endpoint));
	if (flow->sources_count == 0)
		json_array_append_new(into, describe(known, flow, NULL));
}

/* ---- list ---- */
static const char *show_when(char *text, const json_t *it)
{
	const json_t *schedule = json_object_get(it, "schedule");
	char span[CLOCK_TEXT];

	if (*json_text(schedule, "cron")) {
		snprintf(text, SHOWN, "%s %s", json_text(schedule, "cron"), json_text(schedule, "zone"));
	} else if (json_number(schedule, "every_ms")) {
		duration_format(json_number(schedule, "every_ms"), span);
		snprintf(text, SHOWN, "every %s", span);
	} else {
		snprintf(text, SHOWN, "on arrival");
	}
	return text;
}

static const char *show_moment(char *text, int64_t ms)
{
	return ms ? show_time(text, ms) : "-";
}

static void print_list(const json_t *all)
{
	static const char *const titles[] = {"transfer",  "when",     "last run", "result", ">files",
					     "last file", "next run", "state",    NULL};
	struct table *table = table_new(titles);
	const json_t *it;
	size_t i;

	json_array_foreach(all, i, it) {
		bool runs = json_number(it, "ended_ms") > 0;

		table_add(table, *json_text(it, "source") ? json_text(it, "source") : json_text(it, "name"));
		table_add(table, show_when(SHOWN_HERE, it));
		table_add(table, show_moment(SHOWN_HERE, json_number(it, "ended_ms")));
		table_add(table, runs ? json_text(it, "result") : "-");
		table_number(table, json_number(it, "taken"));
		table_add(table, *json_text(it, "file") ? json_text(it, "file") : "-");
		table_add(table, *json_text(it, "next_at") ? json_text(it, "next_at") : "-");
		table_add(table, json_text(it, "state"));
	}
	table_print_take(table, "");
}

static int list(const struct arguments *arguments, struct session *session)
{
	const struct site *site = session_site(session);
	json_t *all = json_array(), *report;
	struct known known;
	int code = learn(arguments, session, &known);

	for (size_t i = 0; !code && i < site->flows_count; i++)
		if (site->flows[i].transfer)
			describe_all(&known, &site->flows[i], all);
	if (!code && arguments->json) {
		report = json_pack("{s:O}", "transfers", all);
		verb_print_json(report);
		json_decref(report);
	} else if (!code && !json_array_size(all)) {
		puts("This site has no transfers; they are written in transfers/NAME.yaml.");
	} else if (!code) {
		print_list(all);
	}
	json_decref(all);
	forget(&known);
	return code;
}

/* ---- show ---- */
static const struct flow *transfer_named(const struct arguments *arguments, struct session *session, int *code)
{
	const struct site *site = session_site(session);
	const char **names = mem_alloc((site->flows_count + 1) * sizeof *names);
	const struct flow *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < site->flows_count; i++) {
		if (!site->flows[i].transfer)
			continue;
		names[n++] = site->flows[i].name;
		if (!strcmp(site->flows[i].name, arguments->words[1]))
			found = &site->flows[i];
	}
	*code = found ? EXIT_DONE
		      : verb_unknown(arguments, "transfer", arguments->words[1], names, n,
				     "ferrule transfer list shows them");
	free(names);
	return found;
}

static json_t *next_runs(const struct transfer *transfer, int64_t from, int64_t count)
{
	struct schedule *schedule = schedule_new(&transfer->schedule, NULL);
	json_t *list = json_array();
	char text[SCHEDULE_TEXT];

	for (int64_t at = from - 1; schedule && schedule_runs(schedule) && count > 0; count--) {
		at = schedule_next(schedule, at);
		if (at == SCHEDULE_NEVER)
			break;
		schedule_format(schedule, at, text);
		json_array_append_new(list, json_string(text));
	}
	schedule_free(schedule);
	return list;
}

static void print_one(const json_t *it)
{
	const json_t *schedule = json_object_get(it, "schedule"), *hold = json_object_get(it, "hold"),
		     *error = json_object_get(it, "error"), *run;
	size_t i;

	printf("%s: %s\n", *json_text(it, "source") ? json_text(it, "source") : json_text(it, "name"),
	       json_text(it, "state"));
	printf("  owner     %s\n  when      %s\n", json_text(it, "owner"), show_when(SHOWN_HERE, it));
	if (*json_text(schedule, "calendar"))
		printf("  calendar  %s%s%s\n", json_text(schedule, "calendar"),
		       *json_text(schedule, "cut_off") ? ", cut-off " : "", json_text(schedule, "cut_off"));
	if (*json_text(schedule, "window"))
		printf("  window    %s\n", json_text(schedule, "window"));
	if (json_number(it, "ended_ms"))
		printf("  last run  %s, %s, %s\n", show_time(SHOWN_HERE, json_number(it, "ended_ms")),
		       json_text(it, "result"), show_count(SHOWN_HERE, json_number(it, "taken"), "file"));
	if (json_number(it, "asked_ms"))
		printf("  asked     for a run, %s; it begins %s\n", show_age(SHOWN_HERE, json_number(it, "asked_ms")),
		       hold ? "when the hold ends" : "within seconds, or when the site runs again");
	if (error)
		printf("  because   %s (%s)\n", json_text(error, "text"), json_text(error, "code"));
	if (json_number(it, "missed"))
		printf("  missed    %s so far\n", show_count(SHOWN_HERE, json_number(it, "missed"), "run"));
	if (*json_text(it, "lacks"))
		printf("  lacks     %s of its sequence\n", json_text(it, "lacks"));
	if (*json_text(it, "file"))
		printf("  last file %s, %s\n", json_text(it, "file"), show_age(SHOWN_HERE, json_number(it, "file_ms")));
	if (hold)
		printf("  held      until %s by %s%s%s\n", show_time(SHOWN_HERE, json_number(hold, "until_ms")),
		       json_text(hold, "by"), *json_text(hold, "reason") ? ": " : "", json_text(hold, "reason"));
	json_array_foreach(json_object_get(it, "next"), i, run)
		printf("  %s  %s\n", i ? "        " : "next    ", json_string_value(run));
}

static int show(const struct arguments *arguments, struct session *session)
{
	json_t *all, *it, *report;
	const struct flow *flow;
	struct known known;
	int64_t from, count;
	size_t i;
	int code;

	if (verb_count(arguments, "next", 5, &count) || count > NEXT_MAX)
		return count > NEXT_MAX ? verb_usage(arguments, "--next is at most %d", NEXT_MAX) : EXIT_USAGE;
	if (site_time(arguments, "from", clock_now_ms(), &from))
		return EXIT_USAGE;
	flow = transfer_named(arguments, session, &code);
	if (!flow)
		return code;
	all = json_array();
	code = learn(arguments, session, &known);
	if (!code)
		describe_all(&known, flow, all);
	json_array_foreach(all, i, it) {
		if (*json_text(it, "source"))
			json_object_set_new(it, "next", next_runs(flow->transfer, from, count));
		site_tidy(arguments, it);
		if (!arguments->json)
			print_one(it);
	}
	if (!code && arguments->json) {
		report = json_pack("{s:O}", "transfers", all);
		verb_print_json(report);
		json_decref(report);
	}
	json_decref(all);
	forget(&known);
	return code;
}

/* ---- run, hold, release ---- */
static const json_t *hold_of_any(const struct known *known, const struct flow *flow)
{
	const json_t *hold = hold_of(known, flow->name);

	for (size_t i = 0; !hold && i < flow->sources_count; i++)
		hold = hold_of(known, flow->sources[i].endpoint.name);
	return hold;
}

/* "until TIME by WHO: WHY" */
static const char *show_hold(char *text, const json_t *hold)
{
	snprintf(text, SHOWN, "until %s by %s%s%s", show_time(SHOWN_HERE, json_number(hold, "until_ms")),
		 json_text(hold, "by"), *json_text(hold, "reason") ? ": " : "", json_text(hold, "reason"));
	return text;
}

/* What was asked for is kept; one that is held does it when the hold ends. */
static void tell_wish(const struct arguments *arguments, const char *name, bool skip, const json_t *hold)
{
	json_t *report;

	if (arguments->json) {
		report = json_pack("{s:s s:s}", "result", "asked", "name", name);
		if (hold)
			json_object_set(report, "hold", (json_t *)(uintptr_t)hold);
		verb_print_json(report);
		json_decref(report);
		return;
	}
	if (hold) {
		printf("%s is held %s; it %s when that ends, or now: ferrule transfer release %s%s\n", name,
		       show_hold(SHOWN_HERE, hold), skip ? "forgets what its sequence lacks" : "runs", name,
		       show_site(SHOWN_HERE, arguments));
		return;
	}
	printf(skip ? "%s forgets within seconds what its sequence lacks, or when the site runs again. ferrule "
		      "transfer show %s%s tells of it.\n"
		    : "%s runs within seconds, or when the site runs again. ferrule transfer show %s%s tells of it.\n",
	       name, name, show_site(SHOWN_HERE, arguments));
}

static int wish(const struct arguments *arguments, struct session *session, bool skip)
{
	bool waits = !skip && argument_given(arguments, "wait");
	struct known known = {NULL, NULL};
	int64_t now = clock_now_ms();
	const struct flow *flow;
	const json_t *hold;
	int code;

	flow = transfer_named(arguments, session, &code);
	if (!flow)
		return code;
	if (flow->sources_count == 0)
		return verb_refused(arguments, EXIT_FINDINGS, "transfer.source",
				    "%s has no source that could be asked: it delivers what is published", flow->name);
	if (skip && !(flow->transfer->sequence && flow->transfer->sequence->check))
		return verb_refused(arguments, EXIT_FINDINGS, "transfer.sequence",
				    "%s checks no sequence (`sequence: {check: …}`), so nothing is missing in it",
				    flow->name);
	known.status = site_ask(arguments, session, "status", json_object(), &code);
	hold = hold_of_any(&known, flow);
	if (hold && waits) /* until the hold ends */
		code = verb_refused(arguments, EXIT_FINDINGS, "transfer.held",
				    "%s is held %s; it runs when that ends, or now: ferrule transfer release %s%s",
				    flow->name, show_hold(SHOWN_HERE, hold), flow->name,
				    show_site(SHOWN_HERE, arguments));
	if (!code)
		code = site_change(arguments, session, skip ? "transfer.skip" : "transfer.run",
				   json_pack("{s:s s:s}", "transfer", flow->name, "by", site_person()));
	if (!code && !waits)
		tell_wish(arguments, flow->name, skip, hold);
	forget(&known);
	return !code && waits ? moving_wait(arguments, session, flow, now) : code;
}

static int run(const struct arguments *arguments, struct session *session)
{
	return wish(arguments, session, false);
}

static int skip(const struct arguments *arguments, struct session *session)
{
	return wish(arguments, session, true);
}

static int hold(const struct arguments *arguments, struct session *session)
{
	int64_t until;
	int code;

	if (hold_until(arguments, &until))
		return EXIT_USAGE;
	return transfer_named(arguments, session, &code)
		       ? hold_set(arguments, session, arguments->words[1], until, "transfer release")
		       : code;
}

static int release(const struct arguments *arguments, struct session *session)
{
	int code;

	return transfer_named(arguments, session, &code) ? hold_end(arguments, session, arguments->words[1]) : code;
}

static const struct part parts[] = {
	{"list", 0, 0, "", list, NULL},
	{"show", 1, 1, "which transfer?", show, NULL},
	{"sent", 1, 1, "which transfer?", transfer_sent, NULL},
	{"run", 1, 1, "which transfer?", run, NULL},
	{"skip", 1, 1, "which transfer?", skip, NULL},
	{"hold", 1, 1, "which transfer?", hold, NULL},
	{"release", 1, 1, "which transfer?", release, NULL},
	{"trust", 1, 1, "which system's key?", NULL, transfer_trust},
	{"account", 2, 2, "account add PARTNER: who is the account for?", NULL, transfer_account},
	{.name = NULL},
};

static int transfer(const struct arguments *arguments)
{
	const struct part *part = part_find(arguments, parts);

	if (!part)
		return EXIT_USAGE;
	return part->alone ? part->alone(arguments) : part_run(arguments, part);
}

const struct verb verb_transfer = {
	.name = "transfer",
	.words = "list|show|sent|run|skip|hold|release|trust|account [FLOW|SYSTEM|add] [PARTNER]",
	.words_max = 3,
	.summary = "Transfers: when they ran and run next; run or hold one; accounts for partners",
	.text = "  ferrule transfer list\n"
		"  ferrule transfer show nightly --next 10\n"
		"  ferrule transfer sent nightly --from 2026-03-01T00:00:00Z\n"
		"  ferrule transfer run nightly\n"
		"  ferrule transfer hold nightly --until 06:00 --reason 'the bank changes its server'\n"
		"  ferrule transfer release nightly\n"
		"  ferrule transfer account add acme --key acme.pub\n"
		"  ferrule transfer trust acme\n"
		"  ferrule transfer trust acme --fingerprint SHA256:…\n"
		"\nsent: the copies that are kept of what it delivered (`to: {…, archive: FOLDER}`), of the last week "
		"unless --from\nsays another time. skip: what a partner's sequence lacks will not come. run asks "
		"for a run now, beside the schedule; "
		"the next one keeps its time. A transfer that is held "
		"neither\n"
		"asks its source nor delivers. account add prints what makes an account for a partner in OpenSSH's own "
		"SFTP\n"
		"server, which sees nothing but its folders; --apply does it, as root. trust shows the key of a "
		"system's\n"
		"server and what is pinned for it; with the fingerprint that the partner told you it is pinned.\n",
	.json = "list, show: {transfers: [{name, source, owner, schedule, state, asked_ms?, began_ms?, "
		"ended_ms?, result?, taken?,\n"
		"    file?, file_ms?, missed?, next_ms?, next_at?, error?, hold?, next?}]}; state: "
		"waiting | running | failing | "
		"failed "
		"| held\n"
		"  run: {result: asked, name, hold?}; with --wait {result: done|empty|failed, name, taken, dead},\n"
		"    dead: letters of it since then\n"
		"  sent: {copies: [{at_ms, path, size, sha256, message, name?}], more}\n"
		"  hold, release: as ferrule hold and ferrule resume\n"
		"  account add: {partner, script, applied}\n"
		"  trust: {system, host, type, fingerprint, known, trusted, recorded, jump}",
	.options = options,
	.run = transfer,
};
