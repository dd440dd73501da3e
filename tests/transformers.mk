# tests of transformers, and of the expressions that they stand on
TRANSFORMER_TESTS = tests/unit/expression
check_PROGRAMS += $(TRANSFORMER_TESTS)
TESTS += $(TRANSFORMER_TESTS)

tests_unit_expression_SOURCES = tests/unit/expression.c
tests_unit_expression_LDADD = $(CHECK_LIBS)
