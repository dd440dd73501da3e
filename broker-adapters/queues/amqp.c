/* The broker contract on RabbitMQ. See base/broker.h and amqp.h.
 *
 * Two connections, because a broker in need blocks the one that publishes, and consuming and settling must go on:
 * `out` publishes with confirms on one channel, `in` consumes on one and declares and counts on another. Losing
 * either is losing both: then every open publish fails, every delivery is void, and it all begins again with a probe
 * of the port, after 0.2 s growing to 10 s.
 *
 * Seen with 3.10: a broker killed within some two seconds of a queue's declaration forgets the queue, and with it
 * what it confirmed there: its metadata log is buffered. So nothing is published until a new queue is `new-queue`
 * old.
 *
 * Large bodies of other programs (above MESSAGE_INLINE_MAX), and messages whose envelope would pass its limit, are
 * rejected to the broker's backstop queue and from there, when that is consumed too, to `<prefix>oversize`, which
 * keeps them whole for a person. */
#include "config.h"
#include "broker-adapters/queues/amqp.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker-adapters/queues/amqp_inner.h"

#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS 10000
#define TICK_MS 1000
#define PATIENCE_MS 20000 /* with a consumer that does not start */

static void try_connect(void *arg);
static void pump(struct amqp *amqp);

/* ---- telling how it stands ----------------------------------------------------------------------------------- */

bool amqp_serving(const struct amqp *amqp)
{
	return amqp->out && amqp->confirming && plan_done(&amqp->plan) && !amqp->young && !amqp->plan.created;
}

/* A queue that is to be consumed and is not yet, or NULL. */
static const struct lane *lane_waiting(const struct amqp *amqp)
{
	for (size_t i = 0; i < amqp->plan.lanes_count; i++) {
		const struct lane *lane = amqp->plan.lanes[i];

		if (lane->queue && lane->wanted && !lane->consumed && !(lane->ordered && lane->unsettled))
			return lane;
	}
	return NULL;
}

/* Seen with 3.10: a queue that the broker forgot when it was killed (see above) never answers a consumer again. */
static void tell_usual(struct status *now, const struct lane *waiting)
{
	if (!waiting)
		snprintf(now->text, sizeof now->text, "connected");
	else if (waiting->consumer == LANE_STARTING && clock_tick_ms() - waiting->since_ms > PATIENCE_MS)
		snprintf(now->text, sizeof now->text,
			 "no consumer on %s yet: if RabbitMQ was killed just after that queue was made, it is broken: "
			 "rabbitmqctl delete_queue %s", waiting->full, waiting->full);
	else
		snprintf(now->text, sizeof now->text, "no consumer on %s yet", waiting->full);
}

void amqp_tell(struct amqp *amqp, const char *text)
{
	struct status *now = &amqp->now;
	const struct lane *waiting = lane_waiting(amqp);

	now->connected = amqp_serving(amqp);
	now->consuming = now->connected && !waiting;
	now->blocked = amqp->blocked;
	if (text)
		snprintf(now->text, sizeof now->text, "%s", text);
	else if (now->connected && !now->blocked && amqp->plan.problem[0])
		snprintf(now->text, sizeof now->text, "%s", amqp->plan.problem);
	else if (now->connected && !now->blocked)
		tell_usual(now, waiting);
	if (!memcmp(&amqp->told, now, offsetof(struct status, text)) && !strcmp(amqp->told.text, now->text))
		return;
	amqp->told = *now;
	amqp->events.state(amqp->events.arg, now->connected, now->consuming, now->blocked, now->text);
}

/* ---- work put off to the next turn of the loop --------------------------------------------------------------- */

static void on_kick(void *arg)
{
	struct amqp *amqp = arg;

	amqp->kick = NULL;
	pump(amqp);
}

void amqp_kick(struct amqp *amqp)
{
	if (!amqp->kick)
		amqp->kick = loop_timer(amqp->loop, 0, 0, on_kick, amqp);
}

