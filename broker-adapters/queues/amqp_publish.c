/* Publishing to RabbitMQ: every publish has exactly one answer. See amqp_inner.h. */
#include "config.h"

#include <stdio.h>

#include "base/fault.h"
#include "broker-adapters/queues/amqp_header.h"
#include "broker-adapters/queues/amqp_inner.h"

struct answer {
	struct amqp *amqp;
	enum published how;
	const struct error *error;
};

static void answer_one(void *arg, uint64_t token)
{
	struct answer *answer = arg;

	answer->amqp->events.published(answer->amqp->events.arg, token, answer->how, answer->error);
}

void amqp_fail_publishes(struct amqp *amqp, const struct error *error)
{
	window_fail(amqp->window, answer_one, &(struct answer){amqp, PUBLISH_FAILED, error});
}

void amqp_on_answer(struct amqp *amqp, const struct wire_event *event)
{
	struct answer answer = {amqp, PUBLISH_CONFIRMED, NULL};
	struct error error;

	FAULT("amqp.confirmed");
	if (event->kind == WIRE_NACK) {
		error_set(&error, ERROR_RETRY, "broker.nack",
			  "the broker could not take the message: see its log and disk");
		answer = (struct answer){amqp, PUBLISH_FAILED, &error};
	}
	window_answer(amqp->window, event->tag, event->multiple, answer_one, &answer);
}

void amqp_on_return(struct amqp *amqp, const struct wire_event *event)
{
	struct id key = window_key(event->message->message_id, event->exchange, event->key);
	struct lane *lane = event->exchange.len ? NULL : plan_lane_named(&amqp->plan, event->key);
	struct error error;
	uint64_t token;

	if (lane && lane->queue && lane->declared) { /* deleted behind our back */
		lane->declared = false;
		plan_prepare(&amqp->plan);
	}
	if (!window_return(amqp->window, &key, &token))
		return;
	error_set(&error, ERROR_RETRY, "broker.returned", "no queue took the message for %.*s: %.*s",
		  SPAN_ARGS(event->key), SPAN_ARGS(event->text));
	FAULT("amqp.returned");
	amqp->events.published(amqp->events.arg, token, PUBLISH_RETURNED, &error);
}

static int refuse_publish(const struct amqp *amqp, struct error *error)
{
	if (!amqp->out || amqp->broken || wire_failed(amqp->out))
		return error_set(error, ERROR_RETRY, "broker.down", "%s",
				 amqp->now.text[0] ? amqp->now.text : "no connection yet");
	if (!amqp_serving(amqp))
		return error_set(error, ERROR_RETRY, "broker.down", "the broker is up, its queues are being declared");
	if (amqp->blocked)
		return error_set(error, ERROR_RETRY, "broker.blocked", "%s", amqp->now.text);
	if (window_full(amqp->window) || !wire_writable(amqp->out))
		return error_set(error, ERROR_RETRY, "broker.window", "as many publishes are unconfirmed as may be");
	return 0;
}

int amqp_publish(void *self, uint64_t token, const struct publication *publication, struct error *error)
{
	struct amqp *amqp = self;
	const char *exchange = publication->queue ? "" : amqp->settings.exchange;
	char name[AMQP_NAME_MAX + 1];
	struct wire_message message;
	struct header_text text;
	struct id key;
	int length, result;

	if (refuse_publish(amqp, error))
		return -1;
	if (publication->queue && !strcmp(publication->queue, QUEUE_BACKSTOP))
		length = snprintf(name, sizeof name, "%sbackstop", amqp->settings.prefix);
	else
		length = snprintf(name, sizeof name, "%s%s", publication->queue ? amqp->settings.prefix : "",
				  publication->queue ? publication->queue : publication->topic);
	if (length > AMQP_NAME_MAX)
		return error_set(error, ERROR_REJECT, "broker.name", "%.60s… is longer than AMQP's %d bytes", name,
				 AMQP_NAME_MAX);
	header_from_publication(publication, &message, &text);
	key = window_key(message.message_id, span_of(exchange), span_of(name));
	FAULT("amqp.publish");
	wire_hold(amqp->out, true);
	result = amqp_sent(amqp,
			   wire_publish(amqp->out, CHANNEL_MAIN, exchange, name, !publication->optional, &message));
	header_text_free(&text);
	if (result)
		return error_set(error, ERROR_RETRY, "broker.down", "the connection to the broker was lost");
	window_put(amqp->window, token, &key);
	FAULT("amqp.published");
	amqp_kick(amqp); /* lets the burst go, and looks after what came meanwhile */
	return 0;
}
