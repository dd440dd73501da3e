/* The queue on one machine: rows of the store's SQLite file, so that a unit is one transaction. See base/broker.h.
 *
 * One row a message. Its key is the number of its queue and a sequence, so that a queue is a range of the table:
 * reading follows the key, settling deletes by it. What is in hand (leases) is known in memory only: when this process
 * ends, all of it is ready again. Nothing is read while a transaction is open, so that what is handed out was
 * committed. */
#include "config.h"

#include <stdlib.h>

#include "base/broker.h"
#include "base/clock.h"
#include "base/log.h"

#define SEQUENCE_BITS 40
#define READ_BYTES (2u << 20) /* of one queue at a time */
#define EXACT_MAX 2000        /* queues shorter than this are counted at start, longer ones measured */

struct spool_queue {
	struct spool *spool;
	const struct topology_queue *spec; /* NULL: no longer in the topology */
	char *name;
	uint64_t number;
	uint64_t next;   /* sequence of the next message */
	uint64_t read;   /* sequence of the last one read */
	uint64_t old;    /* up to here it was there at start: somebody may have begun with it */
	uint64_t stored; /* rows; may be too high until the end was read once */
	uint64_t unsettled;
	unsigned wanted;
	bool more;       /* rows may wait behind `read` */
	bool listed;     /* on the list of those to read */
	uint64_t *again; /* given back, to be read again: sequences, the highest first */
	size_t again_count, again_room;
	struct spool_queue *next_listed;
};

struct subscription {
	const char *topic;
	struct spool_queue *queue;
};

/* What the open transaction did, to be undone with it. */
struct change {
	struct spool_queue *queue;
	bool settled; /* else published */
};

