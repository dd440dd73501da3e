# tests of crash
check_PROGRAMS += tests/engine/overtake
tests_engine_overtake_SOURCES = tests/engine/overtake.c tests/engine/bed.c
tests_engine_overtake_LDADD = tests/support/libsupport.a $(CHECK_LIBS)
TESTS += tests/engine/overtake
