/* NACHA files of the ACH network (NACHA operating rules, appendix 3): a line for each batch. Records of 94 characters:
 * 1 file, 5 batch, 6 entry, 7 addenda, 8 and 9 their controls. What the file's control says is known only behind its
 * batches, which have gone on by then: it is told by itself when it is wrong. */
#include "config.h"
#include "transformers/bank/bank.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/format.h"

#define RECORD 94
#define HASH_MODULUS 10000000000

struct sums {
	uint64_t entries, hash; /* entries: with their addenda */
	int64_t debits, credits;
};

struct nacha {
	struct bank_reader reader;
	const char *record; /* of 94 characters */
	uint64_t from, batch_from, batches;
	uint64_t records; /* of the file */
	bool in_file, in_batch, ended;
	bool advice; /* batches of ADV: entries and totals have other places */
	struct sums file, batch;
	json_t *file_json, *batch_json, *entries, *entry;
	struct error why, file_why;
};

/* ---- parts of records; places count from 1, as the rules do */
static struct span part(const struct nacha *n, size_t from, size_t to)
{
	return span_make(n->record + from - 1, to - from + 1);
}

static void set(const struct nacha *n, json_t *object, const char *name, size_t from, size_t to)
{
	bank_set(object, name, bank_trim(part(n, from, to)));
}

static void __attribute__((format(printf, 3, 4))) wrong(struct nacha *n, const char *code, const char *format, ...)
{
	va_list arguments;
	char text[200];

	if (n->why.class != ERROR_NONE)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	bank_fault(&n->why, code, "the record in line %llu %s", (unsigned long long)n->reader.number, text);
}

static uint64_t number(struct nacha *n, size_t from, size_t to)
{
	struct span text = part(n, from, to);
	uint64_t value = 0;

	if (!bank_is_digits(text, text.len)) {
		wrong(n, "nacha.field", "has no digits at %zu to %zu", from, to);
		return 0;
	}
	for (size_t i = 0; i < text.len; i++)
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	return value;
}

static void set_cents(json_t *object, const char *name, uint64_t cents)
{
	char text[32];

	snprintf(text, sizeof text, "%llu.%02u", (unsigned long long)(cents / 100), (unsigned)(cents % 100));
	json_object_set_new(object, name, json_string(text));
}

static void set_date(struct nacha *n, json_t *object, const char *name, size_t from)
{
	char date[11];
	bool bent;

	if (!bank_trim(part(n, from, from + 5)).len)
		return;
	if (!bank_date(part(n, from, from + 5), date, &bent) || bent)
		wrong(n, "nacha.date", "has no date of the form YYMMDD at %zu", from);
	else
		json_object_set_new(object, name, json_string(date));
}

static void check_characters(struct nacha *n)
{
	if (n->reader.bad)
		wrong(n, "nacha.character", "has a character that is not ASCII");
}

/* ---- file and batch */
static void open_file(struct nacha *n)
{
	json_decref(n->file_json);
	n->file_json = json_object();
	n->file = (struct sums){0};
	n->batches = 0;
	n->records = 1;
	n->in_file = true;
	n->ended = n->advice = false;
	n->why.class = ERROR_NONE;
	set(n, n->file_json, "destination", 4, 13);
	set(n, n->file_json, "origin", 14, 23);
	set_date(n, n->file_json, "date", 24);
	set(n, n->file_json, "time", 30, 33);
	set(n, n->file_json, "modifier", 34, 34);
	set(n, n->file_json, "destinationName", 41, 63);
	set(n, n->file_json, "originName", 64, 86);
	set(n, n->file_json, "reference", 87, 94);
	if (!span_is(part(n, 35, 37), "094"))
		wrong(n, "nacha.field", "says another record size than 094");
	check_characters(n);
	n->file_why = n->why;
}

static bool is_of(const struct nacha *n, const char *wanted)
{
	const char *class = json_string_value(json_object_get(n->batch_json, "entryClass"));

	return class && !strcmp(class, wanted);
}

static bool is_iat(const struct nacha *n)
{
	return is_of(n, "IAT");
}

