/* Expectations: what must happen by a time, and which of them never can. See site.h. */
#include "config.h"
#include "config/load.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"

#define AT(field) .offset = offsetof(struct expectation, field)
const struct option expect_options[] = {
	{.name = "event", .type = OPTION_TEXT, AT(event), .help = "a topic that must see a message"},
	{.name = "file",
	 .type = OPTION_TEXT,
	 AT(file),
	 .help = "the name of a file that must come to the flow's sources, with * and ?"},
	{.name = "key",
	 .type = OPTION_EXPRESSION,
	 AT(key),
	 .help = "jq over the flow's message and over the event: one answers the other when it gives both the same"},
	{.name = "within",
	 .type = OPTION_DURATION,
	 AT(within_ms),
	 .help = "how long the event may take, from the moment that the flow sends its message on"},
	{.name = "by",
	 .type = OPTION_TEXT,
	 AT(by),
	 .help = "the time of day by which it must be there, 07:30; 24:00 is the end of the day"},
	{.name = "since",
	 .type = OPTION_TEXT,
	 AT(since),
	 .help = "the time of day from which it counts for this day; one behind `by` is of the day before; midnight "
		 "where it is not said"},
	{.name = "count",
	 .type = OPTION_INT,
	 AT(count),
	 .range = "1..1000000",
	 .help = "how many of them; 1 by default"},
	{.name = "days",
	 .type = OPTION_TEXTS,
	 AT(days),
	 .help = "the days of the week: mon-fri, or a list of them; every day by default, or those of the transfer's "
		 "calendar"},
	{.name = "calendar",
	 .type = OPTION_TEXT,
	 AT(calendar_name),
	 .help = "a calendar of calendars/: only on its working days; the transfer's where no `days` are said"},
	{.name = "zone",
	 .type = OPTION_TEXT,
	 AT(zone),
	 .help = "the time zone of `by` and `since`, Europe/Berlin; by default the transfer's, or the machine's"},
	{.name = "name",
	 .type = OPTION_TEXT,
	 AT(own),
	 .help = "its name behind the flow's, for ferrule expect; its place in the list where it is not said"},
	{.name = "runbook", .type = OPTION_TEXT, AT(runbook), .help = "what to do when it does not happen"},
	OPTION_END,
};

/* ---- reading ------------------------------------------------------------------------------------------------- */
/* "07:30"; -1: it is none. */
static int minute_of(const char *text)
{
	int minute;

	if (strlen(text) != 5 || !isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) ||
	    text[2] != ':' || !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]) || text[3] > '5')
		return -1;
	minute = ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] - '0';
	return minute <= 24 * 60 ? minute : -1;
}

static int day_of(const char *text, size_t n)
{
	static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < 7; i++)
		if (n == 3 && strncmp(text, days[i], 3) == 0)
			return i;
	return -1;
}

/* "tue", or "mon-fri"; 0: it is none. */
static unsigned days_of(const char *text)
{
	const char *dash = strchr(text, '-');
	int first = day_of(text, dash ? (size_t)(dash - text) : strlen(text)),
	    last = dash ? day_of(dash + 1, strlen(dash + 1)) : first;
	unsigned mask = 0;

	if (first < 0 || last < 0)
		return 0;
	for (int day = first;; day = (day + 1) % 7) {
		mask |= 1u << day;
		if (day == last)
			return mask;
	}
}

static void read_days(struct load *load, struct expectation *e, struct place place)
{
	for (size_t i = 0; i < e->days.count; i++) {
		unsigned mask = days_of(e->days.items[i]);

		if (!mask)
			load_error(load, place, "expect.days", "`%.40s` is no day of the week: mon, tue … or mon-fri",
				   e->days.items[i]);
		e->days_mask |= mask;
	}
	if (!e->days.count)
		e->days_mask = 0x7f;
}

static bool zone_is_there(const char *zone)
{
	char path[300];

	if (strlen(zone) > 200 || zone[0] == '/' || strstr(zone, "..") || !isalpha((unsigned char)zone[0]))
		return false;
	snprintf(path, sizeof path, ZONES "/%s", zone);
	return access(path, R_OK) == 0;
}

