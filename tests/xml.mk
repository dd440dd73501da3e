# tests of XML, and of what is read through it
XML_TESTS = tests/unit/xml
check_PROGRAMS += $(XML_TESTS)
TESTS += $(XML_TESTS)
tests_unit_xml_SOURCES = tests/unit/xml.c $(CHAIN_SUPPORT)
tests_unit_xml_LDADD = $(CHECK_LIBS)

XML_FUZZERS = tests/fuzz/fuzz_xml tests/fuzz/fuzz_xml_steps
tests_fuzz_fuzz_xml_steps_SOURCES = tests/fuzz/xml_steps.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xml_steps_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_xml_SOURCES = tests/fuzz/xml.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xml_LDADD = $(FUZZ_LIBS)
