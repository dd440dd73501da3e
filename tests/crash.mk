# tests of crash
check_PROGRAMS += tests/engine/overtake
tests_engine_overtake_SOURCES = tests/engine/overtake.c $(BED)
tests_engine_overtake_LDADD = $(CHECK_LIBS)
TESTS += tests/engine/overtake
