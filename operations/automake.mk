noinst_LIBRARIES += operations/liboperations.a
operations_liboperations_a_SOURCES = \
  %D%/ask.c %D%/ask.h %D%/ask_private.h \
  %D%/ask_audit.c \
  %D%/ask_dead.c \
  %D%/ask_doubt.c \
  %D%/ask_event.c \
  %D%/ask_expect.c \
  %D%/ask_expiring.c \
  %D%/ask_held.c \
  %D%/ask_status.c \
  %D%/ask_table.c \
  %D%/audit.c %D%/audit.h \
  %D%/expectation.c %D%/expectation.h \
  %D%/expectation_period.c %D%/expectation_period.h \
  %D%/expiring.c %D%/expiring.h \
  %D%/health.c %D%/health.h \
  %D%/lineage.c %D%/lineage.h %D%/lineage_private.h \
  %D%/lineage_originals.c \
  %D%/lineage_trace.c \
  %D%/machines.c %D%/machines.h \
  %D%/reminder.c %D%/reminder.h \
  %D%/store.c %D%/store.h %D%/store_private.h \
  %D%/store_audit.c \
  %D%/store_dead.c \
  %D%/store_effects.c \
  %D%/store_entries.c \
  %D%/store_events.c \
  %D%/store_expire.c \
  %D%/held.h %D%/held_private.h \
  %D%/store_held.c \
  %D%/store_held_close.c \
  %D%/store_held_group.c \
  %D%/store_holds.c \
  %D%/store_intake.c \
  %D%/store_parks.c \
  %D%/store_schema.c \
  %D%/store_seen.c
