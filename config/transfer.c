/* Transfers and calendars. A transfer is a flow of the same name, with a schedule and what else only transfers have.
 * See load.h. */
#include "config.h"
#include "config/load.h"

#include <stddef.h>
#include <stdlib.h>

/* ---- calendars ------------------------------------------------------------------------------------------- */
#define AT(field) .offset = offsetof(struct calendar_spec, field)
const struct option calendar_options[] = {
	{.name = "calendar", .type = OPTION_TEXT, AT(name), .flags = OPTION_REQUIRED, .help = "its name"},
	{.name = "summary", .type = OPTION_TEXT, AT(summary), .help = "what it is, in a sentence"},
	{.name = "days", .type = OPTION_TEXTS, AT(days), .help = "the working days of a week; mon to fri by default"},
	{.name = "holidays",
	 .type = OPTION_TEXTS,
	 AT(holidays),
	 .help = "days without work: 2026-05-14, 12-24 for every year, 01-mon#3 for its third Monday of January, "
		 "05-monL for its last of May, easter-2"},
	{.name = "working",
	 .type = OPTION_TEXTS,
	 AT(working),
	 .help = "days with work in spite of all that, written alike"},
	{.name = "observed",
	 .type = OPTION_ENUM,
	 AT(observed),
	 .range = "never|nearest|next",
	 .fallback = "never",
	 .help = "the free day for a holiday such as 12-24 that falls on no working day of the week: none, the nearest "
		 "such day, or the next that is no holiday"},
	OPTION_END,
};
#undef AT

void load_calendar(struct load *load, const struct node *node)
{
	struct site_calendar *calendar = arena_alloc(load->arena, sizeof *calendar);

	if (option_fill(&load->options, node, calendar_options, NULL, &calendar->spec) ||
	    !load_name(load, "calendar", calendar->spec.name, node_find(node, "calendar")->place))
		return;
	calendar->spec.place = node->place;
	for (const struct site_calendar *other = load->calendars; other; other = other->next) {
		if (strcmp(other->spec.name, calendar->spec.name) != 0)
			continue;
		load_error(load, node->place, "name.taken", "the name `%s` is taken by the calendar in %s, line %d",
			   calendar->spec.name, other->spec.place.file, other->spec.place.line);
		return;
	}
	calendar->next = load->calendars;
	load->calendars = calendar;
}

const struct calendar_spec *load_calendar_find(struct load *load, const char *name, struct place place)
{
	const char *names[CHOICES_MAX], *near;
	size_t n = 0;

	for (struct site_calendar *calendar = load->calendars; calendar; calendar = calendar->next) {
		if (n < CHOICES_MAX)
			names[n++] = calendar->spec.name;
		if (strcmp(calendar->spec.name, name) != 0)
			continue;
		calendar->used = true;
		return &calendar->spec;
	}
	near = nearest_name(span_of(name), names, n);
	load_error(load, place, "calendar.unknown", "there is no calendar `%.64s`" NEAR, name,
		   NEAR_OR_ARGS(near, "", "; describe it in calendars/", name, ".yaml"));
	return NULL;
}

/* ---- transfers ------------------------------------------------------------------------------------------- */
struct schedule_settings {
	const char *cron;
	int64_t every_ms, for_ms;
	int missed, holidays;
};
struct calendar_settings {
	const char *use, *cut_off;
};
struct window_settings {
	const char *from, *to;
};
struct transfer_settings {
	const char *name, *zone;
	const struct node *schedule, *calendar, *window, *sequence;
	uint64_t bandwidth;
	int64_t retain_ms;
};

#define AT(field) .offset = offsetof(struct schedule_settings, field)
static const struct option schedule_options[] = {
	{.name = "cron",
	 .type = OPTION_TEXT,
	 AT(cron),
	 .flags = OPTION_MAIN,
	 .help = "minute, hour, day of month, month, day of week, as in a crontab"},
	{.name = "every", .type = OPTION_DURATION, AT(every_ms), .range = "1s..31d", .help = "an interval instead"},
	{.name = "for",
	 .type = OPTION_DURATION,
	 AT(for_ms),
	 .range = "1s..7d",
	 .help = "how long a run goes on looking while it finds nothing or its source fails; else it looks once, and "
		 "tries again until the next run while the source fails"},
	{.name = "missed",
	 .type = OPTION_ENUM,
	 AT(missed),
	 .range = "once|skip|all",
	 .fallback = "once",
	 .help = "what becomes of runs that fell into a standstill: one for all of them, none, or each (the newest "
		 "100)"},
	{.name = "holidays",
	 .type = OPTION_ENUM,
	 AT(holidays),
	 .range = "skip|next|previous",
	 .fallback = "skip",
	 .help = "what becomes of a run on a day without work: it falls out, or moves to another working day"},
	OPTION_END,
};
#undef AT

