# tests of transformers, and of the expressions that they stand on
TRANSFORMER_TESTS = tests/unit/expression tests/unit/chain tests/unit/x12_samples tests/golden/golden tests/schema/suite
check_PROGRAMS += $(TRANSFORMER_TESTS)
TESTS += $(TRANSFORMER_TESTS)

CHAIN_SUPPORT = tests/support/chain.c tests/support/chain.h
tests_unit_expression_SOURCES = tests/unit/expression.c
tests_unit_expression_LDADD = $(CHECK_LIBS)
tests_unit_chain_SOURCES = tests/unit/chain.c $(CHAIN_SUPPORT)
tests_unit_chain_LDADD = $(CHECK_LIBS)
tests_unit_x12_samples_SOURCES = tests/unit/x12_samples.c $(CHAIN_SUPPORT)
tests_unit_x12_samples_LDADD = $(CHECK_LIBS)
tests_golden_golden_SOURCES = tests/golden/golden.c $(CHAIN_SUPPORT)
tests_golden_golden_LDADD = $(CHECK_LIBS)
EXTRA_DIST += tests/golden
tests_schema_suite_SOURCES = tests/schema/suite.c
tests_schema_suite_LDADD = $(CHECK_LIBS)
