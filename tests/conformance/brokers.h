/* A client of a broker for the conformance suites, of the kind that the program was built for (TEST_BROKER: spool or
 * amqp): it does what the engine does, one transaction around publishes and settlements, and remembers every
 * callback. */
#ifndef FERRULE_TESTS_BROKERS_H
#define FERRULE_TESTS_BROKERS_H

#include "tests/support/support.h"

#include "base/broker.h"
#include "broker-adapters/queues/amqp.h"

#define TEST_IS_AMQP (!strcmp(TEST_BROKER, "amqp"))
#define SOON 60000 /* ms; the machine may be busy */

struct delivered {
	const char *queue;
	uint64_t tag;
	bool redelivered, open; /* open: neither settled nor released nor lost */
	long number;            /* that its body begins with; -1: none */
	size_t body_len;
	struct id body_digest;
	char *envelope;
	size_t envelope_len;
};

struct client {
	const struct broker_ops *ops;
	void *self;
	struct loop *loop;
	struct db *db, db_here;
	bool in_transaction;
	struct broker_events events;
	struct topology *topology;
	struct amqp_settings settings;

	/* publishes, by token, which are counted from 0 */
	struct answer {
		unsigned times;
		enum published how;
		char code[40];
	} *answers;
	size_t published, answered, answers_capacity;
	bool again; /* an answer came twice or for no publish */

	struct delivered *got;
	size_t got_count, got_capacity, open;
	uint64_t *settling; /* tags in the open transaction */
	size_t settling_count, settling_capacity;

	unsigned lost;
	bool connected, consuming, blocked;
	char text[600];
	int64_t longest_turn_ms; /* of the loop */
};

int brokers_up(void **state);   /* group setup */
int brokers_down(void **state); /* group teardown */
void brokers_need(void); /* skips the test when there is no RabbitMQ */
void brokers_lab(const char *verb, const char *rest); /* tests/lab/rabbitmq.sh */
const char *brokers_lab_env(const char *name); /* one value of its env */

/* A name of its own for each test: queues and files of one test are never seen by another. */
struct client *client_new(const char *name);      /* declares nothing; amqp may not be connected yet */
struct client *client_new_with(const char *name, const struct amqp_settings *); /* amqp; exchange and prefix are set */
struct amqp_settings client_settings(void);       /* for the lab's broker */
void client_close(struct client *);
/* A queue bound to a topic (NULL: none), for the next client_declare. */
struct topology *queues_new(void);
void queues_add(struct topology *, const char *queue, const char *topic);
void client_declare(struct client *, struct topology *); /* takes it; waits until the broker serves */
const struct topology_queue *client_queue(struct client *, const char *name);

void client_turn(struct client *, int wait_ms); /* of the loop */
bool client_until(struct client *, bool (*holds)(struct client *, void *), void *arg, int wait_ms);
/* Begins its body with the number; size 0: just that. The token; -1 when it was refused, with *error. */
long client_try_publish(struct client *, const char *topic, const char *queue, bool optional, long number, size_t size,
			struct error *);
void client_publish(struct client *, const char *topic, const char *queue,
		    long number);    /* waits while the window is full */
void client_commit(struct client *); /* … and flush */
void client_answered(struct client *); /* waits until every publish has its answer */
void client_fetch(struct client *, const char *queue, unsigned n);
void client_settle(struct client *, struct delivered *);
void client_release(struct client *, struct delivered *);
bool client_got(struct client *, size_t n, int wait_ms); /* waits until n deliveries came altogether */
void client_forget(struct client *); /* deliveries so far */
uint64_t client_ready(struct client *, const char *queue,
		      uint64_t expected); /* waits a while for that count, then gives what it is */
size_t client_count_answers(const struct client *, enum published);

#endif
