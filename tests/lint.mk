dist_check_SCRIPTS = tests/lint/lint.sh
TESTS += tests/lint/lint.sh
