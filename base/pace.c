/* A token bucket. See pace.h. */
#include "config.h"
#include "base/pace.h"

#include <time.h>

#include "base/clock.h"

#define BURST_MS 250
#define LEAST 1024

static uint64_t rate;  /* bytes a second; 0: no limit */
static int64_t tokens; /* in thousandths of a byte; below 0: owed */
static int64_t filled; /* monotonic: when that was so */

/* A bucket of thousandths of bytes: a second brings rate * 1000 of them, a millisecond `rate`. */
static int64_t capacity(void)
{
	return (int64_t)rate * BURST_MS;
}

void pace_limit(uint64_t bytes_per_second)
{
	rate = bytes_per_second < ((uint64_t)1 << 40) ? bytes_per_second : (uint64_t)1 << 40;
	tokens = capacity();
	filled = clock_tick_ms();
}

uint64_t pace_window(uint64_t most)
{
	uint64_t window = rate * BURST_MS / 1000;

	if (!rate || window >= most)
		return most;
	return window > LEAST ? window : LEAST < most ? LEAST : most;
}

int64_t pace_owed(uint64_t bytes)
{
	int64_t now = clock_tick_ms(), passed = now - filled;

	if (!rate)
		return 0;
	if (passed > (capacity() - tokens) / (int64_t)rate)
		tokens = capacity();
	else
		tokens += passed * (int64_t)rate;
	filled = now;
	tokens -= (int64_t)bytes * 1000;
	return tokens < 0 ? (-tokens + (int64_t)rate - 1) / (int64_t)rate : 0;
}

void pace_took(uint64_t bytes)
{
	int64_t wait = pace_owed(bytes);
	struct timespec nap = {wait / 1000, wait % 1000 * 1000000};

	while (wait > 0 && nanosleep(&nap, &nap))
		continue;
}
