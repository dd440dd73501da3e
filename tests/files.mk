# tests of the steps over whole files
FILES_TESTS = tests/files/archives.py tests/files/flows.py tests/files/openpgp.py tests/files/openpgp_flows.py tests/files/scan.py
dist_check_SCRIPTS += $(FILES_TESTS)
TESTS += $(FILES_TESTS)
EXTRA_DIST += tests/files/steps.py
check_PROGRAMS += tests/unit/stands
TESTS += tests/unit/stands
tests_unit_stands_SOURCES = tests/unit/stands.c
tests_unit_stands_LDADD = $(CHECK_LIBS)