int amqp_sent(struct amqp *amqp, int result)
{
	if (result)
		amqp_kick(amqp); /* the pump finds out what happened and takes the connection down */
	return result;
}

/* A queue that was not there before is left alone until the broker will not forget it. */
static void on_grown(void *arg)
{
	struct amqp *amqp = arg;

	amqp->young = NULL;
	amqp_kick(amqp);
}

static void mind_new_queues(struct amqp *amqp)
{
	if (!amqp->plan.created || !plan_done(&amqp->plan))
		return;
	amqp->plan.created = false;
	loop_cancel(amqp->young);
	amqp->young = NULL;
	if (amqp->settings.new_queue_ms)
		amqp->young = loop_timer(amqp->loop, amqp->settings.new_queue_ms, 0, on_grown, amqp);
}

/* ---- what arrives -------------------------------------------------------------------------------------------- */

static void break_off(struct amqp *amqp, const struct error *error)
{
	if (!amqp->broken)
		amqp->error = *error;
	amqp->broken = true;
}

/* Our own channel for declarations is opened again and goes on with the next step; a closed consuming channel has
 * voided every delivery, which is the same as a lost connection. */
static void on_in_closed(struct amqp *amqp, const struct wire_event *event)
{
	struct error error;

	if (event->channel == CHANNEL_CONTROL) {
		if (plan_refused(&amqp->plan, event->code, event->text))
			log_error("broker", SPAN_NONE, "refused by the broker: %s", amqp->plan.problem);
		wire_channel_open(amqp->in, CHANNEL_CONTROL);
		return;
	}
	error_set(&error, ERROR_RETRY, "broker.lost", "the broker ended consuming: %d %.*s", event->code,
		  SPAN_ARGS(event->text));
	break_off(amqp, &error);
}

static void on_in_event(void *arg, const struct wire_event *event)
{
	struct amqp *amqp = arg;

	if (amqp->broken)
		return;
	switch (event->kind) {
	case WIRE_DELIVERY:
		amqp_on_delivery(amqp, event);
		break;
	case WIRE_CONSUMING:
	case WIRE_CANCELLED:
	case WIRE_DROPPED:
		amqp_on_consumer(amqp, event);
		break;
	case WIRE_REPLY:
		plan_answered(&amqp->plan);
		break;
	case WIRE_CLOSED:
		on_in_closed(amqp, event);
		break;
	default:
		break;
	}
}

/* 404: the exchange is gone; whatever the reason, the topology is declared again. */
static void on_out_closed(struct amqp *amqp, const struct wire_event *event)
{
	struct error error;

	error_set(&error, ERROR_RETRY, "broker.closed", "the broker refused to publish: %d %.*s", event->code,
		  SPAN_ARGS(event->text));
	log_error("broker", SPAN_NONE, "publishing was refused error=\"%s\"", error.text);
	amqp->confirming = false;
	plan_forget(&amqp->plan);
	plan_prepare(&amqp->plan);
	amqp_fail_publishes(amqp, &error);
	wire_channel_open(amqp->out, CHANNEL_MAIN);
	wire_confirm(amqp->out, CHANNEL_MAIN);
}

static void on_out_event(void *arg, const struct wire_event *event)
{
	struct amqp *amqp = arg;
	char text[300];

	switch (event->kind) {
	case WIRE_ACK:
	case WIRE_NACK:
		amqp_on_answer(amqp, event);
		break;
	case WIRE_RETURN:
		amqp_on_return(amqp, event);
		break;
	case WIRE_CONFIRMING:
		amqp->confirming = true;
		break;
	case WIRE_BLOCKED:
		amqp->blocked = true;
		snprintf(text, sizeof text, "the broker takes no messages: %.*s", SPAN_ARGS(event->text));
		amqp_tell(amqp, text);
		break;
	case WIRE_UNBLOCKED:
		amqp->blocked = false;
		break;
	case WIRE_CLOSED:
		on_out_closed(amqp, event);
		break;
	default:
		break;
	}
}

