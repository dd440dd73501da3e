/* Decoding and encoding EDI by hand, with the grammars of config/edi and those that a test brings. */
#ifndef FERRULE_TESTS_EDI_HAND_H
#define FERRULE_TESTS_EDI_HAND_H

#include "base/transformer.h"
#include "tests/support/support.h"
#include "transformers/transformers.h"

struct edi_hand_file {
	const char *name, *text;
};

extern char edi_hand_told[700]; /* the first refusal of the last run: "x12.count: …" */

void edi_hand_files(const struct edi_hand_file *, size_t count); /* of edi/, that go before those that ship; borrowed */
const struct span *edi_hand_file(const char *name);              /* NULL: there is none */
const char *edi_hand_source(void);                               /* the directory of the sources */
/* What comes out, appended; how many parts were refused or dropped. `settings` is YAML. */
uint64_t edi_hand_run(const struct transformer_ops *, const char *settings, struct span in, struct buf *out);
int edi_hand_end(void **state); /* for cmocka: forgets the files */

#endif
