# tests of what ships for formats: the grammars of EDI documents
FORMATS_TESTS = tests/formats/documents.py tests/formats/grammars.py
dist_check_SCRIPTS += $(FORMATS_TESTS)
EXTRA_DIST += tests/formats/documents
TESTS += $(FORMATS_TESTS)
