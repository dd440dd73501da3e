/* Running a test's input through the site's steps, offline. See rehearsal.h. What the transform role does with its
 * unit is done here with a list. */
#include "config.h"
#include "services/rehearsal_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/tree.h"
#include "services/refusal.h"
#include "services/transform_output.h"

#define RUNS_MAX 100000
#define HAPPENED_MAX 1000000
#define BYTES_MAX (512u << 20)

/* ---- the stage ---------------- */
struct stage *stage_new(const struct site *site)
{
	struct stage *stage = mem_alloc(sizeof *stage);

	stage->site = site;
	stage->chains = mem_alloc((site->flows_count + 1) * sizeof *stage->chains);
	for (size_t i = 0; i < site->flows_count; i++)
		stage->chains[i] = mem_alloc((site->flows[i].segments_count + 1) * sizeof **stage->chains);
	return stage;
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	for (size_t i = 0; i < stage->site->flows_count; i++) {
		for (size_t k = 0; k < stage->site->flows[i].segments_count; k++)
			chain_free(stage->chains[i][k]);
		free(stage->chains[i]);
	}
	free(stage->chains);
	free(stage);
}

void stage_watch(struct stage *stage, void (*looked)(void *, struct span, const json_t *), void *arg)
{
	stage->looked = looked;
	stage->looked_arg = arg;
}

const struct site *stage_site(const struct stage *stage)
{
	return stage->site;
}

static struct chain *chain_of(struct stage *stage, const struct flow *flow, size_t segment, struct error *error)
{
	struct chain **chain = &stage->chains[flow - stage->site->flows][segment];

	if (!*chain)
		*chain = chain_of_flow_new(stage->site, flow, segment, error);
	return *chain;
}

/* ---- what happened ------------------------------------------------------------------------------------------------
 */
static void set_fact(struct happened *happened, const char *name, struct span text)
{
	if (text.len)
		json_object_set_new(happened->facts, name, json_text_new(text));
}

static json_t *keys_new(const struct message *message)
{
	json_t *keys = json_object();

	for (size_t i = 0; i < message->keys_count; i++) {
		char *name = mem_span_dup(message->keys[i].name);

		json_object_set_new(keys, name, json_text_new(message->keys[i].value));
		free(name);
	}
	return keys;
}

static struct happened *happened_add(struct run *run, enum trial_kind kind)
{
	struct rehearsal *rehearsal = run->rehearsal;
	struct happened *happened;

	rehearsal->list =
		mem_grow(rehearsal->list, &rehearsal->capacity, rehearsal->count + 1, sizeof *rehearsal->list);
	happened = &rehearsal->list[rehearsal->count++];
	*happened = (struct happened){.kind = kind, .flow = run->flow, .facts = json_object()};
	set_fact(happened, "flow", span_of(run->flow->name));
	return happened;
}

/* Is there room for so much more? */
static int check_room(struct run *run, size_t bytes, struct error *error)
{
	struct rehearsal *rehearsal = run->rehearsal;

	rehearsal->bytes += bytes;
	if (rehearsal->bytes <= BYTES_MAX && rehearsal->count <= HAPPENED_MAX)
		return 0;
	return error_set(error, ERROR_FATAL, "rehearsal.too-large",
			 "more came out than a test can hold (%u MiB, %d messages); give it a smaller input",
			 BYTES_MAX >> 20, HAPPENED_MAX);
}

/* The body is kept as bytes, and as data where it is JSON. */
static int take_body(struct run *run, struct happened *happened, const struct message *message, struct error *error)
{
	struct rehearsal *rehearsal = run->rehearsal;
	struct error unused = {0};
	struct buf text;
	int result;

	buf_init(&text, BYTES_MAX);
	result = message->body ? reader_all(message->body, &text, error) : 0;
	if (!result)
		result = check_room(run, text.len, error);
	happened->body = arena_span(rehearsal->arena, buf_view(&text));
	happened->contract = arena_span(rehearsal->arena, message->dataschema);
	buf_free(&text);
	if (!result && happened->body.len)
		happened->tree = tree_parse_new(happened->body, &unused);
	happened->keys = keys_new(message);
	return result;
}

void rehearsal_wait(struct run *run, const struct message *message, const struct flow *flow, size_t segment)
{
	struct waiting *waiting = mem_alloc(sizeof *waiting);

	*waiting = (struct waiting){message_copy(message), flow, segment, NULL};
	*run->last = waiting;
	run->last = &waiting->next;
}

static bool subscribes(const struct flow *flow, const char *topic)
{
	for (size_t i = 0; i < flow->subscribes_count; i++)
		if (!strcmp(flow->subscribes[i], topic))
			return true;
	return false;
}

