noinst_LIBRARIES += transformers/libtransformers.a
transformers_libtransformers_a_SOURCES = \
  %D%/chain.c %D%/chain.h \
  %D%/decode.c %D%/encode.c \
  %D%/filter.c %D%/map.c %D%/route.c %D%/split.c \
  %D%/validate.c
