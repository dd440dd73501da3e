/* The poll role: one process for each source that is asked, so that one which hangs holds up no other. Documents are
 * taken in batches: stored and synced, recognised, committed, and only then settled at the source. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/pace.h"
#include "services/archive.h"
#include "services/backoff.h"
#include "services/moving.h"
#include "services/receive.h"
#include "services/turns.h"
#include "services/worker.h"

#define BATCH 100
#define WAIT_STEP_MS 200
#define EXPIRE_MS 3600000
#define EXPIRE_AGAIN_MS 300000
#define STAND_BY_MS 1000 /* between two questions whether the other machine has gone */

struct poll {
	const struct flow *flow;
	const struct source *source;
	void *adapter;
	struct turns *turns; /* of a transfer, or NULL */
	int64_t told_next;   /* the next run, as status has it */
	int64_t next;        /* monotonic */
	struct backoff backoff;
	bool alone;          /* of several machines one asks it, … */
	bool ours;           /* … and that is this one, … */
	struct tenure tenure; /* … for this time */
	bool told_away;
	bool failing, held;
	int64_t asked_hold;  /* monotonic, when holds were asked for last */
	int64_t asked_ms;    /* when the source was asked last */
	int64_t expire_next; /* monotonic: when the archive is looked through */
	json_t *halves;      /* what waits there for its other half */
	json_t *refused;     /* the last that was refused, and how many since this process began */
};

/* While the source itself is at work its process may hang there: the board shows that, without a message in hand. */
static void at_source(struct worker *worker, bool begins)
{
	if (begins)
		board_hold(worker->slot, &(struct id){{0}});
	else
		board_let_go(worker->slot);
}

static void forget(struct poll *poll, struct document **documents, size_t n)
{
	for (size_t i = 0; i < n; i++)
		poll->source->poll->forget(poll->adapter, documents[i]);
}

static void add_half(void *list, const char *name, const char *lacks, int64_t since_ms, int64_t due_ms)
{
	json_array_append_new(list, json_pack("{s:s s:s s:I s:I}", "name", name, "lacks", lacks, "since",
					      (json_int_t)since_ms, "due", (json_int_t)due_ms));
}

/* Files without their sidecars, and sidecars alone: {count, list: [{name, lacks, since, due}]}. */
static void note_halves(struct poll *poll)
{
	json_t *list = json_array();
	size_t count = poll->source->poll->halves ? poll->source->poll->halves(poll->adapter, add_half, list) : 0;

	json_decref(poll->halves);
	poll->halves = count ? json_pack("{s:I s:O s:s}", "count", (json_int_t)count, "list", list, "owner",
					 poll->flow->owner ? poll->flow->owner : "")
			     : NULL;
	json_decref(list);
}

static void refuse(struct poll *poll, struct document *document, const struct error *why)
{
	json_int_t count = json_integer_value(json_object_get(poll->refused, "count"));

	log_warn("poll", SPAN_NONE, "refused name=\"%.*s\" code=%s error=\"%s\"", SPAN_ARGS(document->name), why->code,
		 why->text);
	poll->source->poll->settle(poll->adapter, document, SETTLE_REFUSED, NULL);
	json_decref(poll->refused);
	poll->refused = json_pack("{s:I s:o s:I s:s s:s}", "count", count + 1, "name",
				  json_stringn(document->name.data, document->name.len), "at",
				  (json_int_t)clock_now_ms(), "code", why->code, "error", why->text);
}

static void send_state(struct worker *worker, struct poll *poll, json_t *state)
{
	if (poll->halves)
		json_object_set(state, "halves", poll->halves);
	if (poll->refused)
		json_object_set(state, "refused", poll->refused);
	queue_state(worker->queue, worker->endpoint, state);
	json_decref(state);
}

/* What status shows of this source: whether it works, and when it was looked through last. */
static void tell_state(struct worker *worker, struct poll *poll, const struct error *error, bool busy)
{
	const struct flow *flow = poll->flow;
	json_t *state =
		error ? json_pack("{s:s s:I s:s s:s s:I s:s s:s s:s}", "state", "failing", "since",
				  (json_int_t)poll->backoff.since_ms, "code", error->code, "error", error->text, "next",
				  (json_int_t)(clock_now_ms() + poll->backoff.wait_ms), "flow", flow->name, "owner",
				  flow->owner ? flow->owner : "", "runbook", flow->runbook ? flow->runbook : "")
		      : json_pack("{s:s}", "state", busy ? "busy" : "idle");

	if (!error && !busy)
		json_object_set_new(state, "polled", json_integer((json_int_t)poll->asked_ms));
	send_state(worker, poll, state);
}

