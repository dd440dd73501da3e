# Mails, to a real server.
dist_check_SCRIPTS += tests/e2e/mail.py
TESTS += tests/e2e/mail.py
EXTRA_DIST += tests/lab/smtp.py tests/e2e/daemons.py

# Syslog, to a real daemon.
dist_check_SCRIPTS += tests/e2e/syslog_sink.py
TESTS += tests/e2e/syslog_sink.py