/* ---- connecting, and losing the connection ------------------------------------------------------------------- */

static void retry_later(struct amqp *amqp, const struct error *error)
{
	amqp_tell(amqp, error->text);
	log_warn("broker", SPAN_NONE, "not connected retry-ms=%lld error=\"%s\"", (long long)amqp->pause_ms,
		 error->text);
	amqp->retry = loop_timer(amqp->loop, amqp->pause_ms, 0, try_connect, amqp);
	amqp->pause_ms = amqp->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : amqp->pause_ms * 2;
}

static void drop_wires(struct amqp *amqp, bool in_good_order)
{
	struct wire *in = amqp->in, *out = amqp->out;

	loop_unwatch(amqp->in_watch);
	loop_unwatch(amqp->out_watch);
	amqp->in_watch = amqp->out_watch = NULL;
	amqp->in = amqp->out = NULL;
	amqp->confirming = amqp->blocked = amqp->broken = false;
	wire_free(in, in_good_order);
	wire_free(out, in_good_order);
}

static void lose(struct amqp *amqp)
{
	struct error error = amqp->error;

	drop_wires(amqp, false);
	FAULT("amqp.lost");
	plan_forget(&amqp->plan);
	amqp_lanes_lost(amqp);
	amqp_fail_publishes(amqp, &error);
	amqp->events.lost(amqp->events.arg, &error);
	retry_later(amqp, &error);
}

/* Everything that has come, then whatever is due because of it. */
static void pump(struct amqp *amqp)
{
	struct error error;
	int in = 0, out = 0;
	bool was_serving = amqp_serving(amqp);

	if (!amqp->out)
		return;
	out = wire_pump(amqp->out, on_out_event, amqp, &error);
	if (out < 0)
		break_off(amqp, &error);
	in = wire_pump(amqp->in, on_in_event, amqp, &error);
	if (in < 0 || FAULT_FAILS("amqp.drop"))
		break_off(amqp, &error);
	if (!amqp->broken && !plan_done(&amqp->plan))
		plan_send(&amqp->plan, amqp->in, CHANNEL_CONTROL);
	mind_new_queues(amqp);
	if (!amqp->broken)
		amqp_flush(amqp);
	if (amqp->broken) {
		lose(amqp);
		return;
	}
	if (amqp_serving(amqp)) {
		if (!was_serving)
			log_info("broker", SPAN_NONE, "ready queues=%zu", amqp->plan.lanes_count);
		amqp->pause_ms = PAUSE_FIRST_MS;
		amqp_lanes_update(amqp);
	}
	amqp_tell(amqp, amqp_serving(amqp) || amqp->blocked ? NULL
			: amqp->young			    ? "waiting until the broker has stored its new queues"
							    : "declaring queues");
	if (in > 0 || out > 0 || wire_pending(amqp->in) || wire_pending(amqp->out) || wire_failed(amqp->in) ||
	    wire_failed(amqp->out))
		amqp_kick(amqp);
}

static void on_ready(void *arg, unsigned events)
{
	pump(arg);
}

static void on_tick(void *arg) /* heartbeats are served inside the library's reads */
{
	pump(arg);
}

static void on_probed(void *arg, const struct error *none)
{
	struct amqp *amqp = arg;
	struct error error;

	amqp->probe = NULL;
	if (none) {
		retry_later(amqp, none);
		return;
	}
	amqp->in = wire_new(&amqp->settings, amqp->password, "consume", &error);
	amqp->out = amqp->in ? wire_new(&amqp->settings, amqp->password, "publish", &error) : NULL;
	if (!amqp->out) {
		drop_wires(amqp, false);
		retry_later(amqp, &error);
		return;
	}
	amqp->in_watch = loop_watch(amqp->loop, wire_fd(amqp->in), LOOP_READ, on_ready, amqp);
	amqp->out_watch = loop_watch(amqp->loop, wire_fd(amqp->out), LOOP_READ, on_ready, amqp);
	wire_channel_open(amqp->in, CHANNEL_MAIN);
	wire_channel_open(amqp->in, CHANNEL_CONTROL);
	wire_channel_open(amqp->out, CHANNEL_MAIN);
	wire_confirm(amqp->out, CHANNEL_MAIN);
	plan_forget(&amqp->plan);
	plan_prepare(&amqp->plan);
	amqp_kick(amqp);
}

