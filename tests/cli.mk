# tests of cli: its help, and what the guides tell people to type
CLI_TESTS = tests/cli/help.sh tests/cli/readme.sh
dist_check_SCRIPTS += $(CLI_TESTS)
TESTS += $(CLI_TESTS)
