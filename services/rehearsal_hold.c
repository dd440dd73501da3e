/* Durable steps in a test: collect, resequence and dedupe with their rules, in memory. See operations/held.h, which has
 * them for the store. Between two inputs no time passes; behind the last one all time does. */
#include "config.h"
#include "services/rehearsal_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "services/transform_output.h"

struct member {
	struct message *message;
	int64_t place; /* in its group or sequence; else in the order of coming */
};

/* What waits under one key of one step. */
struct gathering {
	struct gathering *next;
	const struct flow *flow;
	size_t segment; /* behind the step */
	char *step, *label;
	struct hold hold; /* of its first; label is not used */
	struct member *members;
	size_t count, capacity;
	uint64_t bytes;
	int64_t next_number, generation; /* of its key, from 1 */
	bool closed;
};

/* ---- small things */
static void forget(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->count; i++)
		message_free(gathering->members[i].message);
	free(gathering->members);
	free(gathering->step);
	free(gathering->label);
	free(gathering);
}

void rehearsal_holds_free(struct run *run)
{
	while (run->gatherings) {
		struct gathering *gathering = run->gatherings;

		run->gatherings = gathering->next;
		forget(gathering);
	}
	json_decref(run->seen);
	json_decref(run->groups);
	run->seen = run->groups = NULL;
}

static struct gathering *find(struct run *run, const struct id *key)
{
	for (struct gathering *g = run->gatherings; g; g = g->next)
		if (g->flow == run->flow && g->segment == run->segment + 1 && !g->closed && id_equal(&g->hold.key, key))
			return g;
	return NULL;
}

static struct gathering *make(struct run *run, const struct chain_output *output)
{
	struct gathering *made = mem_alloc(sizeof *made), **at = &run->gatherings;

	made->flow = run->flow;
	made->segment = run->segment + 1;
	made->hold = *output->hold;
	made->step = mem_strdup(output->step);
	made->label = mem_span_dup(output->hold->label);
	made->next_number = output->hold->start;
	made->generation = 1;
	for (; *at; at = &(*at)->next)
		made->generation += (*at)->flow == made->flow && (*at)->segment == made->segment &&
				    id_equal(&(*at)->hold.key, &made->hold.key);
	return *at = made;
}

/* Sorted by place; of the same place in the order of coming. */
static void join(struct gathering *g, struct message *take, int64_t place)
{
	size_t at = g->count;

	g->members = mem_grow(g->members, &g->capacity, g->count + 1, sizeof *g->members);
	while (at && g->members[at - 1].place > place) {
		g->members[at] = g->members[at - 1];
		at--;
	}
	g->members[at] = (struct member){take, place};
	g->count++;
	g->bytes += take->body_size + 1;
}

