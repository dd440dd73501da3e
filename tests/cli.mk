# tests of cli: its help, what guides tell people to type, what verbs promise
CLI_TESTS = tests/cli/audit.py tests/cli/check.py tests/cli/completion.py tests/cli/config.py tests/cli/contract.py tests/cli/edi.sh tests/cli/help.sh tests/cli/operating.py
dist_check_SCRIPTS += $(CLI_TESTS)
TESTS += $(CLI_TESTS)