static void failed(struct worker *worker, struct poll *poll, const struct error *error)
{
	if (error->class == ERROR_FATAL)
		worker_fail(worker, error);
	backoff_fail(&poll->backoff, &poll->flow->retry, error->retry_after_ms, clock_now_ms());
	if (!poll->failing)
		log_warn("poll", SPAN_NONE, "source fails endpoint=%s code=%s error=\"%s\"", worker->endpoint,
			 error->code, error->text);
	poll->failing = true;
	tell_state(worker, poll, error, false);
	if (poll->turns)
		turns_failed(poll->turns, error, clock_now_ms());
	poll->next = clock_tick_ms() + poll->backoff.wait_ms;
}

static void worked(struct worker *worker, struct poll *poll, bool more)
{
	bool busy = more || (poll->source->poll->pending && poll->source->poll->pending(poll->adapter));

	if (poll->failing)
		log_info("poll", SPAN_NONE, "source works again endpoint=%s", worker->endpoint);
	poll->failing = false;
	backoff_clear(&poll->backoff);
	note_halves(poll);
	tell_state(worker, poll, NULL, busy);
	if (poll->turns)
		turns_looked(poll->turns, busy, worker->once, clock_now_ms());
	poll->next = clock_tick_ms() + (more ? 0 : poll->source->poll->interval_ms(poll->source->endpoint.settings));
	if (busy)
		return;
	atomic_store(&worker->slot->polled, 1);
	if (worker->once)
		worker_end(worker);
}

static int fetch_one(struct worker *worker, struct poll *poll, struct document *document, struct error *error)
{
	uint64_t size = 0;
	int result;

	for (size_t i = 0; i < document->attrs_count; i++)
		if (span_is(document->attrs[i].name, "size"))
			size = strtoull(document->attrs[i].value.data, NULL, 10);
	moving_begin(worker, worker->endpoint, true, document->name, size, 0);
	result = poll->source->poll->fetch(poll->adapter, document, worker->vault, error);
	moving_end(worker);
	return result;
}

/* Everything that was found goes into the vault; what could not be read stays where it is and is reported. Returns how
 * many are at hand, in front; *trouble tells of a vault that takes nothing. */
static size_t fetch(struct worker *worker, struct poll *poll, struct document **documents, size_t n,
		    struct error *trouble)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct document *document = documents[i];
		struct error error = document->error;

		if (!document->failed && !fetch_one(worker, poll, document, &error)) {
			documents[kept++] = document;
			board_tick(worker->slot);
			continue;
		}
		if (error.class == ERROR_RETRY && error.scope == SCOPE_SITE)
			*trouble = error;
		if (!document->failed && error.class == ERROR_REJECT)
			refuse(poll, document, &error);
		else
			log_warn("poll", SPAN_NONE, "left alone name=\"%.*s\" code=%s error=\"%s\"",
				 SPAN_ARGS(document->name), error.code, error.text);
		poll->source->poll->forget(poll->adapter, document);
	}
	return kept;
}

static enum settlement settlement_of(const struct reception *reception)
{
	if (reception->seen == SEEN_NEW || reception->again)
		return SETTLE_ACCEPTED;
	return reception->seen == SEEN_DIED ? SETTLE_DUPLICATE_OF_DEAD : SETTLE_DUPLICATE;
}

/* 0: its archive is kept for ever. */
static int64_t retain_of(const struct poll *poll)
{
	return poll->flow->transfer && poll->source->poll->expire ? poll->flow->transfer->retain_ms : 0;
}

static int commit_all(struct worker *worker, struct poll *poll, struct reception *receptions, size_t n,
		      int64_t at, struct error *error)
{
	struct unit *unit = unit_new(worker->queue);

	tenure_fence(unit, poll->tenure);
	for (size_t i = 0; i < n; i++) {
		int result;

		while ((result = receive_add(unit, poll->flow, &receptions[i], error)) == 1)
			if (queue_wait(worker->queue, WAIT_STEP_MS, error))
				break;
		if (result < 0) {
			unit_free(unit);
			return -1;
		}
		if (retain_of(poll))
			archive_intend(unit, poll->source->poll, poll->adapter, worker->endpoint, at,
				       receptions[i].document, settlement_of(&receptions[i]));
	}
	return unit_commit_wait(unit, error);
}

