/* A queue process for tests: forked, on a real database file, killed and started again at will. */
#ifndef FERRULE_TESTS_ENGINE_BED_H
#define FERRULE_TESTS_ENGINE_BED_H

#include "tests/support/support.h"

#include "base/queue.h"
#include "base/topology.h"
#include "base/wire.h"
#include "tests/engine/lab.h"

struct bed {
	char *directory, *socket, *db_path;
	struct topology *topology;
	pid_t engine;
	int life[2]; /* the engine ends when [1] is closed */
	uint64_t disk_reserve, ballast_size;
	struct engine_config config; /* broker and store */
	const char *faults;          /* FERRULE_FAULTS of the next start */
};

extern struct error bed_error;

struct bed *bed_new(void); /* queues in.a, in.b, in.c of topic t.v1; in.c of c.v1; in.ordered, in.holding, out.x, sink.y
			      (on demand), sys.records */
struct bed *bed_new_at(const char *directory);
void bed_start(struct bed *);
void bed_stop(struct bed *, int signal); /* waits for its end */
void bed_free(struct bed *);
struct queue *bed_connect(struct bed *, const char *role);

/* A message with the id of this text. */
struct message *bed_message(const char *text, size_t body_size);
void bed_publish(struct queue *, const char *topic, const char *queue, const char *text,
		 size_t body_size); /* in a unit of its own */
void bed_publish_ordered(struct queue *, const char *queue, const char *flow, const char *text, uint64_t key);
struct delivery *bed_take(struct queue *, int wait_ms); /* NULL: nothing came */
size_t bed_drain(struct queue *, int wait_ms);          /* settles what comes until nothing did for wait_ms */
void bed_settle(struct queue *, struct delivery *);     /* in a unit of its own; frees it */
bool bed_is(const struct delivery *, const char *text);

#endif
