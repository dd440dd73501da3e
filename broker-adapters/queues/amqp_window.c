/* Books of publishes and deliveries under way. See amqp_window.h. */
#include "config.h"
#include "broker-adapters/queues/amqp_window.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- publishes ----------------------------------------------------------------------------------------------- */

enum slot_state { SLOT_DONE, SLOT_OPEN, SLOT_RETURNED };

struct slot {
	enum slot_state state;
	uint64_t token;
	struct id key;
};

struct window {
	size_t capacity, open;
	uint64_t first, next; /* numbers: first ≤ all that are open < next */
	struct slot slots[];  /* number modulo capacity */
};

struct window *window_new(size_t capacity)
{
	struct window *window = mem_alloc(sizeof *window + capacity * sizeof window->slots[0]);

	window->capacity = capacity;
	window->first = window->next = 1;
	return window;
}

void window_free(struct window *window)
{
	free(window);
}

bool window_full(const struct window *window)
{
	return window->next - window->first >= window->capacity;
}

size_t window_open(const struct window *window)
{
	return window->open;
}

struct id window_key(struct span message_id, struct span exchange, struct span key)
{
	struct span parts[] = {message_id, exchange, key};

	return id_of(parts, 3);
}

static struct slot *slot_at(struct window *window, uint64_t number)
{
	return &window->slots[number % window->capacity];
}

void window_put(struct window *window, uint64_t token, const struct id *key)
{
	*slot_at(window, window->next++) = (struct slot){.state = SLOT_OPEN, .token = token, .key = *key};
	window->open++;
}

bool window_return(struct window *window, const struct id *key, uint64_t *token)
{
	for (uint64_t n = window->first; n < window->next; n++) {
		struct slot *slot = slot_at(window, n);

		if (slot->state != SLOT_OPEN || !id_equal(&slot->key, key))
			continue;
		slot->state = SLOT_RETURNED;
		window->open--;
		*token = slot->token;
		return true;
	}
	return false;
}

static void advance(struct window *window)
{
	while (window->first < window->next && slot_at(window, window->first)->state == SLOT_DONE)
		window->first++;
}

static void answer_one(struct window *window, uint64_t number, window_fn *fn, void *arg)
{
	struct slot *slot = slot_at(window, number);
	bool open = slot->state == SLOT_OPEN;
	uint64_t token = slot->token;

	slot->state = SLOT_DONE;
	advance(window);
	if (!open)
		return;
	window->open--;
	fn(arg, token);
}

/* A number that is not under way is the broker's mistake, and ignored. */
void window_answer(struct window *window, uint64_t number, bool multiple, window_fn *fn, void *arg)
{
	uint64_t last = number == 0 && multiple ? window->next - 1 : number;

	if (last >= window->next || last < window->first)
		return;
	for (uint64_t n = multiple ? window->first : last; n <= last; n++)
		answer_one(window, n, fn, arg);
}

void window_fail(struct window *window, window_fn *fn, void *arg)
{
	uint64_t end = window->next;

	for (uint64_t n = window->first; n < end; n++)
		answer_one(window, n, fn, arg);
	window->first = window->next = 1;
}

/* ---- deliveries ---------------------------------------------------------------------------------------------- */

/* Our tag is a count and the place of the entry: found at once, and one from before a reconnection is never taken for
 * another. */
#define PLACE_BITS 20
#define PLACE(tag) ((uint32_t)((tag) & ((1u << PLACE_BITS) - 1)))
#define NOWHERE UINT32_MAX

struct entry {
	uint64_t tag; /* 0: free */
	uint64_t delivery;
	uint32_t line;
	uint32_t before, after; /* in the order of delivery; `after` also links what is free */
	bool settled;
};

struct ledger {
	struct entry *entries;
	size_t count, capacity;
	uint32_t free, oldest, newest;
	uint64_t serial;
	uint64_t *settled; /* tags since the last flush */
	size_t settled_count, settled_capacity;
};

struct ledger *ledger_new(void)
{
	struct ledger *ledger = mem_alloc(sizeof *ledger);

