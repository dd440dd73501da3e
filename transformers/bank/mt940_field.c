/* Fields of MT940 and MT942 (SWIFT user handbook, category 9), and whether a statement adds up. See mt940.h. */
#include "config.h"
#include "transformers/bank/mt940.h"

#include <stdio.h>
#include <stdlib.h>

enum { BALANCE_REJECT, BALANCE_NOTE };

static void __attribute__((format(printf, 3, 4))) fault(struct mt940 *m, const char *code, const char *format, ...)
{
	va_list arguments;
	char text[300];

	if (m->why.class != ERROR_NONE)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	bank_fault(&m->why, code, ":%s: in line %llu %s", m->tag, (unsigned long long)m->field_line, text);
}

static struct span cut(struct span *text, size_t n)
{
	struct span piece;

	if (n > text->len)
		n = text->len;
	piece = span_make(text->data, n);
	*text = span_make(text->data + n, text->len - n);
	return piece;
}

static struct span line_of(struct span *text)
{
	const char *end = memchr(text->data, '\n', text->len);
	struct span line = cut(text, end ? (size_t)(end - text->data) : text->len);

	if (text->len)
		cut(text, 1);
	return line;
}

/* ---- parts of fields */
static void take_date(struct mt940 *m, struct span *text, json_t *into, const char *name)
{
	struct span written = cut(text, 6);
	char date[11], as_written[32];
	bool bent;

	if (!bank_date(written, date, &bent)) {
		fault(m, "mt940.date", "has no date of the form YYMMDD where one must be");
		return;
	}
	json_object_set_new(into, name, json_string(date));
	if (bent) {
		snprintf(as_written, sizeof as_written, "%sWritten", name);
		bank_set(into, as_written, written);
	}
}

/* Digits and a comma at the front. */
static int64_t take_amount(struct mt940 *m, struct span *text, json_t *into, const char *name)
{
	size_t n = 0;
	int64_t amount = 0;
	struct span written;
	const char *comma;
	char shown[32];

	while (n < text->len && ((text->data[n] >= '0' && text->data[n] <= '9') || text->data[n] == ','))
		n++;
	written = cut(text, n);
	if (!bank_amount(written, ',', &amount)) {
		fault(m, "mt940.amount", "has no amount of the form 1234,56 where one must be");
		return 0;
	}
	comma = memchr(written.data, ',', written.len);
	m->decimals = comma ? (unsigned)(written.data + written.len - comma - 1) : 0;
	bank_amount_text(amount, m->decimals, shown);
	json_object_set_new(into, name, json_string(shown));
	return amount;
}

static void take_currency(struct mt940 *m, struct span *text, json_t *into)
{
	struct span written = cut(text, 3);

	for (size_t i = 0; i < 3; i++)
		if (written.len < 3 || written.data[i] < 'A' || written.data[i] > 'Z') {
			fault(m, "mt940.field", "has no currency of three letters where one must be");
			return;
		}
	bank_set(into, "currency", written);
	if (!*m->currency)
		snprintf(m->currency, sizeof m->currency, "%.3s", written.data);
	else if (strncmp(m->currency, written.data, 2)) /* SWIFT's rule C27: the first two letters */
		fault(m, "mt940.field", "is in %.3s, and what stands before it in %s", written.data, m->currency);
}

/* ---- balances: C170914EUR12345,12 */
static json_t *balance_new(struct mt940 *m, struct span text, int64_t *signed_amount)
{
	json_t *balance = json_object();
	struct span mark = cut(&text, 1);
	char shown[32];

	if (!span_is(mark, "C") && !span_is(mark, "D"))
		fault(m, "mt940.field", "does not begin with C or D");
	bank_set(balance, "mark", mark);
	take_date(m, &text, balance, "date");
	take_currency(m, &text, balance);
	*signed_amount = take_amount(m, &text, balance, "amount");
	if (span_is(mark, "D"))
		*signed_amount = -*signed_amount;
	if (bank_trim(text).len)
		fault(m, "mt940.field", "has something behind the amount");
	bank_amount_text(*signed_amount, m->decimals, shown);
	json_object_set_new(balance, "signed", json_string(shown));
	return balance;
}

static void read_balance(struct mt940 *m, struct span text)
{
	bool opening = m->tag[1] == '0';
	json_t *balance = balance_new(m, text, opening ? &m->opening : &m->closing);

	if (m->tag[2] == 'M')
		json_object_set_new(balance, "intermediate", json_true());
	if (m->seen & (opening ? SEEN_OPENING : SEEN_CLOSING))
		fault(m, "mt940.field", "is there twice in one message");
	m->seen |= opening ? SEEN_OPENING : SEEN_CLOSING;
	json_object_set_new(m->message, opening ? "opening" : "closing", balance);
}

