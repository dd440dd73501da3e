/* The transformers that exist; services/registry.c lists them. */
#ifndef FERRULE_TRANSFORMERS_TRANSFORMERS_H
#define FERRULE_TRANSFORMERS_TRANSFORMERS_H

#include "base/transformer.h"

/* Is it the name of a table of the store? */
bool store_table_name(const char *);
#define STORE_TABLE_FORM                                                                                               \
	"a table of the store has a name of lower-case letters, digits and `-`, at most 64, "        \
	"and those that begin with `ferrule-` are Ferrule's own: `%.70s` will not do"

extern const struct transformer_ops decode_transformer, encode_transformer, enrich_transformer, filter_transformer,
	map_transformer, remember_transformer,
	route_transformer, split_transformer, use_transformer, validate_transformer,
	xsd_transformer, xslt_transformer, schematron_transformer;
/* over whole files */
extern const struct transformer_ops gunzip_transformer, gzip_transformer, unzip_transformer, zip_transformer;
extern const struct transformer_ops decrypt_transformer, encrypt_transformer, sign_transformer, verify_transformer;
extern const struct transformer_ops scan_transformer, checksum_transformer;
/* of no flow, but by hand: `ferrule edi acknowledge` */
extern const struct transformer_ops edi_acknowledge_transformer;
/* durable */
extern const struct transformer_ops collect_transformer, dedupe_transformer, resequence_transformer;

#endif
