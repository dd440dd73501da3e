# tests of config
tests_support_libsupport_a_SOURCES += tests/support/registry.c tests/support/registry.h

CONFIG_TESTS = tests/unit/site
check_PROGRAMS += $(CONFIG_TESTS)
TESTS += $(CONFIG_TESTS)
tests_unit_site_SOURCES = tests/unit/site.c
tests_unit_site_LDADD = $(CHECK_LIBS)