struct spool {
	struct db *db;
	struct broker_events events;
	struct spool_queue **queues; /* by number - 1 */
	size_t count, room;
	struct spool_queue **named; /* of the topology, in its order */
	const struct topology *topology;
	struct subscription *subscriptions; /* by topic */
	size_t subscriptions_count;
	struct change *changes;
	size_t changes_count, changes_room;
	struct spool_queue *listed;
	bool reading, undecided; /* undecided: a transaction with changes is open */
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS spool_queue (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	"CREATE TABLE IF NOT EXISTS spool (key INTEGER PRIMARY KEY, at INTEGER NOT NULL, envelope BLOB NOT NULL, body "
	"BLOB NOT NULL);";

static int64_t key_of(const struct spool_queue *queue, uint64_t sequence)
{
	return (int64_t)(queue->number << SEQUENCE_BITS | sequence);
}

static struct spool_queue *queue_of(struct spool *spool, uint64_t key)
{
	uint64_t number = key >> SEQUENCE_BITS;

	return number && number <= spool->count ? spool->queues[number - 1] : NULL;
}

/* ---- queues */
static struct spool_queue *queue_add(struct spool *spool, uint64_t number, struct span name)
{
	struct spool_queue *queue = mem_alloc(sizeof *queue);

	*queue = (struct spool_queue){
		.spool = spool, .name = mem_span_dup(name), .number = number, .next = 1, .more = true};
	spool->queues = mem_grow(spool->queues, &spool->room, number, sizeof *spool->queues);
	while (spool->count < number)
		spool->queues[spool->count++] = NULL;
	spool->queues[number - 1] = queue;
	return queue;
}

static int on_queue(void *arg, const struct value *row, size_t columns)
{
	queue_add(arg, (uint64_t)row[0].number, row[1].bytes);
	return 0;
}

static int on_number(void *arg, const struct value *row, size_t columns)
{
	if (row[0].type == VALUE_INT)
		*(int64_t *)arg = row[0].number;
	return 0;
}

/* The first or last key of a queue, 0 when it is empty. */
static int edge(struct spool_queue *queue, bool last, uint64_t *sequence, struct error *error)
{
	struct value range[] = {VALUE_OF_INT(key_of(queue, 0)),
				VALUE_OF_INT(key_of(queue, ((uint64_t)1 << SEQUENCE_BITS) - 1))};
	int64_t key = 0;

	if (db_run(queue->spool->db,
		   last ? "SELECT key FROM spool WHERE key > $1 AND key <= $2 ORDER BY key DESC LIMIT 1"
			: "SELECT key FROM spool WHERE key > $1 AND key <= $2 ORDER BY key LIMIT 1",
		   range, 2, on_number, &key, error))
		return -1;
	*sequence = (uint64_t)key & (((uint64_t)1 << SEQUENCE_BITS) - 1);
	return 0;
}

/* Where a queue stands after a start. Sequences have few holes, so that their span tells the length of a long queue. */
static int recover(struct spool_queue *queue, struct error *error)
{
	struct value range[] = {VALUE_OF_INT(key_of(queue, 0)),
				VALUE_OF_INT(key_of(queue, ((uint64_t)1 << SEQUENCE_BITS) - 1))};
	uint64_t first, last;
	int64_t rows = 0;

	if (edge(queue, false, &first, error) || edge(queue, true, &last, error))
		return -1;
	if (!last) {
		queue->more = false;
		return 0;
	}
	queue->next = last + 1;
	queue->old = last;
	queue->read = first - 1;
	queue->stored = last - first + 1;
	if (queue->stored > EXACT_MAX)
		return 0;
	if (db_run(queue->spool->db, "SELECT count(*) FROM spool WHERE key > $1 AND key <= $2", range, 2, on_number,
		   &rows, error))
		return -1;
	queue->stored = (uint64_t)rows;
	return 0;
}

static struct spool_queue *find_or_add(struct spool *spool, const char *name, struct error *error)
{
	uint64_t number = 1;

	for (size_t i = 0; i < spool->count; i++)
		if (spool->queues[i] && !strcmp(spool->queues[i]->name, name))
			return spool->queues[i];
	while (number <= spool->count && spool->queues[number - 1])
		number++;
	if (number >= (uint64_t)1 << (62 - SEQUENCE_BITS)) {
		error_set(error, ERROR_FATAL, "spool.queues", "too many queues");
		return NULL;
	}
	if (db_run(spool->db, "INSERT INTO spool_queue (number, name) VALUES ($1, $2)",
		   (struct value[]){VALUE_OF_INT((int64_t)number), VALUE_OF_TEXT(span_of(name))}, 2, NULL, NULL, error))
		return NULL;
	return queue_add(spool, number, span_of(name));
}

static void queue_drop(struct spool *spool, struct spool_queue *queue)
{
	spool->queues[queue->number - 1] = NULL;
	free(queue->again);
	free(queue->name);
	free(queue);
}

static int forget_empty(struct spool *spool, struct error *error)
{
	for (size_t i = 0; i < spool->count; i++) {
		struct spool_queue *queue = spool->queues[i];

		if (!queue || queue->spec || queue->stored || queue->listed)
			continue;
		if (db_run(spool->db, "DELETE FROM spool_queue WHERE number = $1",
			   (struct value[]){VALUE_OF_INT((int64_t)queue->number)}, 1, NULL, NULL, error))
			return -1;
		queue_drop(spool, queue);
	}
	return 0;
}

/* ---- reading */
static void list(struct spool_queue *queue)
{
	if (queue->listed || queue->unsettled >= queue->wanted || (!queue->more && !queue->again_count))
		return;
	queue->listed = true;
	queue->next_listed = queue->spool->listed;
	queue->spool->listed = queue;
}

struct read {
	struct spool_queue *queue;
	size_t rows, bytes;
	bool redelivered;
};

static int on_row(void *arg, const struct value *row, size_t columns)
{
	struct read *read = arg;
	struct spool_queue *queue = read->queue;
	uint64_t key = (uint64_t)row[0].number, sequence = key & (((uint64_t)1 << SEQUENCE_BITS) - 1);

	read->rows++;
	read->bytes += row[1].bytes.len + row[2].bytes.len;
	if (!read->redelivered)
		queue->read = sequence;
	queue->unsettled++;
	queue->spool->events.delivered(queue->spool->events.arg, queue->spec, key,
				       read->redelivered || sequence <= queue->old, row[1].bytes, row[2].bytes);
	return read->bytes > READ_BYTES;
}

static int read_again(struct spool_queue *queue, struct error *error)
{
	while (queue->again_count && queue->unsettled < queue->wanted) {
		uint64_t sequence = queue->again[queue->again_count - 1];
		struct read read = {.queue = queue, .redelivered = true};

		if (db_run(queue->spool->db, "SELECT key, envelope, body FROM spool WHERE key = $1",
			   (struct value[]){VALUE_OF_INT(key_of(queue, sequence))}, 1, on_row, &read, error))
			return -1;
		queue->again_count--;
	}
	return 0;
}

static int read_more(struct spool_queue *queue, struct error *error)
{
	struct read read = {.queue = queue};
	unsigned room = queue->wanted - (unsigned)queue->unsettled;

	if (db_run(queue->spool->db,
		   "SELECT key, envelope, body FROM spool WHERE key > $1 AND key <= $2 ORDER BY key LIMIT $3",
		   (struct value[]){VALUE_OF_INT(key_of(queue, queue->read)),
				    VALUE_OF_INT(key_of(queue, ((uint64_t)1 << SEQUENCE_BITS) - 1)),
				    VALUE_OF_INT(room)},
		   3, on_row, &read, error))
		return -1;
	if (read.rows < room && read.bytes <= READ_BYTES) {
		queue->more = false;
		queue->stored = queue->unsettled + queue->again_count; /* now known exactly */
	}
	return 0;
}

static void read_listed(struct spool *spool)
{
	struct error error;

	if (spool->reading || spool->undecided)
		return;
	spool->reading = true;
	while (spool->listed) {
		struct spool_queue *queue = spool->listed;
		int result = 0;

		spool->listed = queue->next_listed;
		queue->listed = false;
		if (!queue->spec)
			continue;
		if (queue->again_count && queue->unsettled < queue->wanted)
			result = read_again(queue, &error);
		if (result == 0 && queue->more && queue->unsettled < queue->wanted)
			result = read_more(queue, &error);
		if (result) {
			log_error("spool", SPAN_NONE, "reading queue=%s code=%s error=\"%s\"", queue->name, error.code,
				  error.text);
			list(queue); /* again with the next round, which comes each second at the latest */
			break;
		}
	}
	spool->reading = false;
}

/* ---- the contract */
static void spool_close(void *self)
{
	struct spool *spool = self;

	for (size_t i = 0; i < spool->count; i++)
		if (spool->queues[i])
			queue_drop(spool, spool->queues[i]);
	free(spool->queues);
	free(spool->named);
	free(spool->subscriptions);
	free(spool->changes);
	free(spool);
}

static void *spool_open(const void *settings, struct span password, struct loop *loop, struct db *db,
			const struct broker_events *events, struct error *error)
{
	struct spool *spool = mem_alloc(sizeof *spool);

	*spool = (struct spool){.db = db, .events = *events};
	if (db->ops->script(db->self, schema, error) ||
	    db_run(db, "SELECT number, name FROM spool_queue ORDER BY number", NULL, 0, on_queue, spool, error))
		goto fail;
	for (size_t i = 0; i < spool->count; i++)
		if (spool->queues[i] && recover(spool->queues[i], error))
			goto fail;
	return spool;
fail:
	error_wrap(error, "opening the spool");
	spool_close(spool);
	return NULL;
}

static int by_topic(const void *a, const void *b)
{
	const struct subscription *one = a, *two = b;
	int order = strcmp(one->topic, two->topic);

	return order ? order : (one->queue->number > two->queue->number) - (one->queue->number < two->queue->number);
}

static void subscribe(struct spool *spool)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < spool->topology->count; i++)
		n += spool->topology->queues[i].topics_count;
	free(spool->subscriptions);
	spool->subscriptions = mem_alloc((n + 1) * sizeof *spool->subscriptions);
	for (size_t i = 0; i < spool->topology->count; i++)
		for (size_t t = 0; t < spool->topology->queues[i].topics_count; t++)
			spool->subscriptions[at++] =
				(struct subscription){spool->topology->queues[i].topics[t], spool->named[i]};
	qsort(spool->subscriptions, n, sizeof *spool->subscriptions, by_topic);
	spool->subscriptions_count = n;
}

