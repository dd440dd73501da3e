noinst_LIBRARIES += operations/liboperations.a
operations_liboperations_a_SOURCES = \
  %D%/ask.c %D%/ask.h \
  %D%/store.c %D%/store.h
