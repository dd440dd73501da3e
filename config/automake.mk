noinst_LIBRARIES += config/libconfig.a
config_libconfig_a_SOURCES = \
  %D%/bundle.c \
  %D%/check.c \
  %D%/contract.c \
  %D%/contract_check.c \
  %D%/endpoint.c \
  %D%/flow.c \
  %D%/load.c %D%/load.h \
  %D%/registry.h \
  %D%/report.c \
  %D%/site.c %D%/site.h \
  %D%/steps.c \
  %D%/system.c \
  %D%/topology.c \
  %D%/yaml.c %D%/yaml.h
