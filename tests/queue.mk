# tests of queue
noinst_HEADERS += tests/engine/bed.h tests/engine/lab.h
BED = tests/engine/bed.c tests/engine/lab.c
check_PROGRAMS += tests/engine/queue
tests_engine_queue_SOURCES = tests/engine/queue.c $(BED)
tests_engine_queue_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/queue
check_PROGRAMS += tests/engine/rules
tests_engine_rules_SOURCES = tests/engine/rules.c $(BED)
tests_engine_rules_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/rules
check_PROGRAMS += tests/engine/faults
tests_engine_faults_SOURCES = tests/engine/faults.c $(BED)
tests_engine_faults_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/faults
check_PROGRAMS += tests/engine/trouble
tests_engine_trouble_SOURCES = tests/engine/trouble.c $(BED)
tests_engine_trouble_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/trouble
check_PROGRAMS += tests/engine/held
tests_engine_held_SOURCES = tests/engine/held.c $(BED)
tests_engine_held_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/held

# the same on several machines' servers
check_PROGRAMS += tests/engine/held_several
tests_engine_held_several_SOURCES = tests/engine/held.c $(BED)
tests_engine_held_several_CPPFLAGS = $(AM_CPPFLAGS) -DBED_SEVERAL
tests_engine_held_several_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/held_several
check_PROGRAMS += tests/engine/queue_several tests/engine/rules_several
tests_engine_queue_several_SOURCES = tests/engine/queue.c $(BED)
tests_engine_queue_several_CPPFLAGS = $(AM_CPPFLAGS) -DBED_SEVERAL
tests_engine_queue_several_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
tests_engine_rules_several_SOURCES = tests/engine/rules.c $(BED)
tests_engine_rules_several_CPPFLAGS = $(AM_CPPFLAGS) -DBED_SEVERAL
tests_engine_rules_several_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
check_PROGRAMS += tests/engine/several
tests_engine_several_SOURCES = tests/engine/several.c $(BED)
tests_engine_several_CPPFLAGS = $(AM_CPPFLAGS) -DBED_SEVERAL
tests_engine_several_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/queue_several tests/engine/rules_several tests/engine/several

