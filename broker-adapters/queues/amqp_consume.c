/* Taking from RabbitMQ and settling. See amqp_inner.h. */
#include "config.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "broker-adapters/queues/amqp_header.h"
#include "broker-adapters/queues/amqp_inner.h"

/* ---- settling ------------------------------------------------------------------------------------------------ */

static int send_ack(void *arg, uint64_t delivery, bool multiple)
{
	struct amqp *amqp = arg;

	FAULT("amqp.ack");
	return amqp_sent(amqp, wire_ack(amqp->in, CHANNEL_MAIN, delivery, multiple));
}

void amqp_flush(void *self)
{
	struct amqp *amqp = self;

	if (amqp->out)
		wire_hold(amqp->out, false);
	if (!amqp->in || !ledger_unflushed(amqp->ledger))
		return;
	if (!wire_writable(amqp->in)) {
		loop_events(amqp->in_watch, LOOP_READ | LOOP_WRITE);
		return;
	}
	loop_events(amqp->in_watch, LOOP_READ);
	ledger_flush(amqp->ledger, send_ack, amqp);
	FAULT("amqp.acked");
}

int amqp_settle(void *self, uint64_t tag, struct error *error)
{
	struct amqp *amqp = self;
	uint64_t delivery;
	uint32_t line;

	if (!ledger_find(amqp->ledger, tag, &delivery, &line))
		return error_set(error, ERROR_RETRY, "broker.void",
				 "the connection that brought this message was lost; it comes again");
	return 0;
}

void amqp_settled(void *self, uint64_t tag)
{
	struct amqp *amqp = self;
	uint64_t delivery;
	uint32_t line;

	if (!ledger_find(amqp->ledger, tag, &delivery, &line))
		return;
	amqp->plan.lanes[line]->unsettled--;
	ledger_settle(amqp->ledger, tag);
	amqp_kick(amqp); /* should nobody flush */
}

void amqp_release(void *self, uint64_t tag)
{
	struct amqp *amqp = self;
	uint64_t delivery;
	uint32_t line;

	if (!ledger_find(amqp->ledger, tag, &delivery, &line))
		return;
	amqp->plan.lanes[line]->unsettled--;
	ledger_drop(amqp->ledger, tag);
	amqp_kick(amqp); /* a consumer may wait for it */
	FAULT("amqp.release");
	amqp_sent(amqp, wire_nack(amqp->in, CHANNEL_MAIN, delivery, true));
}

/* ---- consuming ----------------------------------------------------------------------------------------------- */

static void consumer_name(const struct amqp *amqp, const struct lane *lane, size_t index, char name[64])
{
	snprintf(name, 64, "%zu.%u", index, lane->serial);
}

/* The next consumer of an ordered queue has it from the moment that ours is cancelled, and what ours holds would come
 * behind what that one gets. With the connection it goes back first, and in order. */
static void hand_over(struct amqp *amqp, const struct lane *lane)
{
	error_set(&amqp->error, ERROR_RETRY, "broker.handed-over", "another machine reads the ordered queue %s now",
		  lane->full);
	amqp->broken = true;
	amqp_kick(amqp);
}

/* A consumer's window is set when it starts, so that another window is another consumer. What the old one delivered
 * stays. Of an ordered queue that is settled first: what two consumers held comes back in any order when the connection
 * is lost, and what comes back is put behind what came back before. */
static void lane_update(struct amqp *amqp, size_t index)
{
	struct lane *lane = amqp->plan.lanes[index];
	unsigned wanted = lane->queue && (!lane->refused || lane->refused == 406) ? lane->wanted : 0;
	char name[64];

	if (!amqp->in || amqp->broken)
		return;
	if (lane->consumer == LANE_IDLE && wanted && plan_done(&amqp->plan) && !(lane->ordered && lane->unsettled)) {
		lane->serial++;
		lane->asked = wanted;
		lane->consumer = LANE_STARTING;
		lane->since_ms = clock_tick_ms();
		consumer_name(amqp, lane, index, name);
		amqp_sent(amqp, wire_consume(amqp->in, CHANNEL_MAIN, lane->full, name, wanted));
	} else if (lane->consumer == LANE_RUNNING && lane->ordered && lane->unsettled && !wanted) {
		hand_over(amqp, lane);
	} else if (lane->consumer == LANE_RUNNING && wanted != lane->asked) {
		lane->consumer = LANE_STOPPING;
		consumer_name(amqp, lane, index, name);
		amqp_sent(amqp, wire_cancel(amqp->in, CHANNEL_MAIN, name));
	}
	if (!wanted)
		lane->consumed = false;
}

