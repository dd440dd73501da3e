# Mails, to a real server.
dist_check_SCRIPTS += tests/e2e/mail.py
TESTS += tests/e2e/mail.py
EXTRA_DIST += tests/lab/smtp.py
