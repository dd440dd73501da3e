# tests of the steps over whole files
FILES_TESTS = tests/files/archives.py tests/files/flows.py
dist_check_SCRIPTS += $(FILES_TESTS)
TESTS += $(FILES_TESTS)
EXTRA_DIST += tests/files/steps.py
