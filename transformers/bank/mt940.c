/* SWIFT statements, MT940 (and 941, 950) and MT942, with or without the blocks {1:…}{2:…}{4:…-} around them: a line for
 * each message. What a field holds is in mt940_field.c. */
#include "config.h"
#include "transformers/bank/mt940.h"

#include <stdio.h>
#include <stdlib.h>

#include "transformers/format.h"

static const struct option options[] = {
	{.name = "balance",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct mt940_settings, balance),
	 .range = "reject|note",
	 .fallback = "reject",
	 .help = "a statement whose movements do not lead from the opening to the closing balance, or to its totals: "
		 "refused, or passed on with `balanced: false`"},
	BANK_CHARSET_OPTION(struct mt940_settings),
	OPTION_END,
};

static int check(const void *of, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct mt940_settings *settings = of;

	return bank_check_charset(settings->charset, place, findings);
}

/* ---- messages */
static void begin_message(struct mt940 *m)
{
	json_decref(m->message);
	m->message = json_object();
	json_object_set_new(m->message, "format", json_string("mt940"));
	m->seen = 0;
	m->transactions = json_array();
	m->sum = m->debits = m->credits = 0;
	m->debits_count = m->credits_count = 0;
	m->has_field = false;
	m->open = true;
	m->why.class = ERROR_NONE;
	m->size = 0;
	*m->type = *m->currency = '\0';
	buf_reset(&m->information);
	buf_reset(&m->remarks);
}

static bool is_statement(const struct mt940 *m)
{
	return !*m->type || !strcmp(m->type, "940") || !strcmp(m->type, "941") || !strcmp(m->type, "942") ||
	       !strcmp(m->type, "950");
}

static int emit_message(struct mt940 *m, struct error *error)
{
	json_t *message = m->message;

	m->message = NULL;
	json_object_set_new(message, "transactions", m->transactions);
	m->transactions = NULL;
	return bank_emit(&m->reader, message, "statement", m->from, error);
}

static int end_message(struct mt940 *m, struct error *error)
{
	if (!m->open)
		return 0;
	mt940_end_field(m);
	m->open = false;
	if (!is_statement(m))
		bank_fault(&m->why, "mt940.type", "this is an MT%s, and no statement (MT940, 941, 942 or 950)",
			   m->type);
	if (m->why.class == ERROR_NONE)
		mt940_judge(m);
	if (m->why.class == ERROR_NONE)
		return emit_message(m, error);
	json_decref(m->message);
	json_decref(m->transactions);
	m->message = m->transactions = NULL;
	return bank_reject(&m->reader, "statement", m->from, &m->why, error);
}

/* ---- blocks */
/* {1:F01BANKDEFFAXXX…}{2:O940…}{3:…}: kept as they are; {4: begins the text. What is behind that. */
static struct span read_blocks(struct mt940 *m, struct span line)
{
	while (line.len > 2 && line.data[0] == '{' && line.data[2] == ':') {
		char name[2] = {line.data[1], '\0'};
		size_t depth = 0, i = 0;

		if (line.data[1] == '4' && !(line.len > 3 && line.data[3] == '{'))
			return span_make(line.data + 3, line.len - 3);
		for (; i < line.len; i++) {
			depth += line.data[i] == '{';
			depth -= line.data[i] == '}';
			if (!depth)
				break;
		}
		if (i == line.len)
			break;
		if (!m->blocks)
			m->blocks = json_object();
		bank_set(m->blocks, name, span_make(line.data + 3, i - 3));
		if (line.data[1] == '2' && i > 6)
			snprintf(m->told_type, sizeof m->told_type, "%.3s", line.data + 4);
		line = span_make(line.data + i + 1, line.len - i - 1);
	}
	return line;
}

/* ---- lines */
/* :61: and its kin; the length with both colons, 0: none. Three characters are a message's type (:940:). */
static size_t tag_of(struct span line)
{
	size_t i = 1;

	if (line.len < 4 || line.data[0] != ':')
		return 0;
	while (i < line.len && i < 5 &&
	       ((line.data[i] >= '0' && line.data[i] <= '9') || (line.data[i] >= 'A' && line.data[i] <= 'Z')))
		i++;
	return i >= 3 && i <= 4 && i < line.len && line.data[i] == ':' ? i + 1 : 0;
}

/* What begins like a field within the text of :86:, though a statement has no such field. */
static bool is_text(const struct mt940 *m, struct span line, size_t tag)
{
	static const char *const tags[] = {"20",  "21", "25",  "25P", "28", "28C", "13", "13D", "34F", "60F",
					   "60M", "61", "62F", "62M", "64", "65",  "86", "90C", "90D", "NS"};

	if (!m->open || !m->has_field || strcmp(m->tag, "86") || !is_statement(m))
		return false;
	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
		if (span_is(span_make(line.data + 1, tag - 2), tags[i]))
			return false;
	return true;
}

