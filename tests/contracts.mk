# tests of contracts: their compatibility, what ships, what people are shown
CONTRACT_TESTS = tests/unit/compatibility
check_PROGRAMS += $(CONTRACT_TESTS)
TESTS += $(CONTRACT_TESTS)
EXTRA_DIST += tests/compatibility
tests_unit_compatibility_SOURCES = tests/unit/compatibility.c
tests_unit_compatibility_LDADD = $(CHECK_LIBS)
