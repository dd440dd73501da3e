/* BAI2 cash management reports (X9 TR 6): a line for each account of a group. Records 01 file, 02 group, 03 account, 16
 * transaction, 88 continuation, 49, 98, 99 trailers with totals and counts. What the totals of group and file say is
 * known only behind their accounts, which have gone on by then: a wrong one is told by itself. */
#include "config.h"
#include "transformers/bank/bank.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/format.h"

#define FIELDS_MAX 4000
#define RECORD_MAX ((size_t)1 << 20)
/* Stands where a slash ended a field and a record 88 goes on: a comma, but in a text a line end. */
#define JOINED '\x1e'

struct bai2_settings {
	int totals;
	const char *charset;
};

enum { TOTALS_REJECT, TOTALS_NOTE };

static const struct option options[] = {
	{.name = "totals",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct bai2_settings, totals),
	 .range = "reject|note",
	 .fallback = "reject",
	 .help = "accounts whose control totals or counts, or those of their group or file, are not what stands there: "
		 "refused, or passed on with `balanced: false`"},
	BANK_CHARSET_OPTION(struct bai2_settings),
	OPTION_END,
};

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct bai2_settings *settings = of;

	return bank_check_charset(settings->charset, place, findings);
}

/* What a level has in hand, to be held against its trailer. */
struct level {
	bool open;
	uint64_t records, parts;
	int64_t total;
};

struct bai2 {
	const struct bai2_settings *settings;
	struct bank_reader reader;
	struct buf record; /* with its continuations, joined */
	bool has_record, record_bad;
	uint64_t record_from, record_line, lines_in_record;
	struct level file, group, account;
	json_t *file_json, *group_json, *account_json, *transactions;
	uint64_t account_from;
	bool balanced;                    /* of the account in hand */
	struct error why;                 /* of the account in hand; the first */
	struct error file_why, group_why; /* of the records 01 and 02: each account below is refused */
};

/* ---- fields */
static void wrong(struct bai2 *b, const char *code, const char *what)
{
	if (b->why.class == ERROR_NONE)
		bank_fault(&b->why, code, "the record in line %llu %s", (unsigned long long)b->record_line, what);
}

/* The next field in front of a comma; without one, all there is. */
static struct span take(struct span *rest)
{
	size_t n = 0, taken;
	struct span field;

	while (n < rest->len && rest->data[n] != ',' && rest->data[n] != JOINED)
		n++;
	field = span_make(rest->data, n);
	taken = n + (n < rest->len);
	*rest = span_make(rest->data + taken, rest->len - taken);
	return bank_trim(field);
}

/* Commas alone are no fields. */
static void end_fields(struct bai2 *b, struct span rest)
{
	for (size_t i = 0; i < rest.len; i++)
		if (!strchr(", \t\n\x1e", rest.data[i])) {
			wrong(b, "bai2.field", "has more fields than there are in such a record");
			return;
		}
}

static bool is_code(struct span field)
{
	return field.len == 3 && bank_is_digits(field, 3);
}

static void set_field(json_t *object, const char *name, struct span *rest)
{
	bank_set(object, name, take(rest));
}

static void set_date(struct bai2 *b, json_t *object, const char *name, struct span *rest)
{
	struct span field = take(rest);
	char date[11];
	bool bent;

	if (!field.len)
		return;
	if (field.len != 6 || !bank_date(field, date, &bent) || bent) {
		wrong(b, "bai2.date", "has no date of the form YYMMDD where one must be");
		return;
	}
	json_object_set_new(object, name, json_string(date));
}

static int64_t set_amount(struct bai2 *b, json_t *object, const char *name, struct span *rest)
{
	struct span field = take(rest);
	char text[32];
	int64_t amount = 0;

	if (!field.len)
		return 0;
	if (!bank_digits(field, 4, &amount)) {
		wrong(b, "bai2.amount", "has no amount in digits where one must be");
		return 0;
	}
	snprintf(text, sizeof text, "%lld", (long long)amount);
	json_object_set_new(object, name, json_string(text));
	return amount;
}

