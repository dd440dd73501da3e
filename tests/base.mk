check_LIBRARIES += tests/support/libsupport.a
tests_support_libsupport_a_SOURCES = tests/support/support.c tests/support/support.h

BASE_TESTS = \
  tests/unit/buf \
  tests/unit/clock \
  tests/unit/audit \
  tests/unit/crypto \
  tests/unit/known_hosts \
  tests/unit/effect \
  tests/unit/error \
  tests/unit/fault \
  tests/unit/finding \
  tests/unit/id \
  tests/unit/literals \
  tests/unit/log \
  tests/unit/loop \
  tests/unit/mem \
  tests/unit/message \
  tests/unit/node \
  tests/unit/resolve \
  tests/unit/option \
  tests/unit/pace \
  tests/unit/reader \
  tests/unit/spill \
  tests/unit/secret \
  tests/unit/topology \
  tests/unit/vault \
  tests/unit/vault_collect \
  tests/unit/utf8 \
  tests/unit/tree \
  tests/unit/wire
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)

tests_unit_buf_SOURCES = tests/unit/buf.c
tests_unit_buf_LDADD = $(CHECK_LIBS)
tests_unit_clock_SOURCES = tests/unit/clock.c
tests_unit_clock_LDADD = $(CHECK_LIBS)
tests_unit_audit_SOURCES = tests/unit/audit.c
tests_unit_audit_LDADD = $(CHECK_LIBS)
tests_unit_known_hosts_SOURCES = tests/unit/known_hosts.c
tests_unit_known_hosts_LDADD = $(CHECK_LIBS)
tests_unit_crypto_SOURCES = tests/unit/crypto.c
tests_unit_crypto_LDADD = $(CHECK_LIBS)
tests_unit_effect_SOURCES = tests/unit/effect.c
tests_unit_effect_LDADD = $(CHECK_LIBS)
tests_unit_error_SOURCES = tests/unit/error.c
tests_unit_error_LDADD = $(CHECK_LIBS)
tests_unit_fault_SOURCES = tests/unit/fault.c
tests_unit_fault_LDADD = $(CHECK_LIBS)
tests_unit_finding_SOURCES = tests/unit/finding.c
tests_unit_finding_LDADD = $(CHECK_LIBS)
tests_unit_id_SOURCES = tests/unit/id.c
tests_unit_id_LDADD = $(CHECK_LIBS)
tests_unit_literals_SOURCES = tests/unit/literals.c
tests_unit_literals_LDADD = $(CHECK_LIBS)
tests_unit_log_SOURCES = tests/unit/log.c
tests_unit_log_LDADD = $(CHECK_LIBS)
tests_unit_loop_SOURCES = tests/unit/loop.c
tests_unit_loop_LDADD = $(CHECK_LIBS)
tests_unit_mem_SOURCES = tests/unit/mem.c
tests_unit_mem_LDADD = $(CHECK_LIBS)
tests_unit_message_SOURCES = tests/unit/message.c
tests_unit_message_LDADD = $(CHECK_LIBS)
tests_unit_node_SOURCES = tests/unit/node.c
tests_unit_node_LDADD = $(CHECK_LIBS)
tests_unit_resolve_SOURCES = tests/unit/resolve.c
tests_unit_resolve_LDADD = $(CHECK_LIBS)
tests_unit_option_SOURCES = tests/unit/option.c
tests_unit_option_LDADD = $(CHECK_LIBS)
tests_unit_pace_SOURCES = tests/unit/pace.c
tests_unit_pace_LDADD = $(CHECK_LIBS)
tests_unit_reader_SOURCES = tests/unit/reader.c
tests_unit_reader_LDADD = $(CHECK_LIBS)
tests_unit_spill_SOURCES = tests/unit/spill.c
tests_unit_spill_LDADD = $(CHECK_LIBS)
tests_unit_secret_SOURCES = tests/unit/secret.c
tests_unit_secret_LDADD = $(CHECK_LIBS)
tests_unit_topology_SOURCES = tests/unit/topology.c
tests_unit_topology_LDADD = $(CHECK_LIBS)
tests_unit_vault_SOURCES = tests/unit/vault.c tests/unit/vault_fixture.h
tests_unit_vault_LDADD = $(CHECK_LIBS)
tests_unit_vault_collect_SOURCES = tests/unit/vault_collect.c tests/unit/vault_fixture.h
tests_unit_vault_collect_LDADD = $(CHECK_LIBS)
tests_unit_utf8_SOURCES = tests/unit/utf8.c
tests_unit_utf8_LDADD = $(CHECK_LIBS)
tests_unit_tree_SOURCES = tests/unit/tree.c
tests_unit_tree_LDADD = $(CHECK_LIBS)
tests_unit_wire_SOURCES = tests/unit/wire.c
tests_unit_wire_LDADD = $(CHECK_LIBS)
