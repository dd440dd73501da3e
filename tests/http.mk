# The other side: a target, a reader and a sender for tests and the demo.
noinst_PROGRAMS += tests/lab/counterpart
tests_lab_counterpart_SOURCES = tests/lab/counterpart.c tests/lab/counterpart.h tests/lab/serve.c tests/lab/take.c tests/lab/post.c
tests_lab_counterpart_LDADD = $(LAYERS) $(LIBS_FOREIGN)

HTTP_TESTS = \
  tests/unit/http \
  tests/adapters/http_source \
  tests/adapters/http_sink \
  tests/conformance/http-sink
check_PROGRAMS += $(HTTP_TESTS)
TESTS += $(HTTP_TESTS)

tests_unit_http_SOURCES = tests/unit/http.c tests/lab/http_lab.c tests/lab/http_lab.h
tests_unit_http_LDADD = $(CHECK_LIBS)
tests_adapters_http_source_SOURCES = tests/adapters/http_source.c tests/lab/http_gateway.c tests/lab/http_gateway.h \
  tests/lab/http_lab.c tests/lab/http_lab.h
tests_adapters_http_source_LDADD = $(CHECK_LIBS)
tests_adapters_http_sink_SOURCES = tests/adapters/http_sink.c tests/lab/wrong_doer.c tests/lab/wrong_doer.h \
  tests/lab/http_lab.c tests/lab/http_lab.h
tests_adapters_http_sink_LDADD = $(CHECK_LIBS)
tests_conformance_http_sink_SOURCES = tests/conformance/http_sink.c tests/conformance/sink.c tests/conformance/sink.h \
  tests/conformance/endpoint.c tests/conformance/endpoint.h
tests_conformance_http_sink_LDADD = $(CHECK_LIBS)

EXTRA_DIST += tests/lab/counterpart.sh
TESTS += tests/lab/counterpart.sh
