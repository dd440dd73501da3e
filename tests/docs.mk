# tests of the documentation: every example in it is run
DOCS_TESTS = tests/docs/made.sh tests/docs/run.py tests/docs/self.py tests/e2e/editor.py tests/e2e/templates.py
dist_check_SCRIPTS += $(DOCS_TESTS)
EXTRA_DIST += tests/docs/blocks.py
TESTS += $(DOCS_TESTS)
