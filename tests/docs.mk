# tests of the documentation: every example in it is run
DOCS_TESTS = tests/docs/made.sh tests/docs/onboarding.py tests/docs/run.py tests/docs/self.py tests/e2e/editor.py tests/e2e/templates.py \
  tests/docs/runbook_bank.py tests/docs/runbook_broker.py tests/docs/runbook_disk.py tests/docs/runbook_erp.py tests/docs/runbook_key.py \
  tests/docs/runbook_poison.py tests/docs/runbook_restore.py tests/docs/runbook_virus.py
dist_check_SCRIPTS += $(DOCS_TESTS)
EXTRA_DIST += tests/docs/blocks.py tests/docs/runbook.py
TESTS += $(DOCS_TESTS)

check_PROGRAMS += tests/unit/editor_schema
TESTS += tests/unit/editor_schema
tests_unit_editor_schema_SOURCES = tests/unit/editor_schema.c
tests_unit_editor_schema_LDADD = $(CHECK_LIBS)
