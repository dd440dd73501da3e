/* Scalars of option tables: option.c's other half. */
#ifndef FERRULE_BASE_OPTION_VALUE_H
#define FERRULE_BASE_OPTION_VALUE_H

#include "base/option.h"

/* Reads a number, size, duration, truth, choice or text into the field. -1: a finding says why. */
int option_value(struct option_context *, const struct option *, const struct node *, void *field);
/* -1 with the finding `option.type` unless the node is a scalar that can be a C string. */
int option_scalar(struct option_context *, const struct option *, const struct node *, const char *expected);
/* Adds an error; returns -1. */
int option_fault(struct option_context *, struct place, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A text as it may be shown in a finding: short, in one line. In the arena. */
const char *option_shown(struct arena *, struct span);

#endif
