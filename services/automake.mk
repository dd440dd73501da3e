noinst_LIBRARIES += services/libservices.a
services_libservices_a_SOURCES =

# what every process of a site shares
services_libservices_a_SOURCES += %D%/archive.c %D%/archive.h
services_libservices_a_SOURCES += %D%/backoff.c %D%/backoff.h
services_libservices_a_SOURCES += %D%/board.c %D%/board.h
services_libservices_a_SOURCES += %D%/expecting.c %D%/expecting.h
services_libservices_a_SOURCES += %D%/expiries.c %D%/expiries.h
services_libservices_a_SOURCES += %D%/generation.c %D%/generation.h %D%/generation_kept.c %D%/generation_kept.h
services_libservices_a_SOURCES += %D%/moving.c %D%/moving.h
services_libservices_a_SOURCES += %D%/receive.c %D%/receive.h
services_libservices_a_SOURCES += %D%/registry.c %D%/registry.h
services_libservices_a_SOURCES += %D%/revisions.c %D%/revisions.h
services_libservices_a_SOURCES += %D%/sent.c %D%/sent.h
services_libservices_a_SOURCES += %D%/session.c %D%/session.h
services_libservices_a_SOURCES += %D%/backup.c %D%/backup.h %D%/backup_private.h %D%/backup_restore.c %D%/backup_server.c
services_libservices_a_SOURCES += %D%/site_lock.c %D%/site_lock.h
services_libservices_a_SOURCES += %D%/site_store.c %D%/site_store.h
services_libservices_a_SOURCES += %D%/worker.c %D%/worker.h

# the roles
services_libservices_a_SOURCES += %D%/deliver.c %D%/deliver_job.c %D%/deliver_job.h %D%/deliver_request.c %D%/deliver_request.h \
  %D%/deliver_sweep.c %D%/deliver_sweep.h %D%/deliver_target.c %D%/deliver_target.h
services_libservices_a_SOURCES += %D%/gateway.c
services_libservices_a_SOURCES += %D%/poll.c
services_libservices_a_SOURCES += %D%/poison.c %D%/poison.h
services_libservices_a_SOURCES += %D%/queue_role.c %D%/queue_role.h
services_libservices_a_SOURCES += %D%/record.c %D%/retention.c %D%/retention.h
services_libservices_a_SOURCES += %D%/coverage.c %D%/coverage.h
services_libservices_a_SOURCES += %D%/masking.c %D%/masking.h %D%/masking_private.h \
  %D%/masking_collect.c %D%/masking_units.c
services_libservices_a_SOURCES += %D%/rehearsal.c %D%/rehearsal.h %D%/rehearsal_private.h %D%/rehearsal_compare.c \
  %D%/rehearsal_hold.c %D%/rehearsal_input.c
services_libservices_a_SOURCES += %D%/refusal.c %D%/refusal.h
services_libservices_a_SOURCES += %D%/steward.c %D%/steward.h %D%/steward_collect.c %D%/steward_expect.c %D%/steward_keys.c %D%/steward_release.c %D%/steward_remind.c %D%/steward_trail.c
services_libservices_a_SOURCES += %D%/key_files.c %D%/key_files.h %D%/machine.c %D%/machine.h
services_libservices_a_SOURCES += %D%/tenure.c %D%/tenure.h
services_libservices_a_SOURCES += %D%/turns.c %D%/turns.h %D%/turns_sequence.c %D%/turns_sequence.h
services_libservices_a_SOURCES += %D%/transform.c %D%/transform_hold.c %D%/transform_inner.h %D%/transform_once.c %D%/transform_once.h %D%/transform_output.c %D%/transform_output.h \
  %D%/transform_tables.c %D%/transform_tables.h

# the supervisor
services_libservices_a_SOURCES += %D%/seats.c %D%/seats.h
services_libservices_a_SOURCES += %D%/supervisor.c %D%/supervisor.h %D%/supervisor_inner.h %D%/supervisor_seats.c

# the queue process
services_libservices_a_SOURCES += %D%/queue/engine.c %D%/queue/engine.h %D%/queue/inner.h \
  %D%/queue/apply.c %D%/queue/commit.c %D%/queue/disk.c %D%/queue/events.c %D%/queue/expire.c %D%/queue/dispatch.c %D%/queue/frames.c %D%/queue/held.c \
  %D%/queue/item.c %D%/queue/lane.c %D%/queue/live.c %D%/queue/machines.c \
  %D%/queue/order.c %D%/queue/sessions.c %D%/queue/sources.c %D%/queue/work.c