static int spool_declare(void *self, const struct topology *topology, struct error *error)
{
	struct spool *spool = self;
	struct db *db = spool->db;

	for (size_t i = 0; i < spool->count; i++)
		if (spool->queues[i])
			spool->queues[i]->spec = NULL;
	free(spool->named);
	spool->named = mem_alloc((topology->count + 1) * sizeof *spool->named);
	spool->topology = topology;
	if (db->ops->begin(db->self, error))
		return -1;
	for (size_t i = 0; i < topology->count; i++) {
		spool->named[i] = find_or_add(spool, topology->queues[i].name, error);
		if (!spool->named[i])
			goto fail;
		spool->named[i]->spec = &topology->queues[i];
	}
	if (forget_empty(spool, error) || db->ops->commit(db->self, error))
		goto fail;
	subscribe(spool);
	for (size_t i = 0; i < spool->count; i++)
		if (spool->queues[i])
			list(spool->queues[i]);
	return 0;
fail:
	db->ops->rollback(db->self);
	return error_wrap(error, "declaring queues");
}

static void note(struct spool *spool, struct spool_queue *queue, bool settled)
{
	spool->changes =
		mem_grow(spool->changes, &spool->changes_room, spool->changes_count + 1, sizeof *spool->changes);
	spool->changes[spool->changes_count++] = (struct change){queue, settled};
	spool->undecided = true;
}

