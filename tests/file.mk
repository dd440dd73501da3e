# tests of file: the suites of sources and sinks applied to it, and its own
FILE_TESTS = \
  tests/unit/file-settle \
  tests/unit/file-sink \
  tests/unit/file-source \
  tests/conformance/file-source tests/conformance/file-source-sidecars \
  tests/conformance/file-sink \
  tests/conformance/file-sink-link
check_PROGRAMS += $(FILE_TESTS)
TESTS += $(FILE_TESTS)

tests_conformance_file_source_SOURCES = tests/conformance/file_source.c tests/conformance/source.c tests/conformance/source.h \
  tests/conformance/endpoint.c tests/conformance/endpoint.h
tests_conformance_file_source_LDADD = $(CHECK_LIBS)
tests_conformance_file_source_sidecars_SOURCES = $(tests_conformance_file_source_SOURCES) tests/conformance/pairs.h
tests_conformance_file_source_sidecars_CPPFLAGS = $(AM_CPPFLAGS) -DWITH_SIDECARS
tests_conformance_file_source_sidecars_LDADD = $(CHECK_LIBS)
tests_conformance_file_sink_SOURCES = tests/conformance/file_sink.c tests/conformance/sink.c tests/conformance/sink.h \
  tests/conformance/endpoint.c tests/conformance/endpoint.h
tests_conformance_file_sink_LDADD = $(CHECK_LIBS)
tests_conformance_file_sink_link_SOURCES = $(tests_conformance_file_sink_SOURCES)
tests_conformance_file_sink_link_CPPFLAGS = $(AM_CPPFLAGS) -DBY_LINK
tests_conformance_file_sink_link_LDADD = $(CHECK_LIBS)
tests_unit_file_source_SOURCES = tests/unit/file_source.c tests/unit/file_world.c tests/unit/file_world.h \
  tests/conformance/endpoint.c
tests_unit_file_settle_SOURCES = tests/unit/file_settle.c tests/unit/file_world.c tests/unit/file_world.h \
  tests/conformance/endpoint.c
tests_unit_file_settle_LDADD = $(CHECK_LIBS)
tests_unit_file_source_LDADD = $(CHECK_LIBS)
tests_unit_file_sink_SOURCES = tests/unit/file_sink.c tests/conformance/endpoint.c
tests_unit_file_sink_LDADD = $(CHECK_LIBS)
