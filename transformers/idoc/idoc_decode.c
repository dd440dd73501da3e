/* decode: idoc. Flat files, a record a line or records of fixed length; or XML. An item for each IDoc: its control
 * record, and its segments as SAP's own XML nests them. See idoc.h, and docs/formats.md for the form. */
#include "config.h"
#include "transformers/idoc/idoc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "transformers/format.h"
#include "transformers/window.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789/"
#define LINE_MAX_BYTES (4 * (IDOC_HEAD + IDOC_DATA) + 1024)

static const struct option options[] = {
	IDOC_LAYOUTS_OPTION,
	{.name = "unknown",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct idoc_settings, unknown),
	 .range = "take|reject",
	 .fallback = "take",
	 .help = "segments that no layout has: taken as SDATA, or the IDoc is refused"},
	{.name = "check",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct idoc_settings, check),
	 .range = "syntax|structure",
	 .fallback = "syntax",
	 .help = "structure: also which segments must be there, how often they may and in which order, by the layout"},
	OPTION_END,
};

/* ---- records */
struct open_segment {
	json_t *object, *order;
	const char *type, *last; /* last: type of the last child */
	char number[7];          /* as the record says */
	size_t ordinal;          /* as the encoder counts */
	bool scattered;
};

struct flat {
	const struct idoc *idoc;
	struct window window;
	struct item *whole;
	struct out *out;
	uint64_t at, start, count; /* count: IDocs */
	bool fixed;
	/* the IDoc in hand; NULL: none */
	json_t *tree, *data;
	struct open_segment open[IDOC_DEPTH_MAX + 1]; /* [0]: the IDoc itself */
	size_t depth, segments, held;
	char docnum[17];
	bool trimmed, padded, crlf, lf, latin, wide;
	struct error fault; /* class NONE: nothing is wrong so far */
	struct buf text;    /* of the record, in UTF-8 */
};

static bool is_control(struct span record)
{
	return span_starts(record, "EDI_DC40");
}

/* The record at flat->at, without its line end, which is noted; *next is where the one behind it starts. */
static int record_get(struct flat *flat, struct span *record, uint64_t *next, struct error *error)
{
	struct span got;
	const char *end;
	size_t n;

	if (window_get(&flat->window, flat->at, LINE_MAX_BYTES, &got, error))
		return -1;
	if (flat->fixed) {
		n = is_control(got) ? IDOC_CONTROL : IDOC_HEAD + IDOC_DATA;
		*record = span_make(got.data, n < got.len ? n : got.len);
		*next = flat->at + record->len;
		return 0;
	}
	end = memchr(got.data, '\n', got.len);
	n = end ? (size_t)(end - got.data) : got.len;
	*next = flat->at + n + (end != NULL);
	if (n && got.data[n - 1] == '\r') {
		n--;
		flat->crlf = true;
	} else if (end) {
		flat->lf = true;
	}
	*record = span_make(got.data, n);
	return 0;
}

/* The next characters, taken from the front. */
static struct span take_field_of(struct span *rest, size_t characters)
{
	size_t n = 0;

	for (size_t i = 0; i < characters && n < rest->len; i++)
		n += utf8_character(span_make(rest->data + n, rest->len - n));
	*rest = span_make(rest->data + n, rest->len - n);
	return span_make(rest->data - n, n);
}