static void try_connect(void *arg)
{
	struct amqp *amqp = arg;
	const struct amqp_settings *settings = &amqp->settings;

	amqp->retry = NULL;
	amqp->probe =
		probe_new(amqp->loop, settings->host, (int)settings->port, !settings->tls.enabled, on_probed, amqp);
}

/* ---- the contract -------------------------------------------------------------------------------------------- */

static void *amqp_open(const void *given, struct span password, struct loop *loop, struct db *db,
		       const struct broker_events *events, struct error *error)
{
	struct amqp *amqp = mem_alloc(sizeof *amqp);
	struct amqp_settings *settings = &amqp->settings;

	*settings = *(const struct amqp_settings *)given;
	settings->tls.enabled = settings->tls.enabled || settings->tls.ca || settings->tls.cert;
	if (!settings->port)
		settings->port = settings->tls.enabled ? 5671 : 5672;
	amqp->password = password;
	amqp->loop = loop;
	amqp->events = *events;
	amqp->pause_ms = PAUSE_FIRST_MS;
	amqp->window = window_new((size_t)settings->window);
	amqp->ledger = ledger_new();
	plan_init(&amqp->plan, settings->exchange, settings->prefix);
	buf_init(&amqp->envelope, MESSAGE_ENVELOPE_MAX);
	buf_init(&amqp->body, WIRE_BODY_MAX);
	amqp->tick = loop_timer(loop, TICK_MS, TICK_MS, on_tick, amqp);
	try_connect(amqp);
	return amqp;
}

static void amqp_close(void *self)
{
	struct amqp *amqp = self;

	amqp_flush(amqp);
	loop_cancel(amqp->retry);
	loop_cancel(amqp->tick);
	loop_cancel(amqp->kick);
	loop_cancel(amqp->young);
	probe_free(amqp->probe);
	drop_wires(amqp, true);
	plan_free(&amqp->plan);
	window_free(amqp->window);
	ledger_free(amqp->ledger);
	buf_free(&amqp->envelope);
	buf_free(&amqp->body);
	free(amqp);
}

static int amqp_declare(void *self, const struct topology *topology, struct error *error)
{
	struct amqp *amqp = self;

	if (plan_take(&amqp->plan, topology, error))
		return -1;
	if (amqp->in) {
		plan_prepare(&amqp->plan);
		amqp_kick(amqp);
	}
	return 0;
}

static void amqp_rolled_back(void *self)
{
	(void)self; /* publishes that went out may have happened: the unit done again has the same ids */
}

static int amqp_count(void *self, const struct topology_queue *queue, struct broker_counts *counts, struct error *error)
{
	struct amqp *amqp = self;
	struct lane *lane = plan_lane(&amqp->plan, queue);
	int result;

	*counts = (struct broker_counts){.unsettled = lane ? lane->unsettled : 0};
	if (!lane || !amqp->in || amqp->broken || !plan_done(&amqp->plan))
		return error_set(error, ERROR_RETRY, "broker.down", "the broker cannot be asked: %s", amqp->now.text);
	result = wire_count(amqp->in, CHANNEL_CONTROL, lane->full, &counts->ready, error);
	if (result || wire_pending(amqp->in))
		amqp_kick(amqp); /* what came meanwhile was read ahead */
	return result;
}

#define AT(field) offsetof(struct amqp_settings, field)

