/* What the suites for RabbitMQ alone share. */
#ifndef FERRULE_TESTS_RABBITMQ_H
#define FERRULE_TESTS_RABBITMQ_H

#include "tests/conformance/brokers.h"

static inline struct client *open_with_settings(const char *name, const struct amqp_settings *settings)
{
	struct client *client = client_new_with(name, settings);
	struct topology *queues = queues_new();

	queues_add(queues, "in.a", "a.v1");
	client_declare(client, queues);
	return client;
}

static inline struct client *open_one(const char *name)
{
	struct amqp_settings settings;

	brokers_need();
	settings = client_settings();
	return open_with_settings(name, &settings);
}

static inline bool is_connected(struct client *client, void *none)
{
	return client->connected;
}

static inline bool is_down(struct client *client, void *none)
{
	return !client->connected;
}

static inline bool is_blocked(struct client *client, void *wanted)
{
	return client->blocked == *(bool *)wanted;
}

static inline bool is_consuming(struct client *client, void *none)
{
	return client->consuming;
}

static inline bool says(struct client *client, void *words)
{
	return strstr(client->text, words) != NULL;
}

static inline void until(struct client *client, bool (*holds)(struct client *, void *), void *arg)
{
	if (!client_until(client, holds, arg, SOON * 2))
		fail_msg("it did not happen: %s", client->text);
}

static inline void settle_all(struct client *client)
{
	for (size_t i = 0; i < client->got_count; i++)
		if (client->got[i].open)
			client_settle(client, &client->got[i]);
	client_commit(client);
}

/* Takes what there is until nothing more comes, counting each number; gives how many came. */
static inline size_t drain_all(struct client *client, const char *queue, unsigned *seen, size_t numbers)
{
	size_t total = 0;

	client_fetch(client, queue, 500);
	until(client, is_consuming, NULL);
	while (client_got(client, 1, 1000)) {
		for (size_t i = 0; i < client->got_count; i++) {
			assert_in_range(client->got[i].number, 0, numbers - 1);
			seen[client->got[i].number]++;
		}
		total += client->got_count;
		settle_all(client);
		client_forget(client);
	}
	return total;
}

#endif