/* Funds: Z, 0, 1, 2, or S with three amounts, V with date and time, D with pairs of days and amounts. */
static void set_funds(struct bai2 *b, json_t *object, struct span *rest)
{
	struct span type = take(rest);
	json_t *list, *part;
	int64_t n = 0;

	bank_set(object, "funds", type);
	if (span_is(type, "S")) {
		set_amount(b, object, "immediate", rest);
		set_amount(b, object, "oneDay", rest);
		set_amount(b, object, "twoDays", rest);
	} else if (span_is(type, "V")) {
		set_date(b, object, "valueDate", rest);
		set_field(object, "valueTime", rest);
	} else if (span_is(type, "D")) {
		if (!bank_digits(take(rest), 4, &n) || n < 0 || n > 100) {
			wrong(b, "bai2.field", "does not say how many days its funds come on");
			return;
		}
		json_object_set_new(object, "days", list = json_array());
		for (; n; n--) {
			json_array_append_new(list, part = json_object());
			set_field(part, "days", rest);
			set_amount(b, part, "amount", rest);
		}
	} else if (type.len && !span_is(type, "Z") && !span_is(type, "0") && !span_is(type, "1") &&
		   !span_is(type, "2")) {
		wrong(b, "bai2.field", "has a type of funds that is none of Z, 0, 1, 2, S, V, D");
	}
}

/* ---- totals */
static void judge(struct bai2 *b, struct span rest, const struct level *level, const char *parts)
{
	struct span total_text = take(&rest), count;
	int64_t total = 0, records = 0, told_parts = (int64_t)level->parts;
	char text[200];

	if (parts && !bank_digits(take(&rest), 4, &told_parts))
		told_parts = -1;
	count = take(&rest);
	end_fields(b, rest);
	if (!bank_digits(total_text, 4, &total) || !bank_digits(count, 4, &records)) {
		wrong(b, "bai2.field", "is a trailer without a control total and counts");
		return;
	}
	if (total == level->total && records == (int64_t)level->records && told_parts == (int64_t)level->parts)
		return;
	b->balanced = false;
	if (b->settings->totals == TOTALS_NOTE)
		return;
	if (total != level->total)
		snprintf(text, sizeof text, "says %lld in all, and the amounts come to %lld", (long long)total,
			 (long long)level->total);
	else if (records != (int64_t)level->records)
		snprintf(text, sizeof text, "says %lld records, and there are %llu", (long long)records,
			 (unsigned long long)level->records);
	else
		snprintf(text, sizeof text, "says %lld %s, and there are %llu", (long long)told_parts, parts,
			 (unsigned long long)level->parts);
	wrong(b, "bai2.total", text);
}

static void add(struct bai2 *b, int64_t amount)
{
	if (!bank_add(&b->account.total, amount))
		wrong(b, "bai2.amount", "makes the total too large");
}

/* ---- records */
static void read_summaries(struct bai2 *b, struct span rest)
{
	json_t *list = json_array();

	while (rest.len) {
		json_t *summary = json_object();
		struct span code = take(&rest);

		bank_set(summary, "code", code);
		if (code.len && !is_code(code))
			wrong(b, "bai2.field", "has a type code that is not three digits");
		add(b, set_amount(b, summary, "amount", &rest));
		set_field(summary, "items", &rest);
		set_funds(b, summary, &rest);
		if (json_object_size(summary))
			json_array_append_new(list, summary);
		else
			json_decref(summary);
		if (json_array_size(list) > FIELDS_MAX) {
			wrong(b, "bai2.limit", "has too many fields");
			break;
		}
	}
	json_object_set_new(b->account_json, "summaries", list);
}

static void open_account(struct bai2 *b, struct span rest)
{
	json_decref(b->account_json);
	b->account_json = json_object();
	b->transactions = json_array();
	b->account = (struct level){.open = true};
	b->account_from = b->record_from;
	b->balanced = true;
	b->why.class = ERROR_NONE;
	json_object_set_new(b->account_json, "transactions", b->transactions);
	set_field(b->account_json, "number", &rest);
	set_field(b->account_json, "currency", &rest);
	read_summaries(b, rest);
}

static void set_text(json_t *transaction, struct span rest)
{
	char *text = mem_span_dup(bank_trim(rest));

	for (char *c = text; *c; c++)
		if (*c == JOINED)
			*c = '\n';
	bank_set(transaction, "text", bank_trim(span_of(text)));
	free(text);
}

static void read_transaction(struct bai2 *b, struct span rest)
{
	json_t *transaction = json_object();
	struct span code = take(&rest);

	bank_set(transaction, "code", code);
	if (!is_code(code))
		wrong(b, "bai2.field", "has a type code that is not three digits");
	add(b, set_amount(b, transaction, "amount", &rest));
	set_funds(b, transaction, &rest);
	set_field(transaction, "bankReference", &rest);
	set_field(transaction, "customerReference", &rest);
	set_text(transaction, rest);
	if (b->why.class == ERROR_NONE)
		json_array_append_new(b->transactions, transaction);
	else /* what is refused need not be kept */
		json_decref(transaction);
}

