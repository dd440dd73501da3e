/* What the files of the MT940 reader share: mt940.c (messages), mt940_field.c (fields, and whether they add up) and
 * mt940_information.c (:86:). */
#ifndef FERRULE_TRANSFORMERS_MT940_H
#define FERRULE_TRANSFORMERS_MT940_H

#include "transformers/bank/bank.h"

enum mt940_seen {
	SEEN_REFERENCE = 1,
	SEEN_ACCOUNT = 2,
	SEEN_NUMBER = 4,
	SEEN_OPENING = 8,
	SEEN_CLOSING = 16,
	SEEN_INTERIM = 32, /* a field that only an MT942 has */
	SEEN_DEBITS = 64,
	SEEN_CREDITS = 128,
};

struct mt940_settings {
	int balance;
	const char *charset;
};

struct mt940 {
	const struct mt940_settings *settings;
	struct bank_reader reader;
	bool open, has_field, header_seen;
	uint64_t from, header_from; /* of the message, of what stands in front of the next */
	char type[4], told_type[4];
	json_t *blocks, *message, *transactions;
	/* the field in hand, with its lines */
	char tag[4];
	struct buf field;
	uint64_t field_line;
	size_t size;
	struct buf information, remarks; /* :86: of the last movement, and of the statement, until all of it is there */
	/* of the message */
	unsigned seen;
	char currency[4];
	unsigned decimals;                              /* of the balances as they are written, at most */
	int64_t opening, closing, sum, debits, credits; /* sum: of the movements */
	int64_t told_debits, told_credits;
	uint64_t debits_count, credits_count, told_debits_count, told_credits_count;
	struct error why; /* the first mistake */
};

void mt940_end_field(struct mt940 *); /* the field in hand is complete */
void mt940_judge(struct mt940 *);     /* the message is */
#define MT940_INFORMATION_MAX ((size_t)1 << 20)
/* {"text":…}, and what is structured in it. */
json_t *mt940_information_new(struct span text);

#endif
