/* What the codes of errors mean, for people: the reference and `ferrule help CODE`. */
#ifndef FERRULE_CONFIG_ERROR_CODES_H
#define FERRULE_CONFIG_ERROR_CODES_H

#include <stddef.h>

/* What becomes of the work in hand; a code may be used in several ways. */
#define ERROR_CODE_DEAD	 1u  /* a message: a dead letter */
#define ERROR_CODE_AGAIN 2u  /* it is tried again */
#define ERROR_CODE_DOUBT 4u  /* nobody knows whether it took effect */
#define ERROR_CODE_FATAL 8u  /* the process ends and is started again */
#define ERROR_CODE_VERB	 16u /* a command or a request is refused */

struct error_code {
	const char *code; /* NNN at its end stands for a number */
	unsigned becomes;
	const char *help; /* a sentence without a full stop */
};
extern const struct error_code error_codes[]; /* by code; ends with NULL */
const struct error_code *error_code_find(const char *code); /* NULL: not there */
void error_code_becomes(const struct error_code *, char *text, size_t); /* "dead letter, tried again" */

#endif
