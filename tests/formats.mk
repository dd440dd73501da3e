# tests of what ships for formats: the grammars of EDI documents
FORMATS_TESTS = tests/formats/acknowledgements.py tests/formats/documents.py tests/formats/grammars.py tests/formats/mappings.py \
  tests/formats/invoices.py tests/formats/orders.py \
  tests/formats/shipments.py tests/formats/statements.py
dist_check_SCRIPTS += $(FORMATS_TESTS)
EXTRA_DIST += tests/formats/acknowledgements tests/formats/documents tests/formats/invoices tests/formats/mappings tests/formats/orders tests/formats/shipments tests/formats/statements
TESTS += $(FORMATS_TESTS)
