noinst_LIBRARIES += broker-adapters/libadapters.a
broker_adapters_libadapters_a_SOURCES =
broker_adapters_libadapters_a_SOURCES += %D%/sqlite.c

broker_adapters_libadapters_a_SOURCES += %D%/postgresql.c %D%/postgresql.h %D%/postgresql_connection.c \
  %D%/postgresql_pipeline.c %D%/postgresql_values.c

broker_adapters_libadapters_a_SOURCES += %D%/spool.c

broker_adapters_libadapters_a_SOURCES += %D%/amqp.c %D%/amqp.h %D%/amqp_wire.c %D%/amqp_wire.h %D%/amqp_window.c %D%/amqp_window.h \
  %D%/amqp_header.c %D%/amqp_header.h %D%/amqp_plan.c %D%/amqp_plan.h %D%/amqp_probe.c %D%/amqp_probe.h \
  %D%/amqp_inner.h %D%/amqp_consume.c %D%/amqp_publish.c %D%/amqp_wire_inner.h %D%/amqp_wire_send.c

broker_adapters_libadapters_a_SOURCES += %D%/file.c %D%/file.h %D%/file_source.c %D%/file_source.h %D%/file_settle.c

broker_adapters_libadapters_a_SOURCES += %D%/file_sink.c %D%/file_sink.h %D%/file_name.c %D%/file_prepare.c

broker_adapters_libadapters_a_SOURCES += %D%/http_source.c %D%/http_incoming.c %D%/http_incoming.h

broker_adapters_libadapters_a_SOURCES += %D%/http_sink.c

broker_adapters_libadapters_a_SOURCES += %D%/http.h %D%/http_webhook.c %D%/http_problem.c %D%/http_request.c %D%/http_target.c
broker_adapters_libadapters_a_SOURCES += %D%/http_listen.c %D%/http_listen.h %D%/http_body.c
broker_adapters_libadapters_a_SOURCES += %D%/http_peer.c %D%/http_peer.h

# names and listings of files, of any adapter
broker_adapters_libadapters_a_SOURCES += %D%/names.c %D%/names.h %D%/entries.c %D%/entries.h

broker_adapters_libadapters_a_SOURCES += %D%/sftp.c %D%/sftp.h %D%/sftp_source.c %D%/sftp_source.h %D%/sftp_settle.c %D%/sftp_sink.c %D%/sftp_sink.h %D%/sftp_prepare.c \
  %D%/sftp_link.c %D%/sftp_link.h %D%/sftp_key.c %D%/sftp_login.c %D%/sftp_dial.c \
  %D%/sftp_dial.h %D%/sftp_wire.c %D%/sftp_wire.h %D%/sftp_client.c %D%/sftp_bulk.c

broker_adapters_libadapters_a_SOURCES += %D%/mail.h %D%/mail_address.c %D%/mail_content.c %D%/mail_reply.c %D%/mail_sink.c
