# Fuzz targets. In `make check` each replays its corpus; configured with --enable-fuzzing (CC=clang) they are libFuzzer programs:
#   tests/fuzz/fuzz_x12 -max_total_time=60 tests/fuzz/corpus/x12
FUZZERS = tests/fuzz/fuzz_x12 tests/fuzz/fuzz_json tests/fuzz/fuzz_expression tests/fuzz/fuzz_schema
check_PROGRAMS += $(FUZZERS)
if FUZZING
FUZZ_MAIN =
FUZZ_FLAGS = -fsanitize=fuzzer
else
TESTS += $(FUZZERS)
FUZZ_MAIN = tests/fuzz/fuzz_main.c
FUZZ_FLAGS =
endif

tests_fuzz_fuzz_x12_SOURCES = tests/fuzz/x12.c tests/fuzz/chain.h $(FUZZ_MAIN)
tests_fuzz_fuzz_x12_LDFLAGS = $(FUZZ_FLAGS)
tests_fuzz_fuzz_x12_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/json.c tests/fuzz/chain.h $(FUZZ_MAIN)
tests_fuzz_fuzz_json_LDFLAGS = $(FUZZ_FLAGS)
tests_fuzz_fuzz_json_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_fuzz_fuzz_expression_SOURCES = tests/fuzz/expression.c $(FUZZ_MAIN)
tests_fuzz_fuzz_expression_LDFLAGS = $(FUZZ_FLAGS)
tests_fuzz_fuzz_expression_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/schema.c $(FUZZ_MAIN)
tests_fuzz_fuzz_schema_LDFLAGS = $(FUZZ_FLAGS)
tests_fuzz_fuzz_schema_LDADD = $(LAYERS) $(LIBS_FOREIGN)
FUZZERS += tests/fuzz/fuzz_site
tests_fuzz_fuzz_site_SOURCES = tests/fuzz/site.c $(FUZZ_MAIN)
tests_fuzz_fuzz_site_LDFLAGS = $(FUZZ_FLAGS)
tests_fuzz_fuzz_site_LDADD = $(LAYERS) $(LIBS_FOREIGN)
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/fuzz_main.c
