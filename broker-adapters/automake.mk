noinst_LIBRARIES += broker-adapters/libadapters.a

# names and listings of files, of any adapter
broker_adapters_libadapters_a_SOURCES = %D%/entries.c %D%/entries.h %D%/names.c %D%/names.h %D%/pairs.c \
  %D%/pairs.h %D%/taking.c %D%/taking.h

# where queues are kept
broker_adapters_libadapters_a_SOURCES += \
  %D%/queues/amqp.c %D%/queues/amqp.h %D%/queues/amqp_consume.c %D%/queues/amqp_header.c %D%/queues/amqp_header.h \
  %D%/queues/amqp_inner.h %D%/queues/amqp_plan.c %D%/queues/amqp_plan.h %D%/queues/amqp_probe.c %D%/queues/amqp_probe.h \
  %D%/queues/amqp_publish.c %D%/queues/amqp_window.c %D%/queues/amqp_window.h %D%/queues/amqp_wire.c \
  %D%/queues/amqp_wire.h %D%/queues/amqp_wire_inner.h %D%/queues/amqp_wire_send.c %D%/queues/spool.c

# where the store is kept
broker_adapters_libadapters_a_SOURCES += \
  %D%/databases/postgresql.c %D%/databases/postgresql.h %D%/databases/postgresql_connection.c \
  %D%/databases/postgresql_pipeline.c %D%/databases/postgresql_values.c %D%/databases/sqlite.c

# folders of this machine
broker_adapters_libadapters_a_SOURCES += \
  %D%/file/file.c %D%/file/file.h %D%/file/file_kept.c %D%/file/file_kept.h %D%/file/file_name.c %D%/file/file_prepare.c %D%/file/file_settle.c \
  %D%/file/file_sidecar.c %D%/file/file_sink.c \
  %D%/file/file_sink.h %D%/file/file_source.c %D%/file/file_source.h

# HTTP and webhooks, both ways
broker_adapters_libadapters_a_SOURCES += \
  %D%/http/http.h %D%/http/http_body.c %D%/http/http_incoming.c %D%/http/http_incoming.h %D%/http/http_listen.c \
  %D%/http/http_listen.h %D%/http/http_peer.c %D%/http/http_peer.h %D%/http/http_problem.c %D%/http/http_request.c \
  %D%/http/http_sink.c %D%/http/http_source.c %D%/http/http_target.c %D%/http/http_webhook.c

# folders of other machines, whatever is spoken
broker_adapters_libadapters_a_SOURCES += \
  %D%/remote/remote.h %D%/remote/remote_ahead.c %D%/remote/remote_calls.h %D%/remote/remote_prepare.c \
  %D%/remote/remote_settle.c %D%/remote/remote_sidecar.c %D%/remote/remote_sink.c %D%/remote/remote_sink.h \
  %D%/remote/remote_fetch.c %D%/remote/remote_source.c %D%/remote/remote_source.h

# folders of an SFTP server
broker_adapters_libadapters_a_SOURCES += \
  %D%/sftp/sftp.c %D%/sftp/sftp.h %D%/sftp/sftp_agent.c %D%/sftp/sftp_agent.h %D%/sftp/sftp_bulk.c \
  %D%/sftp/sftp_client.c %D%/sftp/sftp_dial.c %D%/sftp/sftp_dial.h \
  %D%/sftp/sftp_ends.c %D%/sftp/sftp_files.c %D%/sftp/sftp_files.h %D%/sftp/sftp_key.c %D%/sftp/sftp_link.c %D%/sftp/sftp_link.h \
  %D%/sftp/sftp_login.c %D%/sftp/sftp_many.c %D%/sftp/sftp_many.h %D%/sftp/sftp_wire.c %D%/sftp/sftp_wire.h

# folders of an FTP server
broker_adapters_libadapters_a_SOURCES += \
  %D%/ftp/ftp.h %D%/ftp/ftp_bulk.c %D%/ftp/ftp_client.c %D%/ftp/ftp_ends.c %D%/ftp/ftp_files.c %D%/ftp/ftp_link.c \
  %D%/ftp/ftp_link.h %D%/ftp/ftp_list.c %D%/ftp/ftp_list.h

# mail, sent
broker_adapters_libadapters_a_SOURCES += \
  %D%/mail/mail.h %D%/mail/mail_address.c %D%/mail/mail_content.c %D%/mail/mail_reply.c %D%/mail/mail_sink.c

# lines for syslog
broker_adapters_libadapters_a_SOURCES += \
  %D%/syslog/syslog.h %D%/syslog/syslog_line.c %D%/syslog/syslog_link.c %D%/syslog/syslog_settings.c \
  %D%/syslog/syslog_sink.c
