/* The gateway role: everything inbound over HTTP. A request is answered when its message is durable and not before; the
 * requests that came in one round of the loop share one sync and one unit. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "operations/health.h"
#include "services/receive.h"
#include "services/worker.h"

#define ROUND_MAX 128
#define ASK_WAIT_MS 2000
#define STATUS_MS 250 /* anybody may ask how it stands, and it costs the queue process a look at all there is */
#define WAIT_STEP_MS 100

struct request {
	struct arrival *arrival;
	struct document *document;
	const struct endpoint *endpoint;
	const struct flow *flow;
	struct reader *body;
	struct reception reception;
	struct error error; /* why it is refused */
	bool prepared;
};

struct round { /* what came in together */
	struct worker *worker;
	struct request requests[ROUND_MAX];
	size_t count;
};

struct gateway {
	const struct server_ops *ops;
	void *server;
	struct watch *watch;
	const struct endpoint **endpoints;
	struct round *round;  /* being gathered */
	unsigned rounds;      /* being committed */
	json_t *status;       /* the queue process's last word; NULL: it did not answer */
	int64_t status_until; /* monotonic; as long it is taken for true */
};

static struct gateway *own(struct worker *worker)
{
	return worker->own;
}

static const struct flow *flow_of(const struct site *site, const struct endpoint *endpoint)
{
	return site_flow(site, span_of(endpoint->flow));
}

static void arrived(void *arg, const struct endpoint *endpoint, struct document *document, struct reader *body,
		    struct arrival *arrival)
{
	struct worker *worker = arg;
	struct gateway *gateway = own(worker);
	struct request *request;

	if (!gateway->round) {
		gateway->round = mem_alloc(sizeof *gateway->round);
		gateway->round->worker = worker;
	}
	if (gateway->round->count == ROUND_MAX) {
		struct error busy;

		error_set(&busy, ERROR_RETRY, "gateway.busy", "too many requests at once, try again in a second");
		gateway->ops->answer(gateway->server, arrival, NULL, false, &busy);
		return;
	}
	request = &gateway->round->requests[gateway->round->count++];
	*request = (struct request){.arrival = arrival,
				    .document = document,
				    .endpoint = endpoint,
				    .body = reader_ref(body),
				    .flow = flow_of(worker->site, endpoint)};
}

static void answer_request(struct gateway *gateway, struct request *request, const struct error *error)
{
	struct reception *reception = &request->reception;
	bool duplicate = reception->seen != SEEN_NEW;

	if (request->error.class != ERROR_NONE)
		error = &request->error;
	gateway->ops->answer(gateway->server, request->arrival,
			     error || !request->prepared ? NULL
			     : duplicate                 ? &reception->first
							 : &reception->message->id,
			     duplicate, error);
	reader_unref(request->body);
	if (request->prepared)
		receive_free(reception);
}

static void committed(void *arg, const struct error *error)
{
	struct round *round = arg;
	struct gateway *gateway = own(round->worker);

	FAULT("gateway.committed");
	if (error)
		log_warn("gateway", SPAN_NONE, "not accepted count=%zu code=%s error=\"%s\"", round->count, error->code,
			 error->text);
	for (size_t i = 0; i < round->count; i++)
		answer_request(gateway, &round->requests[i], error);
	gateway->rounds--;
	free(round);
}

static void store_all(struct round *round, struct error *error)
{
	struct worker *worker = round->worker;

	for (size_t i = 0; i < round->count; i++) {
		struct request *request = &round->requests[i];

		if (vault_put(worker->vault, request->body, &request->document->stored, &request->error))
			continue;
		if (!receive_prepare(&request->reception, worker->site, request->flow, request->endpoint,
				     request->document, &request->error))
			request->prepared = true;
	}
	FAULT("gateway.stored");
	vault_sync(worker->vault, error);
	FAULT("gateway.synced");
}

/* The known ones are told from the new ones; what a sender declares to be one event must have one content. */
static int recognise_all(struct round *round, struct error *error)
{
	struct reception receptions[ROUND_MAX];
	size_t at[ROUND_MAX], n = 0;

	for (size_t i = 0; i < round->count; i++)
		if (round->requests[i].prepared) {
			at[n] = i;
			receptions[n++] = round->requests[i].reception;
		}
	if (n && receive_recognise(round->worker->queue, receptions, n, error))
		return -1;
	for (size_t i = 0; i < n; i++) {
		round->requests[at[i]].reception = receptions[i];
		if (receptions[i].conflict)
			receive_conflict(&receptions[i], &round->requests[at[i]].error);
	}
	return 0;
}

/* What cannot be a message, for all its headers, is this sender's own fault. The same event once more in this round is
 * no duplicate of what was never accepted. */
static void refuse(struct round *round, size_t first, const struct error *error)
{
	const struct id *source = &round->requests[first].reception.source;

	for (size_t i = first; i < round->count; i++)
		if (round->requests[i].prepared && id_equal(&round->requests[i].reception.source, source))
			round->requests[i].error = *error;
}

