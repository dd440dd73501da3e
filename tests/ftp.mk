# tests of ftp: the suites of sources and sinks on two servers that share no code, and its own
FTP_SUPPORT = tests/support/ftp_lab.c tests/support/ftp_lab.h
FTP_TESTS = tests/conformance/ftp_source_proftpd tests/conformance/ftp_sink_proftpd
check_PROGRAMS += $(FTP_TESTS)
TESTS += $(FTP_TESTS)
EXTRA_DIST += tests/lab/ftp-proftpd.sh tests/lab/ftp-certificates.sh

tests_conformance_ftp_source_proftpd_SOURCES = tests/conformance/ftp_source.c tests/conformance/source.c tests/conformance/source.h \
  $(FTP_SUPPORT)
tests_conformance_ftp_source_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"proftpd"'
tests_conformance_ftp_source_proftpd_LDADD = $(CHECK_LIBS)
tests_conformance_ftp_sink_proftpd_SOURCES = tests/conformance/ftp_sink.c tests/conformance/sink.c tests/conformance/sink.h $(FTP_SUPPORT)
tests_conformance_ftp_sink_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"proftpd"'
tests_conformance_ftp_sink_proftpd_LDADD = $(CHECK_LIBS)
