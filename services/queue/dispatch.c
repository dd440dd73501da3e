/* Handing out: credit of sessions, turns, order, suspects, and calling for workers that nobody runs. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "services/queue/inner.h"

/* ---- credit */
static void lane_forget(struct lane *lane, struct credit *credit)
{
	struct credit **at = &lane->credits;

	while (*at && *at != credit)
		at = &(*at)->lane_next;
	if (*at)
		*at = credit->lane_next;
	credit->lane_next = NULL;
}

static void lane_append(struct lane *lane, struct credit *credit)
{
	struct credit **at = &lane->credits;

	while (*at)
		at = &(*at)->lane_next;
	*at = credit;
	credit->lane_next = NULL;
}

void credit_set(struct session *session, struct lane *lane, unsigned messages, uint64_t bytes)
{
	struct credit *credit = session->credits;

	while (credit && credit->lane != lane)
		credit = credit->next;
	if (!credit) {
		credit = mem_alloc(sizeof *credit);
		*credit = (struct credit){.next = session->credits, .session = session, .lane = lane};
		session->credits = credit;
		lane_append(lane, credit);
	}
	lane->consumers += (messages > 0) - (credit->messages > 0);
	credit->messages = messages;
	credit->bytes = bytes;
	lane->served_ms = clock_tick_ms();
	engine_poke(session->engine);
}

void credits_free(struct session *session)
{
	while (session->credits) {
		struct credit *credit = session->credits;

		session->credits = credit->next;
		credit->lane->consumers -= credit->messages > 0;
		lane_forget(credit->lane, credit);
		free(credit);
	}
}

/* ---- handing out */
static bool can_feed(const struct credit *credit, const struct item *item)
{
	const struct session *session = credit->session;

	return credit->held < credit->messages &&
	       (!credit->held || credit->held_bytes + item_size(item) <= credit->bytes) && !session->closing &&
	       !session->alone && channel_unsent(&session->channel) < SESSION_FEED_MAX;
}

static void hand(struct item *item, struct credit *credit, bool alone)
{
	struct session *session = credit->session;
	struct lane *lane = item->lane;
	struct engine *engine = lane->engine;
	struct buf *out = &session->channel.out;
	size_t at;

	item_unwait(item);
	lane->out++;
	item->holder = session;
	item->credit = credit;
	item->alone = alone;
	item->next = session->items;
	if (session->items)
		session->items->previous = item;
	session->items = item;
	session->held++;
	credit->held++;
	credit->held_bytes += item_size(item);
	if (alone)
		session->alone = item;
	if (item->key)
		slot_find(lane, item->key, true)->busy = item;
	at = wire_begin(out, FRAME_DELIVER);
	buf_u64(out, item->number);
	buf_u8(out, (uint8_t)((item->redelivered ? WIRE_REDELIVERED : 0) | (alone ? WIRE_SUSPECT : 0)));
	buf_field(out, span_of(lane->name));
	buf_field(out, item_envelope(item));
	buf_field(out, item_body(item));
	session_say(session, at);
	engine->counters.delivered++;
	engine->counters.redelivered += item->redelivered;
	lane_forget(lane, credit); /* whose turn it was goes to the end */
	lane_append(lane, credit);
	lane->served_ms = clock_tick_ms();
}

/* An item stays where it is for a while: nothing later of its key may pass it in this scan. */
static void pass_over(struct lane *lane, const struct item *item)
{
	if (item->key)
		slot_find(lane, item->key, true)->passed_over = lane->scan;
}

/* A suspect goes to a worker that holds nothing else; one that could be is kept from getting more until then. */
static void hand_suspect(struct engine *engine, struct item *item)
{
	struct suspect *suspect = suspect_find(engine, &item->id);
	struct credit *best = NULL;

	if (!suspect) { /* cleared meanwhile */
		item->suspect = false;
		pass_over(item->lane, item);
		return;
	}
	if (suspect->deaths >= SUSPECT_DEATHS && item->died) {
		suspect_bury(engine, suspect, item);
		return;
	}
	for (struct credit *c = item->lane->credits; c; c = c->lane_next)
		if (c->messages && !c->session->closing && !c->session->alone &&
		    (!best || c->session->held < best->session->held))
			best = c;
	if (!best || best->session->held) {
		if (best)
			best->session->reserved = true;
		pass_over(item->lane, item);
		return;
	}
	suspect->alone = true;
	hand(item, best, true);
}

