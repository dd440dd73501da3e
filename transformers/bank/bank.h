/* What the text formats of banks share: lines of a document in any character set, amounts, dates, and a line of JSON
 * for each statement. */
#ifndef FERRULE_TRANSFORMERS_BANK_H
#define FERRULE_TRANSFORMERS_BANK_H

#include <jansson.h>

#include "transformers/lines.h"
#include "transformers/text.h"

#define BANK_LINE_MAX ((size_t)64 * 1024)
#define BANK_PART_MAX ((size_t)64 << 20) /* bytes of one statement */

struct bank_reader {
	const char *limit; /* "mt940.limit", the code of lines that are too long */
	struct text text;
	struct lines lines;
	uint64_t at, source; /* of the next line: in the text, and in the document */
	uint64_t number;     /* of the line in hand, from 1 */
	struct buf line;     /* its text, which is UTF-8 without zero bytes */
	bool bad;            /* it had others: they became U+FFFD, or blanks */
};

#define BANK_CHARSET_OPTION(settings)                                                                                  \
	{                                                                                                              \
		.name = "charset", .type = OPTION_TEXT, .offset = offsetof(settings, charset),                         \
		.help = "the character set; without it UTF-8 where the document is valid UTF-8, else CP1252"           \
	}
int bank_check_charset(const char *charset, struct place, struct findings *); /* NULL: none was named */

/* `charset` NULL: as text_begin and text_settle find it. */
int bank_begin(struct bank_reader *, const char *limit, const char *charset, struct item *, struct out *,
	       struct error *);
void bank_end(struct bank_reader *);
/* The next line into `line`, without its end: 1, 0 at the end of the document, -1. */
int bank_next(struct bank_reader *, struct error *);
int bank_fault(struct error *, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The document goes out as a line; takes it. */
int bank_emit(struct bank_reader *, json_t *take, const char *what, uint64_t from, struct error *);
int bank_reject(struct bank_reader *, const char *what, uint64_t from, struct error *why, struct error *);

/* ---- amounts: counted in ten-thousandths */
#define BANK_UNIT 10000
/* Digits with at most four decimals behind `point`; at most 14 digits. False: it is none. */
bool bank_amount(struct span text, char point, int64_t *amount);
bool bank_digits(struct span text, unsigned decimals, int64_t *amount);  /* +12345 with implied decimals */
void bank_amount_text(int64_t amount, unsigned decimals, char into[32]); /* at least so many decimals */
bool bank_add(int64_t *sum, int64_t amount);                             /* false: too large */

/* ---- dates */
/* YYMMDD, of 1970 to 2069, as 2026-03-02; a day that its month has not becomes its last (banks write 30 February),
 * which *bent says. False: it is none. */
bool bank_date(struct span text, char into[11], bool *bent);

void bank_set(json_t *object, const char *name, struct span text); /* where it is not empty */
struct span bank_trim(struct span text);
bool bank_is_digits(struct span text, size_t n); /* it begins with so many */

#endif
