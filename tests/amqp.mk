# The broker contract: one suite for the spool and for RabbitMQ.
BROKER_SUPPORT = tests/conformance/brokers.c tests/conformance/brokers.h

BROKER_TESTS = tests/conformance/broker_spool tests/conformance/broker_amqp \
  tests/conformance/rabbitmq tests/conformance/rabbitmq_others
check_PROGRAMS += $(BROKER_TESTS)
TESTS += $(BROKER_TESTS)
EXTRA_DIST += tests/lab/rabbitmq.sh

tests_conformance_broker_spool_SOURCES = tests/conformance/broker.c $(BROKER_SUPPORT)
tests_conformance_broker_spool_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_BROKER='"spool"'
tests_conformance_broker_spool_LDADD = $(CHECK_LIBS)
tests_conformance_broker_amqp_SOURCES = tests/conformance/broker.c $(BROKER_SUPPORT)
tests_conformance_broker_amqp_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_BROKER='"amqp"'
tests_conformance_broker_amqp_LDADD = $(CHECK_LIBS)
tests_conformance_rabbitmq_SOURCES = tests/conformance/rabbitmq.c tests/conformance/rabbitmq.h $(BROKER_SUPPORT)
tests_conformance_rabbitmq_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_BROKER='"amqp"'
tests_conformance_rabbitmq_LDADD = $(CHECK_LIBS)
tests_conformance_rabbitmq_others_SOURCES = tests/conformance/rabbitmq_others.c tests/conformance/rabbitmq.h $(BROKER_SUPPORT)
tests_conformance_rabbitmq_others_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_BROKER='"amqp"'
tests_conformance_rabbitmq_others_LDADD = $(CHECK_LIBS)

check_PROGRAMS += tests/unit/amqp
tests_unit_amqp_SOURCES = tests/unit/amqp.c
tests_unit_amqp_LDADD = $(CHECK_LIBS)
TESTS += tests/unit/amqp