static bool ends_message(struct span line)
{
	return line.len && line.data[0] == '-' && (line.len == 1 || line.data[1] == '}' || line.data[1] == '\x03');
}

static int add_field(struct mt940 *m, struct span line, size_t tag, uint64_t from, struct error *error)
{
	struct span name = span_make(line.data + 1, tag - 2);

	if (name.len == 3 && bank_is_digits(name, 3)) { /* some banks put the type in front */
		snprintf(m->told_type, sizeof m->told_type, "%.3s", name.data);
		return end_message(m, error);
	}
	if (span_is(name, "20") && m->open && m->seen)
		if (end_message(m, error))
			return -1;
	if (!m->open) {
		begin_message(m);
		m->from = m->header_seen ? m->header_from : from;
		snprintf(m->type, sizeof m->type, "%s", m->told_type);
		if (m->blocks)
			json_object_set_new(m->message, "blocks", m->blocks);
		m->blocks = NULL;
		m->header_seen = false;
		*m->told_type = '\0';
	}
	mt940_end_field(m);
	snprintf(m->tag, sizeof m->tag, "%.*s", SPAN_ARGS(name));
	m->has_field = true;
	m->field_line = m->reader.number;
	buf_reset(&m->field);
	buf_append(&m->field, line.data + tag, line.len - tag);
	return 0;
}

static void note_header(struct mt940 *m, uint64_t from)
{
	if (!m->header_seen)
		m->header_from = from;
	m->header_seen = true;
}

static struct span without_controls(struct span line)
{
	while (line.len &&
	       (line.data[0] == '\x01' || line.data[0] == '\x02' || line.data[0] == '$' || line.data[0] == '\x03'))
		line = span_make(line.data + 1, line.len - 1);
	while (line.len > 1 && line.data[line.len - 1] == '\x03')
		line.len--;
	return line;
}

static int take_line(struct mt940 *m, uint64_t from, struct error *error)
{
	struct span line = without_controls(buf_view(&m->reader.line));
	size_t tag;

	if (line.len > 2 && line.data[0] == '{' && line.data[2] == ':') {
		if (end_message(m, error))
			return -1;
		note_header(m, from);
		line = read_blocks(m, line);
	}
	tag = tag_of(line);
	if (tag && !is_text(m, line, tag))
		return add_field(m, line, tag, from, error);
	if (ends_message(line)) {
		if (end_message(m, error))
			return -1;
		for (size_t i = 1; i + 1 < line.len; i++) /* -}{1:…: the next one follows at once */
			if (line.data[i] == '{' && line.data[i + 1] == '1') {
				note_header(m, from);
				read_blocks(m, span_make(line.data + i, line.len - i));
				break;
			}
		return 0;
	}
	if (m->open && m->has_field) {
		m->size += line.len;
		buf_char(&m->field, '\n');
		buf_span(&m->field, line);
	} else if (line.len) {
		note_header(m, from); /* lines of a bank's own in front of a message */
	}
	return 0;
}

static int read_document(struct mt940 *m, struct error *error)
{
	int more;

	for (;;) {
		uint64_t from = m->reader.source;

		more = bank_next(&m->reader, error);
		if (more <= 0)
			break;
		m->size += m->reader.line.len;
		if (m->open && m->size > BANK_PART_MAX)
			return bank_fault(error, "mt940.limit", "a message is longer than %zu bytes", BANK_PART_MAX);
		if (take_line(m, from, error))
			return -1;
		if (m->reader.bad && m->open)
			bank_fault(&m->why, "mt940.character", "line %llu has a byte that is no character of %s",
				   (unsigned long long)m->reader.number,
				   *m->reader.text.charset ? m->reader.text.charset : "UTF-8");
	}
	if (more || end_message(m, error))
		return -1;
	if (!m->reader.lines.count)
		return bank_fault(error, "mt940.empty",
				  "there is no field :20: in the document, which begins a message");
	return lines_flush(&m->reader.lines, error);
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	const struct mt940_settings *settings = self;
	struct mt940 *m = mem_alloc(sizeof *m);
	int failed;

	m->settings = settings;
	buf_init(&m->field, MT940_INFORMATION_MAX);
	buf_init(&m->information, MT940_INFORMATION_MAX);
	buf_init(&m->remarks, MT940_INFORMATION_MAX);
	failed = bank_begin(&m->reader, "mt940.limit", settings->charset, item, out, error) || read_document(m, error);
	json_decref(m->message);
	json_decref(m->transactions);
	json_decref(m->blocks);
	buf_free(&m->field);
	buf_free(&m->information);
	buf_free(&m->remarks);
	bank_end(&m->reader);
	free(m);
	return failed ? -1 : 0;
}

const struct decode_format decode_mt940 = {
	.name = "mt940",
	.help = "SWIFT statements, MT940 and MT942",
	.more = {options, sizeof(struct mt940_settings)},
	.check = check,
	.run = run,
};
