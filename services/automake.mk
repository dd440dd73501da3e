noinst_LIBRARIES += services/libservices.a
services_libservices_a_SOURCES =
services_libservices_a_SOURCES += %D%/registry.c %D%/registry.h

# the queue process
services_libservices_a_SOURCES += %D%/queue/engine.c %D%/queue/engine.h