static bool follows(const struct trial *trial, const struct flow *flow)
{
	for (size_t i = 0; i < trial->follow.count; i++)
		if (!strcmp(trial->follow.items[i], flow->name))
			return true;
	return trial->follow_all;
}

static int published(struct run *run, const struct message *message, const char *topic, struct error *error)
{
	const struct site *site = run->stage->site;
	struct happened *happened = happened_add(run, TRIAL_PUBLISHED);

	set_fact(happened, "topic", span_of(topic));
	set_fact(happened, "contract", message->dataschema);
	set_fact(happened, "part", message->path);
	if (take_body(run, happened, message, error))
		return -1;
	for (size_t i = 0; i < site->flows_count; i++)
		if (subscribes(&site->flows[i], topic) && follows(run->trial, &site->flows[i]))
			rehearsal_wait(run, message, &site->flows[i], 0);
	return 0;
}

int rehearsal_died(struct run *run, const struct item *item, const struct message *message, const char *step,
		   const struct error *why, struct span content, struct error *error)
{
	struct happened *happened = happened_add(run, TRIAL_DEAD);
	struct dead letter = {.message = message,
			      .queue = run->flow->queue,
			      .step = step,
			      .content = content,
			      .why = why,
			      .path = item ? item->path : message->path};
	struct message *refusal;
	int result;

	letter.position = item && item->position.len ? item->position : span_of(why->position);
	if (!letter.position.len)
		letter.position = message->position;
	set_fact(happened, "step", span_of(step));
	set_fact(happened, "code", span_of(why->code));
	set_fact(happened, "reason", span_of(why->text));
	set_fact(happened, "position", letter.position);
	set_fact(happened, "content", content);
	happened->keys = keys_new(message);
	if (check_room(run, content.len, error))
		return -1;
	if (!run->flow->reject_publish)
		return 0;
	refusal = refusal_new(run->flow->name, run->flow->reject_publish, &letter);
	result = published(run, refusal, run->flow->reject_publish, error);
	message_free(refusal);
	return result;
}

/* ---- deliveries ---------------------------------------------------------------------------------------------------
 */
static void set_header(void *arg, struct span name, struct span value)
{
	json_t *headers = arg;
	char *key = mem_span_dup(name);

	json_object_set_new(headers, key, json_text_new(value));
	free(key);
}

/* The path of a url from the host on. */
static struct span path_of(struct span url)
{
	const char *host = url.len > 3 ? memmem(url.data, url.len, "://", 3) : NULL, *slash;

	if (!host)
		return url;
	host += 3;
	slash = memchr(host, '/', url.len - (size_t)(host - url.data));
	return slash ? span_make(slash, url.len - (size_t)(slash - url.data)) : SPAN_LITERAL("/");
}

static void set_address(struct happened *happened, const struct attempt *attempt)
{
	const struct message *message = attempt->message;
	struct span url = message_attr_find(message, "url");

	set_fact(happened, "to", span_of(attempt->endpoint->name));
	set_fact(happened, "method", message_attr_find(message, "method"));
	set_fact(happened, "url", url);
	set_fact(happened, "path", url.len ? path_of(url) : message_attr_find(message, "path"));
	if (message_attr_find(message, "idempotency-key").len)
		set_fact(happened, "key", attempt->idempotency_key);
}

static const struct trial_answer *answer_of(struct run *run, const struct flow *flow)
{
	size_t nth = run->answered[flow - run->stage->site->flows]++;
	const struct trial_answer *answer = NULL;

	for (size_t i = 0; i < run->trial->answers_count; i++)
		if (!strcmp(run->trial->answers[i].endpoint, flow->sink->name)) {
			answer = &run->trial->answers[i];
			if (nth-- == 0)
				break;
		}
	return answer;
}

/* As the deliver role decides. */
static const char *outcome_of(const struct flow *flow, const struct attempt *attempt, const struct error *verdict)
{
	enum resolved resolved = RESOLVED_UNKNOWN;

	switch (verdict->class) {
	case ERROR_NONE:
		return "delivered";
	case ERROR_REJECT:
		return "dead";
	case ERROR_DOUBT:
		if (flow->sink_ops->presume)
			resolved = flow->sink_ops->presume(attempt);
		return resolved == RESOLVED_HAPPENED ? "delivered" : resolved == RESOLVED_NOT ? "retry" : "doubt";
	default:
		return "retry";
	}
}

