/* Packages (ISO 9735-8): UNO, an object of any bytes, UNP. UNO says how many octets the object has; the separators mean
 * nothing in them. */
#ifndef FERRULE_TRANSFORMERS_EDI_PACKAGE_H
#define FERRULE_TRANSFORMERS_EDI_PACKAGE_H

#include "transformers/edi/edi.h"

#define EDI_UNO_REFERENCE 1
#define EDI_UNO_REFERENCE_MAX 70 /* bytes of 35 characters, roughly */
#define EDI_UNO_ID 2
#define EDI_UNO_TYPE 3
#define EDI_UNO_STATUS 4 /* S022: length, segments before the object, … */
#define EDI_UNP_LENGTH 1
#define EDI_UNP_REFERENCE 2

struct edi_package {
	uint64_t from, length; /* of the object, in the document */
	uint64_t closing;      /* where UNP stands */
	struct error why;      /* class NONE: UNP stands where UNO says; else nothing of the object is known */
};

bool edi_opens_package(const struct edi_scan *, struct span text);
/* One to eighteen digits. */
bool edi_octets(struct span, uint64_t *);
/* Where the object of an UNO lies, which was read and is without line ends. The scan goes on with UNP: where the length
 * says, else the next one with the same reference. 1: found, 0: there is none, -1: as window_get. */
int edi_package_find(struct edi_scan *, const struct edi_segment *uno, struct edi_package *, struct error *);

#endif
