# Fuzz targets. In `make check` each replays its corpus, its own or a golden folder of inputs. Configured with CC=clang
# --enable-fuzzing they are libFuzzer programs, and `make fuzz SECONDS=60` runs each of them so long.
FUZZERS = tests/fuzz/fuzz_amqp tests/fuzz/fuzz_audit tests/fuzz/fuzz_bridge tests/fuzz/fuzz_envelope tests/fuzz/fuzz_expression tests/fuzz/fuzz_http tests/fuzz/fuzz_jq tests/fuzz/fuzz_json \
  tests/fuzz/fuzz_schema tests/fuzz/fuzz_site tests/fuzz/fuzz_topology tests/fuzz/fuzz_trial tests/fuzz/fuzz_variables tests/fuzz/fuzz_wire \
  tests/fuzz/fuzz_x12 tests/fuzz/fuzz_yaml \
  tests/fuzz/fuzz_edifact tests/fuzz/fuzz_tradacoms tests/fuzz/fuzz_edi_lines \
  tests/fuzz/fuzz_grammar tests/fuzz/fuzz_acknowledge \
  tests/fuzz/fuzz_csv tests/fuzz/fuzz_fixed tests/fuzz/fuzz_layout tests/fuzz/fuzz_mt940 tests/fuzz/fuzz_bai2 tests/fuzz/fuzz_nacha tests/fuzz/fuzz_encode
FUZZERS += $(XML_FUZZERS) $(FILES_FUZZERS) $(FTP_FUZZERS) $(SFTP_FUZZERS) $(MFT_FUZZERS)
check_PROGRAMS += $(FUZZERS)
noinst_HEADERS += tests/fuzz/chain.h tests/fuzz/fixed.h tests/fuzz/lines.h tests/fuzz/round.h
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/dictionaries tests/fuzz/fuzz_main.c
dist_check_SCRIPTS += tests/fuzz/fuzz.sh
FUZZ_LIBS = $(FUZZ_ENGINE) $(LAYERS) $(LIBS_FOREIGN)
if FUZZING
FUZZ_MAIN =
else
TESTS += $(FUZZERS)
FUZZ_MAIN = tests/fuzz/fuzz_main.c
endif

SECONDS = 60
fuzz: $(FUZZERS)
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/fuzz/fuzz.sh $(SECONDS) $(FUZZERS)
.PHONY: fuzz

# Mutated sites: short here, long with `make fuzz-sites SEED=7 ROUNDS=20000`.
check_PROGRAMS += tests/fuzz/mutate
TESTS += tests/fuzz/mutate
EXTRA_DIST += tests/fuzz/sites
tests_fuzz_mutate_SOURCES = tests/fuzz/mutate.c
tests_fuzz_mutate_LDADD = $(CHECK_LIBS)
fuzz-sites: tests/fuzz/mutate ferrule$(EXEEXT)
	$(AM_TESTS_ENVIRONMENT) tests/fuzz/mutate $${SEED:-1} $${ROUNDS:-5000} 25
.PHONY: fuzz-sites

tests_fuzz_fuzz_amqp_SOURCES = tests/fuzz/amqp.c $(FUZZ_MAIN)
tests_fuzz_fuzz_amqp_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_audit_SOURCES = tests/fuzz/audit.c $(FUZZ_MAIN)
tests_fuzz_fuzz_audit_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_envelope_SOURCES = tests/fuzz/envelope.c $(FUZZ_MAIN)
tests_fuzz_fuzz_envelope_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_expression_SOURCES = tests/fuzz/expression.c $(FUZZ_MAIN)
tests_fuzz_fuzz_expression_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/http.c $(FUZZ_MAIN)
tests_fuzz_fuzz_http_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_jq_SOURCES = tests/fuzz/jq.c $(FUZZ_MAIN)
tests_fuzz_fuzz_jq_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/json.c $(FUZZ_MAIN)
tests_fuzz_fuzz_json_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/schema.c $(FUZZ_MAIN)
tests_fuzz_fuzz_schema_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_site_SOURCES = tests/fuzz/site.c $(FUZZ_MAIN)
tests_fuzz_fuzz_site_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_topology_SOURCES = tests/fuzz/topology.c $(FUZZ_MAIN)
tests_fuzz_fuzz_topology_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_trial_SOURCES = tests/fuzz/trial.c $(FUZZ_MAIN)
tests_fuzz_fuzz_trial_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/wire.c $(FUZZ_MAIN)
tests_fuzz_fuzz_wire_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_grammar_SOURCES = tests/fuzz/grammar.c $(FUZZ_MAIN)
tests_fuzz_fuzz_grammar_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_x12_SOURCES = tests/fuzz/x12.c $(FUZZ_MAIN)
tests_fuzz_fuzz_x12_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_bridge_SOURCES = tests/fuzz/bridge.c $(FUZZ_MAIN)
tests_fuzz_fuzz_bridge_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_variables_SOURCES = tests/fuzz/variables.c $(FUZZ_MAIN)
tests_fuzz_fuzz_variables_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_yaml_SOURCES = tests/fuzz/yaml.c $(FUZZ_MAIN)
tests_fuzz_fuzz_yaml_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_edifact_SOURCES = tests/fuzz/edifact.c $(FUZZ_MAIN)
tests_fuzz_fuzz_edifact_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_tradacoms_SOURCES = tests/fuzz/tradacoms.c $(FUZZ_MAIN)
tests_fuzz_fuzz_tradacoms_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_edi_lines_SOURCES = tests/fuzz/edi_lines.c $(FUZZ_MAIN)
tests_fuzz_fuzz_edi_lines_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_acknowledge_SOURCES = tests/fuzz/acknowledge.c $(FUZZ_MAIN)
tests_fuzz_fuzz_acknowledge_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_csv_SOURCES = tests/fuzz/csv.c $(FUZZ_MAIN)
tests_fuzz_fuzz_csv_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_fixed_SOURCES = tests/fuzz/fixed.c $(FUZZ_MAIN)
tests_fuzz_fuzz_fixed_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_layout_SOURCES = tests/fuzz/layout.c $(FUZZ_MAIN)
tests_fuzz_fuzz_layout_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_mt940_SOURCES = tests/fuzz/mt940.c $(FUZZ_MAIN)
tests_fuzz_fuzz_mt940_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_bai2_SOURCES = tests/fuzz/bai2.c $(FUZZ_MAIN)
tests_fuzz_fuzz_bai2_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_nacha_SOURCES = tests/fuzz/nacha.c $(FUZZ_MAIN)
tests_fuzz_fuzz_nacha_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_encode_SOURCES = tests/fuzz/encode.c $(FUZZ_MAIN)
tests_fuzz_fuzz_encode_LDADD = $(FUZZ_LIBS)
