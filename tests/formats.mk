# tests of what ships for formats: the grammars of EDI documents
FORMATS_TESTS = tests/formats/grammars.py
dist_check_SCRIPTS += $(FORMATS_TESTS)
TESTS += $(FORMATS_TESTS)
