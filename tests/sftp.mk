# tests of sftp: the suites of sources and sinks on two servers that share no code, and its own
SFTP_SUPPORT = tests/support/sftp_lab.c tests/support/sftp_lab.h
SFTP_TESTS = \
  tests/conformance/sftp_source_openssh tests/conformance/sftp_source_proftpd \
  tests/conformance/sftp_source_sidecars_openssh tests/conformance/sftp_source_sidecars_proftpd \
  tests/conformance/sftp_sink_openssh tests/conformance/sftp_sink_proftpd \
  tests/unit/sftp_trouble_openssh tests/unit/sftp_trouble_proftpd \
  tests/unit/sftp_login_openssh tests/unit/sftp_login_proftpd
check_PROGRAMS += $(SFTP_TESTS)
TESTS += $(SFTP_TESTS)
EXTRA_DIST += tests/lab/sftp-openssh.sh tests/lab/sftp-proftpd.sh

tests_conformance_sftp_source_openssh_SOURCES = tests/conformance/sftp_source.c tests/conformance/source.c tests/conformance/source.h \
  $(SFTP_SUPPORT)
tests_conformance_sftp_source_openssh_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"openssh"'
tests_conformance_sftp_source_openssh_LDADD = $(CHECK_LIBS)
tests_conformance_sftp_source_proftpd_SOURCES = $(tests_conformance_sftp_source_openssh_SOURCES)
tests_conformance_sftp_source_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"proftpd"'
tests_conformance_sftp_source_proftpd_LDADD = $(CHECK_LIBS)
tests_conformance_sftp_source_sidecars_openssh_SOURCES = $(tests_conformance_sftp_source_openssh_SOURCES)
tests_conformance_sftp_source_sidecars_openssh_CPPFLAGS = $(AM_CPPFLAGS) -DWITH_SIDECARS -DSFTP_LAB='"openssh"'
tests_conformance_sftp_source_sidecars_openssh_LDADD = $(CHECK_LIBS)
tests_conformance_sftp_source_sidecars_proftpd_SOURCES = $(tests_conformance_sftp_source_openssh_SOURCES)
tests_conformance_sftp_source_sidecars_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DWITH_SIDECARS -DSFTP_LAB='"proftpd"'
tests_conformance_sftp_source_sidecars_proftpd_LDADD = $(CHECK_LIBS)
tests_conformance_sftp_sink_openssh_SOURCES = tests/conformance/sftp_sink.c tests/conformance/sink.c tests/conformance/sink.h \
  $(SFTP_SUPPORT)
tests_conformance_sftp_sink_openssh_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"openssh"'
tests_conformance_sftp_sink_openssh_LDADD = $(CHECK_LIBS)
tests_conformance_sftp_sink_proftpd_SOURCES = $(tests_conformance_sftp_sink_openssh_SOURCES)
tests_conformance_sftp_sink_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"proftpd"'
tests_conformance_sftp_sink_proftpd_LDADD = $(CHECK_LIBS)
tests_unit_sftp_trouble_openssh_SOURCES = tests/unit/sftp_trouble.c tests/support/sftp_try.c tests/support/sftp_try.h $(SFTP_SUPPORT)
tests_unit_sftp_trouble_openssh_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"openssh"'
tests_unit_sftp_trouble_openssh_LDADD = $(CHECK_LIBS)
tests_unit_sftp_trouble_proftpd_SOURCES = $(tests_unit_sftp_trouble_openssh_SOURCES)
tests_unit_sftp_trouble_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"proftpd"'
tests_unit_sftp_trouble_proftpd_LDADD = $(CHECK_LIBS)
tests_unit_sftp_login_openssh_SOURCES = tests/unit/sftp_login.c tests/support/sftp_try.c tests/support/sftp_try.h $(SFTP_SUPPORT)
tests_unit_sftp_login_openssh_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"openssh"'
tests_unit_sftp_login_openssh_LDADD = $(CHECK_LIBS)
tests_unit_sftp_login_proftpd_SOURCES = $(tests_unit_sftp_login_openssh_SOURCES)
tests_unit_sftp_login_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"proftpd"'
tests_unit_sftp_login_proftpd_LDADD = $(CHECK_LIBS)

