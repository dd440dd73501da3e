# tests of cli
CLI_TESTS = tests/cli/contract.py tests/cli/operating.py
dist_check_SCRIPTS += $(CLI_TESTS)
TESTS += $(CLI_TESTS)
