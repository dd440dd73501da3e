# tests of services, and of the whole program from outside
E2E_TESTS = tests/e2e/alerts.py tests/e2e/account.py tests/e2e/backup.py tests/e2e/backup_servers.py tests/e2e/bodies.py tests/e2e/bad_input.py tests/e2e/expect.py tests/e2e/expect_two.py tests/e2e/gateway.py tests/e2e/held.py tests/e2e/hung.py tests/e2e/language.py \
  tests/e2e/poison.py tests/e2e/reload.py \
  tests/e2e/retention.py tests/e2e/sample.py tests/e2e/steward.py tests/e2e/store_trouble.py tests/e2e/cut_off.py tests/e2e/two_machines.py tests/e2e/verbs.py
dist_check_SCRIPTS += $(E2E_TESTS)
EXTRA_DIST += tests/e2e/bed.py tests/e2e/servers.py
TESTS += $(E2E_TESTS)

SERVICES_TESTS = tests/unit/backoff tests/unit/board tests/unit/expectation_period tests/unit/generation tests/unit/receive tests/unit/seats tests/unit/site_lock
check_PROGRAMS += $(SERVICES_TESTS)
TESTS += $(SERVICES_TESTS)
tests_unit_backoff_SOURCES = tests/unit/backoff.c
tests_unit_backoff_LDADD = $(CHECK_LIBS)
tests_unit_board_SOURCES = tests/unit/board.c
tests_unit_board_LDADD = $(CHECK_LIBS)
tests_unit_expectation_period_SOURCES = tests/unit/expectation_period.c
tests_unit_expectation_period_LDADD = $(CHECK_LIBS)
tests_unit_generation_SOURCES = tests/unit/generation.c tests/unit/service_site.h
tests_unit_generation_LDADD = $(CHECK_LIBS)
tests_unit_receive_SOURCES = tests/unit/receive.c tests/unit/service_site.h
tests_unit_receive_LDADD = $(CHECK_LIBS)
tests_unit_seats_SOURCES = tests/unit/seats.c tests/unit/service_site.h
tests_unit_seats_LDADD = $(CHECK_LIBS)
tests_unit_site_lock_SOURCES = tests/unit/site_lock.c
tests_unit_site_lock_LDADD = $(CHECK_LIBS)

# Two machines, one of them killed again and again:  make machines ROUNDS=20
.PHONY: machines
machines: all
	$(AM_V_at)FERRULE_BUILDDIR='$(abs_top_builddir)' FERRULE_ROUNDS="$${ROUNDS:-20}" FERRULE_FIGURES=1 \
	  python3 $(srcdir)/tests/e2e/two_machines.py
