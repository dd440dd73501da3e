noinst_LIBRARIES += transformers/libtransformers.a
transformers_libtransformers_a_SOURCES = \
  %D%/chain.c %D%/chain.h \
  %D%/chain_envelope.c %D%/chain_envelope.h \
  %D%/chain_flow.c \
  %D%/chain_hand.c \
  %D%/chain_open.c %D%/chain_private.h \
  %D%/chain_refused.c \
  %D%/chain_identity.c %D%/chain_identity.h \
  %D%/decode.c %D%/format.h %D%/json.c \
  %D%/encode.c %D%/encode.h %D%/encode_csv.c %D%/encode_bai2.c %D%/encode_edi.c %D%/encode_fixed.c %D%/encode_xml.c \
  %D%/collect.c %D%/dedupe.c %D%/resequence.c %D%/hold_key.c %D%/hold_key.h \
  %D%/enrich.c %D%/remember.c %D%/tree_place.c %D%/tree_place.h \
  %D%/edi_cursor.c %D%/edi_encode.c %D%/edi_encode.h %D%/edi_envelope.c %D%/edi_put.c %D%/edi_segments.c \
  %D%/edi_transliterate.c %D%/edifact_encode.c %D%/x12_encode.c \
  %D%/edi.h %D%/edi_charset.c %D%/edi_decode.c %D%/edi_decode.h %D%/edi_json.c %D%/edi_usual.c %D%/edi_layout.c %D%/edi_line.c %D%/edi_layout.h %D%/edi_read.c \
  %D%/edi_read.h %D%/edi_scan.c %D%/edi_survey.c %D%/edi_transaction.c %D%/edifact.c %D%/edifact.h %D%/edifact_interactive.c %D%/tradacoms.c \
  %D%/x12.c %D%/x12.h %D%/x12_isa.c \
  %D%/filter.c %D%/map.c %D%/route.c %D%/split.c %D%/use.c \
  %D%/schema.c %D%/schema.h %D%/schema_private.h \
  %D%/schema_check.c %D%/schema_check_value.c %D%/schema_compile.c %D%/schema_fault.c \
  %D%/schema_format.c %D%/schema_format.h %D%/schema_format_idn.c %D%/schema_format_net.c \
  %D%/schema_keyword.c %D%/schema_meta.c %D%/schema_pattern.c %D%/schema_pattern.h \
  %D%/schema_resolve.c %D%/schema_uri.c %D%/schema_value.c \
  %D%/transformers.h \
  %D%/validate.c \
  %D%/csv.c %D%/csv.h %D%/csv_options.c %D%/csv_row.c %D%/csv_start.c \
  %D%/fixed.c %D%/fixed.h %D%/fixed_date.c %D%/fixed_number.c %D%/fixed_read.c %D%/fixed_state.c %D%/fixed_value.c %D%/fixed_write.c \
  %D%/layout.c %D%/layout.h %D%/layout_copybook.c %D%/layout_yaml.c \
  %D%/lines.c %D%/lines.h \
  %D%/bai2.c %D%/bank.c %D%/bank.h %D%/nacha.c %D%/mt940.c %D%/mt940.h %D%/mt940_field.c %D%/mt940_information.c \
  %D%/text.c %D%/text.h \
  %D%/window.c %D%/window.h

# IDocs of SAP
transformers_libtransformers_a_SOURCES += \
  %D%/idoc.h %D%/idoc_decode.c %D%/encode_idoc.c %D%/idoc_layout.c %D%/idoc_xml.c

# XML, and what libxml2 is behind
transformers_libtransformers_a_SOURCES += \
  %D%/xml.h %D%/xml_build.c %D%/xml_decode.c %D%/xml_json.c %D%/xml_path.c %D%/xml_read.c %D%/xml_read.h \
  %D%/xml_schema.c %D%/xml_transform.c %D%/xml_tree.c %D%/xml_tree.h %D%/xml_xslt.c %D%/xml_xslt.h

# grammars of EDI documents
transformers_libtransformers_a_SOURCES += \
  %D%/edi_acknowledge.c %D%/edi_acknowledge.h %D%/edi_acknowledge_edifact.c %D%/edi_acknowledge_step.c \
  %D%/edi_acknowledge_x12.c %D%/edi_observer.h \
  %D%/edi_balance.c %D%/edi_balance_read.c %D%/edi_cells.c %D%/edi_chunk.h %D%/edi_dictionary.c \
  %D%/edi_finding.c %D%/edi_finding.h %D%/edi_grammar.h %D%/edi_grammar_change.c %D%/edi_grammar_private.h \
  %D%/edi_grammar_read.c %D%/edi_grammar_set.c %D%/edi_judge.c %D%/edi_judge.h %D%/edi_judge_private.h %D%/edi_pen.h %D%/edi_value.c \
  %D%/edi_values.c %D%/edi_walk.c
