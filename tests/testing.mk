# tests of `ferrule test`: its verb, and what it stands on
TESTING_TESTS = tests/testing/coverage.py tests/testing/durable.py tests/testing/large.py tests/testing/map.py tests/testing/record.py tests/testing/verb.py
dist_check_SCRIPTS += $(TESTING_TESTS)
TESTS += $(TESTING_TESTS)

TESTING_UNITS = tests/testing/difference tests/testing/marks tests/testing/masking
check_PROGRAMS += $(TESTING_UNITS)
TESTS += $(TESTING_UNITS)
tests_testing_marks_SOURCES = tests/testing/marks.c
tests_testing_marks_LDADD = $(CHECK_LIBS)
tests_testing_masking_SOURCES = tests/testing/masking.c
tests_testing_masking_LDADD = $(CHECK_LIBS)
tests_testing_difference_SOURCES = tests/testing/difference.c
tests_testing_difference_LDADD = $(CHECK_LIBS)
