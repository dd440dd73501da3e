# tests of config
tests_support_libsupport_a_SOURCES += tests/support/registry.c tests/support/registry.h

CONFIG_TESTS = tests/unit/yaml tests/unit/segments tests/unit/site tests/unit/sample tests/broken/broken
EXTRA_DIST += tests/broken
check_PROGRAMS += $(CONFIG_TESTS)
TESTS += $(CONFIG_TESTS)
tests_unit_site_SOURCES = tests/unit/site.c
tests_unit_site_LDADD = $(CHECK_LIBS)
tests_broken_broken_SOURCES = tests/broken/broken.c
tests_broken_broken_LDADD = $(CHECK_LIBS)
tests_unit_segments_SOURCES = tests/unit/segments.c
tests_unit_segments_LDADD = $(CHECK_LIBS)
tests_unit_yaml_SOURCES = tests/unit/yaml.c
tests_unit_yaml_LDADD = $(CHECK_LIBS)
tests_unit_sample_SOURCES = tests/unit/sample.c
tests_unit_sample_LDADD = $(CHECK_LIBS)