/* A document whose identity cannot be told is refused: it goes where the source puts what it refuses, and is
 * reported. */
static size_t prepare_all(struct worker *worker, struct poll *poll, struct reception *receptions,
			  struct document **documents, size_t n)
{
	size_t prepared = 0;

	for (size_t i = 0; i < n; i++) {
		struct error error = {0};

		if (!receive_prepare(&receptions[prepared], worker->site, poll->flow, &poll->source->endpoint,
				     documents[i], &error)) {
			if (poll->turns)
				turns_mark(poll->turns, receptions[prepared].message);
			prepared++;
			continue;
		}
		refuse(poll, documents[i], &error);
	}
	return prepared;
}

static int settle_at_once(struct worker *worker, struct poll *poll, struct reception *receptions, size_t n,
			  struct error *error)
{
	struct document *documents[BATCH];
	enum settlement how[BATCH];

	for (size_t i = 0; i < n; i++) {
		documents[i] = receptions[i].document;
		how[i] = settlement_of(&receptions[i]);
	}
	FAULT("receive.settling");
	if (poll->source->poll->settle_all(poll->adapter, documents, how, n, error))
		return -1;
	board_tick(worker->slot);
	return 0;
}

static int settle_all(struct worker *worker, struct poll *poll, struct reception *receptions, size_t n,
		      struct error *error)
{
	if (poll->source->poll->settle_all)
		return settle_at_once(worker, poll, receptions, n, error);
	for (size_t i = 0; i < n; i++) {
		FAULT("receive.settling");
		if (poll->source->poll->settle(poll->adapter, receptions[i].document, settlement_of(&receptions[i]),
					       error))
			return -1;
		board_tick(worker->slot);
	}
	return 0;
}

/* A sequence counts what is new, in the order in which it lies there. */
static int number_all(struct poll *poll, struct reception *receptions, size_t n, struct error *error)
{
	struct message *messages[BATCH];
	size_t count = 0;

	for (size_t i = 0; poll->turns && i < n; i++)
		if (receptions[i].seen == SEEN_NEW && !receptions[i].conflict)
			messages[count++] = receptions[i].message;
	return poll->turns ? turns_number(poll->turns, messages, count, clock_now_ms(), error) : 0;
}

static void note_archived(struct worker *worker, struct poll *poll, struct reception *receptions, size_t n,
			  int64_t at)
{
	struct document *documents[BATCH];
	struct error error = {0};

	for (size_t i = 0; i < n; i++)
		documents[i] = receptions[i].document;
	if (archive_note(worker, worker->endpoint, poll->tenure, at, documents, n, &error))
		log_warn("poll", SPAN_NONE,
			 "what was archived is not noted, and stays endpoint=%s code=%s error=\"%s\"", worker->endpoint,
			 error.code, error.text);
}

/* Behind a look at the source, now and then: a folder that is gone, or a partner that is away, keeps nothing that lies
 * elsewhere. What cannot be reached now is tried again soon. */
static void expire_archive(struct worker *worker, struct poll *poll)
{
	struct error error = {0};
	bool more = false;
	int result;

	if (!retain_of(poll) || clock_tick_ms() < poll->expire_next)
		return;
	at_source(worker, true);
	result = archive_expire(worker, poll->source->poll, poll->adapter, worker->endpoint, poll->tenure,
				retain_of(poll), &more, &error);
	at_source(worker, false);
	if (result)
		log_warn("poll", SPAN_NONE, "the archive is not tidied, later again endpoint=%s code=%s error=\"%s\"",
			 worker->endpoint, error.code, error.text);
	poll->expire_next = clock_tick_ms() + (more ? 0 : result ? EXPIRE_AGAIN_MS : EXPIRE_MS);
}

static int accept_batch(struct worker *worker, struct poll *poll, struct document **documents, size_t n,
			struct error *error)
{
	struct reception receptions[BATCH];
	int64_t at = clock_now_ms();
	int result = -1;

