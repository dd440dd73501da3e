noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
  %D%/adapter.h \
  %D%/broker.h \
  %D%/buf.c %D%/buf.h \
  %D%/clock.c %D%/clock.h \
  %D%/crypto.c %D%/crypto.h %D%/crypto_certificate.c %D%/known_hosts.c %D%/known_hosts.h \
  %D%/db.c %D%/db.h \
  %D%/difference.c %D%/difference.h \
  %D%/effect.c %D%/effect.h \
  %D%/endpoint.h \
  %D%/error.c %D%/error.h \
  %D%/expression.c %D%/expression.h \
  %D%/expression_compile.c %D%/expression_compile.h \
  %D%/expression_jv.c %D%/expression_jv.h \
  %D%/expression_marks.c %D%/expression_marks.h %D%/expression_marks_private.h %D%/expression_marks_tokens.c \
  %D%/expression_weave.c \
  %D%/expression_path.c %D%/expression_path.h \
  %D%/expression_scan.c %D%/expression_scan.h \
  %D%/expression_spread.c %D%/expression_spread.h \
  %D%/fault.c %D%/fault.h \
  %D%/file.c %D%/file.h \
  %D%/finding.c %D%/finding.h \
  %D%/hold.h \
  %D%/pace.c %D%/pace.h \
  %D%/resolve.c %D%/resolve.h \
  %D%/progress.c %D%/progress.h \
  %D%/id.c %D%/id.h \
  %D%/literals.c %D%/literals.h \
  %D%/log.c %D%/log.h \
  %D%/loop.c %D%/loop.h \
  %D%/mem.c %D%/mem.h \
  %D%/message.c %D%/message.h \
  %D%/node.c %D%/node.h \
  %D%/option.c %D%/option.h \
  %D%/option_value.c %D%/option_value.h \
  %D%/queue.c %D%/queue.h \
  %D%/queue_ask.c %D%/queue_unit.c %D%/queue_private.h \
  %D%/reader.c %D%/reader.h \
  %D%/secret.c %D%/secret.h \
  %D%/sidecar.c %D%/sidecar.h \
  %D%/span.h \
  %D%/spill.c %D%/spill.h \
  %D%/template.c \
  %D%/topology.c %D%/topology.h \
  %D%/transformer.h \
  %D%/tree.c %D%/tree.h \
  %D%/utf8.c %D%/utf8.h \
  %D%/vault.c %D%/vault.h \
  %D%/vault_collect.c \
  %D%/vault_part.c %D%/vault_get.c %D%/vault_private.h \
  %D%/wire.c %D%/wire_channel.c %D%/wire.h
