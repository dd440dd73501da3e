dist_check_SCRIPTS += tests/lint/lint.sh tests/lint/self.sh
TESTS += tests/lint/lint.sh tests/lint/self.sh
