# tests of XML, and of what is read through it
XML_TESTS = tests/unit/xml
check_PROGRAMS += $(XML_TESTS)
TESTS += $(XML_TESTS)
tests_unit_xml_SOURCES = tests/unit/xml.c $(CHAIN_SUPPORT)
tests_unit_xml_LDADD = $(CHECK_LIBS)

XML_FUZZERS = tests/fuzz/fuzz_xml
tests_fuzz_fuzz_xml_SOURCES = tests/fuzz/xml.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xml_LDADD = $(FUZZ_LIBS)