check_PROGRAMS += tests/unit/health
TESTS += tests/unit/health
tests_unit_health_SOURCES = tests/unit/health.c
tests_unit_health_LDADD = $(CHECK_LIBS)

dist_check_SCRIPTS += tests/e2e/sent.py tests/e2e/sftp_transfers.py tests/e2e/sftp_resume.py
TESTS += tests/e2e/sent.py tests/e2e/sftp_transfers.py tests/e2e/sftp_resume.py
EXTRA_DIST += tests/e2e/sftp_lab.py tests/e2e/remote_promises.py

# A server that cuts, hangs, is full and lies as it is told
noinst_PROGRAMS += tests/lab/sftp_liar
tests_lab_sftp_liar_SOURCES = tests/lab/sftp_liar.c tests/lab/sftp_liar_script.c tests/lab/sftp_liar_wire.c \
  tests/lab/sftp_liar.h
check_PROGRAMS += tests/unit/sftp_lies
TESTS += tests/unit/sftp_lies
tests_unit_sftp_lies_SOURCES = tests/unit/sftp_lies.c tests/support/sftp_try.c tests/support/sftp_try.h $(SFTP_SUPPORT)
tests_unit_sftp_lies_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"liar"'
tests_unit_sftp_lies_LDADD = $(CHECK_LIBS)

# Many files side by side
check_PROGRAMS += tests/unit/sftp_many_liar tests/unit/sftp_many_proftpd
TESTS += tests/unit/sftp_many_liar tests/unit/sftp_many_proftpd
tests_unit_sftp_many_liar_SOURCES = tests/unit/sftp_many.c tests/support/sftp_try.c tests/support/sftp_try.h $(SFTP_SUPPORT)
tests_unit_sftp_many_liar_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"liar"'
tests_unit_sftp_many_liar_LDADD = $(CHECK_LIBS)
tests_unit_sftp_many_proftpd_SOURCES = $(tests_unit_sftp_many_liar_SOURCES)
tests_unit_sftp_many_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"proftpd"'
tests_unit_sftp_many_proftpd_LDADD = $(CHECK_LIBS)

# Behind jump hosts and proxies
check_PROGRAMS += tests/unit/sftp_ways_openssh tests/unit/sftp_ways_proftpd
TESTS += tests/unit/sftp_ways_openssh tests/unit/sftp_ways_proftpd
tests_unit_sftp_ways_openssh_SOURCES = tests/unit/sftp_ways.c tests/support/sftp_try.c tests/support/sftp_try.h $(SFTP_SUPPORT)
tests_unit_sftp_ways_openssh_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"openssh"'
tests_unit_sftp_ways_openssh_LDADD = $(CHECK_LIBS)
tests_unit_sftp_ways_proftpd_SOURCES = $(tests_unit_sftp_ways_openssh_SOURCES)
tests_unit_sftp_ways_proftpd_CPPFLAGS = $(AM_CPPFLAGS) -DSFTP_LAB='"proftpd"'
tests_unit_sftp_ways_proftpd_LDADD = $(CHECK_LIBS)

# Its readers of what others wrote: files of known hosts, what an agent answers
SFTP_FUZZERS = tests/fuzz/fuzz_agent tests/fuzz/fuzz_known_hosts
tests_fuzz_fuzz_agent_SOURCES = tests/fuzz/agent.c $(FUZZ_MAIN)
tests_fuzz_fuzz_agent_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_known_hosts_SOURCES = tests/fuzz/known_hosts.c $(FUZZ_MAIN)
tests_fuzz_fuzz_known_hosts_LDADD = $(FUZZ_LIBS)