static int end_account(struct bai2 *b, struct error *error)
{
	json_t *line;

	if (!b->account.open)
		return 0;
	b->account.open = false;
	if (!b->group.open)
		wrong(b, "bai2.structure", "ends an account that is in no group");
	if (b->why.class == ERROR_NONE)
		b->why = b->group_why;
	if (b->why.class != ERROR_NONE)
		return bank_reject(&b->reader, "account", b->account_from, &b->why, error);
	line = json_pack("{s:s s:O s:O s:O s:b}", "format", "bai2", "file", b->file_json, "group", b->group_json,
			 "account", b->account_json, "balanced", b->balanced);
	return bank_emit(&b->reader, line, "account", b->account_from, error);
}

static void open_file(struct bai2 *b, struct span rest)
{
	json_decref(b->file_json);
	b->file_json = json_object();
	b->file = (struct level){.open = true};
	b->group.open = false;
	set_field(b->file_json, "sender", &rest);
	set_field(b->file_json, "receiver", &rest);
	set_date(b, b->file_json, "date", &rest);
	set_field(b->file_json, "time", &rest);
	set_field(b->file_json, "id", &rest);
	set_field(b->file_json, "recordLength", &rest);
	set_field(b->file_json, "blockSize", &rest);
	set_field(b->file_json, "version", &rest);
	end_fields(b, rest);
}

static void open_group(struct bai2 *b, struct span rest)
{
	json_decref(b->group_json);
	b->group_json = json_object();
	b->group = (struct level){.open = true};
	set_field(b->group_json, "receiver", &rest);
	set_field(b->group_json, "originator", &rest);
	set_field(b->group_json, "status", &rest);
	set_date(b, b->group_json, "date", &rest);
	set_field(b->group_json, "time", &rest);
	set_field(b->group_json, "currency", &rest);
	set_field(b->group_json, "dateModifier", &rest);
	end_fields(b, rest);
}

/* An account without its trailer is refused with what follows it. */
static int close_open_account(struct bai2 *b, struct error *error)
{
	if (!b->account.open)
		return 0;
	wrong(b, "bai2.structure", "comes before record 49 ended the account");
	return end_account(b, error);
}

/* A group or file without its trailer: its accounts have gone on, so that it is told by itself. */
static int close_open(struct bai2 *b, struct level *level, const char *what, const char *trailer, struct error *error)
{
	struct error why;

	if (!level->open)
		return 0;
	level->open = false;
	bank_fault(&why, "bai2.structure", "the record in line %llu comes before record %s ended the %s",
		   (unsigned long long)b->record_line, trailer, what);
	return bank_reject(&b->reader, what, b->record_from, &why, error);
}

/* A trailer of group or file that is wrong is told once, behind its accounts. */
static int end_level(struct bai2 *b, struct level *level, struct level *above, struct span rest, const char *parts,
		     struct error *error)
{
	if (close_open_account(b, error))
		return -1;
	b->why.class = ERROR_NONE;
	if (!level->open)
		wrong(b, "bai2.structure", "ends what was not begun");
	else
		judge(b, rest, level, parts);
	level->open = false;
	if (above) {
		above->parts++;
		if (!bank_add(&above->total, level->total))
			wrong(b, "bai2.amount", "makes the total too large");
	}
	if (b->why.class == ERROR_NONE && !level->parts)
		b->why = b->group_why; /* no account tells it */
	if (b->why.class == ERROR_NONE)
		return 0;
	return bank_reject(&b->reader, parts, b->record_from, &b->why, error);
}

static int end_account_record(struct bai2 *b, struct span rest, struct error *error)
{
	if (!b->account.open)
		return end_level(b, &b->account, NULL, rest, "accounts", error);
	judge(b, rest, &b->account, NULL);
	b->group.parts++;
	if (!bank_add(&b->group.total, b->account.total))
		wrong(b, "bai2.amount", "makes the total too large");
	return end_account(b, error);
}

static void count_records(struct bai2 *b)
{
	b->file.records += b->lines_in_record;
	b->group.records += b->lines_in_record;
	b->account.records += b->lines_in_record;
}

static int unknown(struct bai2 *b, struct error *error)
{
	if (b->account.open) {
		wrong(b, "bai2.structure", "is none of 01, 02, 03, 16, 49, 88, 98, 99, or stands where it may not");
		return 0;
	}
	bank_fault(&b->why, "bai2.structure",
		   "the record in line %llu is none of 01, 02, 03, 16, 49, 88, 98, 99, or stands where it may not",
		   (unsigned long long)b->record_line);
	return bank_reject(&b->reader, "record", b->record_from, &b->why, error);
}

static void check_record(struct bai2 *b)
{
	if (b->record_bad)
		wrong(b, "bai2.character", "has a byte that is no character of its set");
}