/* May this item be handed out now, as far as its order key goes? An item that must wait behind others of its key is
 * parked. */
static bool in_order(struct engine *engine, struct item *item)
{
	struct slot *slot = item->key ? slot_find(item->lane, item->key, false) : NULL;

	if (!slot)
		return true;
	if (slot->busy || slot->passed_over == item->lane->scan)
		return false;
	if (item->park)
		return !slot->held;
	if (!slot->parks && !slot->held)
		return true;
	item_take(item);
	order_join(engine, item, slot->held);
	return false;
}

static struct credit *next_credit(struct lane *lane, const struct item *item)
{
	for (struct credit *c = lane->credits; c; c = c->lane_next)
		if (can_feed(c, item) && !c->session->reserved)
			return c;
	return NULL;
}

/* Hands out up to n; returns how many. */
static unsigned lane_step(struct engine *engine, struct lane *lane, unsigned n)
{
	int64_t now = clock_tick_ms();
	unsigned handed = 0;

	if (lane->stood)
		return 0;
	lane->scan++;
	for (struct item *item = lane->first, *next; item && handed < n; item = next) {
		struct credit *credit;

		next = item->next;
		if (item->not_before > now || item->suspect) {
			pass_over(lane, item);
			continue;
		}
		if (item->unreadable) {
			item_take(item);
			item_bury(item);
			continue;
		}
		if (!in_order(engine, item))
			continue;
		credit = next_credit(lane, item);
		if (!credit)
			return handed;
		hand(item, credit, false);
		handed++;
	}
	if (!lane->waiting && lane->consumers)
		lane->ran_dry = lane->out >= lane->window;
	return handed;
}

static void dispatch_suspects(struct engine *engine)
{
	int64_t now = clock_tick_ms();

	for (struct session *s = engine->sessions; s; s = s->next)
		s->reserved = false;
	if (!engine->suspects)
		return;
	for (size_t i = 0; i < engine->topology->count; i++) {
		struct lane *lane = engine->lanes[i];

		if (lane->stood)
			continue;
		lane->scan++;
		for (struct item *item = lane->first, *next; item; item = next) {
			next = item->next;
			if (!item->suspect || item->not_before > now)
				pass_over(lane, item);
			else if (in_order(engine, item))
				hand_suspect(engine, item);
		}
	}
}

static void want(struct engine *engine, struct lane *lane)
{
	int64_t now = clock_tick_ms();

	if (!lane->waiting || lane->consumers || lane->stood || strncmp(lane->spec->worker, "sink:", 5) != 0 ||
	    (lane->want_ms && now - lane->want_ms < WANT_EVERY_MS))
		return;
	lane->want_ms = now;
	if (engine->config.want)
		engine->config.want(engine->config.want_arg, lane->spec->worker);
	sessions_want(engine, lane->spec->worker);
}

/* Queues take turns, so that one with large credit does not fill a session's buffer alone. */
void lanes_dispatch(struct engine *engine)
{
	size_t n = engine->topology->count;
	bool any = !engine->draining;

	if (any)
		dispatch_suspects(engine);
	while (any) {
		any = false;
		for (size_t i = 0; i < n; i++) {
			struct lane *lane = engine->lanes[(engine->next_lane + i) % n];

			if (lane->first && lane_step(engine, lane, 16))
				any = true;
		}
	}
	if (n)
		engine->next_lane = (engine->next_lane + 1) % n;
	for (size_t i = 0; i < n; i++)
		if (engine->lanes[i]->first)
			want(engine, engine->lanes[i]);
}