void amqp_lanes_update(struct amqp *amqp)
{
	for (size_t i = 0; i < amqp->plan.lanes_count; i++)
		lane_update(amqp, i);
}

/* The queue that a consumer's name stands for; current: of its latest consumer. */
static struct lane *lane_of(struct amqp *amqp, struct span consumer, size_t *index, bool *current)
{
	char text[64];
	unsigned serial;

	if (consumer.len >= sizeof text)
		return NULL;
	snprintf(text, sizeof text, "%.*s", SPAN_ARGS(consumer));
	if (sscanf(text, "%zu.%u", index, &serial) != 2 || *index >= amqp->plan.lanes_count)
		return NULL;
	*current = serial == amqp->plan.lanes[*index]->serial;
	return amqp->plan.lanes[*index];
}

void amqp_on_consumer(struct amqp *amqp, const struct wire_event *event)
{
	size_t index = 0;
	bool current = false;
	struct lane *lane = lane_of(amqp, event->consumer, &index, &current);

	if (!lane || !current)
		return;
	lane->consumer = event->kind == WIRE_CONSUMING ? LANE_RUNNING : LANE_IDLE;
	if (event->kind == WIRE_CONSUMING)
		lane->consumed = true;
	if (event->kind == WIRE_DROPPED) {
		log_warn("broker", SPAN_NONE, "consumer ended by the broker queue=%s: declared again", lane->full);
		lane->consumed = false;
		lane->declared = false;
		plan_prepare(&amqp->plan);
	}
	lane_update(amqp, index);
}

static void refuse(struct amqp *amqp, const struct lane *lane, const struct wire_event *event, const char *why)
{
	char to[AMQP_NAME_MAX + 16];

	snprintf(to, sizeof to, "%s%s", amqp->settings.prefix, lane->backstop ? "oversize" : "backstop");
	log_error("broker", event->message->message_id, "message refused queue=%s bytes=%llu moved-to=%s error=\"%s\"",
		  lane->full, (unsigned long long)event->message->body_size, to, why);
	amqp_sent(amqp, wire_nack(amqp->in, CHANNEL_MAIN, event->tag, false));
}

void amqp_on_delivery(struct amqp *amqp, const struct wire_event *event)
{
	size_t index = 0;
	bool current;
	struct lane *lane = lane_of(amqp, event->consumer, &index, &current);
	struct span envelope, body;
	struct error error;

	if (!lane || !lane->queue) {
		amqp_sent(amqp, wire_nack(amqp->in, CHANNEL_MAIN, event->tag, true));
		return;
	}
	if (event->message->body_size > WIRE_BODY_MAX) {
		refuse(amqp, lane, event, "the body is larger than 64 KiB");
		return;
	}
	buf_reset(&amqp->envelope);
	buf_reset(&amqp->body);
	if (header_to_envelope(event->message, lane->name, lane->backstop, &amqp->envelope, &amqp->body, &envelope,
			       &body, &error)) {
		refuse(amqp, lane, event, error.text);
		return;
	}
	lane->unsettled++;
	FAULT("amqp.delivered");
	amqp->events.delivered(amqp->events.arg, lane->queue, ledger_add(amqp->ledger, event->tag, (uint32_t)index),
				event->redelivered, envelope, body);
}

void amqp_fetch(void *self, const struct topology_queue *queue, unsigned n)
{
	struct amqp *amqp = self;
	struct lane *lane = plan_lane(&amqp->plan, queue);

	if (!lane)
		return;
	lane->wanted = n > UINT16_MAX ? UINT16_MAX : n;
	amqp_kick(amqp); /* several changes in one turn are one */
	if (n && !lane->consumed)
		amqp_tell(amqp, NULL); /* not yet consuming what is wanted */
}

void amqp_lanes_lost(struct amqp *amqp)
{
	for (size_t i = 0; i < amqp->plan.lanes_count; i++) {
		amqp->plan.lanes[i]->consumer = LANE_IDLE;
		amqp->plan.lanes[i]->consumed = false;
		amqp->plan.lanes[i]->unsettled = 0;
	}
	ledger_clear(amqp->ledger);
}
