bin_PROGRAMS += ferrule
ferrule_SOURCES =
ferrule_SOURCES += %D%/main.c
ferrule_LDADD = $(LAYERS) $(LIBS_FOREIGN)