static void open_batch(struct nacha *n)
{
	json_decref(n->batch_json);
	n->batch_json = json_object();
	n->entries = json_array();
	n->entry = NULL;
	n->batch = (struct sums){0};
	n->batch_from = n->from;
	n->in_batch = true;
	n->why = n->file_why;
	json_object_set_new(n->batch_json, "entries", n->entries);
	set(n, n->batch_json, "number", 88, 94);
	set(n, n->batch_json, "serviceClass", 2, 4);
	set(n, n->batch_json, "entryClass", 51, 53);
	n->advice |= is_of(n, "ADV");
	if (is_iat(n)) {
		set(n, n->batch_json, "foreignExchange", 21, 22);
		set(n, n->batch_json, "destinationCountry", 39, 40);
		set(n, n->batch_json, "originCurrency", 64, 66);
		set(n, n->batch_json, "destinationCurrency", 67, 69);
	} else {
		set(n, n->batch_json, "companyName", 5, 20);
		set(n, n->batch_json, "discretionaryData", 21, 40);
		set(n, n->batch_json, "descriptiveDate", 64, 69);
	}
	set(n, n->batch_json, "companyId", 41, 50);
	set(n, n->batch_json, "description", 54, 63);
	set_date(n, n->batch_json, "effectiveDate", 70);
	set(n, n->batch_json, "settlementDate", 76, 78);
	set(n, n->batch_json, "originatorStatus", 79, 79);
	set(n, n->batch_json, "odfi", 80, 87);
	check_characters(n);
}

/* ---- entries */
static bool is_debit(struct nacha *n)
{
	char group = n->record[1], kind = n->record[2];

	if (group >= '2' && group <= '4' && kind >= '1' && kind <= '9' && kind != '5')
		return kind >= '6';
	if (group == '5' && kind >= '1' && kind <= '6')
		return kind >= '5';
	if (group == '8' && kind >= '1' && kind <= '8')
		return (kind - '0') % 2 == 0;
	wrong(n, "nacha.field", "has the transaction code %.2s, which is none", n->record + 1);
	return false;
}

static void check_routing(struct nacha *n)
{
	static const int weights[] = {3, 7, 1, 3, 7, 1, 3, 7};
	int sum = 0;

	if (!bank_is_digits(part(n, 4, 12), 9)) {
		wrong(n, "nacha.field", "has no routing number of nine digits");
		return;
	}
	for (size_t i = 0; i < 8; i++)
		sum += weights[i] * (n->record[3 + i] - '0');
	if ((10 - sum % 10) % 10 != n->record[11] - '0')
		wrong(n, "nacha.routing", "has the routing number %.9s, whose last digit is wrong", n->record + 3);
}

/* What an entry says of its addenda is known when the next record comes. */
static void end_entry(struct nacha *n)
{
	bool there = json_array_size(json_object_get(n->entry, "addenda")) > 0,
	     told = n->entry && json_is_true(json_object_get(n->entry, "hasAddenda"));

	if (n->entry && there != told)
		wrong(n, "nacha.structure", "follows an entry that %s",
		      told ? "says that it has addenda, and has none" : "has addenda, and says that it has none");
	if (n->entry)
		json_object_del(n->entry, "hasAddenda");
	n->entry = NULL;
}

static void keep_entry(struct nacha *n, bool debit, uint64_t amount)
{
	n->entry = json_object();
	json_array_append_new(n->entries, n->entry);
	set(n, n->entry, "code", 2, 3);
	json_object_set_new(n->entry, "direction", json_string(debit ? "debit" : "credit"));
	set(n, n->entry, "routing", 4, 12);
	set_cents(n->entry, "amount", amount);
	if (is_iat(n)) {
		set(n, n->entry, "account", 40, 74);
	} else if (is_of(n, "ADV")) {
		set(n, n->entry, "account", 13, 27);
		set(n, n->entry, "adviceRouting", 40, 48);
		set(n, n->entry, "fileIdentification", 49, 53);
		set(n, n->entry, "operatorData", 54, 54);
		set(n, n->entry, "name", 55, 76);
		set(n, n->entry, "discretionaryData", 77, 78);
		set(n, n->entry, "operator", 80, 87);
		set(n, n->entry, "day", 88, 90);
		set(n, n->entry, "sequence", 91, 94);
	} else {
		set(n, n->entry, "account", 13, 29);
		set(n, n->entry, "id", 40, 54);
		set(n, n->entry, "name", is_of(n, "CTX") ? 59 : 55, is_of(n, "CTX") ? 74 : 76);
		set(n, n->entry, "discretionaryData", 77, 78);
	}
	if (!is_of(n, "ADV"))
		set(n, n->entry, "trace", 80, 94);
	json_object_set_new(n->entry, "hasAddenda", json_boolean(n->record[78] == '1'));
}

/* Of a batch that is refused nothing need be kept but its sums, for the file. */
static void read_entry(struct nacha *n)
{
	bool debit = is_debit(n);
	uint64_t amount = number(n, is_of(n, "ADV") ? 28 : 30, 39);

	check_routing(n);
	if (n->why.class == ERROR_NONE)
		keep_entry(n, debit, amount);
	n->batch.entries++;
	n->batch.hash = (n->batch.hash + number(n, 4, 11)) % HASH_MODULUS;
	*(debit ? &n->batch.debits : &n->batch.credits) += (int64_t)amount;
	if (n->from - n->batch_from > BANK_PART_MAX)
		wrong(n, "nacha.limit", "makes its batch longer than 64 MiB");
}