static void read_available(struct mt940 *m, struct span text)
{
	const char *name = m->tag[1] == '4' ? "available" : "forward";
	json_t *list = json_object_get(m->message, name);
	int64_t unused;

	if (!list)
		json_object_set_new(m->message, name, list = json_array());
	json_array_append_new(list, balance_new(m, text, &unused));
}

/* ---- :61: */
/* The entry date has no year: the one in which it is next to the value date. */
static void take_entry_date(struct mt940 *m, struct span *text, struct span value, json_t *into)
{
	char written[7];
	struct span date = span_make(written, 6);
	int year, months;

	if (!bank_is_digits(*text, 4) || !bank_is_digits(value, 6))
		return;
	year = (value.data[0] - '0') * 10 + (value.data[1] - '0');
	months =
		(text->data[0] - '0') * 10 + (text->data[1] - '0') - (value.data[2] - '0') * 10 - (value.data[3] - '0');
	year = (year + (months > 6 ? 99 : months < -6 ? 1 : 0)) % 100;
	snprintf(written, sizeof written, "%02u%.4s", (unsigned)year % 100, text->data);
	cut(text, 4);
	take_date(m, &date, into, "entryDate");
}

static void add_movement(struct mt940 *m, int64_t amount, bool reversal, bool credit, json_t *transaction)
{
	bool plus = credit != reversal;
	char shown[32];

	bank_amount_text(plus ? amount : -amount, m->decimals, shown);
	json_object_set_new(transaction, "signed", json_string(shown));
	m->debits_count += !plus;
	m->credits_count += plus;
	if (!bank_add(&m->sum, plus ? amount : -amount) || !bank_add(plus ? &m->credits : &m->debits, amount))
		fault(m, "mt940.amount", "makes the sum of all amounts too large");
}

static void take_mark(struct mt940 *m, struct span *text, json_t *transaction, bool *reversal, bool *credit)
{
	size_t n = text->len > 1 && (text->data[0] == 'R' || text->data[0] == 'E') &&
				   (text->data[1] == 'C' || text->data[1] == 'D')
			   ? 2
			   : 1;
	struct span mark = cut(text, n);

	if (!mark.len || (mark.data[n - 1] != 'C' && mark.data[n - 1] != 'D'))
		fault(m, "mt940.field", "does not say C, D, RC or RD behind its dates");
	*reversal = n == 2 && mark.data[0] == 'R';
	*credit = mark.len == n && mark.data[n - 1] == 'C';
	bank_set(transaction, "mark", mark);
	if (text->len && text->data[0] >= 'A' && text->data[0] <= 'Z')
		bank_set(transaction, "funds", cut(text, 1));
}

static void take_references(struct span *text, json_t *transaction)
{
	struct span line = line_of(text), reference = line;

	for (size_t i = 0; i + 1 < line.len; i++)
		if (line.data[i] == '/' && line.data[i + 1] == '/') {
			reference.len = i;
			bank_set(transaction, "bankReference",
				 bank_trim(span_make(line.data + i + 2, line.len - i - 2)));
			break;
		}
	bank_set(transaction, "reference", bank_trim(reference));
	bank_set(transaction, "details", bank_trim(*text));
}

static void end_information(struct mt940 *m)
{
	size_t n = json_array_size(m->transactions);

	if (m->information.len && n)
		json_object_set_new(json_array_get(m->transactions, n - 1), "information",
				    mt940_information_new(buf_view(&m->information)));
	buf_reset(&m->information);
}

static void read_transaction(struct mt940 *m, struct span text)
{
	json_t *transaction = json_object();
	struct span value = text;
	bool reversal, credit;
	int64_t amount;

	end_information(m);
	take_date(m, &text, transaction, "valueDate");
	take_entry_date(m, &text, value, transaction);
	take_mark(m, &text, transaction, &reversal, &credit);
	amount = take_amount(m, &text, transaction, "amount");
	add_movement(m, amount, reversal, credit, transaction);
	if (text.len < 4 || text.data[0] < 'A' || text.data[0] > 'Z')
		fault(m, "mt940.field", "has no type of four characters (NTRF) behind the amount");
	bank_set(transaction, "type", cut(&text, 4));
	take_references(&text, transaction);
	json_array_append_new(m->transactions, transaction);
}

