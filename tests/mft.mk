# Transfers: schedules, calendars, time zones (mft/).
check_PROGRAMS += tests/mft/runs tests/unit/calendars tests/unit/schedule
tests_mft_runs_SOURCES = tests/mft/runs.c
tests_mft_runs_LDADD = $(CHECK_LIBS)
tests_unit_schedule_SOURCES = tests/unit/schedule.c
tests_unit_schedule_LDADD = $(CHECK_LIBS)
tests_unit_calendars_SOURCES = tests/unit/calendars.c
tests_unit_calendars_LDADD = $(CHECK_LIBS)
TESTS += tests/unit/calendars tests/unit/schedule
dist_check_SCRIPTS += tests/mft/runs.py
TESTS += tests/mft/runs.py

MFT_FUZZERS = tests/fuzz/fuzz_calendar
tests_fuzz_fuzz_calendar_SOURCES = tests/fuzz/calendar.c $(FUZZ_MAIN)
tests_fuzz_fuzz_calendar_LDADD = $(FUZZ_LIBS)

dist_check_SCRIPTS += tests/e2e/transfers.py
TESTS += tests/e2e/transfers.py