static int judge(struct run *run, const struct attempt *attempt, struct error *verdict, struct error *error)
{
	const struct sink_ops *ops = run->flow->sink_ops;
	const struct trial_answer *answer = answer_of(run, run->flow);

	if (verdict->class != ERROR_NONE || !answer)
		return 0;
	if (ops->judge)
		return ops->judge(attempt, &answer->answer, verdict, error);
	return error_set(error, ERROR_REJECT, "test.answer",
			 "%s takes everything: an endpoint of this kind gives no answer", attempt->endpoint->name);
}

static int delivered(struct run *run, struct message *message, struct error *error)
{
	const struct flow *flow = run->flow;
	struct attempt attempt = {.endpoint = flow->sink,
				  .message = message,
				  .key = effect_key(flow->sink->name, message),
				  .first_ms = clock_now_ms()};
	size_t index = run->rehearsal->count;
	struct happened *happened = happened_add(run, TRIAL_DELIVERED);
	struct error verdict = {0};
	struct buf key;
	int result = -1;

	buf_init(&key, 1024);
	request_idempotency(&attempt, &key);
	set_address(happened, &attempt);
	happened->headers = json_object();
	if (flow->sink_ops->preview && flow->sink_ops->preview(&attempt, set_header, happened->headers, &verdict) &&
	    verdict.class != ERROR_REJECT) {
		*error = verdict;
		goto done;
	}
	if (take_body(run, happened, message, error) || judge(run, &attempt, &verdict, error)) {
		error->class = ERROR_FATAL; /* the test's fault, and nobody's dead letter */
		goto done;
	}
	set_fact(happened, "outcome", span_of(outcome_of(flow, &attempt, &verdict)));
	set_fact(happened, "code", span_of(verdict.code));
	set_fact(happened, "reason", span_of(verdict.text));
	result = 0;
	if (verdict.class == ERROR_REJECT) {
		result = rehearsal_died(run, NULL, message, "deliver", &verdict, SPAN_NONE, error);
		run->rehearsal->list[index].other = index + 2;
		run->rehearsal->list[index + 1].other = index + 1;
	}
done:
	buf_free(&key);
	return result;
}

/* ---- the chain's callbacks -----------------------------------------------------------------------------------------
 */
/* Would the queue take it? */
static int check_envelope(const struct message *message, struct error *error)
{
	struct buf envelope;
	int result;

	buf_init(&envelope, 2 * MESSAGE_ENVELOPE_MAX);
	result = message_encode(message, &envelope, error);
	buf_free(&envelope);
	return result;
}

static int on_publish(void *arg, const struct chain_output *output, struct error *error)
{
	struct run *run = arg;
	const struct flow *flow = run->flow;
	const char *topic = output->topic ? output->topic : flow->publish;
	struct message *message = message_new();
	struct error why = {0};
	int result;

	if (output->hold) {
		message_free(message);
		return rehearsal_hold(run, output, error);
	}
	output_inherit(message, run->message, output, flow);
	message_set(message, &message->type, topic ? span_of(topic) : SPAN_LITERAL("ferrule.delivery.v1"));
	message_body_take(message, reader_ref(output->body));
	message->body_digest = output->body_digest;
	if (!topic && !flow->sink)
		result = 0;
	else if (output_keys(message, run->message, output->item, &why) ||
		 (topic ? output_orders(message, run->stage->site, run->chain, output->item, topic, &why)
			: output_address(message, run->message, flow, run->chain, output->item, &why)))
		result = why.class == ERROR_REJECT ? rehearsal_died(run, output->item, run->message,
								    topic ? "publish" : "to", &why, SPAN_NONE, error)
						   : -1;
	else if (check_envelope(message, &why))
		result = rehearsal_died(run, output->item, run->message, "publish", &why, SPAN_NONE, error);
	else
		result = topic ? published(run, message, topic, error) : delivered(run, message, error);
	if (result && error->class == ERROR_NONE)
		*error = why;
	message_free(message);
	return result;
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	struct run *run = arg;

	rehearsal_gap(run, item->group, true);
	if (run->stage->looked && item->tree && !strncmp(step, "validate:", 9))
		run->stage->looked(run->stage->looked_arg, span_of(step + 9), item->tree);
	return rehearsal_died(run, item, run->message, step, why, content, error);
}

void rehearsal_dropped(struct run *run, const struct item *item, const char *step, const char *why)
{
	struct happened *happened = happened_add(run, TRIAL_DROPPED);

	set_fact(happened, "step", span_of(step));
	set_fact(happened, "why", span_of(why));
	set_fact(happened, "position", item->position);
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	rehearsal_dropped(arg, item, step, why);
	rehearsal_gap(arg, item->group, false);
	return check_room(arg, 0, error);
}

static void on_valid(void *arg, const struct item *item)
{
	const struct stage *stage = ((struct run *)arg)->stage;

	if (stage->looked)
		stage->looked(stage->looked_arg, item->contract, item->tree);
}

