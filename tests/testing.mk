# tests of `ferrule test`: its verb, and what it stands on
TESTING_TESTS = tests/testing/verb.py
dist_check_SCRIPTS += $(TESTING_TESTS)
TESTS += $(TESTING_TESTS)
