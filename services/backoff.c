/* How long to wait. See backoff.h. */
#include "config.h"
#include "services/backoff.h"

#define ASKED_MAX_MS 3600000

int64_t backoff_wait(const struct retry_spec *retry, uint32_t attempt, int64_t asked_ms)
{
	int64_t wait = retry->from_ms > 0 ? retry->from_ms : 1000;
	int64_t most = retry->to_ms > 0 ? retry->to_ms : 900000;

	for (uint32_t i = 0; i < attempt && wait < most; i++)
		wait *= 2;
	if (wait > most)
		wait = most;
	if (asked_ms > ASKED_MAX_MS)
		asked_ms = ASKED_MAX_MS;
	return asked_ms > wait ? asked_ms : wait;
}

void backoff_count(struct message *message, int64_t now_ms)
{
	message->attempt++;
	if (!message->first_failed_ms)
		message->first_failed_ms = now_ms;
}

void backoff_fail(struct backoff *backoff, const struct retry_spec *retry, int64_t asked_ms, int64_t now_ms)
{
	if (!backoff->failures)
		backoff->since_ms = now_ms;
	backoff->wait_ms = backoff_wait(retry, backoff->failures++, asked_ms);
}

void backoff_clear(struct backoff *backoff)
{
	*backoff = (struct backoff){0};
}
