noinst_LIBRARIES += mft/libmft.a
mft_libmft_a_SOURCES = \
  %D%/calendar.c %D%/calendar.h \
  %D%/cron.c %D%/cron.h \
  %D%/date.c %D%/date.h \
  %D%/schedule.c %D%/schedule.h \
  %D%/zone.c %D%/zone.h %D%/zone_private.h \
  %D%/zone_file.c \
  %D%/zone_rule.c