	FAULT("receive.stored");
	if (vault_sync(worker->vault, error))
		return -1;
	FAULT("receive.synced");
	n = prepare_all(worker, poll, receptions, documents, n);
	if (n == 0)
		return 0;
	if (receive_recognise(worker->queue, receptions, n, error) || number_all(poll, receptions, n, error) ||
	    commit_all(worker, poll, receptions, n, at, error))
		goto done;
	FAULT("receive.committed");
	if (poll->turns)
		turns_accepted(poll->turns);
	for (size_t i = 0; poll->turns && i < n; i++)
		if (settlement_of(&receptions[i]) == SETTLE_ACCEPTED)
			turns_took(poll->turns, receptions[i].document, clock_now_ms());
	if (!tenure_goes_on(poll->tenure, worker->queue)) { /* who asks it now recognises them, and settles them */
		result = 0;
		goto done;
	}
	at_source(worker, true);
	result = settle_all(worker, poll, receptions, n, error);
	at_source(worker, false);
	if (retain_of(poll))
		note_archived(worker, poll, receptions, n, at);
done:
	for (size_t i = 0; i < n; i++)
		receive_free(&receptions[i]);
	return result;
}

/* One batch; *more when there may be another right behind it. */
static int poll_batch(struct worker *worker, struct poll *poll, bool *more, struct error *error)
{
	struct document *documents[BATCH];
	struct error trouble = {0};
	size_t found = 0, kept;
	int result;

	*more = false;
	at_source(worker, true);
	result = poll->source->poll->poll(poll->adapter, documents, BATCH, &found, error);
	kept = result ? 0 : fetch(worker, poll, documents, found, &trouble);
	at_source(worker, false);
	if (result)
		return -1;
	*more = kept == BATCH || (kept > 0 && found == BATCH);
	result = kept ? accept_batch(worker, poll, documents, kept, error) : 0;
	forget(poll, documents, kept);
	/* what was left did not fail by itself: the source is not looked through */
	if (!result && trouble.class != ERROR_NONE) {
		*error = trouble;
		result = -1;
	}
	return result;
}

/* A flow's name means the flow: what arrives for it is received all the same, from all its sources. A transfer that is
 * held asks for nothing. */
static bool is_about(const struct poll *poll, const char *name)
{
	const struct endpoint *source = &poll->source->endpoint;

	if (!strcmp(name, source->flow))
		return poll->flow->transfer != NULL;
	return !strcmp(name, source->name) || (source->system && !strcmp(name, source->system));
}

static bool is_held(struct worker *worker, struct poll *poll)
{
	json_t *answer = NULL, *hold;
	struct error error = {0};
	size_t i;

	if (clock_tick_ms() - poll->asked_hold < 1000)
		return poll->held;
	poll->asked_hold = clock_tick_ms();
	if (queue_ask(worker->queue, "holds", NULL, &answer, 5000, &error))
		return poll->held; /* as it was: a store that is away ends no hold */
	poll->held = false;
	json_array_foreach(json_object_get(answer, "holds"), i, hold) {
		const char *name = json_string_value(json_object_get(hold, "name"));

		poll->held = poll->held || (name && is_about(poll, name));
	}
	json_decref(answer);
	return poll->held;
}

/* Somebody else asked it meanwhile: what is remembered of its runs is read anew. */
static int take_over(struct worker *worker, struct poll *poll, int64_t number, struct error *error)
{
	struct tenure tenure = {worker->endpoint, number};
	struct turns *turns = NULL;

	if (turns_open(&turns, worker->queue, poll->flow, &poll->source->endpoint, tenure, error))
		return -1;
	turns_free(poll->turns);
	poll->turns = turns;
	poll->tenure = tenure;
	poll->told_next = 0;
	poll->ours = true;
	poll->told_away = false;
	log_info("poll", SPAN_NONE, "this machine asks the source endpoint=%s", worker->endpoint);
	return 0;
}

static void tell_elsewhere(struct worker *worker, struct poll *poll)
{
	json_t *state = json_pack("{s:s}", "state", "elsewhere");

	queue_state(worker->queue, worker->endpoint, state);
	json_decref(state);
	poll->told_away = true;
}

/* Is the source to be asked from here? Asked before each look: the store may have been lost meanwhile, and the source
 * with it. If not, another machine asks it, which may end at any time, or that cannot be known just now. */