/* ---- :86: belongs to the movement before it, or to the statement; a bank may write several of them */
static void read_information(struct mt940 *m, struct span text)
{
	bool movement = json_array_size(m->transactions) && !(m->seen & (SEEN_CLOSING | SEEN_DEBITS | SEEN_CREDITS));
	struct buf *all = movement ? &m->information : &m->remarks;

	if (all->len)
		buf_char(all, '\n');
	if (text.len)
		buf_span(all, text);
	if (all->full)
		fault(m, "mt940.limit", "and those before it are longer than 1 MiB");
}

/* ---- the others */
static void read_number(struct mt940 *m, struct span text)
{
	const char *slash = memchr(text.data, '/', text.len);
	struct span number = slash ? cut(&text, (size_t)(slash - text.data)) : text;

	m->seen |= SEEN_NUMBER;
	bank_set(m->message, "number", number);
	if (slash)
		bank_set(m->message, "sequence", span_make(text.data + 1, text.len - 1));
}

/* 1610301730+0000 */
static void read_created(struct mt940 *m, struct span text)
{
	char date[11], moment[32];
	bool bent;

	m->seen |= SEEN_INTERIM;
	if (!bank_date(text, date, &bent) || bent || !bank_is_digits(span_make(text.data + 6, text.len - 6), 4)) {
		fault(m, "mt940.date", "has no date and time of the form YYMMDDhhmm");
		return;
	}
	snprintf(moment, sizeof moment, "%sT%.2s:%.2s", date, text.data + 6, text.data + 8);
	if (text.len >= 15 && strchr("+-", text.data[10]) && bank_is_digits(span_make(text.data + 11, 4), 4))
		snprintf(moment, sizeof moment, "%sT%.2s:%.2s%.3s:%.2s", date, text.data + 6, text.data + 8,
			 text.data + 10, text.data + 13);
	json_object_set_new(m->message, "created", json_string(moment));
}

/* EURD0,00: the least amount that is told. */
static void read_floor(struct mt940 *m, struct span text)
{
	json_t *floor = json_object(), *list = json_object_get(m->message, "floor");

	m->seen |= SEEN_INTERIM;
	if (!list)
		json_object_set_new(m->message, "floor", list = json_array());
	take_currency(m, &text, floor);
	if (text.len && (text.data[0] == 'C' || text.data[0] == 'D'))
		bank_set(floor, "mark", cut(&text, 1));
	take_amount(m, &text, floor, "amount");
	json_array_append_new(list, floor);
}

/* 3PLN0,03 */
static void read_total(struct mt940 *m, struct span text)
{
	bool debits = m->tag[2] == 'D';
	json_t *total = json_object();
	uint64_t count = 0;

	while (text.len && text.data[0] >= '0' && text.data[0] <= '9' && count < 1000000000)
		count = count * 10 + (uint64_t)(*cut(&text, 1).data - '0');
	json_object_set_new(total, "count", json_integer((json_int_t)count));
	take_currency(m, &text, total);
	*(debits ? &m->told_debits : &m->told_credits) = take_amount(m, &text, total, "amount");
	*(debits ? &m->told_debits_count : &m->told_credits_count) = count;
	m->seen |= (debits ? SEEN_DEBITS : SEEN_CREDITS) | SEEN_INTERIM;
	json_object_set_new(m->message, debits ? "debits" : "credits", total);
}

static void read_other(struct mt940 *m, struct span text)
{
	json_t *list = json_object_get(m->message, "other"), *field = json_object();

	if (!list)
		json_object_set_new(m->message, "other", list = json_array());
	json_object_set_new(field, "tag", json_string(m->tag));
	json_object_set_new(field, "text", json_stringn(text.data, text.len));
	json_array_append_new(list, field);
}

static bool is_tag(const struct mt940 *m, const char *tag)
{
	return !strcmp(m->tag, tag);
}

static void read_text(struct mt940 *m, const char *name, unsigned seen, struct span text)
{
	if (!text.len)
		fault(m, "mt940.field", "is empty");
	if (json_object_get(m->message, name))
		fault(m, "mt940.field", "is there twice in one message");
	m->seen |= seen;
	bank_set(m->message, name, text);
}

