/* encode: bai2: lines as decode gives them, or an array of them, to a report: accounts with the same file and group
 * stand together, and trailers, totals and counts are computed. Records go on in 88 where recordLength says so. */
#include "config.h"
#include "transformers/encode.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/bank/bank.h"

#define LENGTH_MAX 1000

struct writer {
	struct buf *out, record;
	struct error *error;
	const json_t *file, *group; /* that are open */
	uint64_t file_records, group_records, account_records, groups, accounts;
	int64_t file_total, group_total, account_total;
	size_t length; /* of a physical record; 0: any */
	size_t line;
	bool uncut; /* a field is longer than a record may be */
};

static int fault(const struct writer *w, const char *code, const char *what)
{
	return bank_fault(w->error, code, "line %zu: %s", w->line, what);
}

/* ---- records */
static void count(struct writer *w)
{
	w->file_records++;
	w->group_records++;
	w->account_records++;
}

/* The record in hand, in pieces where it is too long: cut behind a comma. */
static void end_record(struct writer *w)
{
	struct span rest = buf_view(&w->record);
	bool first = true;

	do {
		size_t room = w->length ? w->length - (first ? 1 : 4) : rest.len, n = rest.len;

		if (n > room)
			for (n = room; n && rest.data[n - 1] != ',';)
				n--;
		if (!n) {
			n = rest.len;
			w->uncut = true;
		}
		buf_text(w->out, first ? "" : "88,");
		/* The slash ends the field in place of its comma. */
		buf_append(w->out, rest.data, n < rest.len && rest.data[n - 1] == ',' ? n - 1 : n);
		buf_text(w->out, "/\n");
		rest = span_make(rest.data + n, rest.len - n);
		first = false;
		count(w);
	} while (rest.len);
	buf_reset(&w->record);
}

static int put(struct writer *w, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);

	if (value && !text && !json_is_null(value))
		return fault(w, "bai2.value", "a field is a text");
	buf_char(&w->record, ',');
	for (const char *c = text; c && *c; c++)
		if (*c == ',' || *c == '/' || (unsigned char)*c < 0x20)
			return fault(w, "bai2.value", "a field has a comma, a slash or a control character");
	buf_text(&w->record, text ? text : "");
	return 0;
}

/* 2026-03-02 as 260302. */
static int put_date(struct writer *w, const json_t *object, const char *name)
{
	struct span date = span_of(json_string_value(json_object_get(object, name)));
	char digits[7], again[11];
	bool bent;

	buf_char(&w->record, ',');
	if (!date.len)
		return 0;
	if (date.len != 10)
		return fault(w, "bai2.value", "a date is 2026-03-02");
	snprintf(digits, sizeof digits, "%.2s%.2s%.2s", date.data + 2, date.data + 5, date.data + 8);
	if (!bank_date(span_of(digits), again, &bent) || bent || memcmp(again, date.data, 10))
		return fault(w, "bai2.value", "a date is one from 1970 to 2069, 2026-03-02");
	buf_text(&w->record, digits);
	return 0;
}

static int put_amount(struct writer *w, const json_t *object, const char *name, bool counted)
{
	const char *text = json_string_value(json_object_get(object, name));
	int64_t amount = 0;

	buf_char(&w->record, ',');
	if (!text)
		return json_object_get(object, name) ? fault(w, "bai2.value", "an amount is a text of digits") : 0;
	if (!bank_digits(span_of(text), 4, &amount))
		return fault(w, "bai2.value", "an amount is a text of digits, in the smallest unit of the currency");
	if (counted && !bank_add(&w->account_total, amount))
		return fault(w, "bai2.value", "the total is too large");
	buf_printf(&w->record, "%lld", (long long)amount);
	return 0;
}

static int put_funds(struct writer *w, const json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "funds"));
	const json_t *days = json_object_get(object, "days"), *part;
	size_t i;

	if (put(w, object, "funds"))
		return -1;
	if (!type)
		return 0;
	if (!strcmp(type, "S"))
		return put_amount(w, object, "immediate", false) || put_amount(w, object, "oneDay", false) ||
				       put_amount(w, object, "twoDays", false)
			       ? -1
			       : 0;
	if (!strcmp(type, "V"))
		return put_date(w, object, "valueDate") || put(w, object, "valueTime") ? -1 : 0;
	if (strcmp(type, "D"))
		return 0;
	buf_printf(&w->record, ",%zu", json_array_size(days));
	json_array_foreach(days, i, part)
		if (put(w, part, "days") || put_amount(w, part, "amount", false))
			return -1;
	return 0;
}

/* ---- accounts */
static int put_code(struct writer *w, const json_t *object)
{
	const char *code = json_string_value(json_object_get(object, "code"));

	if (!code || strlen(code) != 3 || strspn(code, "0123456789") != 3)
		return fault(w, "bai2.value", "a `code` is a text of three digits");
	return put(w, object, "code");
}

static int put_transaction(struct writer *w, const json_t *transaction)
{
	const char *text = json_string_value(json_object_get(transaction, "text"));

	buf_text(&w->record, "16");
	if (put_code(w, transaction) || put_amount(w, transaction, "amount", true) || put_funds(w, transaction) ||
	    put(w, transaction, "bankReference") || put(w, transaction, "customerReference"))
		return -1;
	if (!text)
		buf_char(&w->record, ',');
	end_record(w);
	if (!text)
		return 0;
	for (const char *p = text; *p;) { /* text is in records of its own, without a slash at its end */
		size_t line = strcspn(p, "\r\n"), room = w->length > 4 ? w->length - 3 : line,
		       n = line < room ? line : room;

		while (n && n < line && ((unsigned char)p[n] & 0xc0) == 0x80)
			n--;
		n = n ? n : line;
		if (n && p[n - 1] == '/')
			return fault(w, "bai2.value", "a line of a text ends with a slash, which would end its record");
		buf_printf(w->out, "88,%.*s\n", (int)n, p);
		count(w);
		p += n;
		p += strspn(p, "\r\n");
	}
	return 0;
}

