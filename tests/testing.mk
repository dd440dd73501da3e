# tests of `ferrule test`: its verb, and what it stands on
TESTING_TESTS = tests/testing/map.py tests/testing/verb.py
dist_check_SCRIPTS += $(TESTING_TESTS)
TESTS += $(TESTING_TESTS)

TESTING_UNITS = tests/testing/marks
check_PROGRAMS += $(TESTING_UNITS)
TESTS += $(TESTING_UNITS)
tests_testing_marks_SOURCES = tests/testing/marks.c
tests_testing_marks_LDADD = $(CHECK_LIBS)