static struct span without_blanks(struct span text)
{
	while (text.len && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

static void set_text(json_t *object, const char *name, struct span value)
{
	value = without_blanks(value);
	if (value.len)
		json_object_set_new_nocheck(object, name, json_stringn_nocheck(value.data, value.len));
}

/* ---- faults */
/* Only the first counts: the IDoc is refused for it. */
static void note(struct flat *flat, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void note(struct flat *flat, const char *code, const char *format, ...)
{
	char text[300];
	va_list arguments;

	if (flat->fault.class != ERROR_NONE)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	error_set(&flat->fault, ERROR_REJECT, code, "segment %zu (byte %llu): %s", flat->segments,
		  (unsigned long long)flat->at, text);
	error_place(&flat->fault, "segment %zu (byte %llu)", flat->segments, (unsigned long long)flat->at);
}

/* In UTF-8; bytes that are none are ISO 8859-1. */
static struct span text_of(struct flat *flat, struct span record)
{
	if (utf8_is_clean(record)) {
		for (size_t i = 0; i < record.len; i++)
			flat->wide |= (unsigned char)record.data[i] >= 0x80;
		return record;
	}
	if (memchr(record.data, 0, record.len))
		note(flat, "idoc.character", "there is a zero byte in the record");
	flat->latin = true;
	buf_reset(&flat->text);
	for (size_t i = 0; i < record.len; i++) {
		unsigned char c = (unsigned char)record.data[i];

		if (c < 0x80) {
			buf_char(&flat->text, (char)(c ? c : ' '));
			continue;
		}
		buf_char(&flat->text, (char)(0xc0 | c >> 6));
		buf_char(&flat->text, (char)(0x80 | (c & 0x3f)));
	}
	return buf_view(&flat->text);
}

/* ---- an IDoc */
static void close_segments(struct flat *flat, size_t down_to)
{
	while (flat->depth > down_to) {
		struct open_segment *open = &flat->open[--flat->depth];

		if (open->scattered)
			json_object_set_nocheck(open->object, "#order", open->order);
		json_decref(open->order);
		open->order = NULL;
	}
}

static void open_segment(struct flat *flat, json_t *object, const char *type, struct span number)
{
	struct open_segment *open = &flat->open[flat->depth++];

	*open = (struct open_segment){.object = object, .type = type, .order = json_array(), .ordinal = flat->segments};
	snprintf(open->number, sizeof open->number, "%.*s", (int)(number.len < 6 ? number.len : 6),
		 number.data ? number.data : "");
}

static void begin_idoc(struct flat *flat, struct span record)
{
	json_t *control = json_object();
	struct span rest;

	flat->tree =
		json_pack("{s:s, s:o, s:o}", "format", "idoc", "control", control, "data", flat->data = json_object());
	flat->start = flat->at;
	flat->segments = flat->held = 0;
	flat->trimmed = flat->padded = flat->crlf = flat->lf = flat->latin = flat->wide = false;
	error_clear(&flat->fault);
	rest = text_of(flat, record);
	for (const struct idoc_field *field = idoc_control; field->name; field++)
		set_text(control, field->name, take_field_of(&rest, field->length));
	if (without_blanks(rest).len)
		note(flat, "idoc.control", "there is text behind the control record's 524 characters");
	snprintf(flat->docnum, sizeof flat->docnum, "%.16s",
		 json_string_value(json_object_get(control, "DOCNUM"))
			 ? json_string_value(json_object_get(control, "DOCNUM"))
			 : "");
	open_segment(flat, flat->data, NULL, SPAN_NONE);
}

/* The open segment that the new one stands below: as the layout says, else as the record does. */
static size_t parent_of(struct flat *flat, const struct idoc_segment *known, struct span parent_number)
{
	for (size_t i = flat->depth; i-- > 1;)
		if (known ? known->parent && !strcmp(flat->open[i].type, known->parent)
			  : span_is(parent_number, flat->open[i].number))
			return i;
	if (known && known->parent)
		note(flat, "idoc.parent", "%s stands below %s, and there is none", known->type, known->parent);
	return 0;
}

static void read_fields(struct flat *flat, json_t *object, const struct idoc_segment *known, struct span rest)
{
	if (!known) {
		set_text(object, "SDATA", rest);
		return;
	}
	for (size_t i = 0; i < known->fields_count; i++)
		set_text(object, known->fields[i].name, take_field_of(&rest, known->fields[i].length));
	if (without_blanks(rest).len)
		note(flat, "idoc.length", "there is text behind the last field of %s that the layout has", known->type);
}

/* What the encoder would not write by itself. */
static void keep_record(struct flat *flat, json_t *object, const struct idoc_segment *known, struct span *head,
			size_t parent)
{
	const char *client = json_string_value(json_object_get(json_object_get(flat->tree, "control"), "MANDT"));
	char number[24], level[24], above[24];

	if (known && !span_is(without_blanks(head[0]), known->definition))
		set_text(object, "#name", head[0]);
	snprintf(number, sizeof number, "%06zu", flat->segments);
	snprintf(level, sizeof level, "%02zu", parent + 1);
	snprintf(above, sizeof above, "%06zu", parent ? flat->open[parent].ordinal : 0);
	if (span_is(without_blanks(head[1]), client ? client : "") && span_is(without_blanks(head[2]), flat->docnum) &&
	    span_is(head[3], number) && span_is(head[4], above) && span_is(head[5], level))
		return;
	for (size_t k = 1; k < 6; k++) /* trimmed files have no blanks there */
		head[k] = head[k].data ? without_blanks(head[k]) : SPAN_LITERAL("");
	json_object_set_new_nocheck(object, "#record",
				    json_pack("[s#,s#,s#,s#,s#]", head[1].data, head[1].len, head[2].data, head[2].len,
					      head[3].data, head[3].len, head[4].data, head[4].len, head[5].data,
					      head[5].len));
}

static void put_child(struct open_segment *parent, const char *type, json_t *object)
{
	json_t *list = json_object_get(parent->object, type);

	if (!list)
		json_object_set_new_nocheck(parent->object, type, list = json_array());
	else if (parent->last && strcmp(parent->last, type) != 0)
		parent->scattered = true;
	json_array_append_new(list, object);
	json_array_append_new(parent->order, json_string(type));
	parent->last = json_string_value(json_array_get(parent->order, json_array_size(parent->order) - 1));
}

static void add_record(struct flat *flat, struct span record)
{
	struct span rest = text_of(flat, record), head[6];
	const struct idoc_segment *known;
	json_t *object = json_object();
	char type[31];
	size_t parent;

	flat->segments++;
	for (size_t i = 0; i < 6; i++)
		head[i] = take_field_of(&rest, idoc_head[i].length);
	known = idoc_segment_find(&flat->idoc->layout, without_blanks(head[0]));
	snprintf(type, sizeof type, "%.*s", SPAN_ARGS(without_blanks(head[0])));
	if (!*type || type[strspn(type, NAME_CHARACTERS)])
		note(flat, "idoc.record", "this is no data record: its first 63 characters say what it is");
	if (!known && flat->idoc->settings->unknown == IDOC_REJECT)
		note(flat, "idoc.segment", "no layout has a segment %s", type);
	if (!span_is(without_blanks(head[2]), flat->docnum) && without_blanks(head[2]).len)
		note(flat, "idoc.docnum", "the record is of IDoc %.*s, and the control record of %s",
		     SPAN_ARGS(without_blanks(head[2])), *flat->docnum ? flat->docnum : "none");
	parent = parent_of(flat, known, head[4]);
	if (parent + 1 > IDOC_DEPTH_MAX || flat->segments > IDOC_SEGMENTS_MAX)
		note(flat, "idoc.too-large", "more than 200,000 segments, or 20 levels");
	if (flat->fault.class != ERROR_NONE) {
		json_decref(object);
		return;
	}
	read_fields(flat, object, known, rest);
	keep_record(flat, object, known, head, parent);
	close_segments(flat, parent + 1);
	put_child(&flat->open[parent], known ? known->type : type, object);
	open_segment(flat, object, known ? known->type : flat->open[parent].last, head[3]);
}

/* ---- handing on */
static void keep_file_form(struct flat *flat)
{
	json_t *file = json_object();

	if (flat->fixed)
		json_object_set_new(file, "records", json_string("fixed"));
	else if (flat->trimmed && !flat->padded)
		json_object_set_new(file, "records", json_string("trimmed"));
	if (flat->crlf && !flat->lf)
		json_object_set_new(file, "line-end", json_string("crlf"));
	if (flat->latin)
		json_object_set_new(file, "charset", json_string("ISO-8859-1"));
	if (json_object_size(file))
		json_object_set_new(flat->tree, "file", file);
	else
		json_decref(file);
}

static struct item *item_at(struct flat *flat, uint64_t end)
{
	struct item *item = out_item(flat->out, flat->whole);
	char ordinal[24];

	snprintf(ordinal, sizeof ordinal, "%llu", (unsigned long long)++flat->count);
	out_level(flat->out, item, ordinal);
	item->position = span_of(
		arena_printf(out_arena(flat->out), "IDoc %s (byte %llu)", ordinal, (unsigned long long)flat->start));
	item->offset = flat->start;
	item->length = end - flat->start;
	return item;
}

static int end_idoc(struct flat *flat, struct error *error)
{
	struct item *item;

	if (!flat->tree)
		return 0;
	close_segments(flat, 0);
	keep_file_form(flat);
	if (!flat->segments)
		note(flat, "idoc.empty", "there is no segment behind the control record");
	if (flat->latin && flat->wide)
		note(flat, "idoc.charset", "some of its records are UTF-8, others are not");
	item = item_at(flat, flat->at);
	if (flat->fault.class == ERROR_NONE)
		idoc_judge(flat->idoc, flat->tree, 0, &flat->fault);
	if (flat->fault.class != ERROR_NONE) {
		json_decref(flat->tree);
		flat->tree = NULL;
		return out_reject(flat->out, item, &flat->fault, error);
	}
	item->form = FORM_TREE;
	item->tree = flat->tree;
	flat->tree = NULL;
	item->media_type = SPAN_LITERAL("application/json");
	out_part(flat->out, item);
	return out_emit(flat->out, item, error);
}

static int stray(struct flat *flat, uint64_t end, struct error *error)
{
	struct error why;
	struct item *item;

	flat->start = flat->at;
	item = item_at(flat, end);
	error_set(&why, ERROR_REJECT, "idoc.control",
		  "byte %llu: a record stands in front of any control record (EDI_DC40)", (unsigned long long)flat->at);
	return out_reject(flat->out, item, &why, error);
}

static void note_width(struct flat *flat, struct span record, bool control)
{
	size_t full = control ? IDOC_CONTROL : IDOC_HEAD + IDOC_DATA;

	if (record.len >= full && record.data[record.len - 1] == ' ')
		flat->padded = true;
	else if (record.len < full)
		flat->trimmed = true;
}

static int run_records(struct flat *flat, struct error *error)
{
	while (flat->at < flat->window.size) {
		struct span record;
		uint64_t next;
		int failed = 0;

		if (record_get(flat, &record, &next, error))
			return -1;
		if (is_control(record)) {
			failed = end_idoc(flat, error);
			if (failed || window_get(&flat->window, flat->at, record.len, &record, error))
				return -1;
			if (record_get(flat, &record, &next, error)) /* the window may have moved */
				return -1;
			begin_idoc(flat, record);
			note_width(flat, record, true);
		} else if (without_blanks(record).len && flat->tree) {
			flat->held += record.len;
			if (flat->held > out_tree_max(flat->out))
				note(flat, "idoc.too-large", "the IDoc passes %zu bytes", out_tree_max(flat->out));
			add_record(flat, record);
			note_width(flat, record, false);
		} else if (without_blanks(record).len) {
			failed = stray(flat, next, error);
		}
		if (failed)
			return -1;
		flat->at = next;
	}
	return end_idoc(flat, error);
}

/* Without a line end where the control record ends, records have fixed lengths. Its end is counted in characters, as
 * its fields are. */
static bool has_fixed_records(struct span text)
{
	size_t end = 0;

	for (size_t i = 0; i < IDOC_CONTROL + 2 && end < text.len; i++) {
		size_t n = utf8_character(span_make(text.data + end, text.len - end));

		end += n ? n : 1;
	}
	return text.len >= IDOC_CONTROL + IDOC_HEAD && !memchr(text.data, '\n', end);
}

static int look(struct flat *flat, bool *xml, struct error *error)
{
	struct span got;

	if (window_get(&flat->window, 0, LINE_MAX_BYTES, &got, error))
		return -1;
	if (got.len >= 3 && !memcmp(got.data, "\xef\xbb\xbf", 3)) {
		flat->at = 3;
		got = span_make(got.data + 3, got.len - 3);
	}
	for (size_t i = 0; i < got.len && strchr(" \t\r\n<", got.data[i]) && got.data[i]; i++)
		*xml |= got.data[i] == '<';
	flat->fixed = has_fixed_records(got);
	return 0;
}

static int run_idoc(void *self, struct item *item, struct out *out, struct error *error)
{
	struct flat *flat = mem_alloc(sizeof *flat);
	bool xml = false;
	int failed;

	flat->idoc = self;
	flat->whole = item;
	flat->out = out;
	buf_init(&flat->text, 4 * LINE_MAX_BYTES);
	window_begin(&flat->window, item->bytes, out);
	failed = look(flat, &xml, error);
	if (!failed)
		failed = xml ? idoc_read_xml(self, item, out, error) : run_records(flat, error);
	if (!failed && !xml && !flat->count)
		failed = error_set(error, ERROR_REJECT, "idoc.empty", "there is no IDoc in %llu bytes",
				   (unsigned long long)reader_size(item->bytes));
	close_segments(flat, 0);
	json_decref(flat->tree);
	window_end(&flat->window);
	buf_free(&flat->text);
	free(flat);
	return failed;
}

const struct decode_format decode_idoc = {
	.name = "idoc",
	.help = "SAP IDocs, flat or XML",
	.more = {options, sizeof(struct idoc_settings)},
	.check = idoc_check,
	.open = idoc_open,
	.close = idoc_close,
	.run = run_idoc,
};
