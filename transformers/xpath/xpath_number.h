/* Numbers of XPath 2.0: decimals and integers, exact, of at most 38 digits, 30 of them behind the point; doubles
 * (IEEE 754) as XPath writes them. A quotient has 18 digits behind the point at most (XPath 2.0, op:numeric-divide
 * leaves that to whoever implements it). */
#ifndef FERRULE_TRANSFORMERS_XPATH_NUMBER_H
#define FERRULE_TRANSFORMERS_XPATH_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

__extension__ typedef __int128 xpath_wide;

struct xpath_decimal {
	xpath_wide value; /* of units of 10 to the power of -scale; without zeros at the end */
	int scale;
};

#define XPATH_SCALE_MAX 30
#define XPATH_NUMBER_TEXT 400

struct xpath_decimal xpath_decimal_of(int64_t);
/* Where they return bool: false when the result needs more digits than there are, or when what is read is no number. */
bool xpath_decimal_read(struct span text, struct xpath_decimal *); /* with blanks around it */
bool xpath_decimal_from(double, struct xpath_decimal *);
double xpath_decimal_double(struct xpath_decimal);
void xpath_decimal_text(struct xpath_decimal, char text[XPATH_NUMBER_TEXT]);
bool xpath_decimal_whole(struct xpath_decimal); /* nothing behind the point? */
bool xpath_decimal_int(struct xpath_decimal, int64_t *);
int xpath_decimal_compare(struct xpath_decimal, struct xpath_decimal);
bool xpath_decimal_add(struct xpath_decimal, struct xpath_decimal, struct xpath_decimal *);
bool xpath_decimal_multiply(struct xpath_decimal, struct xpath_decimal, struct xpath_decimal *);
/* Of what is not zero. */
bool xpath_decimal_divide(struct xpath_decimal, struct xpath_decimal, struct xpath_decimal *);
bool xpath_decimal_idivide(struct xpath_decimal, struct xpath_decimal, struct xpath_decimal *); /* towards zero */
bool xpath_decimal_modulo(struct xpath_decimal, struct xpath_decimal, struct xpath_decimal *);
enum xpath_rounding { XPATH_FLOOR, XPATH_CEILING, XPATH_ROUND, XPATH_HALF_EVEN };
/* To so many digits behind the point (negative: in front of it). XPATH_ROUND: the half goes up, as fn:round says. */
struct xpath_decimal xpath_decimal_round(struct xpath_decimal, int digits, enum xpath_rounding);

bool xpath_double_read(struct span text, double *); /* "1", "-.5E3", "NaN", "INF" */
void xpath_double_text(double, char text[XPATH_NUMBER_TEXT]);

#endif