static bool is_ours(struct worker *worker, struct poll *poll)
{
	struct error error = {0};
	bool held, known;
	int64_t number;

	if (!poll->alone)
		return true;
	known = !tenure_ask(worker->queue, worker->endpoint, &held, &number, &error);
	if (held && ((poll->ours && number == poll->tenure.number) || !take_over(worker, poll, number, &error)))
		return true;
	if (error.class == ERROR_FATAL)
		worker_fail(worker, &error);
	if (known && !held && !poll->told_away)
		tell_elsewhere(worker, poll);
	poll->ours = false;
	poll->next = clock_tick_ms() + STAND_BY_MS;
	if (!known || held)
		return false;
	atomic_store(&worker->slot->polled, 1);
	if (worker->once)
		worker_end(worker);
	return false;
}

/* Nothing is due: until then the source is left alone, but somebody may want it to run now. */
static void rest(struct worker *worker, struct poll *poll, int64_t next)
{
	int64_t wait = next - clock_now_ms();

	poll->next = clock_tick_ms() + (wait < 0 ? 0 : wait > 1000 ? 1000 : wait);
	atomic_store(&worker->slot->polled, 1);
	if (poll->told_next != next) {
		json_t *state = json_pack("{s:s}", "state", "idle");

		if (next != INT64_MAX)
			json_object_set_new(state, "next", json_integer((json_int_t)next));
		send_state(worker, poll, state);
	}
	poll->told_next = next;
	if (worker->once)
		worker_end(worker);
}

static void poll_ready(struct worker *worker)
{
	struct poll *poll = worker->own;
	struct error error = {0};
	bool more = false;
	int64_t next;

	if (worker->draining || clock_tick_ms() < poll->next)
		goto wait;
	if (!queue_accepting(worker->queue) || is_held(worker, poll)) {
		poll->next = clock_tick_ms() + 1000;
		goto wait;
	}
	if (!is_ours(worker, poll))
		goto wait;
	poll->asked_ms = clock_now_ms();
	if (poll->turns && !turns_due(poll->turns, poll->asked_ms, &next)) {
		rest(worker, poll, next);
		if (poll->source->poll->here) /* another machine is left alone till then */
			expire_archive(worker, poll);
		goto wait;
	}
	poll->told_next = 0;
	if (poll_batch(worker, poll, &more, &error))
		failed(worker, poll, &error);
	else
		worked(worker, poll, more);
	if (!more)
		expire_archive(worker, poll);
wait:
	if (poll->source->poll->rest && !worker->draining)
		poll->source->poll->rest(poll->adapter);
	worker->wait_ms = (int)(poll->next - clock_tick_ms());
	if (worker->wait_ms < 0)
		worker->wait_ms = 0;
	if (worker->wait_ms > 1000)
		worker->wait_ms = 1000;
}

static bool poll_idle(struct worker *worker)
{
	return true;
}

static void poll_stop(struct worker *worker)
{
	struct poll *poll = worker->own;

	poll->source->poll->close(poll->adapter);
	turns_free(poll->turns);
	json_decref(poll->halves);
	json_decref(poll->refused);
	free(poll);
}

static int find_source(struct worker *worker, struct poll *poll, struct error *error)
{
	for (size_t i = 0; i < worker->site->flows_count; i++)
		for (size_t j = 0; j < worker->site->flows[i].sources_count; j++) {
			const struct source *source = &worker->site->flows[i].sources[j];

			if (source->poll && !strcmp(source->endpoint.name, worker->endpoint)) {
				poll->flow = &worker->site->flows[i];
				poll->source = source;
				return 0;
			}
		}
	return error_set(error, ERROR_FATAL, "poll.endpoint", "no source named %s in this revision", worker->endpoint);
}

static int poll_start(struct worker *worker, struct error *error)
{
	struct poll *poll = mem_alloc(sizeof *poll);

	worker->own = poll;
	if (find_source(worker, poll, error))
		return -1;
	pace_limit(poll->flow->transfer ? poll->flow->transfer->bandwidth : 0);
	poll->adapter = poll->source->poll->open(&poll->source->endpoint, error);
	if (!poll->adapter)
		return -1;
	poll->alone = source_asked_alone(poll->flow, poll->source);
	if (!poll->alone &&
	    turns_open(&poll->turns, worker->queue, poll->flow, &poll->source->endpoint, poll->tenure, error)) {
		poll->source->poll->close(poll->adapter);
		return -1;
	}
	tell_state(worker, poll, NULL, true);
	return 0;
}

const struct role role_poll = {
	.name = "poll",
	.start = poll_start,
	.ready = poll_ready,
	.idle = poll_idle,
	.stop = poll_stop,
	.needs_vault = true,
};
