# tests of queue
noinst_HEADERS += tests/engine/bed.h
check_PROGRAMS += tests/engine/queue
tests_engine_queue_SOURCES = tests/engine/queue.c tests/engine/bed.c
tests_engine_queue_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/queue
