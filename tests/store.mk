# The database contract and the store, each suite on both databases.
DATABASE_SUPPORT = tests/conformance/databases.c tests/conformance/databases.h
STORE_SITE = tests/conformance/store_site.h $(DATABASE_SUPPORT)
HELD_SITE = tests/conformance/held_site.h $(STORE_SITE)
ASK_SITE = tests/conformance/ask_site.h $(DATABASE_SUPPORT)
ON_SQLITE = $(AM_CPPFLAGS) -DTEST_DATABASE='"sqlite"'
ON_POSTGRESQL = $(AM_CPPFLAGS) -DTEST_DATABASE='"postgresql"'

STORE_TESTS = \
  tests/conformance/db_sqlite tests/conformance/db_postgresql tests/conformance/db_locks \
  tests/conformance/store_sqlite tests/conformance/store_postgresql \
  tests/conformance/store_effects_sqlite tests/conformance/store_effects_postgresql \
  tests/conformance/expectation_sqlite tests/conformance/expectation_postgresql \
  tests/conformance/held_sqlite tests/conformance/held_postgresql \
  tests/conformance/held_kept_sqlite tests/conformance/held_kept_postgresql \
  tests/conformance/ask_sqlite tests/conformance/ask_postgresql \
  tests/conformance/ask_doubt_sqlite tests/conformance/ask_doubt_postgresql \
  tests/conformance/ask_audit_sqlite tests/conformance/ask_audit_postgresql \
  tests/conformance/lineage_sqlite tests/conformance/lineage_postgresql
check_PROGRAMS += $(STORE_TESTS)
TESTS += $(STORE_TESTS)
EXTRA_DIST += tests/lab/postgresql.sh

tests_conformance_db_sqlite_SOURCES = tests/conformance/db.c $(DATABASE_SUPPORT)
tests_conformance_db_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_db_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_db_postgresql_SOURCES = tests/conformance/db.c $(DATABASE_SUPPORT)
tests_conformance_db_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_db_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_db_locks_SOURCES = tests/conformance/db_locks.c $(DATABASE_SUPPORT)
tests_conformance_db_locks_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_db_locks_LDADD = $(CHECK_LIBS)

tests_conformance_store_sqlite_SOURCES = tests/conformance/store.c $(STORE_SITE)
tests_conformance_store_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_store_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_store_postgresql_SOURCES = tests/conformance/store.c $(STORE_SITE)
tests_conformance_store_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_store_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_store_effects_sqlite_SOURCES = tests/conformance/store_effects.c $(STORE_SITE)
tests_conformance_store_effects_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_store_effects_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_store_effects_postgresql_SOURCES = tests/conformance/store_effects.c $(STORE_SITE)
tests_conformance_store_effects_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_store_effects_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_expectation_sqlite_SOURCES = tests/conformance/expectation.c $(STORE_SITE)
tests_conformance_expectation_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_expectation_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_expectation_postgresql_SOURCES = tests/conformance/expectation.c $(STORE_SITE)
tests_conformance_expectation_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_expectation_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_held_sqlite_SOURCES = tests/conformance/held.c $(HELD_SITE)
tests_conformance_held_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_held_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_held_postgresql_SOURCES = tests/conformance/held.c $(HELD_SITE)
tests_conformance_held_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_held_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_held_kept_sqlite_SOURCES = tests/conformance/held_kept.c $(HELD_SITE)
tests_conformance_held_kept_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_held_kept_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_held_kept_postgresql_SOURCES = tests/conformance/held_kept.c $(HELD_SITE)
tests_conformance_held_kept_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_held_kept_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_ask_sqlite_SOURCES = tests/conformance/ask.c $(ASK_SITE)
tests_conformance_ask_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_ask_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_ask_postgresql_SOURCES = tests/conformance/ask.c $(ASK_SITE)
tests_conformance_ask_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_ask_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_ask_audit_sqlite_SOURCES = tests/conformance/ask_audit.c $(ASK_SITE)
tests_conformance_ask_audit_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_ask_audit_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_ask_audit_postgresql_SOURCES = tests/conformance/ask_audit.c $(ASK_SITE)
tests_conformance_ask_audit_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_ask_audit_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_ask_doubt_sqlite_SOURCES = tests/conformance/ask_doubt.c $(ASK_SITE)
tests_conformance_ask_doubt_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_ask_doubt_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_ask_doubt_postgresql_SOURCES = tests/conformance/ask_doubt.c $(ASK_SITE)
tests_conformance_ask_doubt_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_ask_doubt_postgresql_LDADD = $(CHECK_LIBS)

tests_conformance_lineage_sqlite_SOURCES = tests/conformance/lineage.c $(DATABASE_SUPPORT)
tests_conformance_lineage_sqlite_CPPFLAGS = $(ON_SQLITE)
tests_conformance_lineage_sqlite_LDADD = $(CHECK_LIBS)

tests_conformance_lineage_postgresql_SOURCES = tests/conformance/lineage.c $(DATABASE_SUPPORT)
tests_conformance_lineage_postgresql_CPPFLAGS = $(ON_POSTGRESQL)
tests_conformance_lineage_postgresql_LDADD = $(CHECK_LIBS)
