# tests of queue
noinst_HEADERS += tests/engine/bed.h
check_PROGRAMS += tests/engine/queue
tests_engine_queue_SOURCES = tests/engine/queue.c tests/engine/bed.c
tests_engine_queue_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/queue
check_PROGRAMS += tests/engine/rules
tests_engine_rules_SOURCES = tests/engine/rules.c tests/engine/bed.c
tests_engine_rules_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/rules
check_PROGRAMS += tests/engine/faults
tests_engine_faults_SOURCES = tests/engine/faults.c tests/engine/bed.c
tests_engine_faults_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/faults
check_PROGRAMS += tests/engine/trouble
tests_engine_trouble_SOURCES = tests/engine/trouble.c tests/engine/bed.c
tests_engine_trouble_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/trouble

# a helper of `make bench`
check_PROGRAMS += tests/bench/hop_spool
tests_bench_hop_spool_SOURCES = tests/bench/hop_spool.c
tests_bench_hop_spool_LDADD = $(LAYERS) $(LIBS_FOREIGN)
