/* RabbitMQ as a site's broker: AMQP 0-9-1 with RabbitMQ's extensions (confirms, quorum queues, connection.blocked).
 *
 * Private to broker-adapters/amqp*.c and their tests, but for amqp_ops. Only amqp_wire.c includes librabbitmq. */
#ifndef FERRULE_ADAPTERS_AMQP_H
#define FERRULE_ADAPTERS_AMQP_H

#include "base/broker.h"

struct amqp_settings {
	const char *host, *vhost, *user, *password;     /* password: the secret's name */
	const char *exchange, *prefix, *name;
	int64_t port;                                   /* 0: 5672, with TLS 5671 */
	int64_t heartbeat_ms, window, new_queue_ms;
	struct amqp_tls {
		bool enabled;
		bool verify;
		const char *ca, *cert, *key;            /* files; PEM */
	} tls;
};

extern const struct broker_ops amqp_ops;

#endif