static const struct option calendar_use_options[] = {
	{.name = "use",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct calendar_settings, use),
	 .flags = OPTION_MAIN | OPTION_REQUIRED,
	 .help = "a calendar of calendars/"},
	{.name = "cut-off",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct calendar_settings, cut_off),
	 .help = "a time of day such as 16:00: what arrives from then on belongs to the next working day"},
	OPTION_END,
};

static const struct option window_options[] = {
	{.name = "from",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct window_settings, from),
	 .flags = OPTION_REQUIRED,
	 .help = "a time of day such as 06:00"},
	{.name = "to",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct window_settings, to),
	 .flags = OPTION_REQUIRED,
	 .help = "the time of day at which it ends; before `from`: of the next day"},
	OPTION_END,
};

#define AT(field) .offset = offsetof(struct sequence_spec, field)
static const struct option sequence_options[] = {
	{.name = "check",
	 .type = OPTION_EXPRESSION,
	 AT(check),
	 .help = "jq over the envelope: the number that the partner gave a file; gaps are told. Else numbers are "
		 "given, as "
		 "$envelope.headers.sequence"},
	{.name = "from",
	 .type = OPTION_INT,
	 AT(first),
	 .fallback = "1",
	 .range = "0..1000000000",
	 .help = "the first number"},
	{.name = "to",
	 .type = OPTION_INT,
	 AT(last),
	 .fallback = "999999999999",
	 .range = "1..999999999999",
	 .help = "the last one; the first comes behind it"},
	{.name = "digits",
	 .type = OPTION_INT,
	 AT(digits),
	 .fallback = "1",
	 .range = "1..18",
	 .help = "at least so many, with zeros in front"},
	{.name = "resets",
	 .type = OPTION_ENUM,
	 AT(resets),
	 .range = "never|day|year",
	 .fallback = "never",
	 .help = "when numbers that are given begin anew, by the working day"},
	OPTION_END,
};
#undef AT

#define AT(field) .offset = offsetof(struct transfer_settings, field)
const struct option transfer_options[] = {
	{.name = "transfer", .type = OPTION_TEXT, AT(name), .flags = OPTION_REQUIRED, .help = "its name"},
	{.name = "schedule",
	 .type = OPTION_NODE,
	 AT(schedule),
	 .table = schedule_options,
	 .range = "<texts>",
	 .help = "when its source is asked; all the time where it is not said"},
	{.name = "zone",
	 .type = OPTION_TEXT,
	 AT(zone),
	 .fallback = "UTC",
	 .help = "the time zone of its times of day, such as Europe/Berlin"},
	{.name = "calendar",
	 .type = OPTION_NODE,
	 AT(calendar),
	 .table = calendar_use_options,
	 .range = "<texts>",
	 .help = "the calendar whose working days count"},
	{.name = "window",
	 .type = OPTION_NODE,
	 AT(window),
	 .table = window_options,
	 .help = "the only hours in which its source is asked"},
	{.name = "sequence",
	 .type = OPTION_NODE,
	 AT(sequence),
	 .table = sequence_options,
	 .help = "numbers that it gives to what it takes, or that a partner gives"},
	{.name = "retain",
	 .type = OPTION_DURATION,
	 AT(retain_ms),
	 .range = "1s..",
	 .help = "what its sources have archived (after: archive) is removed from there after so long; kept for ever "
		 "where it is not said"},
	{.name = "bandwidth",
	 .type = OPTION_RATE,
	 AT(bandwidth),
	 .range = "1KB/s..",
	 .help = "so many bytes a second at most go over the line to a server, and as many come from one"},
	OPTION_END,
};
#undef AT

/* False: not there, or with mistakes. */
static bool fill_part(struct load *load, const struct node *part, const struct option *table, void *into)
{
	return !node_null(part) && !option_fill(&load->options, part, table, NULL, into);
}

static void fill_schedule(struct load *load, const struct transfer_settings *settings, struct transfer *transfer)
{
	struct schedule_spec *spec = &transfer->schedule;
	struct schedule_settings schedule = {0};
	struct calendar_settings calendar = {0};
	struct window_settings window = {0};

	if (fill_part(load, settings->schedule, schedule_options, &schedule)) {
		spec->cron = schedule.cron;
		spec->every_ms = schedule.every_ms;
		spec->for_ms = schedule.for_ms;
		spec->missed = (enum schedule_missed)schedule.missed;
		spec->holidays = (enum schedule_holidays)schedule.holidays;
		transfer->scheduled = true;
		if (!spec->cron && !spec->every_ms)
			load_error(load, settings->schedule->place, "schedule.form",
				   "`schedule` says when: '30 7 * * mon-fri' or {every: 15m}");
	}
	if (fill_part(load, settings->calendar, calendar_use_options, &calendar)) {
		spec->calendar = load_calendar_find(load, calendar.use, settings->calendar->place);
		spec->cut_off = calendar.cut_off;
		transfer->scheduled = true;
	}
	if (fill_part(load, settings->window, window_options, &window)) {
		spec->window_from = window.from;
		spec->window_to = window.to;
		transfer->scheduled = true;
	}
}

