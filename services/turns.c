/* See turns.h. */
#include "config.h"
#include "services/turns.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "mft/date.h"
#include "mft/schedule.h"
#include "services/turns_sequence.h"

#define ASK_MS 5000
#define REQUESTS_MS 1000 /* between two looks for a person's wish */

struct turns {
	struct queue *queue;
	const struct transfer *transfer;
	const char *source;
	struct tenure tenure;
	struct schedule *schedule;
	json_t *state;      /* as it is in the store, or will be */
	bool changed;       /* it is not in the store yet */
	int64_t last;       /* the last run's time */
	int64_t looked_for; /* monotonic: when wishes were looked for */
	/* the run under way; due 0: none */
	int64_t due, until;
	int64_t taken;
	bool wished;
};

/* ---- the store ---- */
static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void put_number(struct turns *turns, const char *name, int64_t value)
{
	json_object_set_new(turns->state, name, json_integer((json_int_t)value));
	turns->changed = true;
}

static int find_entries(struct turns *turns, json_t **values, struct error *error)
{
	char *run = mem_printf(ASK_WISH_RUN "%s", turns->transfer->name),
	     *skip = mem_printf(ASK_WISH_SKIP "%s", turns->transfer->name);
	json_t *request = json_pack("{s:s s:[s,s,s]}", "table", TURNS_TABLE, "keys", turns->source, run, skip),
	       *answer = NULL;
	int result = queue_ask(turns->queue, "table.find", request, &answer, ASK_MS, error);

	*values = result ? NULL : json_incref(json_object_get(answer, "values"));
	json_decref(answer);
	free(run);
	free(skip);
	return result;
}

/* What could not be written is written at the next opportunity: at worst a run happens again, which does no harm. */
static int save(struct turns *turns, struct error *error)
{
	struct unit *unit = unit_new(turns->queue);

	FAULT("turns.saving");
	tenure_fence(unit, turns->tenure);
	unit_change(unit, "table.put",
		    json_pack("{s:s s:s s:O}", "table", TURNS_TABLE, "key", turns->source, "value", turns->state));
	if (unit_commit_within(unit, ASK_MS, error))
		return -1;
	turns->changed = false;
	return 0;
}

static void save_or_tell(struct turns *turns)
{
	struct error error = {0};

	if (turns->changed && save(turns, &error))
		log_warn("turns", SPAN_NONE, "not remembered transfer=%s code=%s error=\"%s\"", turns->transfer->name,
			 error.code, error.text);
}

int turns_open(struct turns **into, struct queue *queue, const struct flow *flow, const struct endpoint *endpoint,
	       struct tenure tenure, struct error *error)
{
	struct turns *turns;
	json_t *values = NULL, *state;

	*into = NULL;
	if (!flow->transfer)
		return 0;
	turns = mem_alloc(sizeof *turns);
	turns->queue = queue;
	turns->transfer = flow->transfer;
	turns->source = endpoint->name;
	turns->tenure = tenure;
	turns->schedule = schedule_new(&flow->transfer->schedule, error);
	if (!turns->schedule || find_entries(turns, &values, error)) {
		turns_free(turns);
		if (error->class == ERROR_REJECT)
			error->class = ERROR_FATAL;
		return -1;
	}
	state = json_object_get(values, turns->source);
	turns->state = json_is_object(state) ? json_incref(state) : json_object();
	json_decref(values);
	turns->last = number_of(turns->state, "last");
	json_object_set_new(turns->state, "transfer", json_string(turns->transfer->name));
	if (turns->last == 0) {
		turns->last = clock_now_ms(); /* from here on runs are missed, none before */
		put_number(turns, "last", turns->last);
	}
	save_or_tell(turns);
	*into = turns;
	return 0;
}

void turns_free(struct turns *turns)
{
	if (!turns)
		return;
	schedule_free(turns->schedule);
	json_decref(turns->state);
	free(turns);
}

/* ---- runs ---- */
static void begin(struct turns *turns, int64_t due, int64_t now, bool wished)
{
	int64_t next = schedule_runs(turns->schedule) ? schedule_next(turns->schedule, now) : SCHEDULE_NEVER;
	int64_t length = turns->transfer->schedule.for_ms;
	char text[SCHEDULE_TEXT];

	turns->due = due;
	turns->taken = 0;
	turns->wished = wished;
	turns->until = length > 0 ? now + length : next;
	if (turns->until > schedule_closes(turns->schedule, now) && !wished)
		turns->until = schedule_closes(turns->schedule, now);
	put_number(turns, "began", now);
	schedule_format(turns->schedule, due, text);
	log_info("turns", SPAN_NONE, "run begins transfer=%s source=%s due=%s%s", turns->transfer->name, turns->source,
		 text, wished ? " asked=yes" : "");
}

