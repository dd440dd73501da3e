bin_PROGRAMS += ferrule
ferrule_SOURCES =
ferrule_SOURCES += %D%/main.c %D%/verb.h
ferrule_SOURCES += %D%/arguments.c
ferrule_SOURCES += %D%/letter.c %D%/letter.h
ferrule_SOURCES += %D%/parts.c %D%/parts.h
ferrule_SOURCES += %D%/site.c %D%/site.h
ferrule_SOURCES += %D%/table.c
ferrule_SOURCES += %D%/verbs.c

# a file a verb
ferrule_SOURCES += %D%/check.c
ferrule_SOURCES += %D%/dead.c %D%/dead.h
ferrule_SOURCES += %D%/dead_change.c
ferrule_SOURCES += %D%/doubt.c
ferrule_SOURCES += %D%/hand.c
ferrule_SOURCES += %D%/hold.c
ferrule_SOURCES += %D%/init.c
ferrule_SOURCES += %D%/log.c
ferrule_SOURCES += %D%/replay.c
ferrule_SOURCES += %D%/run.c
ferrule_SOURCES += %D%/schema.c %D%/schema.h
ferrule_SOURCES += %D%/send.c
ferrule_SOURCES += %D%/status.c
ferrule_SOURCES += %D%/trace.c
ferrule_SOURCES += %D%/version.c
ferrule_LDADD = $(LAYERS) $(LIBS_FOREIGN)
