# Figures, not tests: `make bench` prints them. docs/performance.md says what they mean.
BENCH_SUPPORT = tests/bench/bench.c tests/bench/bench.h
HOPS = tests/bench/hop_spool tests/bench/hop_amqp
check_PROGRAMS += $(HOPS)
tests_bench_hop_spool_SOURCES = tests/bench/hop_spool.c $(BENCH_SUPPORT)
tests_bench_hop_spool_LDADD = $(LAYERS) $(LIBS_FOREIGN)
tests_bench_hop_amqp_SOURCES = tests/bench/hop_amqp.c $(BENCH_SUPPORT)
tests_bench_hop_amqp_LDADD = $(LAYERS) $(LIBS_FOREIGN)
