# tests of transformers, and of the expressions that they stand on
TRANSFORMER_TESTS = tests/unit/expression tests/unit/chain tests/unit/x12_samples tests/unit/edi_round tests/unit/bank_samples tests/unit/csv tests/unit/fixed tests/golden/golden \
  tests/schema/suite tests/schema/cases tests/unit/schema
check_PROGRAMS += $(TRANSFORMER_TESTS)
TESTS += $(TRANSFORMER_TESTS)

CHAIN_SUPPORT = tests/support/chain.c tests/support/chain.h
tests_unit_expression_SOURCES = tests/unit/expression.c
tests_unit_expression_LDADD = $(CHECK_LIBS)
tests_unit_chain_SOURCES = tests/unit/chain.c $(CHAIN_SUPPORT)
tests_unit_chain_LDADD = $(CHECK_LIBS)
tests_unit_x12_samples_SOURCES = tests/unit/x12_samples.c $(CHAIN_SUPPORT)
tests_unit_x12_samples_LDADD = $(CHECK_LIBS)
tests_unit_edi_round_SOURCES = tests/unit/edi_round.c
tests_unit_edi_round_LDADD = $(CHECK_LIBS)
tests_unit_csv_SOURCES = tests/unit/csv.c $(CHAIN_SUPPORT)
tests_unit_csv_LDADD = $(CHECK_LIBS)
tests_unit_fixed_SOURCES = tests/unit/fixed.c
tests_unit_fixed_LDADD = $(CHECK_LIBS)
tests_unit_bank_samples_SOURCES = tests/unit/bank_samples.c $(CHAIN_SUPPORT)
tests_unit_bank_samples_LDADD = $(CHECK_LIBS)
tests_golden_golden_SOURCES = tests/golden/golden.c $(CHAIN_SUPPORT)
tests_golden_golden_LDADD = $(CHECK_LIBS)
EXTRA_DIST += tests/golden
tests_schema_suite_SOURCES = tests/schema/suite.c
tests_schema_suite_LDADD = $(CHECK_LIBS)
tests_schema_cases_SOURCES = tests/schema/cases.c
tests_schema_cases_LDADD = $(CHECK_LIBS)
EXTRA_DIST += tests/schema/arrays.json tests/schema/combining.json tests/schema/dialects.json tests/schema/dynamic.json \
  tests/schema/formats.json tests/schema/mistakes.json tests/schema/numbers.json tests/schema/objects.json \
  tests/schema/references.json tests/schema/texts.json tests/schema/unevaluated.json tests/schema/values.json
tests_unit_schema_SOURCES = tests/unit/schema.c
tests_unit_schema_LDADD = $(CHECK_LIBS)

# grammars of EDI documents
check_PROGRAMS += tests/unit/edi_grammar
TESTS += tests/unit/edi_grammar
tests_unit_edi_grammar_SOURCES = tests/unit/edi_grammar.c tests/unit/edi_grammar_files.h
tests_unit_edi_grammar_LDADD = $(CHECK_LIBS)

# the nested form encoded again
EDI_HAND = tests/support/edi_hand.c tests/support/edi_hand.h
check_PROGRAMS += tests/unit/edi_nested tests/unit/edi_nested_samples
TESTS += tests/unit/edi_nested tests/unit/edi_nested_samples
tests_unit_edi_nested_SOURCES = tests/unit/edi_nested.c $(EDI_HAND)
tests_unit_edi_nested_LDADD = $(CHECK_LIBS)
tests_unit_edi_nested_samples_SOURCES = tests/unit/edi_nested_samples.c $(EDI_HAND)
tests_unit_edi_nested_samples_LDADD = $(CHECK_LIBS)

# acknowledgements, and that each code has a test
check_PROGRAMS += tests/unit/edi_acknowledge tests/unit/edi_codes
TESTS += tests/unit/edi_acknowledge tests/unit/edi_codes
tests_unit_edi_codes_SOURCES = tests/unit/edi_codes.c $(EDI_HAND)
tests_unit_edi_codes_LDADD = $(CHECK_LIBS)
tests_unit_edi_acknowledge_SOURCES = tests/unit/edi_acknowledge.c $(EDI_HAND)
tests_unit_edi_acknowledge_LDADD = $(CHECK_LIBS)
