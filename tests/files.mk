# tests of the steps over whole files
FILES_TESTS = tests/files/archives.py tests/files/flows.py tests/files/openpgp.py tests/files/openpgp_flows.py tests/files/scan.py tests/files/sidecars.py
dist_check_SCRIPTS += $(FILES_TESTS)
TESTS += $(FILES_TESTS)
EXTRA_DIST += tests/files/steps.py
check_PROGRAMS += tests/unit/stands
TESTS += tests/unit/stands
tests_unit_stands_SOURCES = tests/unit/stands.c
tests_unit_stands_LDADD = $(CHECK_LIBS)

FILES_FUZZERS = tests/fuzz/fuzz_archives tests/fuzz/fuzz_sidecar
tests_fuzz_fuzz_archives_SOURCES = tests/fuzz/archives.c $(FUZZ_MAIN)
tests_fuzz_fuzz_archives_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_sidecar_SOURCES = tests/fuzz/sidecar.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sidecar_LDADD = $(FUZZ_LIBS)
