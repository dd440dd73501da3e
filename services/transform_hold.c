/* The transform role at a durable step: what reaches it goes into the unit to wait, and what will not come there is
 * told. See transform_inner.h. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "services/transform_inner.h"
#include "services/transform_output.h"

#define WAIT_STEP_MS 200

/* A part of a group ends here, or goes a way that leads only to some of the collections that it might have come to:
 * the others hear that it does not come. */
void gap_tell(struct run *run, const struct item *item, const char *const *reached, size_t n, enum gap gap)
{
	const struct message *message = run->delivery->message;
	struct span group = item ? item->group : message->group;
	uint32_t place = item ? item->group_index : message->group_index;

	for (size_t i = 0; run->prepared && group.len && place && i < run->prepared->gathers_count; i++) {
		bool comes = false;

		for (size_t k = 0; k < n; k++)
			comes = comes || !strcmp(reached[k], run->prepared->gathers[i]);
		if (!comes)
			unit_gap(run->batch->unit, run->prepared->gathers[i], group, message->generation, place, gap);
	}
}

static void note_held(struct run *run, const struct chain_output *output, const struct message *message)
{
	const struct hold *hold = output->hold;
	json_t *detail = json_pack("{s:s s:s%}", "step", output->step, "key", hold->label.data ? hold->label.data : "",
				   hold->label.len);
	struct record record = {.message = message, .stage = "held", .place = run->prepared->flow->name};
	char until[CLOCK_TEXT], *text;

	if (hold->kind == HOLD_COLLECT && hold->within_ms) {
		clock_format(clock_now_ms() + hold->within_ms, until);
		json_object_set_new(detail, "until", json_string(until));
	}
	if (hold->kind == HOLD_SEQUENCE)
		json_object_set_new(detail, "number", json_integer(hold->number));
	text = json_dumps(detail, JSON_COMPACT);
	record.detail = span_of(text);
	unit_record(run->batch->unit, &record);
	free(text);
	json_decref(detail);
}

static int keep(struct run *run, const struct chain_output *output, const struct message *message, struct error *error)
{
	const struct prepared *prepared = run->prepared;
	const struct held held = {.message = message,
				  .hold = output->hold,
				  .queue = prepared->flow->segments[prepared->segment + 1].queue,
				  .step = output->step,
				  .from = run->delivery,
				  .path = output->item->path,
				  .position = message->position};
	int result;

	while ((result = unit_held(run->batch->unit, &held, error)) == 1) {
		board_tick(run->worker->slot);
		if (queue_wait(run->worker->queue, WAIT_STEP_MS, error))
			return -1;
	}
	if (result)
		return -1;
	if (output->hold->group) {
		gap_tell(run, output->item, &held.queue, 1, GAP_DROPPED);
	} else {
		const char *reached[SITE_GATHERS_MAX];
		size_t n =
			site_gathers(prepared->site, prepared->flow, prepared->segment + 1, reached, SITE_GATHERS_MAX);

		gap_tell(run, output->item, reached, n, GAP_DROPPED);
	}
	note_held(run, output, message);
	return 0;
}

/* What reaches a durable step: the message that the steps behind it will get, or a member of that. */
int hold_keep(struct run *run, const struct chain_output *output, struct error *error)
{
	const struct flow *flow = run->prepared->flow;
	const struct message *from = run->delivery->message;
	struct message *message = message_new();
	uint64_t key = output->hold->kind == HOLD_SEQUENCE ? id_hash(&output->hold->key) | 1
							   : message_order_find(from, span_of(flow->name));
	int result = -1;

	output_inherit(message, from, output, flow);
	message_set(message, &message->type, from->type);
	if (key)
		message_order(message, span_of(flow->name), key);
	if (transform_body(run, message, output, error))
		goto done;
	result = output_keys(message, from, output->item, error) || keep(run, output, message, error);
	if (result)
		result = error->class == ERROR_REJECT ? transform_bury(run, output->item, output->step, error) : -1;
done:
	message_free(message);
	return result;
}

int group_tell(void *arg, struct span group, uint32_t size, struct error *error)
{
	struct run *run = arg;

	for (size_t i = 0; i < run->prepared->gathers_count; i++)
		unit_group(run->batch->unit, run->prepared->gathers[i], group, run->delivery->message->generation,
			   size);
	return 0;
}

void gap_tell_way(struct run *run, const struct item *item, const char *topic)
{
	const char *reached[SITE_GATHERS_MAX];
	size_t n;

	if (!run->prepared->gathers_count || !item->group.len)
		return;
	n = topic ? site_gathers_of_topic(run->prepared->site, topic, reached, SITE_GATHERS_MAX) : 0;
	gap_tell(run, item, reached, n, GAP_DROPPED);
}
