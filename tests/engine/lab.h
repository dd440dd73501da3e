/* Where a test's queue process keeps its messages: the spool and SQLite, or (built with BED_SEVERAL) RabbitMQ and
 * PostgreSQL of the test's own, started once for a program. */
#ifndef FERRULE_TESTS_ENGINE_LAB_H
#define FERRULE_TESTS_ENGINE_LAB_H

#include "services/queue/engine.h"

#ifdef BED_SEVERAL
#define BED_IS_SEVERAL true
#define SOON 400 /* ms in which what is there has come */
#else
#define BED_IS_SEVERAL false
#define SOON 100
#endif

/* `name`: queues and tables of one bed are never seen by another. Skips the test when the servers are not installed. */
void lab_config(const char *name, struct engine_config *);
void lab_do(const char *server, const char *verb); /* "rabbitmq" "kill" … */
void lab_sql(const char *statement); /* in the tests' database */

#endif