static void end(struct turns *turns, const char *result, const struct error *error, int64_t now)
{
	if (!turns->wished && schedule_runs(turns->schedule))
		turns->last = turns->due;
	turns->due = 0;
	put_number(turns, "last", turns->last);
	put_number(turns, "ended", now);
	put_number(turns, "taken", turns->taken);
	json_object_set_new(turns->state, "result", json_string(result));
	json_object_del(turns->state, "error");
	if (error)
		json_object_set_new(turns->state, "error",
				    json_pack("{s:s s:s}", "code", error->code, "text", error->text));
	log_info("turns", SPAN_NONE, "run ended transfer=%s source=%s result=%s taken=%lld", turns->transfer->name,
		 turns->source, result, (long long)turns->taken);
	FAULT("turns.ended");
	save_or_tell(turns);
}

/* Is there a wish of this kind that was not met? It is from here on, under the name `met`. */
static bool is_wished(struct turns *turns, const json_t *values, const char *kind, const char *met)
{
	char *wish = mem_printf("%s%s", kind, turns->transfer->name);
	int64_t at = number_of(json_object_get(values, wish), "at");

	free(wish);
	if (at <= number_of(turns->state, met))
		return false;
	put_number(turns, met, at);
	return true;
}

/* What a person wants: that it forgets what its sequence lacks, or (then true) that it runs now. */
static bool look_for_wishes(struct turns *turns)
{
	struct error error = {0};
	json_t *values = NULL;
	bool runs;

	if (turns->looked_for && clock_tick_ms() - turns->looked_for < REQUESTS_MS)
		return false;
	turns->looked_for = clock_tick_ms();
	if (find_entries(turns, &values, &error))
		return false; /* the store is away: later */
	if (is_wished(turns, values, ASK_WISH_SKIP, "skipped")) {
		json_object_del(json_object_get(turns->state, "sequence"), "missing");
		json_object_del(turns->state, "lacks");
		save_or_tell(turns);
	}
	runs = is_wished(turns, values, ASK_WISH_RUN, "asked");
	json_decref(values);
	return runs;
}

static bool scheduled_now(struct turns *turns, int64_t now, int64_t *next)
{
	struct schedule_turn turn;

	schedule_turn(turns->schedule, turns->last, now, &turn);
	*next = turn.next_ms;
	if (turn.missed > 0) {
		log_warn("turns", SPAN_NONE, "runs were missed transfer=%s count=%llu", turns->transfer->name,
			 (unsigned long long)turn.missed);
		put_number(turns, "missed", number_of(turns->state, "missed") + (int64_t)turn.missed);
	}
	if (!turn.due_ms && turn.last_ms != turns->last) {
		turns->last = turn.last_ms;
		put_number(turns, "last", turns->last);
		save_or_tell(turns);
	}
	if (turn.due_ms)
		begin(turns, turn.due_ms, now, false);
	return turn.due_ms != 0;
}

bool turns_due(struct turns *turns, int64_t now_ms, int64_t *next_ms)
{
	if (turns->changed && !turns->due)
		save_or_tell(turns);
	if (!turns->due && look_for_wishes(turns)) {
		begin(turns, now_ms, now_ms, true);
		return true;
	}
	if (turns->due)
		return true;
	if (schedule_runs(turns->schedule))
		return scheduled_now(turns, now_ms, next_ms);
	*next_ms = schedule_next(turns->schedule, now_ms);
	return schedule_open(turns->schedule, now_ms);
}

void turns_took(struct turns *turns, const struct document *document, int64_t now_ms)
{
	turns->taken++;
	json_object_set_new(turns->state, "name", json_stringn(document->name.data, document->name.len));
	put_number(turns, "taken_ms", now_ms);
}

void turns_looked(struct turns *turns, bool busy, bool once, int64_t now_ms)
{
	bool waits = turns->transfer->schedule.for_ms > 0 && !once && now_ms < turns->until;

	if (!turns->due) {
		if (turns->changed && !busy)
			save_or_tell(turns);
		return;
	}
	if ((busy && now_ms < turns->until) || (turns->taken == 0 && waits))
		return;
	end(turns, turns->taken > 0 ? "done" : "empty", NULL, now_ms);
}

void turns_failed(struct turns *turns, const struct error *error, int64_t now_ms)
{
	if (turns->due && now_ms >= turns->until)
		end(turns, "failed", error, now_ms);
}