static json_t *group_of(struct run *run, struct span group)
{
	char *name = mem_span_dup(group);
	json_t *found;

	if (!run->groups)
		run->groups = json_object();
	if (!json_object_get(run->groups, name))
		json_object_set_new(run->groups, name, json_pack("{s:i s:i s:i}", "size", 0, "dead", 0, "dropped", 0));
	found = json_object_get(run->groups, name);
	free(name);
	return found;
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void rehearsal_group(struct run *run, struct span group, uint32_t size)
{
	json_object_set_new(group_of(run, group), "size", json_integer(size));
}

void rehearsal_gap(struct run *run, struct span group, bool dead)
{
	const char *what = dead ? "dead" : "dropped";
	json_t *of;

	if (!group.len)
		return;
	of = group_of(run, group);
	json_object_set_new(of, what, json_integer(number(of, what) + 1));
}

/* ---- collect: of many messages one */
struct tally {
	json_int_t missing, dead, dropped, size;
};

static struct tally tally_of(struct run *run, const struct gathering *g)
{
	const json_t *group = g->hold.group ? group_of(run, span_of(g->label)) : NULL;
	struct tally tally = {0, number(group, "dead"), number(group, "dropped"), number(group, "size")};

	if (g->hold.group && g->hold.group_size > tally.size)
		tally.size = g->hold.group_size;
	tally.missing = tally.size - (json_int_t)g->count - tally.dead - tally.dropped;
	if (tally.missing < 0)
		tally.missing = 0;
	return tally;
}

static struct message *result_new(const struct gathering *g, const struct tally *tally, const char *reason,
				  int64_t closed)
{
	const struct message *first = g->members[0].message, *last = g->members[g->count - 1].message;
	struct span queue = span_of(g->flow->segments[g->segment].queue);
	struct message *message = message_copy(first);
	char at[2][CLOCK_TEXT], *text;
	json_t *collected;

	message->id =
		id_of((struct span[]){SPAN_LITERAL("collected"), queue, id_span(&first->id), SPAN_LITERAL("0")}, 4);
	message->causation = first->id;
	message->keys_count = message->attrs_count = message->orders_count = 0;
	message_set(message, &message->type, SPAN_LITERAL("ferrule.collected.v1"));
	message_set(message, &message->flow, span_of(g->flow->name));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/json"));
	message_set(message, &message->dataschema, SPAN_NONE);
	message_set(message, &message->path, SPAN_NONE);
	message_set(message, &message->group, SPAN_NONE);
	message->group_index = message->group_size = 0;
	message->time_ms = message->accepted_ms = closed;
	clock_format(first->accepted_ms, at[0]);
	clock_format(last->accepted_ms, at[1]);
	collected = json_pack("{s:s s:I s:I s:I s:I s:s s:s s:s s:I}", "key", g->label, "count", (json_int_t)g->count,
			      "missing", tally->missing, "dead", tally->dead, "dropped", tally->dropped, "reason",
			      reason, "first", at[0], "last", at[1], "generation", (json_int_t)g->generation);
	text = json_dumps(collected, JSON_COMPACT);
	message_attr(message, SPAN_LITERAL("collected"), span_of(text), NULL);
	free(text);
	json_decref(collected);
	return message;
}

static int gather_bodies(const struct gathering *g, struct message *into, struct error *error)
{
	struct buf body;
	int result = 0;

	buf_init(&body, 256u << 20);
	for (size_t i = 0; i < g->count && !result; i++) {
		const struct message *member = g->members[i].message;

		buf_char(&body, i ? ',' : '[');
		result = reader_all(member->body, &body, error);
		for (size_t k = 0; k < member->keys_count && into->keys_count < MESSAGE_KEYS_MAX; k++)
			message_key(into, member->keys[k].name, member->keys[k].value, NULL);
	}
	buf_char(&body, ']');
	message_body_take(into, reader_new_copy(buf_view(&body)));
	buf_free(&body);
	return result ? -1 : message_body_sign(into, error);
}

static int close_gathering(struct run *run, struct gathering *g, const char *reason, int64_t closed,
			   struct error *error)
{
	struct tally tally = tally_of(run, g);
	bool partial = g->hold.group && (tally.missing || tally.dead || !tally.size);
	struct message *message;
	struct error why;
	int result;

	g->closed = true;
	if (!g->count)
		return 0;
	message = result_new(g, &tally, reason, closed);
	result = gather_bodies(g, message, error);
	if (!result && partial && g->hold.policy == HOLD_REJECT) {
		error_set(&why, ERROR_REJECT, "collect.partial",
			  "a group of %lld has %zu: %lld missing, %lld dead; a replay goes on with what there is",
			  (long long)tally.size, g->count, (long long)tally.missing, (long long)tally.dead);
		run->flow = g->flow;
		result = rehearsal_died(run, NULL, message, g->step, &why, SPAN_NONE, error);
	} else if (!result) {
		rehearsal_wait(run, message, g->flow, g->segment);
	}
	message_free(message);
	return result;
}

static int close_others(struct run *run, const struct id *key, struct error *error)
{
	for (struct gathering *g = run->gatherings; g; g = g->next)
		if (g->flow == run->flow && g->segment == run->segment + 1 && !g->closed &&
		    !id_equal(&g->hold.key, key) && close_gathering(run, g, "change", clock_now_ms(), error))
			return -1;
	return 0;
}

static int collect(struct run *run, const struct chain_output *output, struct message *take, struct error *error)
{
	const struct hold *hold = output->hold;
	struct gathering *g = find(run, &hold->key);
	uint64_t most = hold->bytes ? hold->bytes : hold->bytes_most;

	if (hold->change && close_others(run, &hold->key, error)) {
		message_free(take);
		return -1;
	}
	if (g && !hold->group && most && g->count && g->bytes + take->body_size + 1 > most) {
		if (close_gathering(run, g, "size", clock_now_ms(), error)) {
			message_free(take);
			return -1;
		}
		g = NULL;
	}
	if (!g)
		g = make(run, output);
	if (hold->group_size > g->hold.group_size)
		g->hold.group_size = hold->group_size;
	join(g, take, hold->group ? hold->place : 0);
	if (!hold->group && ((hold->count && g->count >= hold->count) || (hold->bytes && g->bytes >= hold->bytes)))
		return close_gathering(run, g, hold->count && g->count >= hold->count ? "count" : "size",
				       clock_now_ms(), error);
	return 0;
}

/* ---- resequence */
static int release(struct run *run, struct gathering *g)
{
	size_t n = 0;

	while (n < g->count && g->members[n].place == g->next_number) {
		rehearsal_wait(run, g->members[n].message, g->flow, g->segment);
		message_free(g->members[n++].message);
		g->next_number++;
	}
	memmove(g->members, g->members + n, (g->count - n) * sizeof *g->members);
	g->count -= n;
	return (int)n;
}

static int refuse(struct run *run, const struct chain_output *output, struct message *take, const struct error *why,
		  struct error *error)
{
	int result = rehearsal_died(run, output->item, run->message, output->step, why, SPAN_NONE, error);

	message_free(take);
	return result;
}

/* Has the number come before, whether it waits or has gone on: 1 with the same content, -1 with another, 0 no; it has
 * from now on. */
static int before_it(struct run *run, const struct gathering *g, int64_t number, const struct id *content)
{
	char key[ID_TEXT], digest[ID_TEXT], *name;
	const char *known;
	int result = 0;

	id_hex(&g->hold.key, key);
	id_hex(content, digest);
	name = mem_printf("%s %s %lld", g->flow->segments[g->segment].queue, key, (long long)number);
	if (!run->seen)
		run->seen = json_object();
	known = json_string_value(json_object_get(run->seen, name));
	if (known)
		result = strcmp(known, digest) ? -1 : 1;
	else if (number >= g->next_number)
		json_object_set_new(run->seen, name, json_string(digest));
	free(name);
	return result;
}

static int resequence(struct run *run, const struct chain_output *output, struct message *take, struct error *error)
{
	const struct hold *hold = output->hold;
	struct gathering *g = find(run, &hold->key);
	struct error why;
	int before;

	if (!g)
		g = make(run, output);
	before = before_it(run, g, hold->number, &take->body_digest);
	if (before > 0) {
		rehearsal_dropped(run, output->item, output->step, "the same came before");
		message_free(take);
		return 0;
	}
	if (before < 0) {
		error_set(&why, ERROR_REJECT, "resequence.conflict", "number %lld came before, with other content",
			  (long long)hold->number);
		return refuse(run, output, take, &why, error);
	}
	if (hold->number < g->next_number) {
		error_set(&why, ERROR_REJECT, "resequence.late",
			  "number %lld was passed over: the next one is %lld; a replay sends it on all the same",
			  (long long)hold->number, (long long)g->next_number);
		return refuse(run, output, take, &why, error);
	}
	join(g, take, hold->number);
	release(run, g);
	return 0;
}

/* What waits behind a number that does not come. How many went on. */
static int end_gap(struct run *run, struct gathering *g, struct error *error)
{
	size_t n = g->count;
	int result = 0;

	if (!n || g->hold.policy == HOLD_WAIT)
		return 0;
	if (g->hold.policy == HOLD_PASS) {
		g->next_number = g->members[0].place;
		return release(run, g);
	}
	run->flow = g->flow;
	for (size_t i = 0; i < n && !result; i++) {
		struct error why;

		error_set(&why, ERROR_REJECT, "resequence.gap",
			  "number %lld did not come in time, and %lld waited for it; a replay sends it on all the same",
			  (long long)g->next_number, (long long)g->members[i].place);
		result = rehearsal_died(run, NULL, g->members[i].message, g->step, &why, SPAN_NONE, error);
		g->next_number = g->members[i].place + 1;
	}
	for (size_t i = 0; i < n; i++)
		message_free(g->members[i].message);
	g->count = 0;
	return result ? -1 : (int)n;
}

/* ---- dedupe */
static int dedupe(struct run *run, const struct chain_output *output, struct message *take, struct error *error)
{
	const struct hold *hold = output->hold;
	char key[ID_TEXT], digest[ID_TEXT], *name;
	const char *first;
	struct error why;

	id_hex(&hold->key, key);
	id_hex(&take->body_digest, digest);
	name = mem_printf("%s %s", hold->everywhere ? "" : run->flow->segments[run->segment + 1].queue, key);
	if (!run->seen)
		run->seen = json_object();
	first = json_string_value(json_object_get(run->seen, name));
	if (!first) {
		json_object_set_new(run->seen, name, json_string(digest));
		rehearsal_wait(run, take, run->flow, run->segment + 1);
	} else if (hold->policy != HOLD_PASS && strcmp(first, digest) != 0) {
		free(name);
		error_set(&why, ERROR_REJECT, "dedupe.conflict",
			  "a message with the same key and other content came first (conflict: drop lets such go)");
		return refuse(run, output, take, &why, error);
	} else {
		rehearsal_dropped(run, output->item, output->step, "the same came before");
	}
	free(name);
	message_free(take);
	return 0;
}

/* ---- what the run calls */
int rehearsal_hold(struct run *run, const struct chain_output *output, struct error *error)
{
	struct message *message = message_new();
	struct error why = {0};

	output_inherit(message, run->message, output, run->flow);
	message_set(message, &message->type, run->message->type);
	message_body_take(message, reader_ref(output->body));
	message->body_digest = output->body_digest;
	if (output_keys(message, run->message, output->item, &why))
		return refuse(run, output, message, &why, error);
	switch (output->hold->kind) {
	case HOLD_COLLECT:
		return collect(run, output, message, error);
	case HOLD_SEQUENCE:
		return resequence(run, output, message, error);
	case HOLD_FIRST:
		break;
	}
	return dedupe(run, output, message, error);
}

int rehearsal_close_groups(struct run *run, struct error *error)
{
	int closed = 0;

	for (struct gathering *g = run->gatherings; g; g = g->next)
		if (g->hold.kind == HOLD_COLLECT && g->hold.group && !g->closed) {
			if (close_gathering(run, g, "group", clock_now_ms(), error))
				return -1;
			closed++;
		}
	return closed;
}

int rehearsal_time_passes(struct run *run, struct error *error)
{
	int went_on = 0, n = 0;

	for (struct gathering *g = run->gatherings; g && n >= 0; g = g->next) {
		bool timed = g->hold.within_ms || g->hold.at_minute >= 0;

		if (g->hold.kind == HOLD_SEQUENCE) {
			n = end_gap(run, g, error);
		} else if (g->hold.kind == HOLD_COLLECT && timed && !g->closed) {
			n = close_gathering(run, g, "time", clock_now_ms() + g->hold.within_ms, error) ? -1 : 1;
		} else {
			n = 0;
		}
		went_on += n > 0 ? n : 0;
	}
	return n < 0 ? -1 : went_on;
}