static const struct option tls_options[] = {
	{.name = "enabled",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct amqp_tls, enabled),
	 .fallback = "no",
	 .help = "Encrypt; naming a file below does as well",
	 .flags = OPTION_MAIN},
	{.name = "verify",
	 .type = OPTION_BOOL,
	 .offset = offsetof(struct amqp_tls, verify),
	 .fallback = "yes",
	 .help = "Check the broker's certificate, and that it names the host (a name, not an address)"},
	{.name = "ca",
	 .type = OPTION_TEXT,
	 .flags = OPTION_CERTIFICATE,
	 .offset = offsetof(struct amqp_tls, ca),
	 .help = "File with the certificates of the authorities to trust"},
	{.name = "cert",
	 .type = OPTION_TEXT,
	 .flags = OPTION_CERTIFICATE,
	 .offset = offsetof(struct amqp_tls, cert),
	 .help = "File with our own certificate, when the broker asks for one"},
	{.name = "key",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct amqp_tls, key),
	 .help = "File with the key of our certificate"},
	OPTION_END,
};

static const struct option options[] = {
	{.name = "host",
	 .type = OPTION_TEXT,
	 .offset = AT(host),
	 .fallback = "localhost",
	 .help = "Where RabbitMQ listens"},
	{.name = "port",
	 .type = OPTION_INT,
	 .offset = AT(port),
	 .fallback = "0",
	 .range = "0..65535",
	 .help = "Its port; 0 is 5672, with TLS 5671"},
	{.name = "vhost", .type = OPTION_TEXT, .offset = AT(vhost), .fallback = "/", .help = "Virtual host"},
	{.name = "user", .type = OPTION_TEXT, .offset = AT(user), .fallback = "guest", .help = "User to log in as"},
	{.name = "password", .type = OPTION_SECRET, .offset = AT(password), .help = "Its password, as {secret: NAME}"},
	{.name = "tls", .type = OPTION_TABLE, .offset = AT(tls), .help = "How to encrypt", .table = tls_options},
	{.name = "heartbeat",
	 .type = OPTION_DURATION,
	 .offset = AT(heartbeat_ms),
	 .fallback = "10s",
	 .range = "1s..10m",
	 .help = "A peer silent for twice as long is taken for dead"},
	{.name = "exchange",
	 .type = OPTION_TEXT,
	 .offset = AT(exchange),
	 .fallback = "ferrule",
	 .help = "Topic exchange that messages are published to"},
	{.name = "prefix",
	 .type = OPTION_TEXT,
	 .offset = AT(prefix),
	 .fallback = "ferrule.",
	 .help = "Put in front of every queue name; one of its own for each site"},
	{.name = "name",
	 .type = OPTION_TEXT,
	 .offset = AT(name),
	 .fallback = "ferrule",
	 .help = "Name of the connections, as the broker lists them"},
	{.name = "new-queue",
	 .type = OPTION_DURATION,
	 .offset = AT(new_queue_ms),
	 .fallback = "3s",
	 .range = "0s..1m",
	 .help = "How old a new queue has to be before anything is published"},
	{.name = "window",
	 .type = OPTION_INT,
	 .offset = AT(window),
	 .fallback = "1000",
	 .range = "1..20000",
	 .help = "Publishes that may be unconfirmed at a time"},
	OPTION_END,
};

const struct broker_ops amqp_ops = {
	.name = "amqp",
	.help = "RabbitMQ: quorum queues and a topic exchange, for several machines",
	.options = options,
	.settings_size = sizeof(struct amqp_settings),
	.shares_db = false,
	.open = amqp_open,
	.close = amqp_close,
	.declare = amqp_declare,
	.publish = amqp_publish,
	.flush = amqp_flush,
	.fetch = amqp_fetch,
	.settle = amqp_settle,
	.settled = amqp_settled,
	.release = amqp_release,
	.rolled_back = amqp_rolled_back,
	.count = amqp_count,
};