	ledger->free = ledger->oldest = ledger->newest = NOWHERE;
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->entries);
	free(ledger->settled);
	free(ledger);
}

static uint32_t place_new(struct ledger *ledger)
{
	uint32_t place = ledger->free;

	if (place != NOWHERE) {
		ledger->free = ledger->entries[place].after;
		return place;
	}
	ledger->entries = mem_grow(ledger->entries, &ledger->capacity, ledger->count + 1, sizeof *ledger->entries);
	if (ledger->count >> PLACE_BITS)
		abort(); /* the engine budgets its windows far below */
	return (uint32_t)ledger->count++;
}

uint64_t ledger_add(struct ledger *ledger, uint64_t delivery, uint32_t line)
{
	uint32_t place = place_new(ledger);
	uint64_t tag = ++ledger->serial << PLACE_BITS | place;

	ledger->entries[place] = (struct entry){
		.tag = tag, .delivery = delivery, .line = line, .before = ledger->newest, .after = NOWHERE};
	if (ledger->newest != NOWHERE)
		ledger->entries[ledger->newest].after = place;
	else
		ledger->oldest = place;
	ledger->newest = place;
	return tag;
}

static struct entry *entry_find(const struct ledger *ledger, uint64_t tag)
{
	uint32_t place = PLACE(tag);

	return tag && place < ledger->count && ledger->entries[place].tag == tag ? &ledger->entries[place] : NULL;
}

bool ledger_find(const struct ledger *ledger, uint64_t tag, uint64_t *delivery, uint32_t *line)
{
	struct entry *entry = entry_find(ledger, tag);

	if (!entry || entry->settled)
		return false;
	*delivery = entry->delivery;
	*line = entry->line;
	return true;
}

bool ledger_settle(struct ledger *ledger, uint64_t tag)
{
	struct entry *entry = entry_find(ledger, tag);

	if (!entry || entry->settled)
		return false;
	entry->settled = true;
	ledger->settled = mem_grow(ledger->settled, &ledger->settled_capacity, ledger->settled_count + 1,
				   sizeof *ledger->settled);
	ledger->settled[ledger->settled_count++] = tag;
	return true;
}

static void entry_remove(struct ledger *ledger, struct entry *entry)
{
	uint32_t place = PLACE(entry->tag);

	if (entry->before != NOWHERE)
		ledger->entries[entry->before].after = entry->after;
	else
		ledger->oldest = entry->after;
	if (entry->after != NOWHERE)
		ledger->entries[entry->after].before = entry->before;
	else
		ledger->newest = entry->before;
	entry->tag = 0;
	entry->after = ledger->free;
	ledger->free = place;
}

bool ledger_drop(struct ledger *ledger, uint64_t tag)
{
	struct entry *entry = entry_find(ledger, tag);

	if (!entry || entry->settled)
		return false;
	entry_remove(ledger, entry);
	return true;
}

bool ledger_unflushed(const struct ledger *ledger)
{
	return ledger->settled_count > 0;
}

/* Everything up to the oldest unsettled one. */
static int flush_front(struct ledger *ledger, ledger_ack_fn *ack, void *arg)
{
	uint64_t last = 0;
	size_t n = 0;

	while (ledger->oldest != NOWHERE && ledger->entries[ledger->oldest].settled) {
		last = ledger->entries[ledger->oldest].delivery;
		entry_remove(ledger, &ledger->entries[ledger->oldest]);
		n++;
	}
	return n ? ack(arg, last, n > 1) : 0;
}

int ledger_flush(struct ledger *ledger, ledger_ack_fn *ack, void *arg)
{
	int result = flush_front(ledger, ack, arg);

	for (size_t i = 0; i < ledger->settled_count && !result; i++) {
		struct entry *entry = entry_find(ledger, ledger->settled[i]);

		if (!entry)
			continue; /* went with the front */
		result = ack(arg, entry->delivery, false);
		entry_remove(ledger, entry);
	}
	ledger->settled_count = 0;
	return result;
}

void ledger_clear(struct ledger *ledger)
{
	ledger->count = ledger->settled_count = 0;
	ledger->free = ledger->oldest = ledger->newest = NOWHERE;
}