static void read_addenda(struct nacha *n)
{
	json_t *list = json_object_get(n->entry, "addenda"), *addenda = json_object();

	n->batch.entries++;
	if (n->why.class != ERROR_NONE || !n->entry) {
		wrong(n, "nacha.structure", "is an addenda without an entry");
		json_decref(addenda);
		return;
	}
	if (!list)
		json_object_set_new(n->entry, "addenda", list = json_array());
	set(n, addenda, "type", 2, 3);
	set(n, addenda, "information", 4, 83);
	set(n, addenda, "sequence", 84, 87);
	json_array_append_new(list, addenda);
}

/* ---- controls */
/* A total of 12 digits, or of 20. */
static uint64_t total(struct nacha *n, size_t from, size_t digits)
{
	uint64_t front = digits > 19 ? number(n, from, from + digits - 20) : 0,
		 value = number(n, from + digits - (digits > 19 ? 19 : digits), from + digits - 1);

	return front ? UINT64_MAX : value;
}

static void judge(struct nacha *n, const struct sums *sums, size_t count_at, size_t count_to, size_t hash_at,
		  bool advice)
{
	size_t digits = advice ? 20 : 12;
	uint64_t entries = number(n, count_at, count_to), hash = number(n, hash_at, hash_at + 9),
		 debits = total(n, hash_at + 10, digits), credits = total(n, hash_at + 10 + digits, digits);

	if (entries != sums->entries)
		wrong(n, "nacha.total", "says %llu entries and addenda, and there are %llu",
		      (unsigned long long)entries, (unsigned long long)sums->entries);
	else if (hash != sums->hash)
		wrong(n, "nacha.total", "says the entry hash %llu, and it comes to %llu", (unsigned long long)hash,
		      (unsigned long long)sums->hash);
	else if (debits != (uint64_t)sums->debits || credits != (uint64_t)sums->credits)
		wrong(n, "nacha.total", "says debits of %llu and credits of %llu cents, and they come to %lld and %lld",
		      (unsigned long long)debits, (unsigned long long)credits, (long long)sums->debits,
		      (long long)sums->credits);
}

static int give_batch(struct nacha *n, struct error *error)
{
	json_t *line;

	n->in_batch = false;
	n->entry = NULL;
	if (n->why.class != ERROR_NONE)
		return bank_reject(&n->reader, "batch", n->batch_from, &n->why, error);
	set_cents(n->batch_json, "debits", (uint64_t)n->batch.debits);
	set_cents(n->batch_json, "credits", (uint64_t)n->batch.credits);
	line = json_pack("{s:s s:O s:O}", "format", "nacha", "file", n->file_json, "batch", n->batch_json);
	return bank_emit(&n->reader, line, "batch", n->batch_from, error);
}

static int end_batch(struct nacha *n, struct error *error)
{
	judge(n, &n->batch, 5, 10, 11, is_of(n, "ADV"));
	if (!span_equal(bank_trim(part(n, 88, 94)),
			span_of(json_string_value(json_object_get(n->batch_json, "number")))))
		wrong(n, "nacha.structure", "is of another batch than the header");
	n->batches++;
	n->file.entries += n->batch.entries;
	n->file.hash = (n->file.hash + n->batch.hash) % HASH_MODULUS;
	n->file.debits += n->batch.debits;
	n->file.credits += n->batch.credits;
	return give_batch(n, error);
}

static int end_file(struct nacha *n, struct error *error)
{
	n->why = n->batches ? (struct error){0} : n->file_why;
	n->in_file = false;
	n->ended = true;
	judge(n, &n->file, 14, 21, 22, n->advice);
	if (number(n, 8, 13) != (n->records + 9) / 10)
		wrong(n, "nacha.total", "says %llu blocks of ten records, and there are %llu",
		      (unsigned long long)number(n, 8, 13), (unsigned long long)(n->records + 9) / 10);
	if (number(n, 2, 7) != n->batches)
		wrong(n, "nacha.total", "says another number of batches than the %llu there are",
		      (unsigned long long)n->batches);
	if (n->why.class != ERROR_NONE)
		return bank_reject(&n->reader, "file", n->from, &n->why, error);
	if (!n->batches)
		return out_drop(n->reader.lines.out, out_item(n->reader.lines.out, n->reader.lines.whole),
				"a file without a batch", error);
	return 0;
}