/* ---- messages ---- */
void turns_mark(const struct turns *turns, struct message *message)
{
	char text[SCHEDULE_TEXT];
	struct date day;

	schedule_format(turns->schedule, message->time_ms, text);
	message_attr(message, SPAN_LITERAL("arrived"), span_of(text), NULL);
	if (!turns->transfer->schedule.calendar && !turns->transfer->schedule.cut_off)
		return;
	day = date_of(schedule_working_day(turns->schedule, message->time_ms));
	snprintf(text, sizeof text, "%04d-%02d-%02d", day.year, day.month, day.day);
	message_attr(message, SPAN_LITERAL("day"), span_of(text), NULL);
}

void turns_carry(struct message *message, const struct message *from)
{
	static const char *const names[] = {"arrived", "day", "sequence"};

	for (size_t i = 0; from->attrs_count > 0 && i < sizeof names / sizeof *names; i++) {
		struct span value = message_attr_find(from, names[i]);

		if (value.len)
			message_attr(message, span_of(names[i]), value, NULL);
	}
}

/* ---- sequences ---- */
static const char *period_of(const struct turns *turns, int64_t now, char text[SCHEDULE_TEXT])
{
	struct date day = date_of(schedule_working_day(turns->schedule, now));

	*text = 0;
	if (turns->transfer->sequence->resets == 1)
		snprintf(text, SCHEDULE_TEXT, "%04d-%02d-%02d", day.year, day.month, day.day);
	else if (turns->transfer->sequence->resets == 2)
		snprintf(text, SCHEDULE_TEXT, "%04d", day.year);
	return text;
}

static json_t *sequence_of(struct turns *turns)
{
	if (!json_is_object(json_object_get(turns->state, "sequence")))
		json_object_set_new(turns->state, "sequence", json_object());
	turns->changed = true;
	return json_object_get(turns->state, "sequence");
}

/* What is missing now, behind all that came together; told where there is more than before. The document that showed it
 * makes the same gap of another day another event. */
static int tell_lacks(struct turns *turns, json_t *state, const struct message *shown_by, int64_t now,
		      struct error *error)
{
	const char *before = json_string_value(json_object_get(turns->state, "lacks"));
	struct unit *unit;
	char lacks[200], id[ID_TEXT];

	sequence_missing(state, lacks, sizeof lacks);
	if (!strcmp(lacks, before ? before : ""))
		return 0;
	json_object_set_new(turns->state, "lacks", json_string(lacks));
	put_number(turns, "lacks_ms", now);
	if (!*lacks)
		return 0;
	log_warn("turns", SPAN_NONE, "sequence has gaps transfer=%s missing=\"%s\"", turns->transfer->name, lacks);
	id_hex(&shown_by->id, id);
	unit = unit_new(turns->queue);
	tenure_fence(unit, turns->tenure);
	unit_change(unit, "event.tell",
		    json_pack("{s:s s:s s:{s:s s:s s:s s:I s:s}}", "topic", "ferrule.sequence-gap.v1", "subject",
			      turns->transfer->name, "body", "transfer", turns->transfer->name, "source", turns->source,
			      "missing", lacks, "next", (json_int_t)number_of(state, "next"), "message", id));
	return unit_commit_within(unit, ASK_MS, error);
}

int turns_number(struct turns *turns, struct message *const *messages, size_t n, int64_t now_ms, struct error *error)
{
	const struct sequence_spec *spec = turns->transfer->sequence;
	json_t *state = spec && n > 0 ? sequence_of(turns) : NULL;
	const struct message *changed = NULL;
	char period[SCHEDULE_TEXT];
	bool one;

	if (!state)
		return 0;
	period_of(turns, now_ms, period);
	for (size_t i = 0; i < n; i++) {
		struct error trouble = {0};

		if (!spec->check)
			sequence_give(spec, state, period, messages[i]);
		else if (sequence_check(spec, state, messages[i], &one, &trouble))
			log_warn("turns", SPAN_NONE, "not in sequence transfer=%s code=%s error=\"%s\"",
				 turns->transfer->name, trouble.code, trouble.text);
		else if (one && !changed)
			changed = messages[i];
	}
	if (changed && tell_lacks(turns, state, changed, now_ms, error))
		return -1;
	FAULT("turns.numbered");
	return save(turns, error);
}

void turns_accepted(struct turns *turns)
{
	if (turns->transfer->sequence && !turns->transfer->sequence->check)
		sequence_accepted(sequence_of(turns));
}
