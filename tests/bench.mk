# Figures, not tests: `make bench` prints them; docs/performance.md says what they mean. The tests only see that it runs.
BENCH_SUPPORT = tests/bench/bench.c tests/bench/bench.h
BENCHES = tests/bench/hop_spool tests/bench/hop_amqp tests/bench/steps tests/bench/edi tests/bench/scan tests/bench/schema tests/bench/sftp tests/bench/delay tests/bench/pgp
check_PROGRAMS += $(BENCHES)
tests_bench_hop_spool_SOURCES = tests/bench/hop_spool.c $(BENCH_SUPPORT)
tests_bench_hop_spool_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_hop_amqp_SOURCES = tests/bench/hop_amqp.c $(BENCH_SUPPORT)
tests_bench_hop_amqp_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_edi_SOURCES = tests/bench/edi.c $(BENCH_SUPPORT)
tests_bench_edi_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_scan_SOURCES = tests/bench/scan.c $(BENCH_SUPPORT)
tests_bench_scan_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_steps_SOURCES = tests/bench/steps.c $(BENCH_SUPPORT)
tests_bench_steps_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_schema_SOURCES = tests/bench/schema.c $(BENCH_SUPPORT)
tests_bench_schema_LDADD = $(LAYERS) $(LIBS_FOREIGN)

tests_bench_sftp_SOURCES = tests/bench/sftp.c $(BENCH_SUPPORT)
tests_bench_sftp_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_delay_SOURCES = tests/bench/delay.c
tests_bench_pgp_SOURCES = tests/bench/pgp.c $(BENCH_SUPPORT)
tests_bench_pgp_LDADD = $(LAYERS) $(LIBS_FOREIGN)

EXTRA_DIST += tests/bench/bench.py
dist_check_SCRIPTS += tests/bench/smoke.sh
TESTS += tests/bench/smoke.sh

.PHONY: bench
bench: all $(BENCHES) tests/lab/counterpart
	$(AM_V_at)python3 $(srcdir)/tests/bench/bench.py $(abs_top_builddir) $(BENCH)