/* What counts for the runs of a transfer counts for its files, unless the expectation says otherwise. */
static void take_from_transfer(struct expectation *e, const struct transfer *transfer)
{
	if (!transfer || !e->by)
		return;
	if (!e->zone)
		e->zone = transfer->schedule.zone;
	if (!e->calendar && !e->days.count)
		e->calendar = transfer->schedule.calendar;
}

static void read_times(struct load *load, struct expectation *e, const struct transfer *transfer, struct place place)
{
	e->by_minute = e->by ? minute_of(e->by) : 0;
	e->since_minute = e->since ? minute_of(e->since) : 0;
	if (e->by_minute < 0 || e->since_minute < 0)
		load_error(load, place, "expect.time", "`%.40s` is no time of day such as 07:30",
			   e->by_minute < 0 ? e->by : e->since);
	else if (e->by && e->by_minute == e->since_minute)
		load_error(load, place, "expect.time", "between `since` and `by` there is no time at all");
	if (e->zone && !zone_is_there(e->zone))
		load_error(load, place, "expect.zone", "there is no time zone `%.80s`, such as Europe/Berlin", e->zone);
	if (e->calendar_name)
		e->calendar = load_calendar_find(load, e->calendar_name, place);
	take_from_transfer(e, transfer);
	read_days(load, e, place);
}

/* What each kind can do without. */
static void check_fit(struct load *load, const struct expectation *e, const struct node *node)
{
	static const char *const of_days[] = {"since", "count", "days", "zone", "calendar"};

	if (!e->event == !e->file) {
		load_error(load, node->place, "expect.what", "`expect` names an event or a file, one of them");
		return;
	}
	if (!e->within_ms == !e->by)
		load_error(load, node->place, "expect.when", "`expect` says by when: `within: 2h` or `by: '07:30'`%s",
			   e->by ? ", one of them" : "");
	else if (e->file && !e->by)
		load_error(load, node->place, "expect.when",
			   "a file is expected `by` a time of day; `within` counts from a message of this flow to an "
			   "event");
	if (e->within_ms && e->event && !e->key)
		load_error(load, node->place, "expect.key",
			   "`key` is missing: which event answers which message? such as `key: .number`");
	if (e->key && !e->within_ms)
		load_error(load, node->place, "expect.key",
			   "`key` goes with `within`: it says which event answers which message");
	for (size_t i = 0; e->within_ms && i < sizeof of_days / sizeof *of_days; i++)
		if (node_find(node, of_days[i]))
			load_error(load, node_find(node, of_days[i])->place,
				   i == 1   ? "expect.count"
				   : i == 2 ? "expect.days"
					    : "expect.when",
				   "`%s` goes with `by`", of_days[i]);
}

static const char *name_of(struct load *load, const struct flow *flow, const struct expectation *e)
{
	if (e->own)
		return arena_printf(load->arena, "%s.%s", flow->name, e->own);
	if (!flow->expect_count)
		return flow->name;
	return arena_printf(load->arena, "%s.%zu", flow->name, flow->expect_count + 1);
}

static void read_one(struct load *load, struct flow *flow, const struct node *node)
{
	const struct expectation *settings = load_fill(load, node, expect_options, NULL, sizeof *settings);
	struct expectation *e = &flow->expect[flow->expect_count];

	if (!settings)
		return;
	*e = *settings;
	e->place = node->place;
	if (!e->count)
		e->count = 1;
	e->kind = e->file ? EXPECT_FILES : e->within_ms ? EXPECT_ANSWER : EXPECT_EVENTS;
	check_fit(load, e, node);
	read_times(load, e, flow->transfer, node->place);
	if (e->event)
		load_topic_form(load, e->event, node->place);
	if (e->own)
		load_name(load, "expectation", e->own, node->place);
	e->name = name_of(load, flow, e);
	for (size_t i = 0; i < flow->expect_count; i++)
		if (strcmp(flow->expect[i].name, e->name) == 0)
			load_error(load, node->place, "expect.name", "the flow has two expectations %s", e->name);
	flow->expect_count++;
}

