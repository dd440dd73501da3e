noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
  %D%/bundle.c \
  %D%/check.c \
  %D%/flow.c \
  %D%/registry.h \
  %D%/site.c %D%/site.h \
  %D%/topology.c \
  %D%/yaml.c %D%/yaml.h