static int on_lookup(void *arg, const char *table, json_t *keys, json_t **values, struct error *error)
{
	struct run *run = arg;

	(void)error;
	*values = stores_lookup_new(run->stores, table, keys);
	return 0;
}

static int on_remember(void *arg, const struct item *item, const char *table, struct span key, json_t *value,
		       bool replace, struct error *error)
{
	struct run *run = arg;

	(void)item;
	(void)error;
	stores_remember(run->stores, table, key, value, replace);
	return 0;
}

static int on_group(void *arg, struct span group, uint32_t size, struct error *error)
{
	(void)error;
	rehearsal_group(arg, group, size);
	return 0;
}

/* ---- a test --------------------------------------------------------------------------------------------------------
 */
static int run_one(struct run *run, struct message *message, const struct flow *flow, size_t segment,
		   struct error *error)
{
	struct chain_events events = {.arg = run,
				      .publish = on_publish,
				      .dead = on_dead,
				      .drop = on_drop,
				      .lookup = on_lookup,
				      .valid = on_valid,
				      .group = on_group,
				      .remember = on_remember};

	run->flow = flow;
	run->segment = segment;
	run->message = message;
	run->chain = chain_of(run->stage, flow, segment, error);
	return run->chain ? chain_run(run->chain, message, &events, error) : -1;
}

static void forget_first(struct run *run)
{
	struct waiting *waiting = run->first;

	run->first = waiting->next;
	if (!run->first)
		run->last = &run->first;
	message_free(waiting->message);
	free(waiting);
}

static void forget_waiting(struct run *run)
{
	while (run->first)
		forget_first(run);
}

static int run_waiting(struct run *run, struct error *error)
{
	int result = 0;

	while (run->first && !result) {
		const struct waiting *waiting = run->first;

		if (run->runs++ == RUNS_MAX)
			result = error_set(error, ERROR_FATAL, "rehearsal.endless",
					   "flows have run %d times: do they publish in a circle?", RUNS_MAX);
		else
			result = run_one(run, waiting->message, waiting->flow, waiting->segment, error);
		forget_first(run);
	}
	return result;
}

static int run_input(struct run *run, const struct trial_input *input, struct error *error)
{
	const struct flow *flow = site_flow(run->stage->site, span_of(run->trial->flow));
	struct message *message = NULL;
	struct buf bytes;
	int result = -1;

	run->flow = flow;
	buf_init(&bytes, TRIAL_TEXT_MAX);
	if (!trial_bytes(run->stage, &input->content, &bytes, error))
		message = input_message_new(run->stage, run->rehearsal->arena, flow, input, buf_view(&bytes), error);
	if (message) {
		rehearsal_wait(run, message, flow, 0);
		do
			result = run_waiting(run, error);
		while (!result && rehearsal_close_groups(run, error) > 0);
		if (error->class != ERROR_NONE)
			result = -1;
	}
	message_free(message);
	buf_free(&bytes);
	return result;
}

int rehearsal_run(struct rehearsal *rehearsal, struct stage *stage, const struct trial *trial, struct error *error)
{
	struct run run = {.rehearsal = rehearsal, .stage = stage, .trial = trial};
	int result = 0;

	*rehearsal = (struct rehearsal){.arena = arena_new()};
	run.last = &run.first;
	run.answered = mem_alloc((stage->site->flows_count + 1) * sizeof *run.answered);
	run.stores = trial->stores ? json_deep_copy(trial->stores) : json_object();
	clock_set(trial->now_ms);
	for (size_t i = 0; i < trial->inputs_count && !result; i++)
		result = run_input(&run, &trial->inputs[i], error);
	/* Time passes: what waits for it goes on. */
	while (!result && rehearsal_time_passes(&run, error) > 0)
		do
			result = run_waiting(&run, error);
		while (!result && rehearsal_close_groups(&run, error) > 0);
	if (error->class != ERROR_NONE)
		result = -1;
	clock_set(0);
	forget_waiting(&run);
	rehearsal_holds_free(&run);
	json_decref(run.stores);
	free(run.answered);
	return result;
}

void rehearsal_free(struct rehearsal *rehearsal)
{
	for (size_t i = 0; i < rehearsal->count; i++) {
		json_decref(rehearsal->list[i].facts);
		json_decref(rehearsal->list[i].keys);
		json_decref(rehearsal->list[i].headers);
		json_decref(rehearsal->list[i].tree);
	}
	free(rehearsal->list);
	if (rehearsal->arena)
		arena_free(rehearsal->arena);
	*rehearsal = (struct rehearsal){0};
}