void mt940_end_field(struct mt940 *m)
{
	struct span text = bank_trim(buf_view(&m->field));

	if (!m->has_field)
		return;
	m->has_field = false;
	if (m->field.full)
		fault(m, "mt940.limit", "is longer than 1 MiB");
	if (is_tag(m, "20"))
		*m->currency = '\0';
	if (is_tag(m, "20"))
		read_text(m, "reference", SEEN_REFERENCE, text);
	else if (is_tag(m, "21"))
		read_text(m, "relatedReference", 0, text);
	else if (is_tag(m, "25") || is_tag(m, "25P"))
		read_text(m, "account", SEEN_ACCOUNT, text);
	else if (is_tag(m, "28C") || is_tag(m, "28"))
		read_number(m, text);
	else if (is_tag(m, "60F") || is_tag(m, "60M") || is_tag(m, "62F") || is_tag(m, "62M"))
		read_balance(m, text);
	else if (is_tag(m, "64") || is_tag(m, "65"))
		read_available(m, text);
	else if (is_tag(m, "61"))
		read_transaction(m, text);
	else if (is_tag(m, "86"))
		read_information(m, text);
	else if (is_tag(m, "13D") || is_tag(m, "13"))
		read_created(m, text);
	else if (is_tag(m, "34F"))
		read_floor(m, text);
	else if (is_tag(m, "90D") || is_tag(m, "90C"))
		read_total(m, text);
	else
		read_other(m, text);
	buf_reset(&m->field);
}

/* ---- whether it adds up */
static void missing(struct mt940 *m, const char *what)
{
	if (m->why.class == ERROR_NONE)
		bank_fault(&m->why, "mt940.field", "the message up to line %llu has no %s",
			   (unsigned long long)m->reader.number, what);
}

static bool differs(struct mt940 *m, bool *balanced)
{
	*balanced = false;
	return m->settings->balance == BALANCE_REJECT && m->why.class == ERROR_NONE;
}

static void judge_balance(struct mt940 *m, bool *balanced)
{
	int64_t expected = m->opening;
	char is[32], should[32];

	if (!bank_add(&expected, m->sum))
		return;
	if (expected == m->closing || !differs(m, balanced))
		return;
	bank_amount_text(m->closing, 2, is);
	bank_amount_text(expected, 2, should);
	bank_fault(&m->why, "mt940.balance",
		   "the closing balance is %s, and the opening balance with all movements comes to %s", is, should);
}

static void judge_total(struct mt940 *m, const char *tag, uint64_t count, uint64_t told_count, int64_t sum,
			int64_t told, bool *balanced)
{
	char is[32], should[32];

	if ((count == told_count && sum == told) || !differs(m, balanced))
		return;
	bank_amount_text(told, 2, is);
	bank_amount_text(sum, 2, should);
	bank_fault(&m->why, "mt940.total", ":%s: says %llu movements of %s in all, and there are %llu of %s", tag,
		   (unsigned long long)told_count, is, (unsigned long long)count, should);
}

void mt940_judge(struct mt940 *m)
{
	bool interim = !strcmp(m->type, "942") || (!*m->type && m->seen & SEEN_INTERIM && !(m->seen & SEEN_CLOSING)),
	     balanced = true;

	end_information(m);
	if (m->remarks.len)
		json_object_set_new(m->message, "information", mt940_information_new(buf_view(&m->remarks)));
	if (!(m->seen & SEEN_REFERENCE))
		missing(m, "reference (:20:)");
	if (!(m->seen & SEEN_ACCOUNT))
		missing(m, "account (:25:)");
	if (!(m->seen & SEEN_NUMBER))
		missing(m, "number (:28C:)");
	if (!interim && !(m->seen & SEEN_OPENING) && strcmp(m->type, "941"))
		missing(m, "opening balance (:60F: or :60M:)");
	if (!interim && !(m->seen & SEEN_CLOSING))
		missing(m, "closing balance (:62F: or :62M:)");
	if ((m->seen & SEEN_OPENING) && (m->seen & SEEN_CLOSING) && strcmp(m->type, "941"))
		judge_balance(m, &balanced);
	if (m->seen & SEEN_DEBITS && strcmp(m->type, "941"))
		judge_total(m, "90D", m->debits_count, m->told_debits_count, m->debits, m->told_debits, &balanced);
	if (m->seen & SEEN_CREDITS && strcmp(m->type, "941"))
		judge_total(m, "90C", m->credits_count, m->told_credits_count, m->credits, m->told_credits, &balanced);
	json_object_set_new(m->message, "type", json_string(*m->type ? m->type : interim ? "942" : "940"));
	json_object_set_new(m->message, "balanced", json_boolean(balanced));
}
