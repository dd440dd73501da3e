# tests of services, and of the whole program from outside
E2E_TESTS = tests/e2e/bad_input.py tests/e2e/gateway.py tests/e2e/hung.py tests/e2e/poison.py tests/e2e/reload.py \
  tests/e2e/retention.py tests/e2e/verbs.py
dist_check_SCRIPTS += $(E2E_TESTS)
EXTRA_DIST += tests/e2e/bed.py
TESTS += $(E2E_TESTS)