static void fill_sequence(struct load *load, const struct transfer_settings *settings, struct transfer *transfer)
{
	if (node_null(settings->sequence))
		return;
	transfer->sequence = load_fill(load, settings->sequence, sequence_options, NULL, sizeof *transfer->sequence);
	if (transfer->sequence && transfer->sequence->last <= transfer->sequence->first)
		load_error(load, settings->sequence->place, "transfer.sequence",
			   "a sequence ends behind its beginning");
}

static struct place place_of(const struct node *map, const char *key, struct place otherwise)
{
	const struct node *node = node_find(map, key);

	return node ? node->place : otherwise;
}

/* Its flow: without what only transfers have, and published under its name where nothing else takes it. */
static const struct node *flow_of(struct load *load, const struct node *node, const char *name, const char *const *own)
{
	struct node *flow = (struct node *)node_without(load, node, own), *value;
	const struct node *named = node_find(node, "transfer");
	struct pair *pairs = arena_alloc(load->arena, (flow->count + 2) * sizeof *pairs);

	memcpy(pairs + 1, flow->pairs, flow->count * sizeof *pairs);
	value = arena_alloc(load->arena, sizeof *value);
	*value = *named;
	pairs[0].value = value;
	pairs[0].key = *named;
	pairs[0].key.text = SPAN_LITERAL("flow");
	if (!node_find(node, "to") && !node_find(node, "publish")) {
		value = arena_alloc(load->arena, sizeof *value);
		*value = *named;
		value->text = span_of(arena_printf(load->arena, "transfer.%s.v1", name));
		pairs[++flow->count].value = value;
		pairs[flow->count].key = *named;
		pairs[flow->count].key.text = SPAN_LITERAL("publish");
	}
	flow->pairs = pairs;
	flow->count++;
	return flow;
}

void load_transfer(struct load *load, const struct node *node)
{
	struct site_transfer *entry = arena_alloc(load->arena, sizeof *entry);
	struct transfer *transfer = &entry->transfer;
	const char *own[sizeof transfer_options / sizeof *transfer_options];
	struct transfer_settings settings = {0};
	struct node *ours = (struct node *)node_empty(load, node->place);
	size_t n = 0;

	for (const struct option *option = transfer_options; option->name; option++)
		own[n++] = option->name;
	own[n] = NULL;
	ours->pairs = arena_alloc(load->arena, (node->count + 1) * sizeof *ours->pairs);
	for (size_t i = 0; i < node->count; i++)
		for (size_t k = 0; k < n; k++)
			if (span_is(node->pairs[i].key.text, own[k]))
				ours->pairs[ours->count++] = node->pairs[i];
	option_fill(&load->options, ours, transfer_options, NULL, &settings);
	if (!settings.name)
		return;
	transfer->name = settings.name;
	transfer->place = node->place;
	transfer->bandwidth = settings.bandwidth;
	transfer->retain_ms = settings.retain_ms;
	transfer->schedule.zone = settings.zone ? settings.zone : "UTC";
	fill_schedule(load, &settings, transfer);
	fill_sequence(load, &settings, transfer);
	entry->schedule = place_of(node, "schedule", node->place);
	entry->zone = place_of(node, "zone", entry->schedule);
	entry->times = place_of(node, "window", place_of(node, "calendar", entry->schedule));
	entry->bandwidth = place_of(node, "bandwidth", node->place);
	entry->retain = place_of(node, "retain", node->place);
	entry->delivers = node_find(node, "to") != NULL;
	entry->next = load->transfers;
	load->transfers = entry;
	load_flow_of(load, flow_of(load, node, transfer->name, own), own, transfer);
}