/* ---- records */
static int misplaced(struct nacha *n, struct error *error)
{
	if (!n->in_batch)
		n->why.class = ERROR_NONE;
	wrong(n, "nacha.structure", "is none of 1, 5, 6, 7, 8, 9, or stands where it may not");
	return n->in_batch ? 0 : bank_reject(&n->reader, "record", n->from, &n->why, error);
}

static int end_open_batch(struct nacha *n, struct error *error)
{
	if (!n->in_batch)
		return 0;
	wrong(n, "nacha.structure", "comes before the record 8 that ends its batch");
	return give_batch(n, error);
}

/* Its batches have gone on: it is told by itself. */
static int end_open_file(struct nacha *n, struct error *error)
{
	if (!n->in_file)
		return 0;
	n->why.class = ERROR_NONE;
	wrong(n, "nacha.structure", "comes before the record 9 that ends its file");
	return bank_reject(&n->reader, "file", n->from, &n->why, error);
}

static int take_record(struct nacha *n, struct error *error)
{
	char type = n->record[0];

	if (n->ended && !memcmp(n->record, "9999999999", 10))
		return 0; /* fills the block */
	n->records++;
	if (n->in_batch && type != '7')
		end_entry(n);
	if (n->in_batch)
		check_characters(n);
	if (n->in_batch && type == '6')
		read_entry(n);
	else if (n->in_batch && type == '7')
		read_addenda(n);
	else if (n->in_batch && type == '8')
		return end_batch(n, error);
	else if (type == '1' || type == '5' || type == '9') {
		if (end_open_batch(n, error))
			return -1;
		if (type == '1' && end_open_file(n, error))
			return -1;
		if (type == '1')
			open_file(n);
		else if (type == '5' && n->in_file)
			open_batch(n);
		else if (type == '9' && n->in_file)
			return end_file(n, error);
		else
			return misplaced(n, error);
	} else {
		return misplaced(n, error);
	}
	return 0;
}

static int refuse_line(struct nacha *n, size_t len, struct error *error)
{
	if (!n->in_batch)
		n->why.class = ERROR_NONE;
	wrong(n, "nacha.length", "has %zu characters in place of 94", len);
	return n->in_batch ? 0 : bank_reject(&n->reader, "record", n->from, &n->why, error);
}

/* One byte for each character: the network has ASCII only. */
static void flatten(struct nacha *n)
{
	struct buf *line = &n->reader.line;
	size_t len = 0;

	for (size_t i = 0; i < line->len; i++) {
		unsigned char c = (unsigned char)line->data[i];

		n->reader.bad = n->reader.bad || c >= 0x80;
		if ((c & 0xc0) != 0x80)
			line->data[len++] = c >= 0x80 ? '?' : (char)c;
	}
	line->len = len;
}

/* A line is a record, perhaps without the blanks at its end; or many of them, in a file without line ends. */
static int take_line(struct nacha *n, struct error *error)
{
	char record[RECORD];
	struct span line;

	flatten(n);
	line = buf_view(&n->reader.line);
	while (line.len > RECORD && line.len % RECORD && line.data[line.len - 1] == ' ')
		line.len--;
	if (line.len > RECORD && line.len % RECORD)
		return refuse_line(n, line.len, error);
	for (size_t at = 0; at < line.len; at += RECORD) {
		size_t len = line.len - at < RECORD ? line.len - at : RECORD;

		memset(record, ' ', RECORD);
		memcpy(record, line.data + at, len);
		n->record = record;
		if (take_record(n, error))
			return -1;
	}
	return 0;
}

static int read_document(struct nacha *n, struct error *error)
{
	int more;

	for (;;) {
		n->from = n->reader.source;
		more = bank_next(&n->reader, error);
		if (more <= 0)
			break;
		if (bank_trim(buf_view(&n->reader.line)).len && take_line(n, error))
			return -1;
	}
	if (more)
		return -1;
	if (n->in_batch &&
	    (wrong(n, "nacha.structure", "is the last, and its batch has no record 8"), give_batch(n, error)))
		return -1;
	if (n->in_file) {
		bank_fault(&n->why, "nacha.structure", "the file has no record 9 at its end");
		return bank_reject(&n->reader, "file", n->from, &n->why, error);
	}
	if (!n->reader.lines.count && !n->ended)
		return bank_fault(error, "nacha.empty", "there is no record in the document");
	return lines_flush(&n->reader.lines, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	struct nacha *n = mem_alloc(sizeof *n);
	int failed = bank_begin(&n->reader, "nacha.limit", NULL, item, out, error) || read_document(n, error);

	json_decref(n->file_json);
	json_decref(n->batch_json);
	bank_end(&n->reader);
	free(n);
	return failed ? -1 : 0;
}

const struct decode_format decode_nacha = {.name = "nacha", .help = "ACH files of NACHA, a batch each", .run = run};