void load_expectations(struct load *load, struct flow *flow, const struct node *node)
{
	size_t count = node_null(node) ? 0 : node->type == NODE_LIST ? node->count : 1;

	flow->expect = arena_alloc(load->arena, (count + 1) * sizeof *flow->expect);
	for (size_t i = 0; i < count; i++)
		read_one(load, flow, node->type == NODE_LIST ? node->items[i] : node);
}

/* ---- those that cannot be met -------------------------------------------------------------------------------- */
static void check_event(const struct load *load, const struct expectation *e, struct findings *findings)
{
	const char **names = mem_alloc((load->topics_count + 1) * sizeof *names), *near;
	bool published = false;
	size_t n = 0;

	for (size_t i = 0; i < load->topics_count; i++) {
		if (!load->topics[i].publishes)
			continue;
		names[n++] = load->topics[i].topic;
		published = published || strcmp(load->topics[i].topic, e->event) == 0;
	}
	near = nearest_name(span_of(e->event), names, n);
	if (!published && !load->unread)
		finding_add(findings, e->place, SEVERITY_ERROR, "expect.event",
			    "this never happens: no flow publishes to %s" NEAR, e->event, NEAR_ARGS(near));
	free(names);
}

/* What a flow refuses is told by whoever refused it, and not by the flow's steps. */
static void check_refusals(const struct load *load, const struct expectation *e, struct findings *findings)
{
	const struct site *site = load->site;
	bool refusals = false;

	for (size_t i = 0; i < load->topics_count; i++) {
		const struct topic_use *use = &load->topics[i];
		const struct flow *flow = site_flow(site, span_of(use->flow));
		bool only;

		if (!use->publishes || strcmp(use->topic, e->event))
			continue;
		only = flow && flow->reject_publish && !strcmp(flow->reject_publish, e->event);
		if (!only)
			return;
		refusals = true;
	}
	if (refusals)
		finding_add(findings, e->place, SEVERITY_ERROR, "expect.event",
			    "%s has only what flows refuse (on-reject); expect an event that a flow publishes",
			    e->event);
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool literal(const char *pattern)
{
	return !strpbrk(pattern, "*?[\\");
}

/* Do the two patterns leave room for the same name? Where both have wildcards nobody looks closer. */
static bool may_meet(const char *one, const char *other)
{
	if (literal(one))
		return fnmatch(other, one, 0) == 0;
	return !literal(other) || fnmatch(one, other, 0) == 0;
}

static bool takes(const struct source *source, const char *file)
{
	const struct option *main = source->poll ? option_main_of(source->poll->options) : NULL;
	const char *pattern;

	if (!main || main->type != OPTION_TEXT)
		return true;
	pattern = *(const char *const *)((const char *)source->endpoint.settings + main->offset);
	return !pattern || may_meet(base_of(file), base_of(pattern));
}

static void check_file(const struct flow *flow, const struct expectation *e, struct findings *findings)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		if (takes(&flow->sources[i], e->file))
			return;
	finding_add(findings, e->place, SEVERITY_ERROR, "expect.file",
		    flow->sources_count
			    ? "this never happens: no source of the flow takes a file %s"
			    : "this never happens: a file %s comes to a flow with `from`, and this one has none",
		    e->file);
}

void check_expectations(const struct load *load, bool whole, struct findings *findings)
{
	const struct site *site = load->site;

	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		for (size_t k = 0; k < flow->expect_count; k++) {
			const struct expectation *e = &flow->expect[k];

			if (e->kind == EXPECT_FILES)
				check_file(flow, e, findings);
			else
				check_event(load, e, findings);
			if (e->kind != EXPECT_FILES && whole)
				check_refusals(load, e, findings);
			if (e->within_ms > site->retain_receipts_ms)
				finding_add(findings, e->place, SEVERITY_ERROR, "expect.within",
					    "it lasts longer than the site keeps what was done (retention: receipts)");
		}
	}
}