static int store(struct spool *spool, struct spool_queue *queue, const struct publication *what, struct error *error)
{
	struct value row[] = {VALUE_OF_INT(key_of(queue, queue->next)), VALUE_OF_INT(clock_now_ms()),
			      VALUE_OF_BLOB(what->envelope), VALUE_OF_BLOB(what->body)};

	if (queue->next >= (uint64_t)1 << SEQUENCE_BITS)
		return error_set(error, ERROR_FATAL, "spool.sequence", "queue %s has used up its sequence",
				 queue->name);
	if (db_run(spool->db, "INSERT INTO spool (key, at, envelope, body) VALUES ($1, $2, $3, $4)", row, 4, NULL, NULL,
		   error))
		return -1;
	queue->next++;
	queue->stored++;
	note(spool, queue, false);
	return 0;
}

static struct spool_queue *named_queue(struct spool *spool, const char *name)
{
	const struct topology_queue *spec = spool->topology ? topology_find(spool->topology, span_of(name)) : NULL;

	return spec ? spool->named[spec - spool->topology->queues] : NULL;
}

/* The first subscription of a topic, or the end. */
static size_t subscriptions_from(const struct spool *spool, const char *topic)
{
	size_t low = 0, high = spool->subscriptions_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(spool->subscriptions[middle].topic, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int spool_publish(void *self, uint64_t token, const struct publication *what, struct error *error)
{
	struct spool *spool = self;
	size_t taken = 0;

	if (what->queue) {
		struct spool_queue *queue = named_queue(spool, what->queue);

		if (queue && store(spool, queue, what, error))
			return -1;
		taken = queue != NULL;
	} else {
		for (size_t i = subscriptions_from(spool, what->topic); i < spool->subscriptions_count; i++, taken++) {
			if (strcmp(spool->subscriptions[i].topic, what->topic))
				break;
			if (store(spool, spool->subscriptions[i].queue, what, error))
				return -1;
		}
	}
	spool->events.published(spool->events.arg, token,
				taken || what->optional ? PUBLISH_CONFIRMED : PUBLISH_RETURNED, NULL);
	return 0;
}

/* Comes after commit: what was published can be read now. */
static void spool_flush(void *self)
{
	struct spool *spool = self;

	for (size_t i = 0; i < spool->changes_count; i++) {
		struct spool_queue *queue = spool->changes[i].queue;

		if (!spool->changes[i].settled)
			queue->more = true;
		list(queue);
	}
	spool->changes_count = 0;
	spool->undecided = false;
	read_listed(spool);
}

static void spool_rolled_back(void *self)
{
	struct spool *spool = self;

	for (size_t i = 0; i < spool->changes_count; i++) {
		struct spool_queue *queue = spool->changes[i].queue;

		if (spool->changes[i].settled)
			queue->stored++;
		else
			queue->stored--;
	}
	spool->changes_count = 0;
	spool->undecided = false;
}

static void spool_fetch(void *self, const struct topology_queue *spec, unsigned n)
{
	struct spool *spool = self;
	struct spool_queue *queue = named_queue(spool, spec->name);

	if (!queue)
		return;
	queue->wanted = n;
	list(queue);
	read_listed(spool);
}

static int spool_settle(void *self, uint64_t tag, struct error *error)
{
	struct spool *spool = self;
	struct spool_queue *queue = queue_of(spool, tag);
	int64_t changed = 0;

	if (!queue)
		return error_set(error, ERROR_FATAL, "spool.tag", "no such delivery");
	if (db_change(spool->db, "DELETE FROM spool WHERE key = $1", (struct value[]){VALUE_OF_INT((int64_t)tag)}, 1,
		      &changed, error))
		return -1;
	if (changed != 1)
		return error_set(error, ERROR_FATAL, "spool.tag", "a delivery of %s was settled before", queue->name);
	queue->stored--;
	note(spool, queue, true);
	return 0;
}

static void spool_settled(void *self, uint64_t tag)
{
	struct spool *spool = self;
	struct spool_queue *queue = queue_of(spool, tag);

	queue->unsettled--;
	list(queue);
}

static void spool_release(void *self, uint64_t tag)
{
	struct spool *spool = self;
	struct spool_queue *queue = queue_of(spool, tag);
	uint64_t sequence = tag & (((uint64_t)1 << SEQUENCE_BITS) - 1);
	size_t at;

	if (!queue)
		return;
	queue->unsettled--;
	queue->again = mem_grow(queue->again, &queue->again_room, queue->again_count + 1, sizeof *queue->again);
	for (at = queue->again_count++; at > 0 && queue->again[at - 1] < sequence; at--)
		queue->again[at] = queue->again[at - 1];
	queue->again[at] = sequence;
	list(queue);
}

static int spool_count(void *self, const struct topology_queue *spec, struct broker_counts *counts, struct error *error)
{
	struct spool *spool = self;
	struct spool_queue *queue = named_queue(spool, spec->name);
	uint64_t from;
	int64_t at = 0;

	*counts = (struct broker_counts){0};
	if (!queue)
		return 0;
	counts->unsettled = queue->unsettled;
	counts->ready = queue->stored > queue->unsettled ? queue->stored - queue->unsettled : 0;
	if (!counts->ready)
		return 0;
	from = queue->again_count ? queue->again[queue->again_count - 1] - 1 : queue->read;
	if (db_run(spool->db, "SELECT at FROM spool WHERE key > $1 AND key <= $2 ORDER BY key LIMIT 1",
		   (struct value[]){VALUE_OF_INT(key_of(queue, from)),
				    VALUE_OF_INT(key_of(queue, ((uint64_t)1 << SEQUENCE_BITS) - 1))},
		   2, on_number, &at, error))
		return -1;
	counts->oldest_ms = at;
	return 0;
}

static const struct option options[] = {OPTION_END};

const struct broker_ops spool_ops = {
	.name = "spool",
	.help = "the queue on one machine, in the store's SQLite file",
	.options = options,
	.shares_db = true,
	.open = spool_open,
	.close = spool_close,
	.declare = spool_declare,
	.publish = spool_publish,
	.flush = spool_flush,
	.fetch = spool_fetch,
	.settle = spool_settle,
	.settled = spool_settled,
	.release = spool_release,
	.rolled_back = spool_rolled_back,
	.count = spool_count,
};
