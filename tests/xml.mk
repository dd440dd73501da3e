# tests of XML, and of what is read through it
XML_TESTS = tests/unit/xml tests/unit/idoc tests/unit/xpath
check_PROGRAMS += $(XML_TESTS)
TESTS += $(XML_TESTS)
tests_unit_idoc_SOURCES = tests/unit/idoc.c $(CHAIN_SUPPORT)
tests_unit_idoc_LDADD = $(CHECK_LIBS)
tests_unit_xml_SOURCES = tests/unit/xml.c $(CHAIN_SUPPORT)
tests_unit_xml_LDADD = $(CHECK_LIBS)

tests_unit_xpath_SOURCES = tests/unit/xpath.c
tests_unit_xpath_LDADD = $(CHECK_LIBS)

ISO_TESTS = tests/formats/iso20022.py
dist_check_SCRIPTS += $(ISO_TESTS)
TESTS += $(ISO_TESTS)
EXTRA_DIST += tests/formats/iso20022

XML_FUZZERS = tests/fuzz/fuzz_xml tests/fuzz/fuzz_xml_steps tests/fuzz/fuzz_idoc tests/fuzz/fuzz_xpath
tests_fuzz_fuzz_xpath_SOURCES = tests/fuzz/xpath.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xpath_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_idoc_SOURCES = tests/fuzz/idoc.c $(FUZZ_MAIN)
tests_fuzz_fuzz_idoc_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_xml_steps_SOURCES = tests/fuzz/xml_steps.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xml_steps_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_xml_SOURCES = tests/fuzz/xml.c $(FUZZ_MAIN)
tests_fuzz_fuzz_xml_LDADD = $(FUZZ_LIBS)
