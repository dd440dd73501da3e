check_LIBRARIES += tests/support/libsupport.a
tests_support_libsupport_a_SOURCES = tests/support/support.c tests/support/support.h

BASE_TESTS = \
  tests/unit/finding \
  tests/unit/vault
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)

tests_unit_finding_SOURCES = tests/unit/finding.c
tests_unit_finding_LDADD = $(CHECK_LIBS)
tests_unit_vault_SOURCES = tests/unit/vault.c
tests_unit_vault_LDADD = $(CHECK_LIBS)
