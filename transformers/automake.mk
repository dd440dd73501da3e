noinst_LIBRARIES += transformers/libtransformers.a

# the chain: what runs the steps, and what every format stands on
transformers_libtransformers_a_SOURCES = \
  %D%/chain.c %D%/chain.h %D%/chain_bytes.c %D%/chain_envelope.c %D%/chain_envelope.h %D%/chain_flow.c %D%/chain_hand.c \
  %D%/chain_identity.c %D%/chain_identity.h %D%/chain_open.c %D%/chain_private.h %D%/chain_refused.c %D%/decode.c \
  %D%/encode.c %D%/encode.h %D%/format.h %D%/json.c %D%/lines.c %D%/lines.h %D%/text.c %D%/text.h %D%/transformers.h \
  %D%/iso2022.c %D%/iso2022.h %D%/iso2022_private.h %D%/iso2022_write.c %D%/window.c %D%/window.h

# steps that know no format
transformers_libtransformers_a_SOURCES += \
  %D%/steps/collect.c %D%/steps/dedupe.c %D%/steps/enrich.c %D%/steps/filter.c %D%/steps/hold_key.c \
  %D%/steps/hold_key.h %D%/steps/map.c %D%/steps/remember.c %D%/steps/resequence.c %D%/steps/route.c \
  %D%/steps/split.c %D%/steps/tree_place.c %D%/steps/tree_place.h %D%/steps/use.c %D%/steps/validate.c

# contracts: JSON Schema 2020-12
transformers_libtransformers_a_SOURCES += \
  %D%/schema/schema.c %D%/schema/schema.h %D%/schema/schema_check.c %D%/schema/schema_check_value.c \
  %D%/schema/schema_compile.c %D%/schema/schema_fault.c %D%/schema/schema_format.c %D%/schema/schema_format.h \
  %D%/schema/schema_format_idn.c %D%/schema/schema_format_net.c %D%/schema/schema_keyword.c %D%/schema/schema_meta.c \
  %D%/schema/schema_pattern.c %D%/schema/schema_pattern.h %D%/schema/schema_private.h %D%/schema/schema_resolve.c \
  %D%/schema/schema_uri.c %D%/schema/schema_value.c

# X12, EDIFACT, TRADACOMS: readers, writers, grammars, findings, acknowledgements
transformers_libtransformers_a_SOURCES += \
  %D%/edi/edi.h %D%/edi/edi_acknowledge.c %D%/edi/edi_acknowledge.h %D%/edi/edi_acknowledge_edifact.c \
  %D%/edi/edi_acknowledge_step.c %D%/edi/edi_acknowledge_x12.c %D%/edi/edi_back.c %D%/edi/edi_balance.c \
  %D%/edi/edi_balance_read.c \
  %D%/edi/edi_cells.c %D%/edi/edi_charset.c %D%/edi/edi_chunk.h %D%/edi/edi_cursor.c %D%/edi/edi_decode.c \
  %D%/edi/edi_decode.h %D%/edi/edi_dictionary.c %D%/edi/edi_encode.c %D%/edi/edi_encode.h %D%/edi/edi_envelope.c \
  %D%/edi/edi_finding.c %D%/edi/edi_finding.h %D%/edi/edi_grammar.h %D%/edi/edi_grammar_change.c \
  %D%/edi/edi_grammar_private.h %D%/edi/edi_grammar_read.c %D%/edi/edi_grammar_set.c %D%/edi/edi_json.c \
  %D%/edi/edi_judge.c %D%/edi/edi_judge.h %D%/edi/edi_judge_private.h %D%/edi/edi_layout.c %D%/edi/edi_layout.h \
  %D%/edi/edi_drops.c %D%/edi/edi_escape.c %D%/edi/edi_escapes.c %D%/edi/edi_escapes.h %D%/edi/edi_escapes_write.c \
  %D%/edi/edi_line.c %D%/edi/edi_nested.c %D%/edi/edi_nested.h %D%/edi/edi_nested_segment.c \
  %D%/edi/edi_observer.h %D%/edi/edi_package.c %D%/edi/edi_package.h %D%/edi/edi_package_encode.c \
  %D%/edi/edi_package_read.c %D%/edi/edi_pen.h %D%/edi/edi_put.c %D%/edi/edi_read.c %D%/edi/edi_read_escaped.c \
  %D%/edi/edi_read.h %D%/edi/edi_scan.c %D%/edi/edi_right.h \
  %D%/edi/edi_segments.c %D%/edi/edi_shape.c %D%/edi/edi_shape.h %D%/edi/edi_steps.c %D%/edi/edi_steps.h %D%/edi/edi_survey.c %D%/edi/edi_transaction.c \
  %D%/edi/edi_transliterate.c %D%/edi/edi_usual.c %D%/edi/edi_value.c %D%/edi/edi_values.c %D%/edi/edi_walk.c \
  %D%/edi/edifact.c %D%/edi/edifact.h %D%/edi/edifact_encode.c %D%/edi/edifact_interactive.c %D%/edi/encode_edi.c \
  %D%/edi/tradacoms.c %D%/edi/x12.c %D%/edi/x12.h %D%/edi/x12_encode.c %D%/edi/x12_isa.c