static int put_account(struct writer *w, const json_t *account)
{
	const json_t *summaries = json_object_get(account, "summaries"),
		     *transactions = json_object_get(account, "transactions"), *one;
	size_t i;

	w->account_records = 0;
	w->account_total = 0;
	if (!json_is_string(json_object_get(account, "number")))
		return fault(w, "bai2.value", "`account` must have a `number`");
	buf_text(&w->record, "03");
	if (put(w, account, "number") || put(w, account, "currency"))
		return -1;
	json_array_foreach(summaries, i, one)
		if ((json_object_get(one, "code") ? put_code(w, one) : put(w, one, "code")) ||
		    put_amount(w, one, "amount", true) || put(w, one, "items") || put_funds(w, one))
			return -1;
	if (!json_array_size(summaries))
		buf_text(&w->record, ",,,,");
	end_record(w);
	json_array_foreach(transactions, i, one)
		if (put_transaction(w, one))
			return -1;
	buf_printf(&w->record, "49,%lld,%llu", (long long)w->account_total, (unsigned long long)w->account_records + 1);
	end_record(w);
	w->accounts++;
	if (w->uncut)
		return fault(w, "bai2.value", "a field is longer than recordLength lets a record be");
	return bank_add(&w->group_total, w->account_total) ? 0 : fault(w, "bai2.value", "the total is too large");
}

/* ---- groups and files */
static int close_group(struct writer *w)
{
	if (!w->group)
		return 0;
	w->group = NULL;
	buf_printf(&w->record, "98,%lld,%llu,%llu", (long long)w->group_total, (unsigned long long)w->accounts,
		   (unsigned long long)w->group_records + 1);
	end_record(w);
	w->groups++;
	return bank_add(&w->file_total, w->group_total) ? 0 : fault(w, "bai2.value", "the total is too large");
}

static int close_file(struct writer *w)
{
	if (!w->file)
		return 0;
	if (close_group(w))
		return -1;
	buf_printf(&w->record, "99,%lld,%llu,%llu", (long long)w->file_total, (unsigned long long)w->groups,
		   (unsigned long long)w->file_records + 1);
	end_record(w);
	w->file = NULL;
	return 0;
}

static int open_file(struct writer *w, const json_t *file)
{
	const char *length = json_string_value(json_object_get(file, "recordLength"));
	long wished = length ? strtol(length, NULL, 10) : 0;

	if (close_file(w))
		return -1;
	w->file = file;
	w->file_total = 0;
	w->groups = w->file_records = 0;
	w->length = 0;
	buf_text(&w->record, "01");
	if (put(w, file, "sender") || put(w, file, "receiver") || put_date(w, file, "date") || put(w, file, "time") ||
	    put(w, file, "id") || put(w, file, "recordLength") || put(w, file, "blockSize"))
		return -1;
	buf_text(&w->record, ",2");
	end_record(w);
	w->length = wished >= 40 && wished <= LENGTH_MAX ? (size_t)wished : 0;
	return 0;
}

static int open_group(struct writer *w, const json_t *group)
{
	if (close_group(w))
		return -1;
	w->group = group;
	w->group_total = 0;
	w->accounts = w->group_records = 0;
	buf_text(&w->record, "02");
	if (put(w, group, "receiver") || put(w, group, "originator") || put(w, group, "status") ||
	    put_date(w, group, "date") || put(w, group, "time") || put(w, group, "currency") ||
	    put(w, group, "dateModifier"))
		return -1;
	end_record(w);
	return 0;
}

static int put_line(struct writer *w, const json_t *line)
{
	const json_t *file = json_object_get(line, "file"), *group = json_object_get(line, "group"),
		     *account = json_object_get(line, "account");

	if (!json_is_object(file) || !json_is_object(group) || !json_is_object(account))
		return fault(w, "bai2.value", "`file`, `group` and `account` must be objects");
	if ((!w->file || !json_equal(w->file, file)) && open_file(w, file))
		return -1;
	if ((!w->group || !json_equal(w->group, group)) && open_group(w, group))
		return -1;
	return put_account(w, account);
}

static int write_bai2(const struct encode *encode, const struct expression_input *input, struct buf *out,
		      struct error *error)
{
	struct writer w = {.out = out, .error = error};
	size_t n = json_is_array(input->body) ? json_array_size(input->body) : 1;
	int failed = 0;

	buf_init(&w.record, 16 << 20);
	for (size_t i = 0; i < n && !failed; i++) {
		w.line = i + 1;
		failed = put_line(&w, json_is_array(input->body) ? json_array_get(input->body, i) : input->body);
	}
	failed = failed || close_file(&w);
	if (!failed && w.record.full)
		failed = bank_fault(error, "bai2.limit", "a record passes 16 MiB");
	buf_free(&w.record);
	return failed ? -1 : 0;
}

const struct encode_format encode_bai2 = {.name = "bai2", .media_type = "text/plain", .write = write_bai2};
