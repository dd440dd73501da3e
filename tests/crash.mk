# tests of crash
check_PROGRAMS += tests/engine/overtake
tests_engine_overtake_SOURCES = tests/engine/overtake.c $(BED)
tests_engine_overtake_LDADD = $(CHECK_LIBS)
TESTS += tests/engine/overtake

CRASH_SHORT = tests/crash/check-random.sh tests/crash/check-points.sh \
  tests/crash/check-supervision.sh tests/crash/check-rabbitmq.sh tests/crash/check-transfers.sh \
  tests/crash/check-transfers-ftp.sh tests/crash/check-transfers-rabbitmq.sh
dist_check_SCRIPTS += $(CRASH_SHORT)
TESTS += $(CRASH_SHORT)
EXTRA_DIST += tests/crash/flows.py tests/crash/lab.py tests/crash/crash.py tests/crash/points.py tests/crash/supervision.py \
  tests/crash/transfers.py

# Random trouble:
#   make crash ROUNDS=20 SEED=1 QUEUE=rabbitmq DOCUMENTS=2000 DURATION=60 SPLIT=1000 FULL_DISK=yes KEEP=yes
# The same for transfers by SFTP and then by FTPS, with OpenPGP, sidecars and mail (SERVER: openssh, proftpd, ftp,
# ftp-pyftpdlib; without it openssh and ftp):
#   make crash-transfers ROUNDS=10 SEED=1 SERVER=proftpd QUEUE=rabbitmq DOCUMENTS=300 DURATION=60 KEEP=yes
# A kill at every fault point:
#   make crash-points QUEUE=rabbitmq EACH=yes POINTS=vault.put,queue.stored PASSING=1,3 SEED=1 KEEP=yes
EXTRA_DIST += tests/crash/run.sh
.PHONY: crash crash-transfers crash-points
crash: all tests/lab/counterpart
	$(SHELL) $(srcdir)/tests/crash/run.sh crash.py
	$(SHELL) $(srcdir)/tests/crash/run.sh transfers.py
crash-transfers: all
	for server in $${SERVER:-openssh ftp}; do SERVER=$$server $(SHELL) $(srcdir)/tests/crash/run.sh transfers.py || exit 1; done
crash-points: all tests/lab/counterpart
	$(SHELL) $(srcdir)/tests/crash/run.sh points.py