# CSV, fixed width, COBOL copybooks
transformers_libtransformers_a_SOURCES += \
  %D%/records/csv.c %D%/records/csv.h %D%/records/csv_options.c %D%/records/csv_row.c %D%/records/csv_start.c \
  %D%/records/encode_csv.c %D%/records/encode_fixed.c %D%/records/fixed.c %D%/records/fixed.h \
  %D%/records/fixed_date.c %D%/records/fixed_number.c %D%/records/fixed_read.c %D%/records/fixed_state.c \
  %D%/records/fixed_value.c %D%/records/fixed_write.c %D%/records/layout.c %D%/records/layout.h \
  %D%/records/layout_copybook.c %D%/records/layout_yaml.c

# statements and payments of banks
transformers_libtransformers_a_SOURCES += \
  %D%/bank/bai2.c %D%/bank/bank.c %D%/bank/bank.h %D%/bank/encode_bai2.c %D%/bank/mt940.c %D%/bank/mt940.h \
  %D%/bank/mt940_field.c %D%/bank/mt940_information.c %D%/bank/nacha.c

# IDocs of SAP
transformers_libtransformers_a_SOURCES += \
  %D%/idoc/encode_idoc.c %D%/idoc/idoc.h %D%/idoc/idoc_decode.c %D%/idoc/idoc_judge.c %D%/idoc/idoc_layout.c %D%/idoc/idoc_xml.c

# XML, and what libxml2 and libxslt are behind
transformers_libtransformers_a_SOURCES += \
  %D%/xml/encode_xml.c %D%/xml/xml.h %D%/xml/xml_build.c %D%/xml/xml_decode.c %D%/xml/xml_json.c %D%/xml/xml_path.c \
  %D%/xml/xml_nodes.c %D%/xml/xml_nodes.h %D%/xml/xml_read.c %D%/xml/xml_read.h %D%/xml/xml_schema.c \
  %D%/xml/xml_schematron.c %D%/xml/xml_transform.c %D%/xml/xml_tree.c %D%/xml/xml_tree.h %D%/xml/xml_xslt.c \
  %D%/xml/xml_xslt.h

# XPath 2.0 over documents, for rules
transformers_libtransformers_a_SOURCES += \
  %D%/xpath/xpath.h %D%/xpath/xpath_date.c %D%/xpath/xpath_eval.c %D%/xpath/xpath_functions.c \
  %D%/xpath/xpath_functions_text.c %D%/xpath/xpath_number.c %D%/xpath/xpath_number.h %D%/xpath/xpath_operators.c \
  %D%/xpath/xpath_parse.c %D%/xpath/xpath_parse_call.c %D%/xpath/xpath_parse_path.c %D%/xpath/xpath_private.h %D%/xpath/xpath_program.c \
  %D%/xpath/xpath_regex.c %D%/xpath/xpath_run.c %D%/xpath/xpath_scan.c %D%/xpath/xpath_step.c %D%/xpath/xpath_tree.c \
  %D%/xpath/xpath_tree.h %D%/xpath/xpath_value.c

# rules in Schematron
transformers_libtransformers_a_SOURCES += \
  %D%/schematron/schematron.c %D%/schematron/schematron.h %D%/schematron/schematron_compiled.c \
  %D%/schematron/schematron_function.c %D%/schematron/schematron_judge.c %D%/schematron/schematron_pattern.c \
  %D%/schematron/schematron_private.h

# steps over whole files
transformers_libtransformers_a_SOURCES += \
  %D%/files/document.c %D%/files/document.h %D%/files/gzip.c %D%/files/pgp.c %D%/files/pgp.h %D%/files/pgp_keys.c \
  %D%/files/pgp_private.h %D%/files/pgp_steps.c %D%/files/scan.c %D%/files/scan.h %D%/files/scan_age.c %D%/files/scan_icap.c %D%/files/scan_link.c \
  %D%/files/checksum.c \
  %D%/files/zip.c %D%/files/zip_name.c %D%/files/zip_name.h