const char *transfer_topic(struct load *load, const struct node *from)
{
	const struct node *name = from && from->type == NODE_MAP ? node_find(from, "transfer") : NULL;
	const char *names[CHOICES_MAX], *near;
	size_t n = 0;

	if (!name)
		return NULL;
	if (from->count > 1)
		load_error(load, from->pairs[1].key.place, "option.unknown",
			   "unknown key `%.*s`: beside `transfer` nothing is said; it is the transfer that receives",
			   SPAN_ARGS(from->pairs[1].key.text));
	for (const struct site_transfer *entry = load->transfers; entry; entry = entry->next) {
		if (n < CHOICES_MAX)
			names[n++] = entry->transfer.name;
		if (!span_is(name->text, entry->transfer.name))
			continue;
		if (entry->delivers)
			load_error(
				load, name->place, "transfer.delivers",
				"the transfer `%s` has a `to` of its own: take that away, and this flow gets what it "
				"receives",
				entry->transfer.name);
		if (entry->delivers)
			return "";
		return arena_printf(load->arena, "transfer.%s.v1", entry->transfer.name);
	}
	near = nearest_name(name->text, names, n);
	load_error(load, name->place, "transfer.unknown", "there is no transfer `%.*s`" NEAR, SPAN_ARGS(name->text),
		   NEAR_OR_ARGS(near, "", " in transfers/", "", ""));
	return "";
}

/* ---- what check looks at ----------------------------------------------------------------------------------- */
static void told(const struct error *error, struct place place, struct findings *findings)
{
	finding_add(findings, place, SEVERITY_ERROR, error->code, "%s", error->text);
}

static bool has_archive(const struct flow *flow)
{
	for (size_t i = 0; i < flow->sources_count; i++) {
		const struct source *source = &flow->sources[i];

		if (source->poll && source->poll->archives && source->endpoint.settings &&
		    source->poll->archives(source->endpoint.settings))
			return true;
	}
	return false;
}

static bool is_paced(const struct flow *flow)
{
	bool paced = flow->sink && flow->sink_ops->paced;

	for (size_t i = 0; i < flow->sources_count; i++)
		paced = paced || (flow->sources[i].poll && flow->sources[i].poll->paced);
	return paced;
}

static void check_transfer(const struct load *load, const struct site_transfer *entry, const struct flow *flow,
			   struct findings *findings)
{
	const struct transfer *transfer = &entry->transfer;
	bool polled = false;
	struct error error = {0};

	for (size_t i = 0; i < flow->sources_count; i++)
		polled = polled || flow->sources[i].poll;
	if (transfer->scheduled && !polled)
		finding_add(findings, entry->schedule, SEVERITY_ERROR, "transfer.source",
			    "nothing is asked for by schedule, calendar or window here: they go with a source that is "
			    "asked, such as `from: {file: …}`");
	for (size_t i = 0; i < flow->sources_count; i++)
		if (flow->sources[i].machines == SOURCE_EACH && (transfer->scheduled || transfer->sequence))
			finding_add(findings, flow->sources[i].endpoint.place, SEVERITY_ERROR, "endpoint.machines",
				    "a schedule, a window or a sequence is kept by one machine for all: "
				    "`machines: each` goes with a source that is asked on arrival");
	if (transfer->sequence && !polled)
		finding_add(findings, entry->schedule, SEVERITY_ERROR, "transfer.source",
			    "a sequence goes with a source that is asked, such as `from: {file: …}`");
	if (transfer->retain_ms && !has_archive(flow))
		finding_add(findings, entry->retain, SEVERITY_ERROR, "transfer.retain",
			    "`retain` is about the archive of a source: there is none here (`after: archive`)");
	if (transfer->bandwidth && !is_paced(flow))
		finding_add(findings, entry->bandwidth, SEVERITY_WARNING, "transfer.bandwidth",
			    "`bandwidth` limits nothing here: it is for what goes over a line, to or from a server "
			    "for files (`sftp`)");
	if (load->registry->check_schedule && load->registry->check_schedule(&transfer->schedule, &error) &&
	    !span_starts(span_of(error.code), "calendar."))
		told(&error,
		     !strcmp(error.code, "schedule.time")        ? entry->times
		     : span_starts(span_of(error.code), "zone.") ? entry->zone
								 : entry->schedule,
		     findings);
}

static bool is_shipped(const struct load *load, const char *path)
{
	for (size_t i = 0; i < load->bundle->count; i++)
		if (!strcmp(load->bundle->files[i].path, path))
			return load->bundle->files[i].shipped;
	return false;
}

void check_transfers(const struct load *load, bool whole, struct findings *findings)
{
	struct error error = {0};

	for (const struct site_calendar *calendar = load->calendars; calendar; calendar = calendar->next) {
		if (load->registry->check_calendar && load->registry->check_calendar(&calendar->spec, &error))
			told(&error, calendar->spec.place, findings);
		if (whole && !calendar->used && !is_shipped(load, calendar->spec.place.file))
			finding_add(findings, calendar->spec.place, SEVERITY_WARNING, "calendar.unused",
				    "no transfer uses the calendar `%s`", calendar->spec.name);
	}
	for (const struct site_transfer *entry = load->transfers; entry; entry = entry->next) {
		const struct flow *flow = site_flow(load->site, span_of(entry->transfer.name));

		if (flow && flow->transfer == &entry->transfer)
			check_transfer(load, entry, flow, findings);
	}
}
