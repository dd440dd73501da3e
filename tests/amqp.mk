# tests of amqp
EXTRA_DIST += tests/lab/rabbitmq.sh
