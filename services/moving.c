/* What is moved, for status. See moving.h. */
#include "config.h"
#include "services/moving.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/utf8.h"

#define EVERY_MS 1000

/* Beside the endpoint's own state, whose owner is the role. */
static void send(struct worker *worker, json_t *state)
{
	char *name = mem_printf("%s/moving", worker->moving->endpoint);

	queue_state(worker->queue, name, state);
	queue_flush(worker->queue); /* the adapter's call may last for hours */
	json_decref(state);
	free(name);
}

void moving_begin(struct worker *worker, const char *endpoint, bool in, struct span name, uint64_t total,
		  unsigned attempt)
{
	struct moving *moving = worker->moving;
	size_t len = name.len < sizeof moving->name ? name.len : sizeof moving->name - 1;

	while (len && !utf8_is_clean(span_make(name.data, len)) && name.len - len < 4)
		len--; /* a character that was cut */
	if (!utf8_is_clean(span_make(name.data, len)))
		len = 0;

	*moving = (struct moving){.endpoint = endpoint,
				  .in = in,
				  .total = total,
				  .began = clock_tick_ms(),
				  .told = clock_tick_ms(),
				  .since_ms = clock_now_ms(),
				  .attempt = attempt};
	snprintf(moving->name, sizeof moving->name, "%.*s", (int)len, len ? name.data : "");
}

void moving_told(struct worker *worker, uint64_t done, uint64_t total)
{
	struct moving *moving = worker->moving;
	int64_t now = clock_tick_ms(), passed;
	double rate;
	json_t *state;

	if (!moving->endpoint)
		return;
	if (!moving->started)
		moving->first = done;
	moving->started = true;
	if (now - moving->told < EVERY_MS)
		return;
	moving->told = now;
	moving->shown = true;
	total = moving->total ? moving->total : total;
	passed = now > moving->began ? now - moving->began : 1;
	rate = done > moving->first ? (double)(done - moving->first) * 1000 / (double)passed : 0;
	state = json_pack("{s:s s:s s:s s:I s:I s:I s:I s:I}", "state", "moving", "direction",
			  moving->in ? "in" : "out", "name", moving->name, "done",
			  (json_int_t)(total && done > total ? total : done), "total", (json_int_t)total, "rate",
			  (json_int_t)rate, "since", (json_int_t)moving->since_ms, "attempt",
			  (json_int_t)moving->attempt);
	if (rate > 0 && total >= done)
		json_object_set_new(state, "left_ms", json_integer((json_int_t)((double)(total - done) * 1000 / rate)));
	send(worker, state);
}

void moving_end(struct worker *worker)
{
	if (worker->moving->shown)
		send(worker, json_pack("{s:s}", "state", "over"));
	worker->moving->endpoint = NULL;
	worker->moving->shown = false;
}