static int end_record(struct bai2 *b, struct error *error)
{
	struct span rest = bank_trim(buf_view(&b->record)), code;

	if (!b->has_record)
		return 0;
	b->has_record = false;
	if (rest.len && rest.data[rest.len - 1] == '/')
		rest.len--;
	code = take(&rest);
	if (span_is(code, "01") || span_is(code, "02") || span_is(code, "03")) {
		if (close_open_account(b, error) ||
		    (code.data[1] != '3' && close_open(b, &b->group, "group", "98", error)) ||
		    (code.data[1] == '1' && close_open(b, &b->file, "file", "99", error)))
			return -1;
		b->why.class = ERROR_NONE;
		if (code.data[1] == '1')
			open_file(b, rest);
		else if (code.data[1] == '2' && b->file.open)
			open_group(b, rest);
		else if (code.data[1] == '3' && b->group.open)
			open_account(b, rest);
		else
			return unknown(b, error);
		check_record(b);
		if (code.data[1] == '1')
			b->file_why = b->group_why = b->why;
		else if (code.data[1] == '2')
			b->group_why = b->file_why.class == ERROR_NONE ? b->why : b->file_why;
		count_records(b);
		return 0;
	}
	check_record(b);
	count_records(b);
	if (span_is(code, "16") && b->account.open)
		read_transaction(b, rest);
	else if (span_is(code, "49"))
		return end_account_record(b, rest, error);
	else if (span_is(code, "98"))
		return end_level(b, &b->group, &b->file, rest, "accounts", error);
	else if (span_is(code, "99"))
		return close_open_account(b, error) || close_open(b, &b->group, "group", "98", error)
			       ? -1
			       : end_level(b, &b->file, NULL, rest, "groups", error);
	else
		return unknown(b, error);
	return 0;
}

/* A record goes on in records 88: behind a slash with the next field, else with more of the last one's text. */
static void append(struct bai2 *b, struct span line)
{
	size_t n = buf_view(&b->record).len;

	while (n && strchr(" \t", b->record.data[n - 1]))
		n--;
	if (n && b->record.data[n - 1] == '/') {
		n--;
		b->record.len = n;
		buf_char(&b->record, JOINED);
	} else {
		buf_char(&b->record, '\n');
	}
	buf_span(&b->record, line);
}

static int take_line(struct bai2 *b, uint64_t from, struct error *error)
{
	struct span line = bank_trim(buf_view(&b->reader.line));

	if (!line.len)
		return 0;
	b->reader.bad = b->reader.bad || memchr(line.data, JOINED, line.len);
	if (span_starts(line, "88,") && b->has_record) {
		append(b, span_make(line.data + 3, line.len - 3));
		b->lines_in_record++;
		b->record_bad = b->record_bad || b->reader.bad;
		return b->record.full ? bank_fault(error, "bai2.limit", "a record is longer than %zu bytes", RECORD_MAX)
				      : 0;
	}
	if (end_record(b, error))
		return -1;
	buf_reset(&b->record);
	buf_span(&b->record, line);
	b->has_record = true;
	b->record_bad = b->reader.bad;
	b->record_from = from;
	b->record_line = b->reader.number;
	b->lines_in_record = 1;
	return 0;
}

static int read_document(struct bai2 *b, struct error *error)
{
	int more;

	for (;;) {
		uint64_t from = b->reader.source;

		more = bank_next(&b->reader, error);
		if (more <= 0)
			break;
		if (take_line(b, from, error))
			return -1;
		if (b->account.open && b->reader.source - b->account_from > BANK_PART_MAX) {
			wrong(b, "bai2.limit", "makes its account longer than 64 MiB");
			json_array_clear(b->transactions);
		}
	}
	if (more || end_record(b, error) || close_open_account(b, error))
		return -1;
	if (b->file.open) {
		bank_fault(&b->why, "bai2.structure", "the file has no record 99 at its end");
		return bank_reject(&b->reader, "file", b->record_from, &b->why, error);
	}
	if (!b->reader.lines.count)
		return bank_fault(error, "bai2.empty", "there is no account in the document");
	return lines_flush(&b->reader.lines, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct bai2_settings *settings = self;
	struct bai2 *b = mem_alloc(sizeof *b);
	int failed;

	b->settings = settings;
	b->balanced = true;
	buf_init(&b->record, RECORD_MAX);
	failed = bank_begin(&b->reader, "bai2.limit", settings->charset, item, out, error) || read_document(b, error);
	json_decref(b->file_json);
	json_decref(b->group_json);
	json_decref(b->account_json);
	buf_free(&b->record);
	bank_end(&b->reader);
	free(b);
	return failed ? -1 : 0;
}

const struct decode_format decode_bai2 = {
	.name = "bai2",
	.help = "BAI2 cash management reports, an account each",
	.more = {options, sizeof(struct bai2_settings)},
	.check = check,
	.run = run,
};
