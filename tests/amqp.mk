# tests of amqp
