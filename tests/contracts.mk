# tests of contracts: their compatibility, what ships, what people are shown
CONTRACT_TESTS = tests/unit/compatibility tests/unit/compatibility_sound tests/unit/canonical
check_PROGRAMS += $(CONTRACT_TESTS)
TESTS += $(CONTRACT_TESTS) tests/cli/contracts.py
dist_check_SCRIPTS += tests/cli/contracts.py
EXTRA_DIST += tests/compatibility
tests_unit_compatibility_SOURCES = tests/unit/compatibility.c
tests_unit_compatibility_LDADD = $(CHECK_LIBS)
tests_unit_canonical_SOURCES = tests/unit/canonical.c
tests_unit_canonical_LDADD = $(CHECK_LIBS)
tests_unit_compatibility_sound_SOURCES = tests/unit/compatibility_sound.c
tests_unit_compatibility_sound_LDADD = $(CHECK_LIBS)
