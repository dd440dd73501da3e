# What ends some day, and who is told.
check_PROGRAMS += tests/unit/expiring
TESTS += tests/unit/expiring
tests_unit_expiring_SOURCES = tests/unit/expiring.c
tests_unit_expiring_LDADD = $(CHECK_LIBS)
dist_check_SCRIPTS += tests/e2e/expiring.py tests/e2e/key_trail.py tests/e2e/alert_ways.py
TESTS += tests/e2e/expiring.py tests/e2e/key_trail.py tests/e2e/alert_ways.py
check_PROGRAMS += tests/unit/reminder
TESTS += tests/unit/reminder
tests_unit_reminder_SOURCES = tests/unit/reminder.c
tests_unit_reminder_LDADD = $(CHECK_LIBS)
dist_check_SCRIPTS += tests/e2e/reminders.py tests/e2e/remind_two.py
TESTS += tests/e2e/reminders.py tests/e2e/remind_two.py
check_PROGRAMS += tests/unit/machines
TESTS += tests/unit/machines
tests_unit_machines_SOURCES = tests/unit/machines.c
tests_unit_machines_LDADD = $(CHECK_LIBS)