static int add_all(struct round *round, struct unit *unit, struct error *error)
{
	for (size_t i = 0; i < round->count; i++) {
		struct request *request = &round->requests[i];
		int result;

		/* a sender who is told keeps no dead letter here */
		if (!request->prepared || request->reception.conflict || request->error.class != ERROR_NONE)
			continue;
		while ((result = receive_add(unit, request->flow, &request->reception, error)) == 1)
			if (queue_wait(round->worker->queue, WAIT_STEP_MS, error))
				return -1;
		if (result < 0 && error->class != ERROR_REJECT)
			return -1;
		if (result < 0)
			refuse(round, i, error);
	}
	return 0;
}

static void commit_round(struct worker *worker)
{
	struct gateway *gateway = own(worker);
	struct round *round = gateway->round;
	struct error error = {0};
	struct unit *unit;

	gateway->round = NULL;
	gateway->rounds++;
	store_all(round, &error);
	if (error.class != ERROR_NONE || recognise_all(round, &error)) {
		committed(round, &error);
		return;
	}
	unit = unit_new(worker->queue);
	if (add_all(round, unit, &error)) {
		unit_free(unit);
		committed(round, &error);
	} else if (unit_commit(unit, committed, round, &error)) {
		worker_fail(worker, &error);
	}
}

static const json_t *status_of(struct worker *worker)
{
	struct gateway *gateway = own(worker);
	struct error error = {0};

	if (clock_tick_ms() < gateway->status_until)
		return gateway->status;
	json_decref(gateway->status);
	gateway->status = NULL;
	queue_ask(worker->queue, "status", NULL, &gateway->status, ASK_WAIT_MS, &error);
	gateway->status_until = clock_tick_ms() + STATUS_MS;
	return gateway->status;
}

static void ask(void *arg, const char *path, bool verbose, int *status, const char **type, struct buf *body)
{
	struct worker *worker = arg;

	if (!strcmp(path, "/livez"))
		health_live(status, type, body);
	else if (!strcmp(path, "/metrics"))
		health_metrics(status_of(worker), status, type, body);
	else
		health_ready(status_of(worker), worker->draining, verbose, status, type, body);
}

static bool accepting(void *arg)
{
	struct worker *worker = arg;

	return !worker->draining && queue_accepting(worker->queue);
}

static void on_server(void *arg, unsigned events)
{
	struct worker *worker = arg;

	own(worker)->ops->work(own(worker)->server);
}

static void gateway_ready(struct worker *worker)
{
	struct gateway *gateway = own(worker);
	int wait;

	gateway->ops->work(gateway->server);
	if (gateway->round)
		commit_round(worker);
	board_tick(worker->slot);
	wait = gateway->ops->timeout_ms(gateway->server);
	worker->wait_ms = wait < 0 || wait > 1000 ? 1000 : wait;
}

static void gateway_drain(struct worker *worker)
{
	own(worker)->ops->stop(own(worker)->server);
}

static bool gateway_idle(struct worker *worker)
{
	struct gateway *gateway = own(worker);

	return !gateway->rounds && !gateway->round && !gateway->ops->busy(gateway->server);
}

static void gateway_stop(struct worker *worker)
{
	struct gateway *gateway = own(worker);

	gateway->ops->close(gateway->server);
	json_decref(gateway->status);
	free(gateway->endpoints);
	free(gateway);
}

/* The port that is listened on, for whoever asked for any: RUN/http.port. */
static void write_port(struct worker *worker)
{
	char path[4200], text[16];
	int fd, n = snprintf(text, sizeof text, "%u\n", own(worker)->ops->port(own(worker)->server));

	snprintf(path, sizeof path, "%s/http.port", worker->site->run_path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		log_warn("gateway", SPAN_NONE, "cannot write path=%s", path);
	if (fd >= 0)
		close(fd);
}

static int gateway_start(struct worker *worker, struct error *error)
{
	struct gateway *gateway = mem_alloc(sizeof *gateway);
	const struct site *site = worker->site;
	struct server_events events = {.arg = worker,
				       .root = site->directory,
				       .secrets = site->secrets_path,
				       .spool = site->run_path,
				       .arrived = arrived,
				       .ask = ask,
				       .accepting = accepting};
	size_t n = 0;

	worker->own = gateway;
	gateway->ops = site->listen;
	for (size_t i = 0; i < site->flows_count; i++)
		n += site->flows[i].sources_count;
	gateway->endpoints = mem_alloc((n + 1) * sizeof *gateway->endpoints);
	n = 0;
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t j = 0; j < site->flows[i].sources_count; j++)
			if (site->flows[i].sources[j].server)
				gateway->endpoints[n++] = &site->flows[i].sources[j].endpoint;
	gateway->server = gateway->ops->open(site->listen_settings, gateway->endpoints, n, &events, error);
	if (!gateway->server)
		return -1;
	write_port(worker);
	gateway->watch = loop_watch(worker->loop, gateway->ops->fd(gateway->server), LOOP_READ, on_server, worker);
	return 0;
}

const struct role role_gateway = {
	.name = "gateway",
	.start = gateway_start,
	.ready = gateway_ready,
	.drain = gateway_drain,
	.idle = gateway_idle,
	.stop = gateway_stop,
	.needs_vault = true,
};
