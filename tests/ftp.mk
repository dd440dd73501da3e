# tests of ftp: the suites of sources and sinks on two servers that share no code, and its own
FTP_SUPPORT = tests/support/ftp_lab.c tests/support/ftp_lab.h
FTP_TESTS = \
  tests/conformance/ftp_source_proftpd tests/conformance/ftp_source_pyftpdlib \
  tests/conformance/ftp_sink_proftpd tests/conformance/ftp_sink_pyftpdlib \
  tests/unit/ftp_lines_proftpd tests/unit/ftp_lines_pyftpdlib tests/unit/ftp_list \
  tests/unit/ftp_trouble_proftpd tests/unit/ftp_trouble_pyftpdlib tests/unit/ftp_said
check_PROGRAMS += $(FTP_TESTS)
TESTS += $(FTP_TESTS)
dist_check_SCRIPTS += tests/e2e/ftp_transfers.py
TESTS += tests/e2e/ftp_transfers.py
EXTRA_DIST += tests/e2e/ftp_lab.py tests/lab/ftp-certificates.sh tests/lab/ftp-proftpd.sh tests/lab/ftp-pyftpdlib.py tests/lab/ftp-pyftpdlib.sh

tests_unit_ftp_list_SOURCES = tests/unit/ftp_list.c
tests_unit_ftp_list_LDADD = $(CHECK_LIBS)
tests_conformance_ftp_source_proftpd_SOURCES = tests/conformance/ftp_source.c tests/conformance/source.c tests/conformance/source.h $(FTP_SUPPORT)
tests_conformance_ftp_source_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"proftpd"'
tests_conformance_ftp_source_proftpd_LDADD = $(CHECK_LIBS)
tests_conformance_ftp_source_pyftpdlib_SOURCES = $(tests_conformance_ftp_source_proftpd_SOURCES)
tests_conformance_ftp_source_pyftpdlib_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"pyftpdlib"'
tests_conformance_ftp_source_pyftpdlib_LDADD = $(CHECK_LIBS)
tests_conformance_ftp_sink_proftpd_SOURCES = tests/conformance/ftp_sink.c tests/conformance/sink.c tests/conformance/sink.h $(FTP_SUPPORT)
tests_conformance_ftp_sink_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"proftpd"'
tests_conformance_ftp_sink_proftpd_LDADD = $(CHECK_LIBS)
tests_conformance_ftp_sink_pyftpdlib_SOURCES = $(tests_conformance_ftp_sink_proftpd_SOURCES)
tests_conformance_ftp_sink_pyftpdlib_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"pyftpdlib"'
tests_conformance_ftp_sink_pyftpdlib_LDADD = $(CHECK_LIBS)
tests_unit_ftp_trouble_proftpd_SOURCES = tests/unit/ftp_trouble.c $(FTP_SUPPORT)
tests_unit_ftp_trouble_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"proftpd"'
tests_unit_ftp_trouble_proftpd_LDADD = $(CHECK_LIBS)
tests_unit_ftp_trouble_pyftpdlib_SOURCES = $(tests_unit_ftp_trouble_proftpd_SOURCES)
tests_unit_ftp_trouble_pyftpdlib_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"pyftpdlib"'
tests_unit_ftp_trouble_pyftpdlib_LDADD = $(CHECK_LIBS)
tests_unit_ftp_lines_proftpd_SOURCES = tests/unit/ftp_lines.c $(FTP_SUPPORT)
tests_unit_ftp_lines_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"proftpd"'
tests_unit_ftp_lines_proftpd_LDADD = $(CHECK_LIBS)
tests_unit_ftp_lines_pyftpdlib_SOURCES = $(tests_unit_ftp_lines_proftpd_SOURCES)
tests_unit_ftp_lines_pyftpdlib_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"pyftpdlib"'
tests_unit_ftp_lines_pyftpdlib_LDADD = $(CHECK_LIBS)

FTP_FUZZERS = tests/fuzz/fuzz_listing
tests_fuzz_fuzz_listing_SOURCES = tests/fuzz/listing.c $(FUZZ_MAIN)
tests_fuzz_fuzz_listing_LDADD = $(FUZZ_LIBS)
tests_unit_ftp_said_SOURCES = tests/unit/ftp_said.c $(FTP_SUPPORT)
tests_unit_ftp_said_CPPFLAGS = $(AM_CPPFLAGS) -DFTP_LAB='"pyftpdlib"'
tests_unit_ftp_said_LDADD = $(CHECK_LIBS)
