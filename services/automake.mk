noinst_LIBRARIES += services/libservices.a
services_libservices_a_SOURCES =
services_libservices_a_SOURCES += %D%/registry.c %D%/registry.h

# the queue process
services_libservices_a_SOURCES += %D%/queue/engine.c %D%/queue/engine.h %D%/queue/inner.h \
  %D%/queue/apply.c %D%/queue/commit.c %D%/queue/disk.c %D%/queue/lane.c %D%/queue/live.c \
  %D%/queue/order.c %D%/queue/session.c %D%/queue/work.c
